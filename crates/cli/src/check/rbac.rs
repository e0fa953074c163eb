//! Whether roles and bindings give an account a permission: what the API server's RBAC authorizer decides, for those who may read
//! them and may not ask it. Pure.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::rights::{Account, Need};

/// All roles and bindings of a cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Rbac {
    pub(super) cluster_roles: Vec<ClusterRole>,
    pub(super) cluster_bindings: Vec<ClusterRoleBinding>,
    pub(super) roles: Vec<Role>,
    pub(super) bindings: Vec<RoleBinding>,
}

impl Rbac {
    /// Whether some binding gives the account that permission.
    pub(super) fn allows(&self, need: &Need) -> bool {
        let wide = self.cluster_bindings.iter().filter(|one| is_bound(one.subjects.as_deref(), "", &need.account));
        let here = self.bindings.iter().filter(|one| {
            let namespace = one.metadata.namespace.as_deref().unwrap_or_default();
            namespace == need.namespace
                && !namespace.is_empty()
                && is_bound(one.subjects.as_deref(), namespace, &need.account)
        });
        wide.map(|one| &one.role_ref).chain(here.map(|one| &one.role_ref)).any(|role| self.grants(role, need))
    }

    fn grants(&self, role: &RoleRef, need: &Need) -> bool {
        let rules = if role.kind == "Role" {
            let is = |one: &&Role| {
                one.metadata.name.as_ref() == Some(&role.name)
                    && one.metadata.namespace.as_ref() == Some(&need.namespace)
            };
            self.roles.iter().find(is).and_then(|role| role.rules.as_deref())
        } else {
            let is = |one: &&ClusterRole| one.metadata.name.as_ref() == Some(&role.name);
            self.cluster_roles.iter().find(is).and_then(|role| role.rules.as_deref())
        };
        rules.unwrap_or_default().iter().any(|rule| covers(rule, need))
    }
}

fn is_bound(subjects: Option<&[Subject]>, namespace: &str, account: &Account) -> bool {
    subjects.unwrap_or_default().iter().any(|subject| match subject.kind.as_str() {
        "ServiceAccount" => {
            subject.name == account.name && subject.namespace.as_deref().unwrap_or(namespace) == account.namespace
        }
        "User" => subject.name == account.user(),
        "Group" => account.groups().contains(&subject.name),
        _ => false,
    })
}

fn covers(rule: &PolicyRule, need: &Need) -> bool {
    let has =
        |list: Option<&[String]>, value: &str| list.unwrap_or_default().iter().any(|one| one == value || one == "*");
    let subresource = need.resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
    let resource = has(rule.resources.as_deref(), &need.resource)
        || subresource.is_some_and(|any| rule.resources.iter().flatten().any(|one| *one == any));
    let names = rule.resource_names.as_deref().unwrap_or_default();
    has(Some(&rule.verbs), &need.verb)
        && has(rule.api_groups.as_deref(), &need.group)
        && resource
        && (names.is_empty() || names.contains(&need.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn need(verb: &str, namespace: &str, name: &str) -> Need {
        Need {
            account: Account { namespace: "team-a".to_owned(), name: "main-a".to_owned() },
            verb: verb.to_owned(),
            group: String::new(),
            resource: "services".to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    fn rbac(rule: &serde_json::Value, subject: &serde_json::Value) -> Rbac {
        let role = json!({"metadata": {"name": "r"}, "rules": [rule]});
        let binding = json!({
            "metadata": {"name": "b", "namespace": "team-a"}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
        });
        Rbac {
            cluster_roles: vec![serde_json::from_value(role).unwrap()],
            bindings: vec![serde_json::from_value(binding).unwrap()],
            ..Rbac::default()
        }
    }

    #[test]
    fn a_binding_gives_its_role_in_its_own_namespace_only() {
        let rule = json!({"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]});
        let of = rbac(&rule, &json!({"kind": "ServiceAccount", "name": "main-a", "namespace": "team-a"}));
        assert!(of.allows(&need("list", "team-a", "")));
        assert!(!of.allows(&need("list", "team-b", "")) && !of.allows(&need("watch", "team-a", "")));
        assert!(!of.allows(&need("list", "", "")), "not in the whole cluster");
        let other = rbac(&rule, &json!({"kind": "ServiceAccount", "name": "main-a", "namespace": "team-b"}));
        assert!(!other.allows(&need("list", "team-a", "")), "the account of another namespace");
    }

    #[test]
    fn groups_wildcards_and_names_count() {
        let all = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
        let group = json!({"kind": "Group", "name": "system:serviceaccounts:team-a"});
        assert!(rbac(&all, &group).allows(&need("delete", "team-a", "")));
        let named = json!({"apiGroups": [""], "resources": ["services"], "verbs": ["get"], "resourceNames": ["x"]});
        let of = rbac(&named, &group);
        assert!(of.allows(&need("get", "team-a", "x")) && !of.allows(&need("get", "team-a", "")));
    }
}
