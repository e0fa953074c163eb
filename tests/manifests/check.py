"""check.py OLDEST NEWEST FILE ...: every object of the files is valid in both releases, strictly: no unknown field, no wrong type."""

import sys

import kubernetes_validate
import yaml

# Kinds that are not Kubernetes' own: their definitions are checked by tests of their own (crds/tests, a cluster).
OTHERS = ("bailey.dev/", "gateway.networking.k8s.io/")


def main():
    oldest, newest, *files = sys.argv[1:]
    versions = [oldest, kubernetes_validate.latest_version() if newest == "latest" else newest]
    checked, wrong = 0, 0
    for path in files:
        with open(path, encoding="utf-8") as file:
            objects = [one for one in yaml.safe_load_all(file) if one]
        own = [one for one in objects if not one["apiVersion"].startswith(OTHERS)]
        if not own:
            sys.exit(f"{path} has no object of Kubernetes' own: is it the right file?")
        for one in own:
            for version in versions:
                checked += 1
                try:
                    kubernetes_validate.validate(one, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    wrong += 1
                    print(f"{path}: {one['kind']} {one['metadata']['name']} in {version}: {error}")
    print(f"{checked} checks in {', '.join(versions)}, {wrong} failed")
    sys.exit(1 if wrong else 0)


main()
