//! Which permissions the accounts of the operator and the tiers need, from the same tables that their roles are made of. Pure.

use std::collections::BTreeSet;

use bailey_crds::access::TIER_ROLES;
use bailey_kit::kube::Denied;
use bailey_operator::labels::MANAGER;
use bailey_operator::manifest::{Child, Manifests, Rendered};
use bailey_operator::{install, permissions};
use bailey_translate::{Code, Diagnostic};
use serde_json::Value;

use super::finding::found;

/// One permission that an account needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) account: Account,
    pub(super) verb: String,
    pub(super) group: String,
    /// With its subresource after a slash, if it is one.
    pub(super) resource: String,
    /// Empty for the whole cluster.
    pub(super) namespace: String,
    /// The only object that is meant; empty for all.
    pub(super) name: String,
}

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Account {
    /// As the API server names it.
    pub(super) fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// The groups that every service account is in.
    pub(super) fn groups(&self) -> Vec<String> {
        vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", self.namespace),
            "system:authenticated".to_owned(),
        ]
    }
}

impl Need {
    /// What is missing when the account has not got it.
    pub(super) fn finding(&self) -> Diagnostic {
        let resource = match self.group.as_str() {
            "" => self.resource.clone(),
            group => format!("{}.{group}", self.resource),
        };
        let named = if self.name.is_empty() { String::new() } else { format!(" named {}", self.name) };
        let denied = Denied {
            verb: self.verb.clone(),
            resource: resource + &named,
            namespace: self.namespace.clone(),
            subject: self.account.user(),
        };
        let object = ("ServiceAccount", self.account.namespace.as_str(), self.account.name.as_str());
        found(Code::PermissionMissing, object, "", denied.to_string())
    }
}

/// What the operator needs.
pub(super) fn of_operator() -> Vec<Need> {
    let account = Account { namespace: install::NAMESPACE.to_owned(), name: MANAGER.to_owned() };
    let of = |need: bailey_kit::kube::Need| {
        let bailey_kit::kube::Need { namespace, group, resource, verb, name } = need;
        Need { account: account.clone(), verb, group, resource, namespace, name }
    };
    permissions::needs(install::NAMESPACE).into_iter().map(of).collect()
}

/// What the tiers of a topology need: each binding that is rendered for them stands for the rows of its role.
pub(super) fn of_tiers(manifests: &Manifests<Rendered>) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    for manifest in manifests.iter().filter(|m| matches!(m.key.child, Child::RoleBinding | Child::ClusterRoleBinding)) {
        let text = |at: &str| manifest.object.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let role = text("/roleRef/name");
        let account = Account { namespace: text("/subjects/0/namespace"), name: text("/subjects/0/name") };
        for access in TIER_ROLES.iter().filter(|fixed| fixed.name == role).flat_map(|fixed| fixed.may) {
            needs.extend(access.verbs.iter().map(|verb| Need {
                account: account.clone(),
                verb: (*verb).to_owned(),
                group: access.group.to_owned(),
                resource: access.resource.to_owned(),
                namespace: manifest.key.namespace.clone(),
                name: String::new(),
            }));
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_names_verb_resource_namespace_and_subject() {
        let need = Need {
            account: Account { namespace: "team-a".to_owned(), name: "main-team-a".to_owned() },
            verb: "list".to_owned(),
            group: "gateway.networking.k8s.io".to_owned(),
            resource: "httproutes".to_owned(),
            namespace: "team-a".to_owned(),
            name: String::new(),
        };
        let text = need.finding().to_string();
        let denied = "system:serviceaccount:team-a:main-team-a may not list httproutes.gateway.networking.k8s.io in namespace team-a";
        assert!(text.contains("BLY0901") && text.contains(denied), "{text}");
    }

    #[test]
    fn the_operator_needs_all_that_its_roles_say_and_nothing_else() {
        let needs = of_operator();
        let has = |verb: &str, resource: &str, namespace: &str, name: &str| {
            needs.iter().any(|n| n.verb == verb && n.resource == resource && n.namespace == namespace && n.name == name)
        };
        assert!(has("watch", "ingresstopologies", "", "") && has("bind", "clusterroles", "", "bailey-inner"));
        assert!(has("get", "secrets", "", "bailey-link") && has("patch", "secrets", install::NAMESPACE, ""));
        assert!(!has("list", "secrets", "", ""));
    }
}
