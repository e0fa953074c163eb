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
    let translations: Vec<_> = scopes.iter().map(|scope| translate(objects, scope, Options::default())).collect();
    let tables: Vec<_> = translations.iter().map(|one| compile(&one.ir, None)).collect();
    let reported: Vec<_> = translations.into_iter().flat_map(|one| one.diagnostics).collect();
    let tiers: Vec<_> =
        scopes.iter().zip(&tables).map(|(scope, table)| Tabled { scope: scope.clone(), table }).collect();
    analyse(objects, &tiers, &reported)
        .iter()
        .map(|found| format!("{} {} {}", found.code.name(), found.object, found.field))
        .collect()
}

fn gateway() -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "web", "namespace": "a"},
        "spec": {"gatewayClassName": "bailey", "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP"}, {"name": "more", "port": 81, "protocol": "HTTP"},
        ]},
    })
}

/// What is said about routes of the Gateway, with its message.
fn hidden(routes: &[serde_json::Value]) -> Vec<(String, String)> {
    let all: Vec<_> = [gateway()].into_iter().chain(routes.iter().cloned()).collect();
    let objects = objects(&all);
    let scope = Scope::Gateway { namespace: "a".into(), name: "web".into() };
    let translation = translate(&objects, &scope, Options::default());
    let table = compile(&translation.ir, None);
    let found = analyse(&objects, &[Tabled { scope, table: &table }], &translation.diagnostics);
    found.into_iter().map(|one| (format!("{} {} {}", one.code.name(), one.object, one.field), one.message)).collect()
}

fn with_rules(name: &str, hosts: &[&str], rules: &serde_json::Value) -> serde_json::Value {
    let mut route = route("a", "web", "x");
    route["metadata"]["name"] = name.into();
    route["spec"]["hostnames"] = serde_json::json!(hosts);
    route["spec"]["rules"] = rules.clone();
    route
}

fn prefix(path: &str) -> serde_json::Value {
    serde_json::json!({"path": {"type": "PathPrefix", "value": path}})
}

#[test]
fn a_rule_that_nothing_reaches_is_said_at_the_field_that_was_written() {
    // The first rule is left out for its path, the second rule's first match too; fields still are those of the object.
    let rules = serde_json::json!([
        {"matches": [prefix("a")]},
        {"matches": [prefix("b"), prefix("/a"), prefix("/b")]},
        {"matches": [prefix("/a")]},
        {"matches": [prefix("/b/"), prefix("/c")]},
    ]);
    let found = hidden(&[with_rules("web", &["x.example"], &rules)]);
    let expected = [
        (
            "RuleUnreachable HTTPRoute a/web spec.rules[2]",
            "no request reaches the rule: spec.rules[1].matches[1] of the same route takes all of them, because its rule stands \
             before this one",
        ),
        (
            "MatchUnreachable HTTPRoute a/web spec.rules[3].matches[0]",
            "no request reaches the rule by this match: spec.rules[1].matches[2] of the same route takes all of them, because \
             its rule stands before this one",
        ),
    ];
    assert_eq!(found, expected.map(|(field, message)| (field.to_owned(), message.to_owned())));
}

#[test]
fn the_route_that_wins_is_named_and_where_it_does_not_everywhere_the_hosts_are() {
    let rules = serde_json::json!([{"backendRefs": []}]);
    let found =
        hidden(&[with_rules("a", &["x.example"], &rules), with_rules("b", &["x.example", "y.example"], &rules)]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].0, "MatchShadowed HTTPRoute a/b spec.rules[0]");
    assert_eq!(
        found[0].1,
        "on x.example, spec.rules[0] of HTTPRoute a/a takes all of them, because its route comes first by namespace and name \
         (in a cluster the older route would)"
    );
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
    let mut two = topology("two", "x.a.example", "Cluster");
    // A tenant may have a name at two edges.
    let same = objects(&[one.clone(), two.clone()]);
    assert_eq!(said(&same, &[]).iter().filter(|line| line.starts_with("HostOfTwoTopologies")).count(), 0);
    two["spec"]["tenants"][0]["name"] = "b".into();
    let objects = objects(&[one, two]);
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
