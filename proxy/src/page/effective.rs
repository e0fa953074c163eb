//! Everything that a tier serves from, as data. A running tier tells it at `/api/configuration`; made of a snapshot that was built
//! elsewhere of the same objects, it is the same but for the generation, so that two can be compared part by part. Holds no
//! key and no value of a header that may be a secret.

use bailey_crds::TierLimits;
use bailey_routing::Listed;
use bailey_routing::ir::{ListenerProtocol, Tenant, Upstream, UpstreamKey};
use serde::{Deserialize, Serialize};

use crate::describe;
use crate::forward::address::Front;
use crate::snapshot::{Settings, Snapshot};
use crate::tier::Role;

/// What a tier serves from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// The tier, such as `inner main team-a`.
    pub tier: String,
    /// Equal configuration has an equal digest, in every process of a release. Endpoints make no difference.
    pub digest: String,
    /// How many configurations the process has served, this one included.
    pub generation: u64,
    /// Ports.
    pub listeners: Vec<EffectiveListener>,
    /// Every match of every rule, host by host in the order they are tried.
    pub routes: Vec<EffectiveRoute>,
    /// Where requests go on to.
    pub backends: Vec<EffectiveBackend>,
    /// The tenants of an outer tier.
    pub tenants: Vec<EffectiveTenant>,
    /// What clients of TLS are shown.
    pub certificates: Vec<EffectiveCertificate>,
    /// What holds for the whole tier.
    pub settings: EffectiveSettings,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveListener {
    /// Its name.
    pub name: String,
    /// The port that clients use.
    pub port: u16,
    /// The port that the process listens on.
    pub bind_port: u16,
    /// The protocol.
    pub protocol: String,
    /// The hosts it is for.
    pub hostname: String,
    /// Its certificates, as `namespace/name` of their Secrets.
    pub certificates: Vec<String>,
    /// It sends everything to this port of https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirects_to: Option<u16>,
}

/// One match of one rule under one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveRoute {
    /// The listener.
    pub listener: String,
    /// The host pattern.
    pub host: String,
    /// The tenant that has the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The path.
    pub path: String,
    /// What else a request must have.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub conditions: String,
    /// The route, as `HTTPRoute/namespace/name`.
    pub route: String,
    /// Index of the rule.
    pub rule: usize,
    /// Where it sends.
    pub to: String,
    /// What else it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
}

/// One upstream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveBackend {
    /// `namespace/service:port`, or the tenant whose inner tier it is.
    pub name: String,
    /// What is spoken there.
    pub protocol: String,
    /// Ready endpoints.
    pub endpoints: Vec<String>,
}

/// One tenant. What is absent has no limit of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveTenant {
    /// Its name.
    pub name: String,
    /// Its hosts answer 503.
    pub suspended: bool,
    /// Connections at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Requests at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
}

/// One certificate, without its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveCertificate {
    /// The names it is for.
    pub names: Vec<String>,
    /// Where it comes from.
    pub source: String,
    /// Who has signed it.
    pub issuer: String,
    /// When it ends (RFC 3339).
    pub not_after: String,
}

/// What holds for a whole tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveSettings {
    /// Who stands in front and may tell the client's address.
    pub client_address: String,
    /// Applications get RFC 7239's `Forwarded` too.
    pub forwarded: bool,
    /// Requests are logged.
    pub access_log: bool,
    /// The collector of traces, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<String>,
    /// Limits of the tier.
    pub limits: TierLimits,
}

impl Effective {
    /// What `role` serves from with this snapshot.
    pub fn of(role: &Role, snapshot: &Snapshot) -> Self {
        let table = &snapshot.table;
        let mut listeners: Vec<_> = table.listeners().map(|(_, one)| listener(one, &snapshot.settings)).collect();
        let mut backends: Vec<_> = table.upstreams().map(|one| backend(one)).collect();
        let mut tenants: Vec<_> = table.tenants().iter().map(tenant).collect();
        listeners.sort();
        backends.sort();
        tenants.sort();
        let certificate = |one: crate::snapshot::certificates::Shown| EffectiveCertificate {
            names: one.names,
            source: one.source,
            issuer: one.issuer,
            not_after: one.not_after_text,
        };
        Self {
            tier: describe::tier(role),
            digest: format!("{:032x}", snapshot.digest),
            generation: snapshot.generation,
            listeners,
            routes: table.listing().iter().flat_map(routes).collect(),
            backends,
            tenants,
            certificates: snapshot.certificates.shown().into_iter().map(certificate).collect(),
            settings: settings(&snapshot.settings),
        }
    }
}

fn listener(of: &bailey_routing::ir::Listener, settings: &Settings) -> EffectiveListener {
    let protocol = match of.protocol {
        ListenerProtocol::Http => "HTTP",
        ListenerProtocol::Https => "HTTPS",
        ListenerProtocol::Tls => "TLS",
        ListenerProtocol::Tcp => "TCP",
        ListenerProtocol::Udp => "UDP",
    };
    EffectiveListener {
        name: of.name.to_string(),
        port: of.port,
        bind_port: settings.bind_ports.get(&of.port).copied().unwrap_or(of.port),
        protocol: protocol.to_owned(),
        hostname: of.hostname.to_string(),
        certificates: of.certificates.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect(),
        redirects_to: of.https_redirect.as_ref().map(|redirect| redirect.port),
    }
}

fn routes(listed: &Listed<'_>) -> Vec<EffectiveRoute> {
    let row = |one: &bailey_routing::Matched<'_>| EffectiveRoute {
        listener: listed.listener.to_owned(),
        host: listed.pattern.to_string(),
        tenant: listed.tenant.map(str::to_owned),
        path: describe::path(one.route_match()),
        conditions: describe::conditions(one.route_match()),
        route: one.route().id.to_string(),
        rule: one.rule_index(),
        to: describe::targets(one.rule()),
        effects: describe::effects(one.rule()),
    };
    listed.matches.iter().map(row).collect()
}

fn backend(of: &Upstream) -> EffectiveBackend {
    let protocol = match of.id.key() {
        UpstreamKey::Service { protocol, .. } => describe::protocol(*protocol),
        UpstreamKey::Link { .. } => "link",
    };
    let mut endpoints: Vec<String> = of.endpoints.iter().map(|one| one.address.to_string()).collect();
    endpoints.sort();
    EffectiveBackend { name: describe::upstream(&of.id), protocol: protocol.to_owned(), endpoints }
}

fn tenant(of: &Tenant) -> EffectiveTenant {
    EffectiveTenant {
        name: of.name.to_string(),
        suspended: of.suspended,
        connections: of.max_connections,
        requests_per_second: of.requests_per_second,
        in_flight: of.max_in_flight,
    }
}

fn settings(of: &Settings) -> EffectiveSettings {
    let networks = |from: &[ipnet::IpNet]| from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    EffectiveSettings {
        client_address: match &of.front {
            Front::Nobody => "the peer of the connection".to_owned(),
            Front::ProxyProtocol { from } => format!("PROXY protocol from {}", networks(from)),
            Front::ForwardedFor { from, hops } => format!("X-Forwarded-For over {hops} hops from {}", networks(from)),
        },
        forwarded: of.forwarded,
        access_log: of.access_log.is_some(),
        tracing: of.tracing.as_ref().and_then(|tracing| tracing.endpoint.clone()),
        limits: of.limits,
    }
}
