//! What the operator reports about a topology.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::embedded;

/// What the operator reports about a topology.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopologyStatus {
    /// Accepted, Programmed, CertificatesReady and Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "embedded::<Vec<Condition>>")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The generation of the object that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Tiers that are ready, of those wanted, such as `3/4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub tiers_ready: Option<String>,
    /// Number of hostnames that are owned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostnames: Option<u32>,
    /// When the first certificate ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "embedded::<Time>")]
    pub next_expiry: Option<Time>,
    /// Every tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub tiers: Vec<TierStatus>,
    /// Where the world reaches the outer tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub addresses: Vec<AddressStatus>,
    /// Certificates, those that end first before the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub certificates: Vec<CertificateStatus>,
    /// Every tenant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub tenants: Vec<TenantStatus>,
}

/// One tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TierStatus {
    /// `outer`, or the tenant's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Namespace of the tier.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Proxies that are ready.
    #[serde(default)]
    pub ready: u32,
    /// Proxies wanted.
    #[serde(default)]
    pub desired: u32,
    /// Digest of the configuration that all of its proxies serve; absent while they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub digest: Option<String>,
    /// What there is to say while its proxies do not all serve the same: how many serve which, are behind, do not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub serving: Option<String>,
    /// Version of the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
}

/// An address of the outer tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressStatus {
    /// `IPAddress` or `Hostname`.
    #[serde(rename = "type")]
    #[schemars(length(max = 32))]
    pub type_: String,
    /// The address.
    #[schemars(length(max = 253))]
    pub value: String,
}

/// A certificate and what becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// The hosts it is for.
    #[schemars(length(max = 100), inner(length(max = 253)))]
    pub hosts: Vec<String>,
    /// Where it comes from: a Secret, or the authority that it is ordered from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2304))]
    pub source: Option<String>,
    /// Who has signed it; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub issuer: Option<String>,
    /// When it ends; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "embedded::<Time>")]
    pub not_after: Option<Time>,
    /// From when until when its authority wants it renewed, where that has said so (RFC 9773).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_window: Option<RenewalWindow>,
    /// What happens next, and when, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub next_step: Option<String>,
    /// The last thing that went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_error: Option<String>,
}

/// From when until when an authority wants a certificate renewed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RenewalWindow {
    /// The first moment.
    #[schemars(schema_with = "embedded::<Time>")]
    pub start: Time,
    /// The last.
    #[schemars(schema_with = "embedded::<Time>")]
    pub end: Time,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantStatus {
    /// Name of the tenant.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Hostnames that the tenant has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 253)))]
    pub hostnames: Vec<String>,
    /// Hostnames that it asked for and another tenant has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub lost: Vec<LostHostname>,
}

/// A hostname that another tenant has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostHostname {
    /// The hostname.
    #[schemars(length(max = 253))]
    pub hostname: String,
    /// The tenant that has it.
    #[schemars(length(max = 63))]
    pub owner: String,
}
