//! The dependency law: which crate of this workspace may use which. The compiler keeps a layer apart only while its manifest does, so the
//! manifests are held to one table, here and in docs/architecture.md.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Package, what it may depend on of ours, and what it must never see of others.
const LAW: &[(&str, &[&str], &[&str])] = &[
    ("bailey-http1", &[], &["tokio", "hyper", "http", "httparse", "kube", "k8s-openapi"]),
    ("bailey-link", &[], &["tokio", "hyper", "http", "kube", "k8s-openapi"]),
    ("bailey-acme", &[], &["tokio", "hyper", "http", "kube", "k8s-openapi", "instant-acme"]),
    ("bailey-routing", &[], &["tokio", "hyper", "http", "kube", "k8s-openapi"]),
    ("bailey-crds", &[], &["tokio", "hyper"]),
    ("bailey-kit", &[], &[]),
    ("bailey-translate", &["bailey-routing", "bailey-crds"], &["tokio", "hyper", "kube-client"]),
    (
        "bailey-proxy",
        &[
            "bailey-http1",
            "bailey-link",
            "bailey-acme",
            "bailey-kit",
            "bailey-translate",
            "bailey-routing",
            "bailey-crds",
        ],
        &["kube-client"],
    ),
    ("bailey-operator", &["bailey-kit", "bailey-translate", "bailey-routing", "bailey-crds"], &["h2"]),
    (
        "bailey",
        &[
            "bailey-operator",
            "bailey-proxy",
            "bailey-kit",
            "bailey-translate",
            "bailey-routing",
            "bailey-crds",
            "bailey-http1",
        ],
        &[],
    ),
];

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path("../Cargo.toml").exec().expect("cargo metadata runs in this workspace")
}

/// Normal and build dependencies of each workspace package, by name. What tests use is their own affair.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let shipped = |p: &cargo_metadata::Package| {
        p.dependencies.iter().filter(|d| d.kind != DependencyKind::Development).map(|d| d.name.clone()).collect()
    };
    metadata.workspace_packages().into_iter().map(|p| (p.name.to_string(), shipped(p))).collect()
}

#[test]
fn every_crate_of_the_workspace_is_in_the_law() {
    let known: BTreeSet<&str> = LAW.iter().map(|(name, ..)| *name).chain(["bailey-tests"]).collect();
    for name in dependencies().keys() {
        assert!(known.contains(name.as_str()), "{name} has no row in LAW: say what it may depend on");
    }
}

#[test]
fn each_crate_depends_only_on_what_the_law_allows() {
    let all = dependencies();
    for (name, allowed, never) in LAW {
        let used = all.get(*name).unwrap_or_else(|| panic!("{name} is in the law but not in the workspace"));
        for ours in used.iter().filter(|d| d.starts_with("bailey")) {
            assert!(allowed.contains(&ours.as_str()), "{name} may not depend on {ours}");
        }
        for banned in *never {
            assert!(!used.contains(*banned), "{name} may not depend on {banned}");
        }
    }
}

#[test]
fn nothing_depends_on_the_tests() {
    for (name, used) in dependencies() {
        assert!(!used.contains("bailey-tests"), "{name} depends on bailey-tests");
    }
}
