//! Files as people write them, good and bad.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use bailey_crds::gateway::HttpRoute;
use bailey_translate::Kind as _;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    let found = match read(folder.path()) {
        Ok(documents) => objects(&documents).map(|_| ()).unwrap_err(),
        Err(problems) => problems,
    };
    let prefix = format!("{}/", folder.path().display());
    found.iter().map(|p| p.to_string().replace(&prefix, "")).collect()
}

const ROUTE: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: a}
spec:
  rules:
    - backendRefs: [{name: app, port: 80}]
";

#[test]
fn documents_of_all_files_become_objects() {
    let folder = folder(&[
        ("b.yaml", ROUTE),
        ("a.yml", "---\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"),
        ("note.txt", "no"),
    ]);
    let documents = read(folder.path()).unwrap();
    assert_eq!(documents.iter().map(Document::kind).collect::<Vec<_>>(), ["Namespace", "HTTPRoute"]);
    let loaded = objects(&documents).unwrap();
    assert_eq!(loaded.objects.all::<HttpRoute>().count(), 1);
    assert_eq!(HttpRoute::KIND, "HTTPRoute");
}

#[test]
fn a_list_as_kubectl_writes_it_is_taken_apart() {
    let folder = folder(&[(
        "l.yaml",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n",
    )]);
    let documents = read(folder.path()).unwrap();
    assert_eq!(documents[0].kind(), "Namespace");
    assert_eq!(documents[0].location().line, 4);
}

#[test]
fn broken_yaml_is_said_with_file_line_and_column() {
    let found = problems(&[("bad.yaml", "apiVersion: v1\nkind: [Namespace\nmetadata: {name: a}\n")]);
    assert!(found[0].starts_with("bad.yaml:"), "{found:?}");
    assert!(found[0].split(':').nth(1).unwrap().parse::<u32>().unwrap() >= 2, "{found:?}");
}

#[test]
fn a_field_of_the_wrong_type_points_at_its_own_line() {
    let found = problems(&[("r.yaml", &ROUTE.replace("port: 80", "port: web"))]);
    assert!(found[0].starts_with("r.yaml:6:"), "{found:?}");
    assert!(found[0].contains("HTTPRoute web"), "{found:?}");
}

#[test]
fn an_object_that_is_there_twice_names_the_first_place() {
    let found = problems(&[("a.yaml", ROUTE), ("b.yaml", ROUTE)]);
    assert!(found[0].starts_with("b.yaml:1") && found[0].contains("a.yaml:1"), "{found:?}");
}

#[test]
fn a_duplicate_field_is_refused() {
    let found = problems(&[("a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\nkind: Pod\n")]);
    assert!(found[0].contains("kind"), "{found:?}");
}

#[test]
fn foreign_kinds_are_passed_over_and_our_misspelt_ones_are_not() {
    let folder = folder(&[("d.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n")]);
    let loaded = objects(&read(folder.path()).unwrap()).unwrap();
    assert!(loaded.notes[0].message.contains("Deployment"));
    let found = problems(&[("t.yaml", "apiVersion: bailey.dev/v1alpha1\nkind: IngresTopology\nmetadata: {name: a}\n")]);
    assert!(found[0].contains("IngresTopology"), "{found:?}");
}

#[test]
fn folders_and_files_that_cannot_be_read_say_what_to_do() {
    assert!(read(Path::new("/nowhere/at/all")).unwrap_err()[0].message.contains("check the path"));
    let empty = folder(&[]);
    assert!(read(empty.path()).unwrap_err()[0].message.contains("has no .yaml"));
    let binary = folder(&[]);
    fs::write(binary.path().join("x.yaml"), [0xff, 0xfe]).unwrap();
    assert!(read(binary.path()).unwrap_err()[0].message.contains("UTF-8"));
    let mode = fs::metadata(binary.path()).unwrap().permissions().mode();
    assert_ne!(mode, 0);
}

#[test]
fn a_path_into_a_document_finds_the_line_of_the_field() {
    let folder = folder(&[("r.yaml", ROUTE)]);
    let documents = read(folder.path()).unwrap();
    let line = |path: &str| documents[0].problem(path, String::new()).line;
    assert_eq!((line("metadata.name"), line("spec.rules[0].backendRefs[0].port")), (3, 6));
    assert_eq!(line("spec.rules[0].nothing.there"), 6);
}
