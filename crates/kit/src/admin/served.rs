//! What a proxy serves at this moment, as `/served` of its admin port tells it: which configuration, since when, what it may
//! not read, which certificates it shows.
//!
//! The operator reads it to say in the status of a topology what is really served; `bailey status` and `bailey config` show
//! it to people. It holds no secret and nothing that a client has sent, so whoever may scrape the metrics may read it.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::kube::Denied;

/// The path.
pub const PATH: &str = "/served";
/// Certificates that are told of at most, those that end first before others.
pub const MAX_CERTIFICATES: usize = 1000;

/// What the source of a certificate begins with that the tier orders itself; the directory of its authority follows.
pub const ORDERED: &str = "ordered from ";

/// Tells what is served at the moment it is asked.
pub type Tell = Arc<dyn Fn() -> Served + Send + Sync>;

/// What one process serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// The program, such as `bailey-proxy`.
    pub component: String,
    /// Its version.
    pub version: String,
    /// The tier: `outer`, `inner` or `gateway`.
    pub tier: String,
    /// The topology of an outer or inner tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<String>,
    /// The tenant of an inner tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The Gateway of a tier alone, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Everything that has to be there before the tier is ready is there, and it is not leaving.
    pub ready: bool,
    /// The configuration that is served: equal in every process of a release that serves the same. Absent: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// How many configurations this process has served, this one included.
    pub generation: u64,
    /// Since when this one is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// It is the last good one from disk, because its source could not be read.
    pub stale: bool,
    /// What it is made of.
    pub counts: Counts,
    /// Permissions that the process lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Denied>,
    /// What keeps the process from reading all it needs, in words; the permissions are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
    /// The certificates that clients are shown, and those that are waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateSeen>,
    /// What keeps the process from ordering certificates at all, in words; those that are there serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_trouble: Option<String>,
}

/// What a configuration is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Listeners.
    pub listeners: usize,
    /// Hostnames, each once for every listener that has it.
    pub hosts: usize,
    /// Routes.
    pub routes: usize,
    /// Services and tenants that requests go on to.
    pub upstreams: usize,
    /// Things that are wrong with the objects.
    pub diagnostics: usize,
}

/// A certificate as clients see it, or the lack of one that is worked on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSeen {
    /// The names that it is for.
    pub names: Vec<String>,
    /// Who has signed it; empty while there is none.
    pub issuer: String,
    /// From when it holds; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// When it ends; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
    /// Where it comes from, such as `Secret ingress-main/site`, or [`ORDERED`] and an authority's directory.
    pub source: String,
    /// Whose names these are, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Its serial number in hexadecimal digits, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// From when until when its authority wants it renewed, where that has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_window: Option<Window>,
    /// What happens next, and when, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// The last thing that went wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl CertificateSeen {
    /// Whether the tier orders it itself.
    pub fn is_ordered(&self) -> bool {
        self.source.starts_with(ORDERED)
    }
}

/// Two moments and what is between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment.
    pub start: Time,
    /// The last.
    pub end: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_release_tells_beyond_this_one_is_passed_over_and_what_is_known_comes_through() {
        let denied = Denied {
            verb: "list".to_owned(),
            resource: "httproutes.gateway.networking.k8s.io".to_owned(),
            namespace: "team-a".to_owned(),
            subject: "system:serviceaccount:team-a:main-team-a".to_owned(),
        };
        let served = Served { tier: "inner".to_owned(), denied: vec![denied], ..Served::default() };
        let mut value = serde_json::to_value(&served).unwrap();
        value["news"] = true.into();
        assert_eq!(serde_json::from_value::<Served>(value).unwrap(), served);
    }
}
