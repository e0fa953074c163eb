//! What a set of objects keeps, finds and compares.

use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use super::{Key, Object, ObjectError, Objects};

fn service(namespace: &str, name: &str, port: u16) -> Object {
    Object::from_value(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"port": port}]},
    }))
    .unwrap()
}

#[test]
fn the_digest_does_not_depend_on_the_order_of_insertion() {
    let (mut one, mut other) = (Objects::default(), Objects::default());
    for (namespace, port) in [("a", 1), ("b", 2), ("c", 3)] {
        one.insert_any(service(namespace, "x", port), None);
    }
    for (namespace, port) in [("c", 3), ("b", 9), ("a", 1), ("b", 2)] {
        other.insert_any(service(namespace, "x", port), None);
    }
    assert_eq!(one.digest(), other.digest());
}

#[test]
fn an_object_that_was_removed_leaves_no_trace() {
    let mut objects = Objects::default();
    objects.insert_any(service("a", "x", 1), None);
    let before = objects.digest();
    assert!(objects.insert_any(service("a", "y", 1), None));
    assert!(objects.remove::<Service>(&Key::new("a", "y")));
    assert!(!objects.remove::<Service>(&Key::new("a", "y")));
    assert_eq!(objects.digest(), before);
}

#[test]
fn a_new_status_or_version_changes_nothing() {
    let mut objects = Objects::default();
    objects.insert_any(service("a", "x", 1), None);
    let again = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "x", "namespace": "a", "resourceVersion": "7", "generation": 3, "managedFields": []},
        "spec": {"ports": [{"port": 1}]}, "status": {"loadBalancer": {}},
    });
    assert!(!objects.insert_any(Object::from_value(again).unwrap(), None));
    assert!(objects.insert_any(service("a", "x", 2), None));
}

#[test]
fn objects_are_found_by_namespace_and_name() {
    let mut objects = Objects::default();
    for (namespace, name) in [("a", "x"), ("a", "y"), ("ab", "x"), ("b", "x")] {
        objects.insert_any(service(namespace, name, 1), None);
    }
    let names: Vec<_> = objects.within::<Service>("a").map(|(key, _)| key.name.as_str()).collect();
    assert_eq!(names, ["x", "y"]);
    assert!(objects.get::<Service>("ab", "x").is_some());
    assert!(objects.get::<Service>("ab", "y").is_none());
    assert_eq!(objects.all::<Service>().count(), 4);
}

#[test]
fn a_namespaced_object_without_a_namespace_is_in_the_default_one() {
    let value = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}});
    assert_eq!(Object::from_value(value).unwrap().key(), Key::new("default", "x"));
}

#[test]
fn what_is_no_object_or_of_no_known_kind_is_refused_with_the_reason() {
    let missing = Object::from_value(json!({"kind": "Service"})).unwrap_err();
    assert_eq!(missing, ObjectError::NotAnObject { missing: "apiVersion" });
    let old = json!({"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "x"}});
    assert!(matches!(Object::from_value(old), Err(ObjectError::UnknownKind { .. })));
    let wrong = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "x"},
        "spec": {"rules": [{"backendRefs": [{"name": "a", "port": "eighty"}]}]},
    });
    let Err(ObjectError::Malformed { field, .. }) = Object::from_value(wrong) else { panic!("a port is a number") };
    assert!(field.starts_with("spec.rules[0]"), "{field}");
}

#[test]
fn fields_that_a_topology_does_not_have_are_listed_by_path() {
    let value = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "main", "anything": 1},
        "spec": {
            "outer": {"namespace": "x", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "host": "a"}]},
            "tenants": [{"name": "a", "namespaces": {"names": ["a"]}, "hostname": ["a.example"], "suspended": false}],
            "innner": {"replicas": 2},
        },
    });
    let mut found = Object::from_value(value).unwrap().unknown;
    found.sort();
    assert_eq!(found, ["spec.innner", "spec.outer.listeners[0].host", "spec.tenants[0].hostname"]);
}

#[test]
fn objects_that_are_written_out_read_back_the_same() {
    let mut objects = Objects::default();
    for value in [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}, "spec": {"ports": [{"port": 80}]}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "n"}, "spec": {}}),
        json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "TierConfig", "metadata": {"name": "t", "namespace": "n"}, "spec": {"role": "Outer"}}),
    ] {
        objects.insert_any(Object::from_value(value).unwrap(), None);
    }
    let mut again = Objects::default();
    for value in objects.to_values() {
        again.insert_any(Object::from_value(value).unwrap(), None);
    }
    assert_eq!((again.to_values().len(), again.digest()), (4, objects.digest()));
}
