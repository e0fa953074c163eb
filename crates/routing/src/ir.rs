//! The intermediate representation: what `translate` writes and `compile` reads.
//!
//! It decides nothing. References are resolved, hostnames intersected, regular expressions compiled, and what a user
//! got wrong is a value ([`Invalid`]) that answers with the right error. It must not name a Kubernetes type.
//! Lists are boxed slices (`vec.into()`, `collect()`): tables keep routes alive, and a route should cost little.

mod backend;
mod filter;
mod route;

use std::sync::Arc;

pub use backend::{Backend, BackendProtocol, Endpoint, Invalid, Target, Upstream, UpstreamId, UpstreamKey};
pub use filter::{
    Cors, Filter, Fraction, HeaderEdit, HeaderValue, Mirror, OriginPattern, PathRewrite, Redirect, RedirectStatus,
    Rewrite, Scheme,
};
pub use route::{
    Attachment, Conditions, HeaderMatch, HostPattern, Method, PathMatch, QueryMatch, Retry, Route, RouteId, RouteKind,
    RouteMatch, Rule, RulePolicy, ValueMatch,
};

/// Everything one tier routes by. The order of every list is irrelevant: any order compiles to the same table.
#[derive(Debug, Clone, Default)]
pub struct Ir {
    /// Where requests come in.
    pub listeners: Vec<Listener>,
    /// Routes, shared with the tables compiled from them. Ids are unique; of two equal ids the last one counts.
    pub routes: Vec<Arc<Route>>,
    /// Where requests go. Kept outside the routes, so that an endpoint change recompiles no route.
    pub upstreams: Vec<Arc<Upstream>>,
    /// The tenants of the topology; empty in a tier that serves a plain Gateway.
    pub tenants: Vec<Tenant>,
}

/// One listener of a Gateway, a `ListenerSet` or a topology.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Listener {
    /// Unique in the [`Ir`]; attachments name it. With several Gateways in one tier the name carries the Gateway's.
    pub name: Arc<str>,
    /// The port clients connect to. Several listeners may share one and differ by `hostname`.
    pub port: u16,
    /// What is spoken on the port.
    pub protocol: ListenerProtocol,
    /// Only these hosts are for this listener ([`HostPattern::Any`] when the Gateway names none).
    pub hostname: HostPattern,
    /// Certificates for TLS ended here, in the user's order; the first is the default of the listener.
    pub certificates: Box<[CertificateRef]>,
    /// Answer with a redirect to https instead of routing.
    pub https_redirect: Option<HttpsRedirect>,
    /// The one tenant a listener without hostnames (TCP, UDP) belongs to.
    pub tenant: Option<Arc<str>>,
}

/// What a listener speaks (Gateway API `ProtocolType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListenerProtocol {
    /// Plain HTTP/1.1 and h2 with prior knowledge.
    Http,
    /// HTTP in TLS that ends here.
    Https,
    /// TLS routed by server name.
    Tls,
    /// Bytes.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A TLS certificate by the object that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateRef {
    /// Namespace of the Secret (or of the certificate the tier orders itself).
    pub namespace: Arc<str>,
    /// Name of it.
    pub name: Arc<str>,
}

/// Where a plain listener sends its requests: same host, path and query, 301 for GET and HEAD and 308 otherwise, so
/// that no other method is turned into a GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HttpsRedirect {
    /// The port in `Location`; 443 is left out.
    pub port: u16,
}

/// A tenant as the outer tier knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// Name within the topology; routes and listeners refer to it.
    pub name: Arc<str>,
    /// Connections to its hosts at a time; `None` is no limit of its own.
    pub max_connections: Option<u32>,
    /// Requests per second; `None` is no limit of its own.
    pub requests_per_second: Option<u32>,
    /// Requests in progress at a time; `None` is no limit of its own.
    pub max_in_flight: Option<u32>,
    /// Its hosts answer 503 while the topology says so.
    pub suspended: bool,
}
