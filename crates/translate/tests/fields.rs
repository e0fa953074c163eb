//! A field of the API that does nothing is a bug: each one of `IngressTopology` either has an effect where the tiers are
//! processes of one machine, which the test of the given name shows, or is reported by `local_notes` as soon as it is set.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bailey_crds::IngressTopology;
use bailey_translate::{LocalCertificates, Object, Objects, local_notes};
use serde_json::{Value, json};

/// Fields, everything below them included, and the test that fails without their effect.
const HAS_EFFECT: &[(&str, &str)] = &[
    ("spec.accessLog", "both_tiers_log_as_the_topology_says"),
    ("spec.httpsRedirect", "a_connection_serves_the_tenant_of_its_server_name_and_no_other"),
    ("spec.inner.forwarded", "an_application_gets_the_standard_field_where_the_topology_says_so"),
    ("spec.inner.limits.accept.handshakeSeconds", "a_link_that_says_nothing_has_as_long_as_the_tier_says"),
    ("spec.inner.limits.drain", "the_end_takes_as_long_as_the_tier_says"),
    ("spec.inner.limits.upstream.connectSeconds", "a_request_waits_for_a_link_as_long_as_the_tier_says"),
    (
        "spec.inner.limits.upstream.firstByteSeconds",
        "the_time_to_the_first_byte_is_the_tier_s_where_the_route_says_nothing",
    ),
    (
        "spec.inner.limits.upstream.idleSeconds",
        "an_unused_connection_to_an_application_is_kept_as_long_as_the_tier_says",
    ),
    ("spec.inner.limits.upstream.retries", "the_tier_says_how_often_an_unanswered_request_is_repeated"),
    ("spec.inner.limits.upstream.retryBodyBytes", "a_body_is_kept_for_a_repetition_up_to_what_the_tier_says"),
    ("spec.inner.limits.upstream.retryBudgetPercent", "repetitions_cost_the_share_that_the_tier_says"),
    ("spec.outer.certificates.secrets", "a_connection_serves_the_tenant_of_its_server_name_and_no_other"),
    ("spec.outer.clientAddress.forwardedFor", "the_client_s_address_crosses_both_tiers_over_a_link"),
    ("spec.outer.clientAddress.proxyProtocol", "a_listed_balancer_tells_the_client_s_address_and_nobody_else"),
    ("spec.outer.limits.accept", "every_limit_of_the_api_that_is_about_clients_reaches_the_front"),
    ("spec.outer.limits.body", "every_limit_of_the_api_that_is_about_clients_reaches_the_front"),
    ("spec.outer.limits.connection.ageSeconds", "every_limit_of_the_api_that_is_about_clients_reaches_the_front"),
    ("spec.outer.limits.connection.idleSeconds", "every_limit_of_the_api_that_is_about_clients_reaches_the_front"),
    ("spec.outer.limits.connection.perSource", "new_bounds_hold_for_new_connections"),
    ("spec.outer.limits.connection.requests", "a_reload_changes_limits_and_cuts_nothing"),
    ("spec.outer.limits.connection.tenantPercent", "the_tier_and_the_tenant_say_how_much_there_may_be"),
    ("spec.outer.limits.connection.total", "new_bounds_hold_for_new_connections"),
    ("spec.outer.limits.drain", "the_end_takes_as_long_as_the_tier_says"),
    ("spec.outer.limits.http1", "every_limit_of_the_api_that_is_about_clients_reaches_the_front"),
    ("spec.outer.limits.http2", "every_limit_of_the_api_that_is_about_clients_reaches_the_front"),
    ("spec.outer.limits.upstream.connectSeconds", "a_request_waits_for_a_link_as_long_as_the_tier_says"),
    ("spec.outer.limits.upstream.inFlight", "the_tier_and_the_tenant_say_how_much_there_may_be"),
    ("spec.outer.limits.upstream.retries", "the_tier_says_how_often_an_unanswered_request_is_repeated"),
    ("spec.outer.limits.upstream.retryBodyBytes", "a_body_is_kept_for_a_repetition_up_to_what_the_tier_says"),
    ("spec.outer.limits.upstream.retryBudgetPercent", "repetitions_cost_the_share_that_the_tier_says"),
    // A listener for a tenant is TCP or UDP, which this version does not serve, and says so.
    ("spec.outer.listeners", "a_connection_serves_the_tenant_of_its_server_name_and_no_other"),
    ("spec.outer.namespace", "every_hostname_has_a_binding_named_after_it_in_the_outer_namespace"),
    ("spec.tenants[].hostnames", "a_connection_serves_the_tenant_of_its_server_name_and_no_other"),
    ("spec.tenants[].limits.connections", "a_plain_connection_counts_for_the_tenants_it_asks"),
    ("spec.tenants[].limits.inFlight", "a_tenant_has_room_for_so_many_requests_at_once"),
    ("spec.tenants[].limits.requestsPerSecond", "a_connection_serves_the_tenant_of_its_server_name_and_no_other"),
    ("spec.tenants[].limits.routes", "a_tenant_with_too_many_routes_keeps_the_oldest"),
    ("spec.tenants[].name", "an_inner_tier_lets_in_only_the_outer_tier_of_its_own_topology"),
    ("spec.tenants[].namespaces", "an_inner_tier_runs_in_the_first_namespace_and_lets_only_its_outer_tier_in"),
    ("spec.tenants[].tracing", "a_tenant_has_a_share_of_its_own"),
    ("spec.tenants[].suspended", "a_connection_serves_the_tenant_of_its_server_name_and_no_other"),
    ("spec.tracing.acceptParent", "a_context_from_outside_is_a_link_unless_it_is_accepted"),
    ("spec.tracing.always", "errors_and_slow_requests_are_traced_whatever_the_share_says"),
    ("spec.tracing.endpoint", "both_tiers_send_their_spans_to_the_collector"),
    ("spec.tracing.propagation", "applications_get_the_forms_that_the_topology_names"),
    ("spec.tracing.sampling", "the_share_is_decided_by_the_trace_id_and_kept_by_both_tiers"),
];

/// Fields that are reported, with a value that somebody could set.
fn reported() -> Vec<(&'static str, Value)> {
    vec![
        ("spec.inner.autoscaling", json!({"maxReplicas": 3})),
        ("spec.inner.limits.accept.proxyHeaderBytes", json!(600)),
        ("spec.inner.limits.accept.proxyHeaderSeconds", json!(5)),
        ("spec.inner.limits.body", json!({"stallSeconds": 5})),
        ("spec.inner.limits.connection", json!({"total": 5})),
        ("spec.inner.limits.http1", json!({"headerFields": 50})),
        ("spec.inner.limits.http2", json!({"streams": 5})),
        ("spec.inner.limits.upstream.inFlight", json!(5)),
        ("spec.inner.placement", json!("Managed")),
        ("spec.inner.pod", json!({"priorityClassName": "high"})),
        ("spec.inner.replicas", json!(2)),
        ("spec.outer.acme", json!({"directory": "letsencrypt", "challenge": {"http01": {}}})),
        ("spec.outer.autoscaling", json!({"maxReplicas": 3})),
        ("spec.outer.certificates.store", json!({"secrets": {}})),
        ("spec.outer.exposure", json!({"hostPorts": {"nodeSelector": {"edge": "true"}}})),
        ("spec.outer.limits.upstream.firstByteSeconds", json!(5)),
        ("spec.outer.limits.upstream.idleSeconds", json!(5)),
        ("spec.outer.pod", json!({"priorityClassName": "high"})),
        ("spec.outer.replicas", json!(2)),
        ("spec.tenants[].inner", json!({"replicas": 2})),
        ("spec.tenants[].limits.certificates", json!(5)),
    ]
}

fn leaves(schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    let properties = schema["properties"].as_object().filter(|properties| !properties.is_empty());
    if let Some(properties) = properties {
        for (name, child) in properties {
            leaves(child, &format!("{at}.{name}"), found);
        }
    } else if schema["items"]["properties"].is_object() {
        leaves(&schema["items"], &format!("{at}[]"), found);
    } else {
        found.insert(at.to_owned());
    }
}

fn all_leaves() -> BTreeSet<String> {
    let definitions = bailey_crds::definitions().unwrap();
    let topology = definitions.iter().find(|one| one.spec.names.kind == "IngressTopology").unwrap();
    let schema = serde_json::to_value(&topology.spec.versions[0].schema).unwrap();
    let mut found = BTreeSet::new();
    leaves(&schema["openAPIV3Schema"]["properties"]["spec"], "spec", &mut found);
    found
}

fn is_below(field: &str, of: &str) -> bool {
    field.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[test]
fn every_field_has_an_effect_or_is_reported() {
    let leaves = all_leaves();
    let reported = reported();
    let lists = || HAS_EFFECT.iter().map(|(field, _)| *field).chain(reported.iter().map(|(field, _)| *field));
    for leaf in &leaves {
        let by: Vec<_> = lists().filter(|field| is_below(leaf, field)).collect();
        assert_eq!(by.len(), 1, "{leaf} is in {by:?}: put it into one of the lists, once it does what they say");
    }
    for field in lists() {
        assert!(leaves.iter().any(|leaf| is_below(leaf, field)), "there is no field {field}");
    }
}

#[test]
fn the_tests_that_show_an_effect_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = String::new();
    for folder in ["proxy/src", "crates/translate/src", "crates/translate/tests"] {
        read(&root.join(folder), &mut sources);
    }
    for (field, test) in HAS_EFFECT {
        assert!(sources.contains(&format!("fn {test}(")), "{field}: there is no test {test}");
    }
}

fn read(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// A topology in which one field is set.
fn with(field: &str, value: Value) -> Objects {
    let mut object = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "main"},
        "spec": {
            "outer": {"namespace": "edge", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
            "tenants": [{"name": "a", "namespaces": {"names": ["a"]}}],
        },
    });
    let mut at = &mut object;
    for name in field.split('.') {
        at = match name.strip_suffix("[]") {
            Some(list) => &mut at[list][0],
            None => &mut at[name],
        };
    }
    *at = value;
    if field == "spec.outer.acme" || field == "spec.outer.certificates.secrets" {
        object["spec"]["outer"]["certificates"]["store"] = json!({"secrets": {}});
    }
    let mut objects = Objects::default();
    objects.insert_any(Object::from_value(object).unwrap(), None);
    objects
}

fn notes(objects: &Objects) -> Vec<String> {
    notes_where(objects, LocalCertificates::AtHand)
}

fn notes_where(objects: &Objects, certificates: LocalCertificates) -> Vec<String> {
    let notes = local_notes(objects.get::<IngressTopology>("", "main").unwrap(), certificates);
    notes.into_iter().map(|note| note.field.replace("[0]", "[]")).collect()
}

#[test]
fn what_has_no_effect_is_reported_as_soon_as_it_is_set() {
    assert_eq!(notes(&with("spec.httpsRedirect", json!(true))), Vec::<String>::new());
    for (field, value) in reported() {
        let found = notes(&with(field, value));
        assert!(found.iter().any(|note| note == field), "{field}: {found:?}");
        assert!(
            found.iter().all(|note| note == field || note == "spec.outer.certificates.store"),
            "{field}: {found:?}"
        );
    }
}

#[test]
fn limits_that_have_an_effect_are_not_reported() {
    for tier in ["inner", "outer"] {
        let found = notes(&with(&format!("spec.{tier}.limits"), json!({"upstream": {"connectSeconds": 5}})));
        assert_eq!(found, Vec::<String>::new(), "{tier}");
    }
}

#[test]
fn what_an_order_of_certificates_heeds_is_not_reported_where_they_are_ordered() {
    let ordered = |field, value| notes_where(&with(field, value), LocalCertificates::Ordered);
    let mut acme = json!({"directory": "letsencrypt", "challenge": {"http01": {}}});
    assert_eq!(ordered("spec.outer.acme", acme.clone()), ["spec.outer.certificates.store"]);
    assert_eq!(ordered("spec.tenants[].limits.certificates", json!(5)), Vec::<String>::new());
    acme["caBundleRef"] = json!({"name": "roots", "key": "ca.crt"});
    let roots = ["spec.outer.certificates.store", "spec.outer.acme.caBundleRef"];
    assert_eq!(ordered("spec.outer.acme", acme), roots);
    assert_eq!(ordered("spec.outer.replicas", json!(2)), ["spec.outer.replicas"]);
}
