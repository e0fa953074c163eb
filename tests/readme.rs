//! The README's commands exist and do what it says. `make demo` and `bailey up` are held by the samples' tests; the others run here.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every line of the README's `sh` blocks.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut inside = false;
    let mut found = Vec::new();
    for line in readme.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside => found.push(command.to_owned()),
            _ => {}
        }
    }
    found
}

#[test]
fn every_make_target_is_there() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: Vec<_> = commands().iter().filter_map(|c| c.strip_prefix("make ").map(str::to_owned)).collect();
    assert_eq!(targets, ["demo", "test"]);
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}: ")), "make {target}");
    }
}

/// Builds the programs with the features that this test was built with, so that they are there already: `cargo run` would compile every crate
/// again for those of one package. That each package compiles alone is held by `make alone`.
fn built() -> PathBuf {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--workspace", "--all-features", "--bin", "bailey", "--bin", "bailey-proxy"]);
    cargo.args(["--test", "readme"]); // for the features that tests ask of crates
    assert!(cargo.current_dir(root()).status().unwrap().success());
    // This program is target/PROFILE/deps/readme-HASH.
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

#[test]
fn every_command_that_ends_by_itself_succeeds() {
    let programs = built();
    let mut ran = 0;
    for command in commands().iter().filter(|c| c.starts_with("cargo run") && !c.contains(" up ")) {
        let (package, arguments) = command.strip_prefix("cargo run --package ").unwrap().split_once(" -- ").unwrap();
        let output = Command::new(programs.join(package)).args(arguments.split(' ')).current_dir(root()).output();
        let output = output.unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{command} printed nothing");
        ran += 1;
    }
    assert_eq!(ran, 11);
}

#[test]
fn every_folder_and_page_is_there() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for link in readme.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(root().join(link).exists(), "{link}");
    }
    for folder in commands().iter().filter_map(|c| c.split(" up ").nth(1).map(str::to_owned)) {
        assert!(root().join(&folder).is_dir(), "{folder}");
    }
}

/// The README's `yaml` blocks: what goes under `spec.outer`.
fn settings() -> Vec<serde_json::Value> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| serde_saphyr::from_str(block).unwrap_or_else(|error| panic!("{block}: {error}"))).collect()
}

#[test]
fn every_setting_of_certificates_is_one_that_the_outer_tier_takes() {
    let sample = std::fs::read_to_string(root().join("samples/cluster/two-tenants.yaml")).unwrap();
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&sample).unwrap();
    let topology = documents.into_iter().find(|one| one["kind"] == "IngressTopology").unwrap();
    let settings = settings();
    assert_eq!(settings.len(), 4);
    for setting in settings {
        let mut topology = topology.clone();
        let outer = &mut topology["spec"]["outer"];
        for (field, value) in setting.as_object().unwrap() {
            outer[field] = value.clone();
        }
        // A volume is for one.
        if setting["certificates"]["store"]["volume"].is_object() {
            outer["replicas"] = 1.into();
        }
        let violations = bailey_crds::validate("IngressTopology", &topology);
        assert!(violations.is_empty(), "{setting}: {violations:?}");
        let acme = serde_json::from_value(setting["acme"].clone()).unwrap();
        bailey_proxy::acme::Settings::held_back(&acme).unwrap();
        let unread = bailey_proxy::acme::Material::of(&acme, "ingress-main", |_| None);
        let refers = !bailey_proxy::acme::Material::references(&acme).is_empty();
        assert_eq!(unread.is_err(), refers, "{setting}: what is not there is named");
    }
}
