//! What spans say: OpenTelemetry's semantic conventions for HTTP, 1.44, and our own attributes under `bailey.`. Pure: from what was
//! remembered of a request to its spans.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bailey_http1::{Method, Version};
use bailey_kit::telemetry::{Kind, Span, SpanId, TraceId, TraceState, Value};
use bailey_routing::ir::{BackendProtocol, PathMatch, Route, UpstreamKey};
use bytes::Bytes;

use super::SpanOrigin;
use crate::error::ProxyError;
use crate::respond::answer;
use crate::secrets::{before_token, is_secret_parameter};

/// The longest text of an attribute, in bytes; the rest is cut.
const LONGEST: usize = 1024;
/// What stands for a secret, as the conventions ask.
const REDACTED: &str = "REDACTED";

/// A request that is over, and what was remembered of it.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) trace: TraceId,
    pub(crate) id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) link: Option<(TraceId, SpanId)>,
    pub(crate) state: TraceState,
    pub(crate) start: SystemTime,
    pub(crate) method: Method,
    /// Path and query as they came.
    pub(crate) target: Bytes,
    /// The host that was asked for, and its port if it was written.
    pub(crate) host: Bytes,
    pub(crate) host_port: Option<u16>,
    pub(crate) version: Version,
    pub(crate) user_agent: Option<Bytes>,
    /// The socket's other end; on a link nobody knows it.
    pub(crate) peer: Option<SocketAddr>,
    /// The client, the port it used, whether by TLS, and the request's id: known once the request was understood.
    pub(crate) client: Option<Client>,
    pub(crate) tenant: Option<Arc<str>>,
    /// The route, which of its rules, and the path of the match.
    pub(crate) matched: Option<(Arc<Route>, usize, Option<PathMatch>)>,
    pub(crate) attempts: Vec<Attempt>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) https: bool,
    pub(crate) port: u16,
    pub(crate) request_id: [u8; 16],
}

/// One attempt at a backend, or a copy for a mirror.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) id: SpanId,
    /// After the request's start.
    pub(crate) began: Duration,
    pub(crate) took: Duration,
    /// What it was sent to.
    pub(crate) upstream: Arc<bailey_routing::ir::Upstream>,
    /// The endpoint, if one was found.
    pub(crate) endpoint: Option<SocketAddr>,
    /// Path and query as they were sent.
    pub(crate) target: Bytes,
    /// Status of the answer; 0: there was none.
    pub(crate) status: u16,
    pub(crate) error: Option<ProxyError>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) status: u16,
    pub(crate) error: Option<ProxyError>,
    pub(crate) took: Duration,
}

impl Facts {
    /// The spans: one for the request, one for each attempt.
    pub(crate) fn spans(&self, origin: &SpanOrigin, end: End) -> Vec<Span> {
        let mut spans = Vec::with_capacity(1 + self.attempts.len());
        spans.push(self.server(origin, end));
        spans.extend((0..).zip(&self.attempts).map(|(resend, attempt)| self.client(origin, attempt, resend)));
        spans
    }

    fn span(&self, origin: &SpanOrigin, id: SpanId, kind: Kind, attributes: Vec<(&'static str, Value)>) -> Span {
        Span {
            trace: self.trace,
            id,
            parent: self.parent,
            remote_parent: true,
            links: Vec::new(),
            kind,
            tier: origin.tier.clone(),
            tenant: self.tenant.clone().or_else(|| origin.tenant.clone()),
            name: self.method_name().to_owned(),
            start: self.start,
            duration: Duration::ZERO,
            error: false,
            state: self.state.as_str().unwrap_or_default().to_owned(),
            attributes,
        }
    }

    fn server(&self, origin: &SpanOrigin, end: End) -> Span {
        let mut set = Attributes(Vec::with_capacity(24));
        self.method(&mut set);
        let (path, query) = split(&self.target);
        match before_token(path) {
            Some(shown) => set.add("url.path", Value::from(format!("{}{REDACTED}", lossy(shown)))),
            None => set.text("url.path", path),
        }
        if let Some(query) = query {
            set.add("url.query", Value::from(redacted(query)));
        }
        if let Some(client) = self.client {
            set.add("url.scheme", Value::from(if client.https { "https" } else { "http" }));
            set.add("client.address", Value::from(client.address.ip().to_string()));
            set.add("server.port", Value::from(self.host_port.unwrap_or(client.port)));
            let id = crate::forward::headers::id_text(&client.request_id);
            set.text("bailey.request.id", &id);
        }
        if !self.host.is_empty() {
            set.text("server.address", &self.host);
        }
        if let Some(peer) = self.peer {
            set.add("network.peer.address", Value::from(peer.ip().to_string()));
            set.add("network.peer.port", Value::from(peer.port()));
        }
        set.add("network.protocol.version", Value::from(version(self.version)));
        if let Some(agent) = &self.user_agent {
            set.text("user_agent.original", agent);
        }
        if end.status != 0 {
            set.add("http.response.status_code", Value::from(end.status));
        }
        let failed = end.status >= 500 || end.error.is_some_and(|error| error.side != crate::error::Side::Client);
        // What a client does wrong is no error of a server (4xx leaves the status unset).
        let failed = failed && !(400..500).contains(&end.status);
        if failed {
            set.add("error.type", error_type(end.status, end.error));
        }
        let route = self.route(&mut set);
        self.own(origin, &mut set);
        let mut span = self.span(origin, self.id, Kind::Server, set.0);
        if let Some(route) = route {
            span.name = format!("{} {route}", span.name);
        }
        span.links = self.link.into_iter().collect();
        span.duration = end.took;
        span.error = failed;
        span
    }

    fn client(&self, origin: &SpanOrigin, attempt: &Attempt, resend: u16) -> Span {
        let mut set = Attributes(Vec::with_capacity(16));
        self.method(&mut set);
        let (host, port, version) = destination(attempt.upstream.id.key());
        set.add("server.address", Value::from(host.clone()));
        if let Some(port) = port {
            set.add("server.port", Value::from(port));
        }
        let (path, query) = split(&attempt.target);
        let mut url = format!("http://{host}");
        if let Some(port) = port {
            url = format!("{url}:{port}");
        }
        url.push_str(&lossy(before_token(path).unwrap_or(path)));
        if let Some(query) = query {
            url = format!("{url}?{}", redacted(query));
        }
        set.add("url.full", Value::from(cut(url)));
        if let Some(endpoint) = attempt.endpoint {
            set.add("network.peer.address", Value::from(endpoint.ip().to_string()));
            set.add("network.peer.port", Value::from(endpoint.port()));
        }
        match version {
            Some(version) => set.add("network.protocol.version", Value::from(version)),
            None => set.add("network.protocol.name", Value::from("bailey")),
        }
        if resend > 0 {
            set.add("http.request.resend_count", Value::from(resend));
        }
        if attempt.status != 0 {
            set.add("http.response.status_code", Value::from(attempt.status));
        }
        let failed = attempt.status >= 400 || attempt.error.is_some();
        if failed {
            set.add("error.type", error_type(attempt.status, attempt.error));
        }
        self.own(origin, &mut set);
        let mut span = self.span(origin, attempt.id, Kind::Client, set.0);
        span.parent = Some(self.id);
        span.remote_parent = false;
        span.start = self.start + attempt.began;
        span.duration = attempt.took;
        span.error = failed;
        span
    }

    /// The same request, for spans that have nothing to do with its attempts.
    pub(crate) fn without_attempts(&self) -> Self {
        Self { attempts: Vec::new(), ..self.clone() }
    }

    /// The span of a copy for a mirror.
    pub(crate) fn copy(&self, origin: &SpanOrigin, attempt: &Attempt) -> Span {
        let mut span = self.client(origin, attempt, 0);
        span.attributes.push(("bailey.mirror", Value::from(true)));
        span
    }

    /// A method that is not known would be a name of the client's choosing.
    fn method_name(&self) -> &'static str {
        match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Patch => "PATCH",
            Method::Connect => "CONNECT",
            Method::Trace => "TRACE",
            Method::Other(_) => "HTTP",
        }
    }

    fn method(&self, set: &mut Attributes) {
        if let Method::Other(_) = self.method {
            set.add("http.request.method", Value::from("_OTHER"));
            set.text("http.request.method_original", self.method.as_str().as_bytes());
        } else {
            set.add("http.request.method", Value::from(self.method_name()));
        }
    }

    /// What of the configuration was met; returns the route as spans are named by it.
    fn route(&self, set: &mut Attributes) -> Option<String> {
        let (route, rule, path) = self.matched.as_ref()?;
        set.add("bailey.route.name", Value::from(route.id.to_string()));
        let rule_of = route.rules.get(*rule)?;
        let name = rule_of.name.as_deref().map_or_else(|| rule.to_string(), str::to_owned);
        set.add("bailey.match.rule", Value::from(name));
        let template = template(path.as_ref());
        set.add("http.route", Value::from(template.clone()));
        Some(template)
    }

    fn own(&self, origin: &SpanOrigin, set: &mut Attributes) {
        set.add("bailey.tier", Value::from(origin.tier.to_string()));
        if let Some(topology) = &origin.topology {
            set.add("bailey.topology", Value::from(topology.to_string()));
        }
        if let Some(tenant) = self.tenant.as_ref().or(origin.tenant.as_ref()) {
            set.add("bailey.tenant", Value::from(tenant.to_string()));
        }
    }
}

struct Attributes(Vec<(&'static str, Value)>);

impl Attributes {
    fn add(&mut self, name: &'static str, value: Value) {
        self.0.push((name, value));
    }

    fn text(&mut self, name: &'static str, text: &[u8]) {
        self.add(name, Value::from(cut(lossy(text).into_owned())));
    }
}

fn lossy(text: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(text)
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
    }
    text
}

fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
        None => (target, None),
    }
}

/// A query without the values of secret parameters.
fn redacted(query: &[u8]) -> String {
    let mut text = String::with_capacity(query.len());
    for (index, pair) in query.split(|byte| *byte == b'&').enumerate() {
        if index > 0 {
            text.push('&');
        }
        match memchr::memchr(b'=', pair) {
            Some(equals) if is_secret_parameter(&pair[..equals]) => {
                text.push_str(&lossy(&pair[..=equals]));
                text.push_str(REDACTED);
            }
            _ => text.push_str(&lossy(pair)),
        }
    }
    cut(text)
}

fn version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
        Version::Http2 => "2",
    }
}

/// The path of a match as its author wrote it: few different ones, whatever clients ask for.
fn template(path: Option<&PathMatch>) -> String {
    match path {
        None => "/".to_owned(),
        Some(PathMatch::Exact(path) | PathMatch::Prefix(path)) => path.to_string(),
        Some(PathMatch::Regex(pattern)) => pattern.as_str().to_owned(),
        Some(PathMatch::GrpcMethod(method)) => format!("/*/{method}"),
    }
}

/// Host, port and HTTP version of what a request is sent to. A link has neither port nor HTTP.
fn destination(key: &UpstreamKey) -> (String, Option<u16>, Option<&'static str>) {
    match key {
        UpstreamKey::Service { namespace, name, port, protocol } => {
            let version = match protocol {
                BackendProtocol::Http1 => "1.1",
                BackendProtocol::H2c => "2",
            };
            (format!("{name}.{namespace}"), Some(*port), Some(version))
        }
        UpstreamKey::Link { tenant } => (tenant.to_string(), None, None),
    }
}

/// The kind of an error: what we know of it, else the status.
fn error_type(status: u16, error: Option<ProxyError>) -> Value {
    match error {
        Some(error) => Value::from(answer(error.fate).label),
        None => Value::from(status.to_string()),
    }
}
