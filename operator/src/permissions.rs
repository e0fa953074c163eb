//! What the operator may do, as rules, and what the fixed roles of the tiers lack. Pure.
//!
//! The operator's own rules follow from the table of what it makes ([`Child`]) and the short table of what else it reads;
//! its watches follow from the same, and so does what it asks the API server about itself.

use std::collections::{BTreeMap, BTreeSet};

use bailey_crds::access::{Access, TIER_ROLES};
use bailey_kit::kube::{Denied, Need};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use serde_json::Value;

use crate::manifest::{Child, Manifests};

const WATCH: &[&str] = &["get", "list", "watch"];
const GATEWAY: &str = "gateway.networking.k8s.io";

/// What the operator watches beside what it makes.
pub const WATCHED: [Access; 8] = [
    Access { group: "bailey.dev", resource: "ingresstopologies", verbs: WATCH },
    Access {
        group: "bailey.dev",
        resource: "hostnamebindings",
        verbs: &["get", "list", "watch", "create", "patch", "delete"],
    },
    Access { group: "", resource: "namespaces", verbs: WATCH },
    Access { group: "rbac.authorization.k8s.io", resource: "clusterroles", verbs: WATCH },
    Access { group: "", resource: "pods", verbs: WATCH },
    Access { group: GATEWAY, resource: "httproutes", verbs: WATCH },
    Access { group: GATEWAY, resource: "grpcroutes", verbs: WATCH },
    Access { group: GATEWAY, resource: "referencegrants", verbs: WATCH },
];

/// The kinds of others whose status the operator writes: what it says there is about its own part only.
pub const REPORTED: [&str; 4] = ["gatewayclasses", "gateways", "httproutes", "grpcroutes"];

/// What is done with every child.
const CHILD_VERBS: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// The rules of the operator's `ClusterRole`.
pub fn rules() -> Vec<PolicyRule> {
    let mut rules: Vec<PolicyRule> = WATCHED.iter().map(rule).collect();
    rules.push(named("bailey.dev", "ingresstopologies/status", &[], &["get", "patch"]));
    for plural in REPORTED {
        rules.push(named(GATEWAY, &format!("{plural}/status"), &[], &["patch"]));
    }
    for child in Child::ALL {
        let known = |one: &Access| one.group == child.group() && one.resource == child.plural();
        let verbs: Vec<&str> = CHILD_VERBS
            .into_iter()
            .filter(|verb| !WATCHED.iter().any(|one| known(one) && one.verbs.contains(verb)))
            .collect();
        rules.push(named(child.group(), child.plural(), &[], &verbs));
    }
    // Binding a fixed role needs no right of the role's own.
    let names: Vec<&str> = TIER_ROLES.iter().map(|role| role.name).collect();
    rules.push(named("rbac.authorization.k8s.io", "clusterroles", &names, &["bind"]));
    // A link certificate may be put into any namespace, and only Secrets of its name can be seen again.
    rules.push(named("", "secrets", &[], &["create"]));
    rules.push(named("", "secrets", &[bailey_crds::LINK_SECRET], &["get", "patch", "delete"]));
    rules.push(named("events.k8s.io", "events", &[], &["create", "patch"]));
    rules
}

/// The rules of the operator's `Role` in its own namespace: the keys of the link authorities, and the lease of the leader.
pub fn own_rules() -> Vec<PolicyRule> {
    vec![
        named("", "secrets", &[], &["get", "create", "patch", "delete"]),
        named("coordination.k8s.io", "leases", &[], &["get", "list", "watch", "create", "patch", "update"]),
    ]
}

/// All of them as questions: what of them the operator can lose.
pub fn needs(own_namespace: &str) -> BTreeSet<Need> {
    let of = |namespace: &str, rules: Vec<PolicyRule>| -> Vec<Need> {
        let texts =
            |list: Option<Vec<String>>| list.filter(|list| !list.is_empty()).unwrap_or_else(|| vec![String::new()]);
        let mut found = Vec::new();
        for rule in rules {
            let (groups, resources, names) =
                (texts(rule.api_groups), texts(rule.resources), texts(rule.resource_names));
            for group in &groups {
                for resource in &resources {
                    for (name, verb) in names.iter().flat_map(|name| rule.verbs.iter().map(move |verb| (name, verb))) {
                        let (group, resource) = (group.clone(), resource.clone());
                        let (verb, name) = (verb.clone(), name.clone());
                        found.push(Need { namespace: namespace.to_owned(), group, resource, verb, name });
                    }
                }
            }
        }
        found
    };
    of("", rules()).into_iter().chain(of(own_namespace, own_rules())).collect()
}

/// The rule of one row.
pub fn rule(access: &Access) -> PolicyRule {
    named(access.group, access.resource, &[], access.verbs)
}

fn named(group: &str, resource: &str, names: &[&str], verbs: &[&str]) -> PolicyRule {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(texts(&[group])),
        resources: Some(texts(&[resource])),
        resource_names: Some(texts(names)).filter(|names| !names.is_empty()),
        verbs: texts(verbs),
        ..PolicyRule::default()
    }
}

/// What the accounts of the tiers lack because a fixed role is missing or was cut down. `roles` are those that exist.
pub fn missing<S>(manifests: &Manifests<S>, roles: &BTreeMap<String, ClusterRole>) -> Vec<Denied> {
    let mut found = Vec::new();
    for manifest in manifests.iter().filter(|m| matches!(m.key.child, Child::RoleBinding | Child::ClusterRoleBinding)) {
        let text = |pointer: &str| manifest.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let Some(fixed) = TIER_ROLES.iter().find(|role| role.name == text("/roleRef/name")) else { continue };
        let has = roles.get(fixed.name).and_then(|role| role.rules.as_deref()).unwrap_or_default();
        for access in fixed.may {
            for verb in access.verbs.iter().filter(|verb| !has.iter().any(|rule| allows(rule, access, verb))) {
                found.push(Denied {
                    verb: (*verb).to_owned(),
                    resource: match access.group {
                        "" => access.resource.to_owned(),
                        group => format!("{}.{group}", access.resource),
                    },
                    namespace: manifest.key.namespace.clone(),
                    subject: format!(
                        "system:serviceaccount:{}:{}",
                        text("/subjects/0/namespace"),
                        text("/subjects/0/name")
                    ),
                });
            }
        }
    }
    found
}

fn allows(rule: &PolicyRule, access: &Access, verb: &str) -> bool {
    let lists = |list: &Option<Vec<String>>, value: &str| list.iter().flatten().any(|one| one == value || one == "*");
    rule.resource_names.is_none()
        && lists(&rule.api_groups, access.group)
        && lists(&rule.resources, access.resource)
        && rule.verbs.iter().any(|one| one == verb || one == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_asked_about() {
        let needs = needs("own");
        let has = |namespace: &str, resource: &str, verb: &str, name: &str| {
            needs.iter().any(|need| {
                (need.namespace.as_str(), need.resource.as_str(), need.verb.as_str(), need.name.as_str())
                    == (namespace, resource, verb, name)
            })
        };
        assert!(has("", "deployments", "patch", "") && has("", "httproutes/status", "patch", ""));
        assert!(has("", "secrets", "get", "bailey-link") && !has("", "secrets", "get", ""));
        assert!(has("", "clusterroles", "bind", "bailey-inner") && has("own", "leases", "update", ""));
    }

    #[test]
    fn the_operator_has_no_wildcard_and_sees_no_secret_but_its_own() {
        for rule in rules().iter().chain(&own_rules()) {
            let texts = rule.api_groups.iter().chain(&rule.resources).flatten().chain(&rule.verbs);
            assert!(texts.clone().all(|text| text != "*"), "{rule:?}");
            assert!(
                !rule.verbs.iter().any(|verb| ["escalate", "impersonate", "update"].contains(&verb.as_str()))
                    || rule.resources.as_deref() == Some(&["leases".to_owned()]),
                "{rule:?}"
            );
        }
        for rule in rules().iter().filter(|rule| rule.resources.iter().flatten().any(|resource| resource == "secrets"))
        {
            assert!(rule.resource_names.is_some() || rule.verbs == ["create"], "{rule:?}");
        }
    }
}
