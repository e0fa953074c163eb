//! What the accounts of the tiers may read: bindings to the fixed roles of `bailey_crds::access`, nothing else.
//!
//! Every subject is written by [`account`], which takes the namespace from the tier, so no binding can name an account in
//! another namespace than the one it is in.

use bailey_crds::access::{CERTIFICATES, CLASSES, ENDPOINTS, FixedRole, INNER, OUTER, STORE};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};

use super::Facts;
use crate::manifest::{At, Child, Manifests, Rendered};
use crate::names;
use crate::tier::Tier;
use crate::validate::ValidTopology;

pub(super) fn add(topology: &ValidTopology, tier: &Tier, facts: &Facts, out: &mut Manifests<Rendered>) {
    let mut bind = |role: &FixedRole, namespace: &str, whose: &Tier| {
        let managed = tier.managed_namespace && namespace == tier.namespace;
        if managed || facts.namespaces.contains(namespace) {
            let name = names::child(&whose.name, role.suffix);
            let binding =
                RoleBinding { role_ref: role_ref(role), subjects: Some(vec![account(whose)]), ..Default::default() };
            out.add(topology, Child::RoleBinding, At::new(namespace, &name), &whose.labels(), &binding);
        }
    };
    if tier.tenant.is_none() {
        bind(&OUTER, &tier.namespace, tier);
        bind(&CERTIFICATES, &tier.namespace, tier);
        if topology.keeps_secrets() {
            bind(&STORE, &tier.namespace, tier);
        }
        return;
    }
    for namespace in tier.config.namespaces.iter().chain([&tier.namespace]) {
        bind(&INNER, namespace, tier);
    }
    bind(&ENDPOINTS, &tier.namespace, &topology.outer);
    let name = names::cluster_child(&topology.name, &tier.name, CLASSES.suffix);
    let binding =
        ClusterRoleBinding { role_ref: role_ref(&CLASSES), subjects: Some(vec![account(tier)]), ..Default::default() };
    out.add(topology, Child::ClusterRoleBinding, At::new("", &name), &tier.labels(), &binding);
}

fn role_ref(role: &FixedRole) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: "ClusterRole".to_owned(),
        name: role.name.to_owned(),
    }
}

fn account(tier: &Tier) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: tier.name.clone(),
        namespace: Some(tier.namespace.clone()),
        api_group: None,
    }
}
