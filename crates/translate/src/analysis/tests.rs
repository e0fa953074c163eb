//! Objects that are each well, looked at together.

use bailey_routing::compile;

use super::*;
use crate::{Object, Options, translate};

fn objects(yaml: &[serde_json::Value]) -> Objects {
    let mut objects = Objects::default();
    for value in yaml {
        objects.insert_any(Object::from_value(value.clone()).unwrap(), None);
    }
    objects
}

fn topology(name: &str, host: &str, policy: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": name},
        "spec": {
            "outer": {
                "namespace": format!("edge-{name}"),
                "exposure": {"service": {"type": "LoadBalancer", "externalTrafficPolicy": policy}},
                "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
            },
            "tenants": [{"name": "a", "namespaces": {"names": [format!("a-{name}")]}, "hostnames": [host, "*.unused.example"]}],
        },
    })
}

fn route(namespace: &str, parent: &str, host: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"parentRefs": [{"name": parent}], "hostnames": [host], "rules": [{"backendRefs": [{"name": "app", "port": 80}]}]},
    })
}

/// Codes and fields of what is said about the tiers of these scopes.
fn said(objects: &Objects, scopes: &[Scope]) -> Vec<String> {
    let tables: Vec<_> =
        scopes.iter().map(|scope| compile(&translate(objects, scope, Options::default()).ir, None)).collect();
    let tiers: Vec<_> =
        scopes.iter().zip(&tables).map(|(scope, table)| Tabled { scope: scope.clone(), table }).collect();
    analyse(objects, &tiers)
        .iter()
        .map(|found| format!("{} {} {}", found.code.name(), found.object, found.field))
        .collect()
}

#[test]
fn a_granted_name_without_a_route_is_said() {
    let objects = objects(&[topology("main", "*.a.example", "Local"), route("a-main", "main", "x.a.example")]);
    let scope = Scope::Inner { topology: "main".into(), tenant: "a".into() };
    assert_eq!(said(&objects, &[scope]), ["HostUnused IngressTopology main spec.tenants[0].hostnames[1]"]);
}

#[test]
fn names_of_two_topologies_and_a_hidden_client_are_said() {
    let mut one = topology("one", "*.a.example", "Local");
    one["spec"]["tenants"][0]["hostnames"] = serde_json::json!(["*.a.example"]);
    let objects = objects(&[one, topology("two", "x.a.example", "Cluster")]);
    let expected = [
        "HostOfTwoTopologies IngressTopology two spec.tenants[0].hostnames[0]",
        "ClientAddressHidden IngressTopology two spec.outer.exposure.service.externalTrafficPolicy",
    ];
    let mut found = said(&objects, &[]);
    found.sort_by_key(|line| std::cmp::Reverse(line.clone()));
    assert_eq!(found, expected);
}

#[test]
fn a_listener_without_routes_is_said() {
    let gateway = serde_json::json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "web", "namespace": "a"},
        "spec": {"gatewayClassName": "bailey", "listeners": [
            {"name": "used", "port": 80, "protocol": "HTTP", "hostname": "x.example"},
            {"name": "idle", "port": 81, "protocol": "HTTP", "hostname": "y.example"},
        ]},
    });
    let objects = objects(&[gateway, route("a", "web", "x.example")]);
    let scope = Scope::Gateway { namespace: "a".into(), name: "web".into() };
    assert_eq!(said(&objects, &[scope]), ["ListenerUnused Gateway a/web spec.listeners[1]"]);
}
