//! What there is to say of one request, as values: serialisable, with stable field names, without any text of layout. The
//! command line, the page and tests read these; they decide nothing themselves.

use serde::Serialize;

use super::Question;

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

/// What one tier does with the request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TierAccount {
    /// `outer`, `inner` or `gateway`.
    pub tier: &'static str,
    /// Its name in `Proxy-Status`.
    pub name: &'static str,
    /// Which one: `main`, `main, tenant a`, `a/web`.
    pub of: String,
    /// The listener.
    pub listener: String,
    /// The host that is looked up.
    pub host: String,
    /// Field changes when the request arrives, before any route is asked.
    pub arrival: Vec<FieldChange>,
    /// Host patterns that were tried, the most specific first.
    pub hosts: Vec<HostTried>,
    /// Matches of rules in order of precedence.
    pub candidates: Vec<Candidate>,
    /// How many more there are, of those that failed.
    pub candidates_left_out: usize,
    /// The rule that takes the request.
    pub won: Option<Won>,
    /// What may become of it then: one way for each backend that has a share, or one answer of the tier.
    pub ways: Vec<Way>,
}

/// A host pattern under which routes were looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostTried {
    /// The pattern.
    pub pattern: String,
    /// The tenant whose routes are there.
    pub tenant: Option<String>,
    /// `false`: the pattern is another tenant's than the more specific one above, so it is not asked.
    pub asked: bool,
    /// How many matches of rules there are under it.
    pub candidates: usize,
}

/// A rule, by where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleRef {
    /// The route, as `HTTPRoute a/web`.
    pub route: String,
    /// The rule's place in it, from 0 (among those that are served).
    pub rule: usize,
    /// The rule's name.
    pub name: Option<String>,
    /// Which of its matches, from 0; `None`: it has none and takes everything.
    #[serde(rename = "match")]
    pub matched: Option<usize>,
    /// The host pattern under which it is looked up.
    pub host: String,
    /// What it asks for, as `path /shop/* · header x-beta: yes`.
    pub wants: String,
}

/// A match of a rule, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// What became of it.
    pub result: CandidateResult,
    /// The first condition that failed.
    pub failed: Option<Failed>,
    /// Why another one that matches too comes first.
    pub beaten: Option<String>,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateResult {
    /// It takes the request.
    Won,
    /// It would take it, but another one comes first.
    Beaten,
    /// A condition fails.
    Failed,
}

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// `path`, `method`, `header` or `query`.
    pub condition: &'static str,
    /// Name of the field or parameter.
    pub name: Option<String>,
    /// What the rule asks for.
    pub wanted: String,
    /// What the request has; `None`: nothing of that name.
    pub got: Option<String>,
}

/// The rule that takes a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Won {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// Why it comes before the others that match: one sentence for the next in line, empty when it is alone.
    pub why: String,
}

/// One thing that may become of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Way {
    /// Its share of the requests in percent.
    pub percent: f64,
    /// Where it goes; `None`: the tier answers without a backend.
    pub backend: Option<BackendView>,
    /// The answer of the tier; `None`: it is forwarded.
    pub answer: Option<AnswerView>,
    /// The head that is sent on; `None`: nothing is.
    pub sent: Option<SentHead>,
    /// Field changes of the request between arriving and being sent on.
    pub request: Vec<FieldChange>,
    /// Field changes of the response.
    pub response: Vec<FieldChange>,
    /// Where copies go.
    pub mirrors: Vec<MirrorView>,
    /// Deadlines.
    pub timeouts: Option<Timeouts>,
    /// Repetitions.
    pub retries: Option<Retries>,
}

/// A backend of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendView {
    /// Its place in the rule, from 0.
    pub index: usize,
    /// `Service a/app port 80`, `link to tenant a`, or why the reference leads nowhere.
    pub target: String,
    /// `HTTP/1.1`, `h2c` or `link`; empty where the reference leads nowhere.
    pub protocol: &'static str,
    /// Its weight.
    pub weight: u32,
    /// Ready endpoints.
    pub endpoints: Vec<String>,
}

/// An answer of a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerView {
    /// The status.
    pub status: u16,
    /// Why.
    pub cause: Cause,
    /// One sentence.
    pub detail: String,
    /// `Location`, of a redirect.
    pub location: Option<String>,
}

/// A request head as it is sent on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentHead {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Host and port.
    pub host: String,
    /// All fields in order.
    pub fields: Vec<(String, String)>,
    /// What travels beside the head: on a link the client, its port, the scheme.
    pub beside: Vec<(&'static str, String)>,
}

/// A change of a header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Lower-case name.
    pub name: String,
    /// What happened.
    pub change: Change,
    /// Values before.
    pub before: Vec<String>,
    /// Values after.
    pub after: Vec<String>,
    /// Who did it.
    pub by: String,
}

/// What happened to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is gone.
    Deleted,
    /// It has another value, or is new.
    Set,
    /// It has a value more.
    Added,
}

/// A copy of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MirrorView {
    /// Where it goes.
    pub target: String,
    /// How many of the requests, as `1/1`.
    pub fraction: String,
    /// Why it is not made, if it never is.
    pub problem: Option<String>,
}

/// Deadlines, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// For the whole exchange; `None`: none.
    pub request_ms: Option<u64>,
    /// For one attempt; `None`: none.
    pub attempt_ms: Option<u64>,
    /// Until the first byte of an answer.
    pub first_byte_ms: u64,
}

/// When a request is sent once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retries {
    /// Repetitions that the route asks for.
    pub attempts: u8,
    /// Repetitions that do no harm, made without being asked.
    pub unasked: u8,
    /// Statuses that are worth one.
    pub codes: Vec<u16>,
    /// The first pause, in milliseconds.
    pub backoff_ms: u64,
    /// The method may be repeated once something was sent.
    pub idempotent: bool,
}

/// What one hop knows of the client's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddressStep {
    /// `outer`, `inner`, `gateway`, `application`.
    pub hop: &'static str,
    /// The other end of its connection.
    pub peer: String,
    /// What it is told, as `x-forwarded-for: 6.6.6.6`; empty when nothing.
    pub told: String,
    /// Whether that is believed.
    pub believed: bool,
    /// The client's address from here on.
    pub client: String,
    /// Why.
    pub why: String,
}

/// Everything there is to say of one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteAccount {
    /// The route, as `HTTPRoute a/web`.
    pub route: String,
    /// Where it is written.
    pub location: Option<String>,
    /// Requests can reach it.
    pub served: bool,
    /// One sentence.
    pub sentence: String,
    /// The tiers that serve it, with listener and hosts.
    pub attachments: Vec<AttachmentView>,
    /// Its rules that are served.
    pub rules: Vec<RuleAccount>,
    /// What is wrong with it.
    pub related: Vec<Related>,
}

/// A route on a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachmentView {
    /// `inner tier of main, tenant a`.
    pub tier: String,
    /// The listener.
    pub listener: String,
    /// Host patterns.
    pub hosts: Vec<String>,
}

/// A rule of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleAccount {
    /// Its place, from 0.
    pub rule: usize,
    /// Its name.
    pub name: Option<String>,
    /// What becomes of requests.
    pub does: Vec<String>,
    /// The ways to reach it.
    pub matches: Vec<MatchAccount>,
}

/// One match of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatchAccount {
    /// What it asks for.
    pub wants: String,
    /// Requests that show what reaches it, as URLs.
    pub example: String,
    /// Rules that come first.
    pub shadows: Vec<Shadow>,
}

/// A rule that comes first for requests of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shadow {
    /// It takes all of them, not only some.
    pub fully: bool,
    /// The rule.
    pub by: RuleRef,
    /// Why it comes first.
    pub why: String,
}
