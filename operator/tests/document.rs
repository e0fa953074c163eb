//! docs/operator.md tells of every permission, role, condition and reason that there is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bailey_crds::access::TIER_ROLES;
use bailey_operator::permissions;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operator.md")).unwrap()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every reason that the operator's sources name.
fn reasons() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut found = BTreeSet::new();
    for file in files {
        for rest in fs::read_to_string(file).unwrap().split("Reason::").skip(1) {
            let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            found.extend(Some(word).filter(|word| word != "ALL"));
        }
    }
    found
}

#[test]
fn every_role_and_every_resource_is_explained() {
    let page = page();
    let rules = permissions::rules().into_iter().chain(permissions::own_rules());
    let resources: BTreeSet<String> = rules.flat_map(|rule| rule.resources.unwrap_or_default()).collect();
    let roles = TIER_ROLES.iter().map(|role| role.name.to_owned());
    for word in resources.into_iter().chain(roles) {
        assert!(page.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn every_condition_and_reason_is_explained() {
    let (page, reasons) = (page(), reasons());
    assert!(reasons.len() > 15, "{reasons:?}");
    let conditions = ["Accepted", "Programmed", "CertificatesReady", "Ready"].map(str::to_owned);
    for word in reasons.into_iter().chain(conditions) {
        assert!(page.contains(&format!("`{word}`")), "{word}");
    }
}
