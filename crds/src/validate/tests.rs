//! The offline rules, held to every case of the definitions' rules: what is let through and what is refused.

mod cases;

use serde_json::json;

use self::cases::{Case, cases, tier, topology};
use super::{complete, validate};

#[test]
fn every_rule_lets_through_and_refuses_what_it_should() {
    let wrong: Vec<String> = cases().iter().filter_map(|case| disagreement(case).err()).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// What is wrong with the verdict on a case.
fn disagreement(Case { rule, at, object, refused }: &Case) -> Result<(), String> {
    let found = validate(object["kind"].as_str().unwrap_or_default(), object);
    let agrees = match (refused, found.as_slice()) {
        (None, []) => true,
        (Some((path, part)), [one]) => one.path == *path && one.message.contains(part),
        (None | Some(_), _) => false,
    };
    if agrees { Ok(()) } else { Err(format!("{at} {rule}: wanted {refused:?}, found {found:#?}")) }
}

#[test]
fn other_kinds_and_versions_are_refused() {
    let mut later = topology();
    later["apiVersion"] = json!("bailey.dev/v1");
    let found = validate("IngressTopology", &later);
    assert!(found.len() == 1 && found[0].path == "apiVersion", "{found:?}");
    assert!(found[0].message.contains("must be bailey.dev/v1alpha1"), "{found:?}");
    let found = validate("Nothing", &json!({"apiVersion": "x/v1", "kind": "Nothing"}));
    assert!(found.len() == 1 && found[0].path == "kind" && found[0].message.contains("not a kind"), "{found:?}");
}

#[test]
fn defaults_fill_what_is_not_given() {
    let typed: crate::IngressTopology = serde_json::from_value(complete("IngressTopology", &topology())).unwrap();
    let limits = typed.spec.outer.limits.unwrap();
    assert_eq!((limits.http1.header_bytes, limits.http1.header_fields), (65536, 100));
    assert!(typed.spec.https_redirect);
    assert_eq!(validate("IngressTopology", &serde_json::to_value(typed).unwrap()), []);

    let typed: crate::TierConfig = serde_json::from_value(complete("TierConfig", &tier("Outer"))).unwrap();
    assert_eq!(typed.spec.link.unwrap().secret_ref.name, crate::LINK_SECRET);
    assert_eq!(typed.spec.limits, crate::TierLimits::default());
}
