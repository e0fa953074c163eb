//! `TierConfig`: what one tier's proxies need to know and cannot find out themselves. The operator (in local mode,
//! `translate`) writes it, proxies read it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{AccessLog, ClientAddress, InnerService, NameReference, yes};
use crate::hostname::Hostname;
use crate::limits::{TenantLimits, TierLimits};
use crate::topology::Acme;
use crate::tracing::{TenantTracing, Tracing};

/// What one tier's proxies need to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "bailey.dev",
    version = "v1alpha1",
    kind = "TierConfig",
    plural = "tierconfigs",
    namespaced,
    category = "bailey",
    derive = "PartialEq",
    doc = "The configuration of one tier. Written by the operator and read by the tier's proxies; edits are overwritten.",
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Topology", type_ = "string", json_path = ".spec.topology"),
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenant"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.role == 'Gateway' || (has(self.topology) && has(self.link))")
        .message("an outer or inner tier belongs to a topology and has a link"),
    validation = Rule::new("self.role != 'Gateway' || !(has(self.topology) || has(self.link))")
        .message("a tier alone has neither topology nor link"),
    validation = Rule::new("(self.role == 'Inner') == has(self.tenant)")
        .message("an inner tier, and no other, has a tenant"),
    validation = Rule::new("self.role == 'Outer' || !has(self.tenants) || size(self.tenants) == 0")
        .message("only an outer tier has a list of tenants"),
    validation = Rule::new("self.role == 'Outer' || !has(self.acme)")
        .message("only an outer tier orders certificates"),
    validation = Rule::new("self.role == 'Inner' || !has(self.outerListeners)")
        .message("only an inner tier is told of the outer tier's listeners"),
    validation = Rule::new("self.listeners.all(l, (l.protocol == 'Link') == (self.role == 'Inner'))")
        .message("an inner tier listens for the link and for nothing else"),
    validation = Rule::new("self.role != 'Inner' || (has(self.link) && has(self.link.peer))")
        .message("an inner tier must know its only peer")
)]
pub struct TierConfigSpec {
    /// Which tier this is.
    pub role: Role,
    /// The topology that the tier belongs to; absent for a tier alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub topology: Option<String>,
    /// The tenant of an inner tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub tenant: Option<String>,
    /// Ports and protocols. A tier alone takes them from its Gateway.
    #[serde(default)]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub listeners: Vec<TierListener>,
    /// Who the tier is on the link, and whom it trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkTrust>,
    /// The namespaces whose routes an inner tier serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
    /// The hostnames that an inner tier's routes may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub hostnames: Vec<Hostname>,
    /// The outer tier's listeners for HTTP, which routes name in their `parentRefs`. Absent where they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub outer_listeners: Option<Vec<OuterListener>>,
    /// The tenants behind an outer tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub tenants: Vec<TierTenant>,
    /// TLS Secrets of the tier's namespace that are served as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub certificates: Vec<String>,
    /// How an outer tier gets certificates for itself. Absent: it serves those of `certificates` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<TierAcme>,
    /// Who may stand in front, and how they tell the client's address. Absent: the peer of the socket is the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<ClientAddress>,
    /// Whether the plain HTTP listeners redirect to https instead of serving routes.
    #[serde(default = "yes")]
    pub https_redirect: bool,
    /// Whether applications get RFC 7239's `Forwarded` field, beside the `X-Forwarded-*` fields.
    #[serde(default)]
    pub forwarded: bool,
    /// The most routes that an inner tier accepts. Absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub routes: Option<u32>,
    /// Limits of the tier.
    #[serde(default)]
    pub limits: TierLimits,
    /// Where traces go. Absent: none are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
    /// How requests are logged. Absent: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
}

/// Which tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Faces the internet and passes requests to inner tiers.
    Outer,
    /// Serves one tenant behind an outer tier.
    Inner,
    /// A tier alone: both roles in one, for a Gateway that belongs to no topology. Namespace and name are the Gateway's.
    Gateway,
}

/// One port of a tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TierListener {
    /// Name of the listener; routes use it as `sectionName`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The port that clients use. It stands in redirects and in what the application is told.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The port that the process listens on, where a Service maps the other to it. Absent: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub bind_port: Option<u16>,
    /// The protocol.
    pub protocol: TierProtocol,
    /// The tenant of a TCP or UDP port of an outer tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub tenant: Option<String>,
}

/// A listener of the outer tier, as routes of an inner tier name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OuterListener {
    /// Its name, for `sectionName`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The port that clients use, for `port`.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Whether it serves routes; a listener that redirects to https does not.
    #[serde(default = "yes")]
    pub serves: bool,
}

/// The protocol of a tier's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TierProtocol {
    /// HTTP in plain text.
    #[serde(rename = "HTTP")]
    Http,
    /// HTTP/1.1 and HTTP/2 over TLS that ends here.
    #[serde(rename = "HTTPS")]
    Https,
    /// TLS that is passed through, by server name.
    #[serde(rename = "TLS")]
    Tls,
    /// TCP.
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// The link from the outer tier.
    Link,
}

/// How an outer tier gets certificates for itself, and where it keeps them. References lead to objects of its own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TierAcme {
    /// As the topology says.
    #[serde(flatten)]
    pub acme: Acme,
    /// Where certificates and the account are kept.
    pub store: TierStore,
}

/// Where a tier keeps certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TierStore {
    /// On the volume of its only replica.
    Volume,
    /// In Secrets of its namespace, for any number of replicas.
    Secrets,
}

/// Who a tier is on the link, and whom it trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkTrust {
    /// The tier's own identity, a URI in its certificate such as `bailey://main/outer`.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^bailey://[^/]+/(outer|tenant/[^/]+)$"))]
    pub identity: String,
    /// The only identity that an inner tier lets in. An outer tier has one per tenant instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^bailey://[^/]+/(outer|tenant/[^/]+)$"))]
    pub peer: Option<String>,
    /// The Secret of the tier's namespace with its certificate (`tls.crt`), key (`tls.key`) and the topology's roots
    /// (`ca.crt`).
    #[serde(default = "link_secret")]
    pub secret_ref: NameReference,
}

/// A tenant as the outer tier sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TierTenant {
    /// Name of the tenant.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// The identity that the tenant's inner tier must show.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^bailey://[^/]+/tenant/[^/]+$"))]
    pub identity: String,
    /// The Service of the tenant's inner tier.
    pub service: InnerService,
    /// Whether the tenant is switched off: its hostnames are answered 503.
    #[serde(default)]
    pub suspended: bool,
    /// What the tenant may use.
    #[serde(default)]
    pub limits: TenantLimits,
    /// What differs from the tier's tracing for the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TenantTracing>,
}

/// The identity of a topology's outer tier, as it stands in its certificate.
pub fn outer_identity(topology: &str) -> String {
    format!("bailey://{topology}/outer")
}

/// The identity of a tenant's inner tier, as it stands in its certificate.
pub fn tenant_identity(topology: &str, tenant: &str) -> String {
    format!("bailey://{topology}/tenant/{tenant}")
}

/// The name of the Secret with a tier's link certificate.
pub const LINK_SECRET: &str = "bailey-link";

fn link_secret() -> NameReference {
    NameReference { name: LINK_SECRET.to_owned() }
}
