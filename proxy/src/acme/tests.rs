mod authority;
mod bed;
mod canaries;
mod evil;
mod well;

use bailey_acme::Secret;

use super::*;
use crate::tls::public::CertificateIssuer as _;

const CANARY: &str = "CANARY0123456789";

#[test]
fn a_proof_is_answered_for_its_host_until_it_is_withdrawn() {
    let hold = Hold::default();
    assert!(hold.prove("a.example.com", "token", "token.thumb"));
    assert_eq!(hold.proof("a.example.com", "token").as_deref(), Some("token.thumb"));
    assert_eq!(hold.proof("b.example.com", "token"), None);
    assert!(!hold.prove("a.example.com", "../x", "y"));
    hold.prove_by_handshake("a.example.com", &keys::proof("a.example.com", "token.thumb").unwrap());
    assert!(hold.challenge("a.example.com").is_some() && hold.challenge("b.example.com").is_none());
    hold.withdraw("a.example.com");
    assert_eq!(hold.proof("a.example.com", "token"), None);
    assert!(hold.challenge("a.example.com").is_none());
}

#[test]
fn a_wildcard_serves_the_names_one_label_below_it() {
    let hold = Hold::default();
    let key = keys::stand_in("*.example.com").unwrap();
    hold.serve([("*.example.com".into(), key)].into_iter().collect());
    assert!(hold.issue("a.example.com").is_some());
    for other in ["example.com", "b.a.example.com", "a.example.org", "com"] {
        assert!(hold.issue(other).is_none(), "{other}");
    }
}

#[test]
fn the_proof_in_the_handshake_is_as_the_standard_says() {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let key = keys::proof("a.example.com", "token.thumb").unwrap();
    let (_, leaf) = X509Certificate::from_der(&key.cert[0]).unwrap();
    let extension = leaf.extensions().iter().find(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
    let digest = bailey_acme::challenge::digest("token.thumb");
    assert!(extension.critical && extension.value[..2] == [4, 32] && extension.value[2..] == digest);
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names.len(), 1, "that name and no other (RFC 8737 section 3)");
}

#[test]
fn keys_are_new_each_time_and_belong_to_what_is_signed_with_them() {
    let (first, second) = (keys::make().unwrap(), keys::make().unwrap());
    assert_ne!(first, second);
    assert!(!keys::request(&first, "a.example.com").unwrap().is_empty());
    let other = keys::stand_in("a.example.com").unwrap();
    let chain: Vec<Vec<u8>> = other.cert.iter().map(|der| der.to_vec()).collect();
    assert!(keys::certified(&first, &chain).is_err(), "another key's certificate");
}

#[test]
fn nothing_prints_a_proof_or_a_key() {
    let hold = Hold::default();
    hold.prove("a.example.com", CANARY, &format!("{CANARY}.thumb"));
    let key = Secret::new(CANARY.as_bytes().to_vec());
    let printed = format!("{hold:?} {key:?}");
    assert!(!printed.contains(CANARY), "{printed}");
    let error = keys::request(&key, "a.example.com").unwrap_err().to_string();
    assert!(!error.contains(CANARY), "{error}");
}

/// What an outer tier serves, of these hosts.
fn snapshot(hosts: &[&str], previous: &crate::snapshot::Snapshot) -> Option<crate::snapshot::Snapshot> {
    use bailey_translate::{Object, Objects, Options, Scope};
    use serde_json::json;
    let mut objects = Objects::default();
    let mut put = |value| assert!(objects.insert_any(Object::from_value(value).unwrap(), None));
    let service = json!({"namespace": "red", "name": "edge-red", "port": 8443});
    put(
        json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "TierConfig", "metadata": {"name": "edge-outer", "namespace": "in"},
        "spec": {"role": "Outer", "topology": "edge", "link": {"identity": "bailey://edge/outer"},
            "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}],
            "tenants": [{"name": "red", "identity": "bailey://edge/tenant/red", "service": service}]}}),
    );
    for host in hosts {
        put(json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "HostnameBinding",
            "metadata": {"name": host.replace('*', "any"), "namespace": "in"},
            "spec": {"hostname": host, "tenant": "red", "service": service}}));
    }
    let scope = Scope::Outer { topology: "edge".into() };
    crate::snapshot::build(&objects, &scope, Options::default(), previous).snapshot
}

#[test]
fn names_follow_the_snapshot_and_those_that_stay_are_not_read_again() {
    let hold = Hold::default();
    let first = snapshot(&["a.example.com", "*.b.example.com"], &crate::snapshot::Snapshot::default()).unwrap();
    hold.follow(&first);
    assert!(hold.owns("red", "a.example.com") && hold.owns("red", "*.b.example.com"));
    let host = |names: &Names| names.owned.iter().find(|one| &*one.host == "*.b.example.com").unwrap().host.clone();
    let before = hold.names().borrow().clone();
    let second = snapshot(&["*.b.example.com", "c.example.com"], &first).unwrap();
    hold.follow(&second);
    assert!(!hold.owns("red", "a.example.com") && hold.owns("red", "c.example.com"));
    let after = hold.names().borrow().clone();
    assert!(std::sync::Arc::ptr_eq(&host(&before), &host(&after)), "the route is the same object");
    // The same snapshot again tells nobody anything.
    let mut names = hold.names();
    names.mark_unchanged();
    hold.follow(&second);
    assert!(!names.has_changed().unwrap());
}
