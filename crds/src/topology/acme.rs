//! How certificates are got and where they are kept.

use std::collections::BTreeSet;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{KeyReference, NameReference, yes};

/// How certificates are got from an ACME authority (RFC 8555).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acme {
    /// The authority's directory: a URL, or one of the words `letsencrypt` and `letsencrypt-staging`.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^(letsencrypt|letsencrypt-staging|https://\S+)$"))]
    pub directory: String,
    /// Address that the authority may write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 254), regex(pattern = r"^[^@\s]+@[^@\s]+$"))]
    pub email: Option<String>,
    /// How the authority is shown that a host is ours.
    pub challenge: Challenge,
    /// The account at the authority that ours is bound to, where it asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_account: Option<ExternalAccount>,
    /// The certificate profile to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub profile: Option<String>,
    /// Common name of the root that chains should end in, where the authority offers several; with another name, its first chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub preferred_chain: Option<String>,
    /// Roots to trust for the directory, in a ConfigMap of the outer namespace. Absent: the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<KeyReference>,
    /// When certificates are renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
    /// What a client gets for a host whose certificate is not there yet.
    #[serde(default)]
    pub until_issued: UntilIssued,
}

impl Acme {
    /// The Secrets of the outer namespace that it refers to.
    pub fn secrets(&self) -> BTreeSet<&str> {
        let account = self.external_account.as_ref().map(|account| account.secret_ref.name.as_str());
        let dns = self.challenge.dns01.as_ref().and_then(|dns| dns.credentials_ref.as_ref());
        account.into_iter().chain(dns.map(|credentials| credentials.name.as_str())).collect()
    }

    /// The ConfigMaps of the outer namespace that it refers to.
    pub fn config_maps(&self) -> BTreeSet<&str> {
        let webhook = self.challenge.dns01.as_ref().and_then(|dns| dns.webhook.as_ref());
        let webhook = webhook.and_then(|webhook| webhook.ca_bundle_ref.as_ref());
        self.ca_bundle_ref.iter().chain(webhook).map(|bundle| bundle.name.as_str()).collect()
    }
}

/// How the authority is shown that a host is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("[has(self.http01), has(self.tlsAlpn01), has(self.dns01)].exists_one(chosen, chosen)")
        .message("exactly one of http01, tlsAlpn01 and dns01 must be chosen")
)]
pub struct Challenge {
    /// By a file under `/.well-known/acme-challenge/`; needs port 80 from the internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http01: Option<EmptySettings>,
    /// By a certificate in the TLS handshake (RFC 8737); needs port 443 from the internet.
    #[serde(rename = "tlsAlpn01", default, skip_serializing_if = "Option::is_none")]
    pub tls_alpn01: Option<EmptySettings>,
    /// By a record in DNS; the only one that gives wildcard certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns01: Option<Dns01>,
}

/// A choice without settings of its own: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmptySettings {}

/// Records in DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.webhook) != has(self.provider)")
        .message("exactly one of provider and webhook sets the records"),
    validation = Rule::new("!has(self.provider) || has(self.credentialsRef)")
        .message("a DNS provider needs credentialsRef, a Secret of the outer namespace")
)]
pub struct Dns01 {
    /// The DNS provider: `rfc2136` for dynamic updates, or a word of the list in docs/dns-01.md, such as `alidns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub provider: Option<String>,
    /// A Secret of the outer namespace with the provider's credentials, or with the entry `token` that the webhook gets as its bearer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<NameReference>,
    /// A service of your own that sets the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<DnsWebhook>,
    /// How it is seen that a record is there, before the authority is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation: Option<Propagation>,
}

/// How it is seen that a record is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Propagation {
    /// Servers that answer for the zone, as addresses with or without a port; they alone are asked. Absent: the servers that the
    /// zone names, found by the resolver of the Pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(
            length(min = 2, max = 53),
            regex(pattern = r"^(\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?|[0-9.]+(:[0-9]{1,5})?|[0-9a-fA-F:]+)$")
        )
    )]
    pub nameservers: Vec<String>,
    /// Seconds within which all of them must show the record; then it is tried again later, and the authority is not told.
    #[serde(default = "two_minutes")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: u16,
}

fn two_minutes() -> u16 {
    120
}

/// A service that sets DNS records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsWebhook {
    /// Its address; `http://` only without a token in `credentialsRef`.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://\S+$"))]
    pub url: String,
    /// Roots to trust for it, in a ConfigMap of the outer namespace. Absent: the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<KeyReference>,
}

/// Binds the ACME account to one that the authority knows (RFC 8555, 7.3.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalAccount {
    /// The key identifier that the authority gave.
    #[schemars(length(min = 1, max = 256))]
    pub key_id: String,
    /// The MAC key, in a Secret of the outer namespace, in base64url.
    pub secret_ref: KeyReference,
}

/// When certificates are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    /// Whether the authority is asked when (RFC 9773).
    #[serde(default = "yes")]
    pub ask_authority: bool,
    /// Share of a certificate's life that must be left, in percent, when the authority has no answer. Absent: a third, or
    /// half for lives below ten days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 90))]
    pub remaining_percent: Option<u8>,
}

/// What a client gets for a host whose certificate is not there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UntilIssued {
    /// The handshake is refused.
    #[default]
    Refuse,
    /// A certificate that no client trusts.
    SelfSigned,
}

/// Where certificates are kept, and which are given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Certificates {
    /// Where certificates and the ACME account are kept.
    pub store: Store,
    /// TLS Secrets of the outer namespace that are served as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub secrets: Vec<String>,
}

/// Where certificates and the ACME account are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.volume) != has(self.secrets)")
        .message("exactly one of volume and secrets must be the certificate store")
)]
pub struct Store {
    /// A volume; for one replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeStore>,
    /// Secrets of the outer namespace; for any number of replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<EmptySettings>,
}

/// A volume that outlives the pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeStore {
    /// Size of the volume.
    #[serde(default = "volume_size")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"))]
    pub size: String,
    /// Storage class of the volume. Absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// What becomes of the volume when the topology is deleted.
    #[serde(default)]
    pub reclaim_policy: ReclaimPolicy,
}

/// What becomes of the volume when the topology is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimPolicy {
    /// It stays, so that a new topology of the name need not order its certificates again.
    #[default]
    Retain,
    /// It goes.
    Delete,
}

fn volume_size() -> String {
    "64Mi".to_owned()
}
