//! `IngressTopology`: an outer tier that faces the internet, and an inner tier per tenant behind it.
//!
//! The rules that a topology must keep are CEL in the definition, so the API server refuses what breaks them. What they
//! cost is bounded by `maxItems`: the dearest compare the hostnames of all tenants (64 x 64 x 32 x 32 steps at most, about 5
//! million of the 10 million the API server estimates a rule may cost). Beyond 512 hostnames they step aside, because what
//! a rule really uses may be a tenth of that; and a wildcard is compared with names up to two labels below it. What they
//! let through is settled when the `HostnameBinding`s are created, with a condition for the loser.

mod acme;
mod exposure;
mod outer;
mod pod;
mod status;
mod tenant;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use acme::{
    Acme, Certificates, Challenge, Dns01, DnsWebhook, EmptySettings, ExternalAccount, Propagation, ReclaimPolicy,
    Renewal, Store, UntilIssued, VolumeStore,
};
pub use exposure::{Exposure, ExternalTrafficPolicy, HostPorts, NodePort, ServiceExposure, ServiceType};
pub use outer::{Listener, Outer, Protocol};
pub use pod::{Autoscaling, PodSettings};
pub use status::{
    AddressStatus, CertificateStatus, LostHostname, RenewalWindow, TenantStatus, TierStatus, TopologyStatus,
};
pub use tenant::{Inner, InnerOverride, Placement, Tenant, TenantNamespaces};

use crate::common::{AccessLog, yes};
use crate::tracing::Tracing;

/// The longest name of a topology: names of children are made of it and must stay below 63 characters.
pub const MAX_TOPOLOGY_NAME: usize = 40;

/// What a topology asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "bailey.dev",
    version = "v1alpha1",
    kind = "IngressTopology",
    plural = "ingresstopologies",
    shortname = "itopo",
    category = "bailey",
    status = "TopologyStatus",
    derive = "PartialEq",
    doc = "An outer tier that faces the internet, and behind it one inner tier per tenant. Tenants route with ordinary Gateway API routes and Ingresses.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Tiers", type_ = "string", json_path = ".status.tiersReady", description = "Tiers that are ready, of those wanted"),
    printcolumn(name = "Hosts", type_ = "integer", json_path = ".status.hostnames", description = "Hostnames that are owned"),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.addresses[0].value"),
    printcolumn(name = "Cert expiry", type_ = "string", json_path = ".status.nextExpiry", description = "When the first certificate ends"),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("the name of a topology has at most 40 lower-case letters, digits and hyphens and begins with a letter, since the names of everything it makes begin with it")
)]
#[x_kube(
    validation = Rule::new("self.outer.listeners.all(l, !has(l.tenant) || self.tenants.exists(t, t.name == l.tenant))")
        .message("each listener's tenant must be one of spec.tenants")
        .field_path(".outer.listeners"),
    validation = Rule::new("self.tenants.all(t, !has(t.namespaces.names) || !(self.outer.__namespace__ in t.namespaces.names))")
        .message("the outer tier's namespace must belong to no tenant: it holds the private keys")
        .field_path(".tenants"),
    validation = Rule::new("self.tenants.all(a, !has(a.namespaces.names) || self.tenants.all(b, a.name == b.name || !has(b.namespaces.names) || !a.namespaces.names.exists(n, n in b.namespaces.names)))")
        .message("a namespace belongs to one tenant only")
        .field_path(".tenants"),
    validation = Rule::new("self.tenants.map(t, size(t.hostnames)).sum() > 512 || self.tenants.all(a, self.tenants.all(b, a.name == b.name || !a.hostnames.exists(h, h in b.hostnames)))")
        .message("a hostname belongs to one tenant only")
        .field_path(".tenants"),
    validation = Rule::new("self.tenants.map(t, size(t.hostnames)).sum() > 512 || self.tenants.all(a, [a.hostnames.map(h, h.startsWith('*.') ? h.substring(2) : h).filter(h, h.contains('.')).map(h, '*' + h.substring(h.indexOf('.')))].all(parents, self.tenants.all(b, a.name == b.name || !parents.exists(p, p in b.hostnames))))")
        .message("a wildcard of one tenant must not cover a hostname of another")
        .field_path(".tenants"),
    validation = Rule::new("self.tenants.map(t, size(t.hostnames)).sum() > 512 || self.tenants.all(a, [a.hostnames.map(h, h.startsWith('*.') ? h.substring(2) : h).filter(h, h.contains('.')).map(h, h.substring(h.indexOf('.') + 1)).filter(h, h.contains('.')).map(h, '*' + h.substring(h.indexOf('.')))].all(parents, self.tenants.all(b, a.name == b.name || !parents.exists(p, p in b.hostnames))))")
        .message("a wildcard of one tenant must not cover a hostname of another")
        .field_path(".tenants"),
    validation = Rule::new("has(self.tracing) || !self.tenants.exists(t, has(t.tracing))")
        .message("a tenant's tracing changes spec.tracing, which is missing")
        .field_path(".tenants")
)]
pub struct IngressTopologySpec {
    /// The tier that faces the internet.
    pub outer: Outer,
    /// Defaults for every inner tier.
    #[serde(default)]
    pub inner: Inner,
    /// Who may use which hostnames, from which namespaces. Each gets an inner tier.
    #[serde(default)]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub tenants: Vec<Tenant>,
    /// Whether the plain HTTP listeners redirect to https (301 for GET and HEAD, 308 otherwise) instead of serving routes.
    #[serde(default = "yes")]
    pub https_redirect: bool,
    /// Where traces go. Absent: none are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
    /// How requests are logged. Absent: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
}
