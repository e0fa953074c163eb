//! From objects to what is served, and what is taken over.

use super::*;
use bailey_translate::{Code, Object};

fn scope() -> Scope {
    Scope::Gateway { namespace: "shop".into(), name: "web".into() }
}

fn objects(values: &[serde_json::Value]) -> Objects {
    let mut objects = Objects::default();
    for value in values {
        objects.insert_any(Object::from_value(value.clone()).unwrap(), None);
    }
    objects
}

fn secret(names: &[&str]) -> serde_json::Value {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "tls", "namespace": "shop"},
        "stringData": {"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()},
    })
}

fn gateway(hostname: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"gatewayClassName": "bailey", "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": hostname,
             "tls": {"certificateRefs": [{"name": "tls"}]}},
        ]},
    })
}

fn first(values: &[serde_json::Value]) -> Snapshot {
    build(&objects(values), &scope(), Options::default(), &Snapshot::default()).snapshot.unwrap()
}

#[test]
fn equal_objects_swap_nothing() {
    let values = [gateway("*.example.com"), secret(&["*.example.com"])];
    let snapshot = first(&values);
    assert_eq!(snapshot.generation, 1);
    assert!(build(&objects(&values), &scope(), Options::default(), &snapshot).snapshot.is_none());
    let other = build(&objects(&[gateway("example.com"), values[1].clone()]), &scope(), Options::default(), &snapshot);
    assert_eq!(other.snapshot.unwrap().generation, 2);
}

#[test]
fn a_new_certificate_alone_is_a_new_snapshot() {
    let snapshot = first(&[gateway("*.example.com"), secret(&["*.example.com"])]);
    let renewed = [gateway("*.example.com"), secret(&["*.example.com"])];
    assert!(build(&objects(&renewed), &scope(), Options::default(), &snapshot).snapshot.is_some());
}

#[test]
fn a_name_gets_a_certificate_that_names_it_or_none() {
    let snapshot = first(&[gateway("*.example.com"), secret(&["a.example.com", "*.b.example.com"])]);
    let names = PortNames::new(Arc::new(Current::from_pointee(snapshot)), 443);
    assert!(names.find("a.example.com").unwrap().certificate.is_some());
    assert!(names.find("x.b.example.com").unwrap().certificate.is_some());
    assert!(names.find("c.example.com").unwrap().certificate.is_none());
    assert!(names.find("example.org").is_none());
}

#[test]
fn hosts_that_no_certificate_names_are_said_and_a_wildcard_covers_one_label() {
    let route = serde_json::json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"parentRefs": [{"name": "web"}], "hostnames": ["a.example.com", "*.b.example.com", "c.example.com", "x.b.example.com"]},
    });
    let said = |names: &[&str]| {
        let values = [gateway("*.example.com"), secret(names), route.clone()];
        let found = uncovered::analyse(&objects(&values), &scope(), &first(&values));
        found.into_iter().map(|one| (one.code, one.field, one.message)).collect::<Vec<_>>()
    };
    let field = "spec.listeners[1].tls.certificateRefs".to_owned();
    let message = "no certificate of listener https names *.b.example.com, c.example.com, x.b.example.com".to_owned();
    assert_eq!(said(&["a.example.com"]), [(Code::HostWithoutCertificate, field, message)]);
    assert_eq!(said(&["*.example.com", "*.b.example.com"]), []);
}

#[test]
fn a_certificate_without_its_key_is_reported_and_harms_nothing_else() {
    let mut broken = secret(&["a.example.com"]);
    broken["stringData"]["tls.key"] = secret(&["a.example.com"])["stringData"]["tls.key"].clone();
    let built =
        build(&objects(&[gateway("*.example.com"), broken]), &scope(), Options::default(), &Snapshot::default());
    assert_eq!(built.diagnostics.iter().filter(|found| found.code == Code::CertificateUnusable).count(), 1);
    let snapshot = built.snapshot.unwrap();
    assert!(snapshot.certificates.is_empty() && snapshot.table.listeners().count() == 2);
}
