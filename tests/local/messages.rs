//! What `bailey up` says to someone who made a mistake: file and line, object, field, and what to do.

use std::fs;
use std::path::{Path, PathBuf};

use crate::folder::{TWO_TENANTS, app};

/// A temporary folder with the two tenants' objects.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().join("objects");
    fs::create_dir(&folder).unwrap();
    for (name, text) in [("topology.yaml", TWO_TENANTS.to_owned()), ("a.yaml", app("a")), ("b.yaml", app("b"))] {
        fs::write(folder.join(name), text).unwrap();
    }
    (kept, folder)
}

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(folder.join(file), text.replacen(from, to, 1)).unwrap();
}

/// What `bailey up` says about a folder that it does not take, without the temporary path.
async fn refused(folder: &Path) -> String {
    let state = folder.with_file_name("state");
    let options = bailey::up::local::LocalOptions::for_tests(folder, &state);
    let error = bailey::up::local::Local::start(options).await.err().expect("a refusal").to_string();
    error.replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), "DIR")
}

/// What `bailey up` says about a folder that it takes.
async fn said(folder: &Path) -> String {
    let local = crate::folder::start_folder(folder, &folder.with_file_name("state")).await;
    let texts: Vec<_> = local.diagnostics().iter().map(ToString::to_string).collect();
    texts.join("\n").replace(&format!("{}/", folder.display()), "")
}

fn assert_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
}

#[tokio::test]
async fn a_folder_that_is_none_or_has_nothing_to_run() {
    let (_kept, folder) = folder();
    assert_all(&refused(&folder.join("nowhere")).await, &["DIR: cannot be read", "check the path"]);
    assert_all(&refused(&folder.join("a.yaml")).await, &["DIR: cannot be read", "give the folder, not a file in it"]);
    fs::create_dir(folder.join("empty")).unwrap();
    assert_all(&refused(&folder.join("empty")).await, &["has no .yaml, .yml or .json file", "give the folder"]);
    fs::remove_file(folder.join("topology.yaml")).unwrap();
    assert_all(&refused(&folder).await, &["neither an IngressTopology nor a Gateway"]);
    std::os::unix::fs::symlink("/nowhere", folder.join("link.yaml")).unwrap();
    assert_all(&refused(&folder).await, &["link.yaml: cannot be read", "check the path"]);
    fs::remove_file(folder.join("link.yaml")).unwrap();
    fs::write(folder.join("bytes.yaml"), b"\xff\xfe").unwrap();
    assert_all(&refused(&folder).await, &["bytes.yaml: cannot be read", "UTF-8"]);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn files_that_are_no_yaml_or_no_objects_of_ours() {
    for (file, from, to, parts) in [
        ("a.yaml", "kind: HTTPRoute", "kind: [HTTPRoute]]", &["a.yaml:", "not valid YAML", "bracket"][..]),
        ("a.yaml", "---\n", "", &["a.yaml:", "apiVersion is there twice", "---"]),
        (
            "topology.yaml",
            "kind: IngressTopology",
            "kind: IngresTopology",
            &["topology.yaml:2:1", "does not read IngresTopology", "write IngressTopology"],
        ),
        ("a.yaml", "kind: HTTPRoute", "kind: HttpRoute", &["a.yaml:2:1", "does not read HttpRoute", "HTTPRoute"]),
        ("a.yaml", "k8s.io/v1", "k8s.io/v1alpha2", &["a.yaml:2:1", "v1alpha2", "of gateway.networking.k8s.io/v1"]),
        (
            "topology.yaml",
            "tenants:",
            "tenant:",
            &["topology.yaml:", "IngressTopology main: spec.tenant: is not a field", "spelling"],
        ),
        (
            "topology.yaml",
            "volume: {size: 64Mi}",
            "volume: {size: 64Mi}, secrets: {}",
            &[
                "topology.yaml:12:",
                "IngressTopology main: spec.outer.certificates.store",
                "exactly one of volume and secrets",
            ],
        ),
        (
            "topology.yaml",
            "\"b.localhost\"",
            "\"a.localhost\"",
            &["topology.yaml:", "IngressTopology main: spec.tenants: a hostname belongs to one tenant only"],
        ),
        (
            "topology.yaml",
            "name: main",
            "name: Main_1",
            &["topology.yaml:", "IngressTopology Main_1: the object", "lower-case"],
        ),
        (
            "a.yaml",
            "echo: {}",
            "echo: {}, address: '127.0.0.1:9'",
            &["a.yaml:", "LocalBackend app-a: spec: says too much", "exactly one of echo, static and address"],
        ),
        ("a.yaml", "echo: {}", "ehco: {}", &["a.yaml:", "LocalBackend app-a: spec.ehco: unknown field", "`echo`"]),
        (
            "a.yaml",
            "port: 80",
            "port: eighty",
            &["a.yaml:", "HTTPRoute web: spec.rules[0].backendRefs[0].port", "a number from 0 to 65535"],
        ),
        (
            "b.yaml",
            "name: app-b, namespace: b}",
            "name: app-a, namespace: a}",
            &["b.yaml:", "LocalBackend a/app-a is there twice"],
        ),
    ] {
        let (_kept, folder) = folder();
        edit(&folder, file, from, to);
        assert_all(&refused(&folder).await, parts);
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn objects_that_mean_nothing_or_too_much() {
    for (file, from, to, parts) in [
        (
            "a.yaml",
            "- backendRefs",
            "- matches: [{hostname: x.a.localhost}]\n      backendRefs",
            &[
                "a.yaml:8: error",
                "HTTPRoute a/web spec.rules[0].matches[0].hostname",
                "has no field hostname",
                "The API server drops it",
                "spec.hostnames",
            ][..],
        ),
        (
            "a.yaml",
            "port: 80",
            "prot: 80, port: 80",
            &["a.yaml:", "HTTPRoute a/web spec.rules[0].backendRefs[0].prot", "has no field prot", "spelling"],
        ),
        (
            "a.yaml",
            "rules:",
            "hostnames: [b.localhost]\n  rules:",
            &[
                "a.yaml:7: error",
                "HTTPRoute a/web spec.hostnames[0]",
                "belongs to tenant b",
                "use a hostname of your own tenant",
            ],
        ),
        (
            "a.yaml",
            "name: main",
            "name: mian",
            &[
                "a.yaml:6: error",
                "HTTPRoute a/web spec.parentRefs[0]",
                "there is no Gateway mian",
                "topology main",
                "correct the parentRef",
            ],
        ),
        (
            "a.yaml",
            "namespace: a",
            "namespace: x",
            &[
                "a.yaml:4: warning",
                "HTTPRoute x/web metadata.namespace",
                "belongs to no tenant of topology main",
                "add the namespace",
            ],
        ),
        (
            "a.yaml",
            "port: 80",
            "port: 81",
            &[
                "a.yaml:8: error",
                "spec.rules[0].backendRefs[0].port",
                "has ports 80, not 81",
                "use one of the Service's ports",
            ],
        ),
        (
            "a.yaml",
            "name: app-a, port",
            "name: nobody, port",
            &["a.yaml:8: error", "spec.rules[0].backendRefs[0]", "nobody"],
        ),
        (
            "a.yaml",
            "- backendRefs",
            "- matches: [{path: {type: Prefix, value: /x}}]\n      backendRefs",
            &["a.yaml:", "matches[0].path.type", "none of Exact, PathPrefix and RegularExpression"],
        ),
        (
            "a.yaml",
            "- backendRefs",
            "- matches: [{path: {type: RegularExpression, value: '/('}}]\n      backendRefs",
            &["a.yaml:", "matches[0].path.value"],
        ),
        ("topology.yaml", "tenants:", "inner: {replicas: 2}\n  tenants:", &["topology.yaml:", "no effect"]),
    ] {
        let (_kept, folder) = folder();
        edit(&folder, file, from, to);
        assert_all(&said(&folder).await, parts);
    }
}
