//! Golden files: `tests/golden/translate/<behaviour>.yaml` holds the input objects, then `# Output`, then diagnostics and
//! a dump of what they translate to.
//!
//! The first line says for which tier: `# scope: gateway team-a/edge`, `# scope: outer main` or `# scope: inner main
//! team-a`, with `local` behind it for local mode. Objects of `_defaults.yaml` are part of every input. With
//! `BAILEY_GOLDEN=write` the output of every file is rewritten.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[path = "golden/dump.rs"]
mod dump;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bailey_routing::compile;
use bailey_translate::{Object, Objects, Options, Scope, translate};
use proptest::prelude::*;

const MARKER: &str = "# Output\n";

#[test]
fn every_golden_file_translates_to_its_output() {
    let folder = folder();
    let defaults = fs::read_to_string(folder.join("_defaults.yaml")).unwrap();
    let write = std::env::var("BAILEY_GOLDEN").is_ok_and(|value| value == "write");
    let mut wrong = Vec::new();
    for path in behaviours(&folder) {
        let text = fs::read_to_string(&path).unwrap();
        let (input, expected) = text.split_once(MARKER).unwrap_or((&text, ""));
        let output = run(&defaults, input, &path);
        if output == expected {
            continue;
        }
        if write {
            fs::write(&path, format!("{}\n{MARKER}{output}", input.trim_end())).unwrap();
        } else {
            wrong.push(format!("{}\nexpected:\n{expected}\nfound:\n{output}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nBAILEY_GOLDEN=write accepts the new output", wrong.join("\n\n"));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/translate")
}

fn behaviours(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_behaviour = |path: &PathBuf| {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        path.extension().is_some_and(|extension| extension == "yaml") && !name.starts_with('_')
    };
    let mut found: Vec<_> = entries.filter(is_behaviour).collect();
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_order_of_the_objects_does_not_matter(file: prop::sample::Index, order: prop::sample::Selector) {
        let folder = folder();
        let paths = behaviours(&folder);
        let path = file.get(&paths);
        let defaults = fs::read_to_string(folder.join("_defaults.yaml")).unwrap();
        let text = fs::read_to_string(path).unwrap();
        let (input, _) = text.split_once(MARKER).unwrap_or((&text, ""));
        let (scope, options) = header(input, path);
        let mut documents = last_of_each(all(&defaults, input, path));
        let ordered = objects(&documents);
        let mut left: Vec<_> = (0..documents.len()).collect();
        documents = (0..documents.len()).map(|_| {
            let next = *order.select(&left);
            left.retain(|index| *index != next);
            documents[next].clone()
        }).collect();
        let shuffled = objects(&documents);
        prop_assert_eq!(ordered.digest(), shuffled.digest());
        let (one, other) = (translate(&ordered, &scope, options), translate(&shuffled, &scope, options));
        prop_assert_eq!(dump::translation(&one), dump::translation(&other));
        prop_assert_eq!(compile(&one.ir, None).digest(), compile(&other.ir, None).digest());
    }
}

fn run(defaults: &str, input: &str, path: &Path) -> String {
    let (scope, options) = header(input, path);
    dump::translation(&translate(&objects(&all(defaults, input, path)), &scope, options))
}

fn all(defaults: &str, input: &str, path: &Path) -> Vec<Object> {
    let mut documents = read(defaults, path);
    documents.extend(read(input, path));
    documents
}

fn header(input: &str, path: &Path) -> (Scope, Options) {
    let line = input.lines().next().unwrap_or_default();
    let words: Vec<&str> = line.strip_prefix("# scope: ").unwrap_or_default().split(' ').collect();
    let options = Options { local: words.last() == Some(&"local") };
    let scope = match words.as_slice() {
        ["gateway", gateway, ..] => {
            let (namespace, name) = gateway.split_once('/').unwrap();
            Scope::Gateway { namespace: namespace.to_owned(), name: name.to_owned() }
        }
        ["outer", topology, ..] => Scope::Outer { topology: (*topology).to_owned() },
        ["inner", topology, tenant, ..] => {
            Scope::Inner { topology: (*topology).to_owned(), tenant: (*tenant).to_owned() }
        }
        _ => panic!("{}: the first line names no scope", path.display()),
    };
    (scope, options)
}

fn read(text: &str, path: &Path) -> Vec<Object> {
    let values: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let object = |value| Object::from_value(value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    values.into_iter().filter(|value| !value.is_null()).map(object).collect()
}

/// An object of the input replaces one of the same name among the defaults.
fn last_of_each(documents: Vec<Object>) -> Vec<Object> {
    let named = documents.into_iter().map(|object| ((object.kind(), object.key()), object));
    named.collect::<BTreeMap<_, _>>().into_values().collect()
}

fn objects(documents: &[Object]) -> Objects {
    let mut objects = Objects::default();
    for document in documents {
        objects.insert_any(document.clone(), None);
    }
    objects
}
