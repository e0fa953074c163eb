//! The outer tier: where it runs, what it listens on, who stands in front of it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Acme, Autoscaling, Certificates, Exposure, PodSettings};
use crate::common::ClientAddress;
use crate::limits::TierLimits;

/// The tier that faces the internet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(self.replicas > 1 && has(self.certificates) && has(self.certificates.store.volume))")
        .message("several replicas cannot share a volume store: each would order its own certificates and use up the authority's rate limits; use certificates.store.secrets, or one replica")
        .field_path(".replicas"),
    validation = Rule::new("!(has(self.autoscaling) && has(self.certificates) && has(self.certificates.store.volume))")
        .message("several replicas cannot share a volume store, so it cannot be autoscaled; use certificates.store.secrets")
        .field_path(".autoscaling"),
    validation = Rule::new("!(has(self.autoscaling) && has(self.exposure) && has(self.exposure.hostPorts))")
        .message("with hostPorts there is one proxy a node, so there is nothing to autoscale")
        .field_path(".autoscaling"),
    validation = Rule::new("!has(self.acme) || has(self.certificates)")
        .message("acme needs certificates.store: certificates that are not kept would be ordered again at every restart")
        .field_path(".acme"),
    validation = Rule::new("!has(self.acme) || !has(self.acme.challenge.http01) || self.listeners.exists(l, l.protocol == 'HTTP')")
        .message("the http01 challenge needs an HTTP listener")
        .field_path(".acme.challenge"),
    validation = Rule::new("!has(self.acme) || !has(self.acme.challenge.tlsAlpn01) || self.listeners.exists(l, l.protocol == 'HTTPS')")
        .message("the tlsAlpn01 challenge needs an HTTPS listener")
        .field_path(".acme.challenge")
)]
pub struct Outer {
    /// Namespace of the outer tier; dedicated to it, since it holds the private keys.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: String,
    /// Number of proxies.
    #[serde(default = "one_replica")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: u16,
    /// Lets the number of proxies follow their load, instead of `replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How the world reaches the tier. Absent: by a Service of type LoadBalancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// Ports and protocols.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(a, self.exists_one(b, a.port == b.port && (a.protocol == 'UDP') == (b.protocol == 'UDP')))")
            .message("two listeners cannot have the same port (UDP ports are counted apart)")
    )]
    pub listeners: Vec<Listener>,
    /// Who may stand in front, and how they tell the client's address. Absent: the peer of the socket is the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<ClientAddress>,
    /// How certificates are got. Absent: only those of `certificates.secrets` are served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<Acme>,
    /// Where certificates are kept, and which are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Certificates>,
    /// Limits of this tier. What is absent has its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TierLimits>,
    /// Settings of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSettings>,
}

/// One port of the outer tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!(self.protocol in ['HTTP', 'HTTPS', 'TLS']) || !has(self.tenant)")
        .message("HTTP, HTTPS and TLS listeners serve every tenant by hostname and have no tenant of their own")
        .field_path(".tenant"),
    validation = Rule::new("!(self.protocol in ['TCP', 'UDP']) || has(self.tenant)")
        .message("TCP and UDP carry no hostname, so the listener must name its tenant")
)]
pub struct Listener {
    /// Name of the listener; routes use it as `sectionName`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The port that clients use.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The tenant of a TCP or UDP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub tenant: Option<String>,
}

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// HTTP in plain text: answers ACME challenges and redirects to https.
    Http,
    /// HTTP/1.1 and HTTP/2 over TLS that ends in the outer tier.
    Https,
    /// TLS that is passed through to the backend, by server name.
    Tls,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The protocol as the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tls => "TLS",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

fn one_replica() -> u16 {
    1
}
