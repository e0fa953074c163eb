//! What there is to say of one request, as values: serialisable, with stable field names, without any text of layout. The
//! command line, the page and tests read these; they decide nothing themselves.

mod route;
mod tier;

use serde::Serialize;

use super::Question;

pub use route::*;
pub use tier::*;

/// Everything there is to say of one request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What was asked. Values of fields that carry secrets are not shown, here and everywhere below.
    pub question: Question,
    /// The answer in short.
    pub verdict: Verdict,
    /// The connection, as far as it is decided before a request is read.
    pub entry: Entry,
    /// The tiers the request comes to, in its order; the last is where it is decided.
    pub tiers: Vec<TierAccount>,
    /// How the client's address comes to the application, hop by hop.
    pub address: Vec<AddressStep>,
}

/// The answer in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What becomes of the request.
    pub outcome: Outcome,
    /// Why: one word of a fixed set.
    pub cause: Cause,
    /// The status of the answer. `None`: the application's own, or there is no answer in HTTP at all.
    pub status: Option<u16>,
    /// The gRPC status beside it, where errors are told so.
    pub grpc_status: Option<u8>,
    /// Who gives the answer: `outer`, `inner`, `gateway` or `application`; `None`: there is none in HTTP.
    pub tier: Option<&'static str>,
    /// `Proxy-Status` of the answer (RFC 9209), where it is an error of a tier.
    pub proxy_status: Option<String>,
    /// One sentence.
    pub sentence: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Names and paths that exist and are near to what was asked for.
    pub did_you_mean: Vec<String>,
    /// Diagnostics of the objects concerned, the cause first.
    pub related: Vec<Related>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An application answers.
    Forwarded,
    /// A tier answers, as a route or the topology asks for.
    Answered,
    /// A tier answers with an error, or nobody answers.
    Refused,
}

/// Why a request gets the answer it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A rule sends it to a backend.
    Forwarded,
    /// A rule redirects it.
    Redirect,
    /// The listener sends everything to https.
    HttpsRedirect,
    /// A rule answers the CORS preflight.
    Preflight,
    /// Nothing listens on the port.
    PortUnknown,
    /// Plain HTTP on a port that speaks TLS.
    TlsExpected,
    /// TLS on a port that speaks plain HTTP.
    PlainExpected,
    /// A listed balancer, from which a PROXY header is expected, sends none.
    ProxyHeaderMissing,
    /// A PROXY header from a peer that is not listed.
    ProxyHeaderUnexpected,
    /// Nobody owns the server name of the handshake, or there is none.
    ServerNameUnknown,
    /// The server name has an owner and no certificate.
    CertificateMissing,
    /// The request is not one that HTTP allows, or that a tier takes.
    RequestInvalid,
    /// A listed proxy sends an `X-Forwarded-For` that does not follow the grammar.
    ForwardedForInvalid,
    /// The host is not the server name's tenant's.
    Misdirected,
    /// Nobody owns the host.
    HostUnknown,
    /// A tenant owns the host, and no route of it has the host.
    NoRouteForHost,
    /// Routes have the host, and none the path.
    PathMismatch,
    /// Rules have the path, and none the method.
    MethodMismatch,
    /// Rules have path and method, and none the header fields.
    HeaderMismatch,
    /// Rules have all but the query.
    QueryMismatch,
    /// A route that would take the request is not served, or a rule of it is left out.
    RouteNotServed,
    /// The tenant is suspended.
    TenantSuspended,
    /// The rule that takes it is wrong, or one of its filters.
    RouteInvalid,
    /// The backend's object does not exist or cannot be used.
    BackendInvalid,
    /// The backend may not be used from the route's namespace.
    BackendNotPermitted,
    /// The rule has no backend, or none with a weight.
    NoBackend,
    /// The backend has no ready endpoint.
    NoEndpoint,
    /// The tenant's inner tier has no ready endpoint.
    InnerTierMissing,
    /// No configuration has been loaded.
    NotConfigured,
}

/// A diagnostic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Its code, such as `BLY0303`.
    pub code: &'static str,
    /// `error`, `warning` or `info`.
    pub severity: &'static str,
    /// The object, as `HTTPRoute a/web`.
    pub object: String,
    /// Path of the field; empty for the whole object.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// `file:line`, when the object came from a file.
    pub location: Option<String>,
}

/// The connection: port, listener, TLS, owner.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Entry {
    /// The tier that faces the client: `outer tier of main`, `Gateway a/web`. Empty when nothing listens.
    pub tier: String,
    /// The port the client connects to.
    pub port: u16,
    /// The listener the request belongs to.
    pub listener: Option<ListenerView>,
    /// All ports that clients can connect to.
    pub ports: Vec<PortView>,
    /// The TLS handshake, if there is one.
    pub tls: Option<TlsView>,
    /// Who owns the host.
    pub owner: Option<OwnerView>,
    /// Bounds that hold for the request, whether it meets them or not.
    pub limits: Vec<LimitView>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListenerView {
    /// Its name.
    pub name: String,
    /// The port it declares.
    pub port: u16,
    /// `HTTP` or `HTTPS`.
    pub protocol: &'static str,
    /// The hosts it is for, `*` for all.
    pub hostname: String,
    /// It sends everything to https.
    pub redirects_to_https: bool,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortView {
    /// The port that clients connect to.
    pub port: u16,
    /// The port that objects declare.
    pub declared: u16,
    /// `HTTP` or `HTTPS`.
    pub protocol: &'static str,
    /// Names of its listeners.
    pub listeners: Vec<String>,
}

/// A TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsView {
    /// The server name that is asked for.
    pub server_name: String,
    /// Who owns that name: a tenant, or on a Gateway the listener.
    pub owner: Option<String>,
    /// The certificate that is shown.
    pub certificate: Option<CertificateView>,
    /// Why the handshake fails, if it does.
    pub refused: Option<String>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateView {
    /// Where it comes from: `Secret edge/web`, or the development CA.
    pub source: String,
    /// The names it is for.
    pub names: Vec<String>,
    /// When it ends (RFC 3339); `None` when it is made in the handshake.
    pub not_after: Option<String>,
}

/// The owner of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerView {
    /// The tenant; `None` on a plain Gateway.
    pub tenant: Option<String>,
    /// The hostname, or pattern, by which it is the tenant's.
    pub pattern: String,
    /// The tenant is suspended.
    pub suspended: bool,
}

/// A bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitView {
    /// What is bounded.
    pub name: &'static str,
    /// How much there may be.
    pub value: u64,
    /// `tenant team-a`, or `tier`.
    pub of: String,
}
