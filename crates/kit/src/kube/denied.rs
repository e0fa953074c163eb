//! A permission that is missing, taken from what the API server says when it refuses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What may not be done, where, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Denied {
    /// The verb of the rule that is missing, such as `list`.
    pub verb: String,
    /// The kind in plural with its group, such as `httproutes.gateway.networking.k8s.io`.
    pub resource: String,
    /// The namespace; empty for the whole cluster.
    pub namespace: String,
    /// Who may not, such as `system:serviceaccount:team-a:main-team-a`.
    pub subject: String,
}

impl Denied {
    /// The permission that an answer of the API server says is missing; `None` for every other error.
    pub fn of(error: &kube::Error) -> Option<Self> {
        let kube::Error::Api(status) = error else { return None };
        if status.code == 403 { Self::read(&status.message) } else { None }
    }

    /// Reads the sentence of the API server's authorizer, which has been the same in all releases:
    /// `… User "U" cannot list resource "R" in API group "G" in the namespace "N"` or `… at the cluster scope`.
    pub fn read(message: &str) -> Option<Self> {
        let between = |from: &str| {
            let rest = &message[message.find(from)? + from.len()..];
            Some(&rest[..rest.find('"')?])
        };
        let subject = between("User \"")?;
        let rest = &message[message.find(" cannot ")? + " cannot ".len()..];
        let verb = rest.split(' ').next()?;
        let resource = between(" resource \"")?;
        let group = between(" in API group \"").filter(|group| !group.is_empty());
        Some(Self {
            verb: verb.to_owned(),
            resource: group.map_or_else(|| resource.to_owned(), |group| format!("{resource}.{group}")),
            namespace: between(" in the namespace \"").unwrap_or_default().to_owned(),
            subject: subject.to_owned(),
        })
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, namespace, subject } = self;
        write!(f, "{subject} may not {verb} {resource} ")?;
        match namespace.as_str() {
            "" => write!(f, "in the cluster"),
            namespace => write!(f, "in namespace {namespace}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Denied;

    #[test]
    fn the_authorizers_sentence_is_read() {
        let message = "httproutes.gateway.networking.k8s.io is forbidden: User \"system:serviceaccount:a:main-a\" cannot list \
                       resource \"httproutes\" in API group \"gateway.networking.k8s.io\" in the namespace \"team-a\"";
        let denied = Denied::read(message).unwrap();
        assert_eq!(
            denied.to_string(),
            "system:serviceaccount:a:main-a may not list httproutes.gateway.networking.k8s.io in namespace team-a"
        );
        let message = "namespaces is forbidden: User \"u\" cannot watch resource \"namespaces\" in API group \"\" at the cluster scope";
        assert_eq!(Denied::read(message).unwrap().to_string(), "u may not watch namespaces in the cluster");
    }

    #[test]
    fn another_refusal_is_not_a_missing_permission() {
        assert_eq!(Denied::read("exceeded quota: pods"), None);
    }
}
