#!/usr/bin/env python3
"""Writes an OCI image archive of one layer, without a container engine.

    archive.py OUT.tar NAME:TAG PROGRAM [FILE:PATH ...] [--label KEY=VALUE ...]

PROGRAM goes to / and is what the image runs, as user 65532. The same input gives the same bytes: no time of day, no user of
this machine, a fixed order. `ctr images import`, `podman load` and `skopeo` read it (OCI image-spec 1.1, image layout). The layer is
compressed by zstd, which containerd 1.5, CRI-O 1.20, Podman 3 and later read; it is a quarter smaller than by gzip.
"""

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

USER = "65532:65532"


def layer(files):
    """The files as a tar archive: folders before what is in them, everything root's and dated 1970."""
    folders = {parent for _, path in files for parent in parents(path)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for source, path in sorted(files, key=lambda file: file[1]):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = os.path.getsize(source), 0o755 if os.access(source, os.X_OK) else 0o644
            with open(source, "rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()


def parents(path):
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def compress(content):
    try:
        return subprocess.run(["zstd", "-19", "--single-thread", "--quiet", "--stdout"], input=content, capture_output=True, check=True).stdout
    except FileNotFoundError:
        sys.exit("zstd is missing: install it with your package manager")


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def encode(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def descriptor(kind, content, **more):
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(content), "size": len(content), **more}


def image(name, program, files, labels):
    """The members of the archive, by path."""
    plain = layer(files)
    packed = compress(plain)
    config = encode({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [program], "User": USER, "Env": ["PATH=/"], "WorkingDir": "/", "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [digest(plain)]},
    })
    manifest = encode({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", config),
        "layers": [descriptor("layer.v1.tar+zstd", packed)],
        "annotations": labels,
    })
    names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]}
    members = {
        "oci-layout": encode({"imageLayoutVersion": "1.0.0"}),
        "index.json": encode({"schemaVersion": 2, "manifests": [descriptor("manifest.v1+json", manifest, annotations=names)]}),
    }
    members.update({"blobs/sha256/" + digest(blob)[7:]: blob for blob in (config, manifest, packed)})
    return members


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("name", metavar="NAME:TAG")
    parser.add_argument("program")
    parser.add_argument("files", nargs="*", metavar="FILE:PATH")
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    if ":" not in given.name.rsplit("/", 1)[-1]:
        parser.error(f"{given.name} has no tag: write NAME:TAG")
    program = "/" + os.path.basename(given.program)
    files = [(given.program, program[1:])]
    for file in given.files:
        source, separator, path = file.rpartition(":")
        if not separator:
            parser.error(f"{file}: write FILE:PATH")
        files.append((source, path.lstrip("/")))
    labels = dict(label.split("=", 1) for label in given.label)
    with tarfile.open(given.out + ".new", "w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in sorted(image(given.name, program, files, labels).items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    os.replace(given.out + ".new", given.out)


if __name__ == "__main__":
    main()
