//! What a topology's tiers are told.

use bailey_crds::{IngressTopology, Role, TierConfig, TierProtocol};
use serde_json::{Value, json};

use super::{LocalCertificates, local_notes, resolve};
use crate::diagnostics::{Code, Reason};
use crate::objects::{Object, Objects};
use crate::translation::{Options, Scope, translate};

fn topology(spec: &Value) -> Objects {
    let value = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "main"}, "spec": spec,
    });
    let mut objects = Objects::default();
    objects.insert_any(Object::from_value(value).unwrap(), None);
    objects
}

fn two_tenants() -> Objects {
    topology(&json!({
        "outer": {
            "namespace": "ingress-main",
            "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP"},
                {"name": "https", "port": 443, "protocol": "HTTPS"},
            ],
            "clientAddress": {"proxyProtocol": {"from": ["192.0.2.0/24"]}},
            "certificates": {"store": {"secrets": {}}, "secrets": ["wild"]},
        },
        "tenants": [
            {
                "name": "team-a", "namespaces": {"names": ["zeta", "alpha"]}, "hostnames": ["a.example.com"],
                "limits": {"connections": 5},
            },
            {
                "name": "team-b", "namespaces": {"names": ["beta"]}, "hostnames": ["*.b.example.com"],
                "inner": {"placement": "Managed"},
            },
        ],
    }))
}

fn tiers(objects: &Objects) -> Vec<TierConfig> {
    resolve(objects.get::<IngressTopology>("", "main").unwrap(), objects).tiers
}

#[test]
fn the_outer_tier_knows_its_tenants_and_whom_to_expect_behind_each_link() {
    let outer = &tiers(&two_tenants())[0];
    assert_eq!(outer.metadata.name.as_deref(), Some("main-outer"));
    assert_eq!(outer.metadata.namespace.as_deref(), Some("ingress-main"));
    assert_eq!(outer.spec.role, Role::Outer);
    assert_eq!(outer.spec.link.as_ref().unwrap().identity, "bailey://main/outer");
    assert_eq!(outer.spec.link.as_ref().unwrap().peer, None);
    assert_eq!(outer.spec.certificates, ["wild"]);
    assert!(outer.spec.client_address.is_some());
    let tenant = &outer.spec.tenants[0];
    assert_eq!(tenant.identity, "bailey://main/tenant/team-a");
    assert_eq!((tenant.service.namespace.as_str(), tenant.service.name.as_str()), ("zeta", "main-team-a"));
    assert_eq!((tenant.service.port, tenant.limits.connections), (8443, Some(5)));
}

#[test]
fn an_inner_tier_runs_in_the_first_namespace_and_lets_only_its_outer_tier_in() {
    let inner = &tiers(&two_tenants())[1];
    assert_eq!(inner.metadata.namespace.as_deref(), Some("zeta"));
    assert_eq!(inner.spec.namespaces, ["zeta", "alpha"]);
    assert_eq!(inner.spec.link.as_ref().unwrap().identity, "bailey://main/tenant/team-a");
    assert_eq!(inner.spec.link.as_ref().unwrap().peer.as_deref(), Some("bailey://main/outer"));
    assert_eq!(inner.spec.listeners[0].protocol, TierProtocol::Link);
    assert_eq!(inner.spec.hostnames[0].as_str(), "a.example.com");
}

#[test]
fn a_managed_inner_tier_runs_in_a_namespace_of_its_own() {
    let inner = &tiers(&two_tenants())[2];
    assert_eq!(inner.metadata.namespace.as_deref(), Some("main-team-b"));
    assert_eq!(inner.spec.namespaces, ["beta"]);
}

#[test]
fn every_hostname_has_a_binding_named_after_it_in_the_outer_namespace() {
    let objects = two_tenants();
    let bindings = resolve(objects.get::<IngressTopology>("", "main").unwrap(), &objects).bindings;
    assert_eq!(bindings.len(), 2);
    for binding in bindings {
        assert_eq!(binding.metadata.namespace.as_deref(), Some("ingress-main"));
        assert_eq!(binding.metadata.name, Some(binding.spec.hostname.binding_name()));
    }
}

#[test]
fn what_is_made_is_what_the_definitions_allow() {
    let objects = two_tenants();
    let resolved = resolve(objects.get::<IngressTopology>("", "main").unwrap(), &objects);
    assert!(resolved.diagnostics.is_empty());
    let tiers = resolved.tiers.iter().map(|tier| ("TierConfig", serde_json::to_value(tier).unwrap()));
    let bindings = resolved.bindings.iter().map(|one| ("HostnameBinding", serde_json::to_value(one).unwrap()));
    for (kind, value) in tiers.chain(bindings) {
        let violations = bailey_crds::validate(kind, &value);
        assert!(violations.is_empty(), "{value}: {violations:?}");
    }
}

#[test]
fn fields_for_a_cluster_are_noted_on_one_machine() {
    let objects = two_tenants();
    let notes = local_notes(objects.get::<IngressTopology>("", "main").unwrap(), LocalCertificates::AtHand);
    let fields: Vec<_> = notes.iter().map(|note| note.field.as_str()).collect();
    assert_eq!(fields, ["spec.outer.certificates.store", "spec.tenants[1].inner"]);
}

#[test]
fn a_tenant_with_too_many_routes_keeps_the_oldest() {
    let mut objects = topology(&json!({
        "outer": {"namespace": "ingress-main", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        "tenants": [{
            "name": "team-a", "namespaces": {"names": ["alpha"]}, "hostnames": ["*.a.example.com"], "limits": {"routes": 2},
        }],
    }));
    for (name, created) in
        [("new", "2026-03-01T00:00:00Z"), ("old", "2026-01-01T00:00:00Z"), ("mid", "2026-02-01T00:00:00Z")]
    {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": "alpha", "creationTimestamp": created},
            "spec": {
                "parentRefs": [{"name": "main"}], "hostnames": [format!("{name}.a.example.com")],
                "rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302}}]}],
            },
        });
        objects.insert_any(Object::from_value(route).unwrap(), None);
    }
    let scope = Scope::Inner { topology: "main".to_owned(), tenant: "team-a".to_owned() };
    let translation = translate(&objects, &scope, Options::default());
    let names: Vec<_> = translation.ir.routes.iter().map(|route| route.id.name.to_string()).collect();
    assert_eq!(names, ["old", "mid"]);
    let refused: Vec<_> = translation.diagnostics.iter().map(|one| (one.code, one.object.name.as_str())).collect();
    assert_eq!(refused, [(Code::TooManyRoutes, "new")]);
    let of = |name: &str| translation.parents.iter().find(|status| status.route.name == name).unwrap();
    assert_eq!(of("new").accepted, Reason::NotAllowedByListeners);
    assert_eq!(of("old").accepted, Reason::Accepted);
}

#[test]
fn names_that_mean_nothing_to_the_log_are_reported() {
    let objects = topology(&json!({
        "outer": {"namespace": "ingress-main", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        "accessLog": {"fields": {
            "drop": ["user_agent", "colour", "header.x-a"], "keep": ["header.x-b", "status", "header."],
            "redact": ["client", "header.x-c", "Client"],
        }},
    }));
    let translation = translate(&objects, &Scope::Outer { topology: "main".to_owned() }, Options::default());
    let found = translation.diagnostics.iter().filter(|one| one.code == Code::LogFieldUnknown);
    let fields: Vec<_> = found.map(|one| one.field.trim_start_matches("spec.accessLog.fields.")).collect();
    assert_eq!(fields, ["drop[1]", "drop[2]", "keep[1]", "keep[2]", "redact[2]"]);
}
