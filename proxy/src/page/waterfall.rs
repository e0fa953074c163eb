//! A trace as rows over time: what the page draws, what `/api/traces` gives and what `bailey trace` prints. Decides the order
//! of rows and what may be seen of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use bailey_http1::is_secret;
use bailey_kit::telemetry::{Kind, Span, SpanId, Trace, Value};
use bailey_routing::ir::RouteKind;
use serde::{Deserialize, Serialize};

/// Stands where a secret would.
const HIDDEN: &str = "(not shown)";

/// One trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waterfall {
    /// The trace's id.
    pub trace: String,
    /// When it began, in milliseconds since 1970.
    pub start_ms: u64,
    /// From its beginning to the end of its last span, in microseconds.
    pub duration_us: u64,
    /// The method.
    pub method: String,
    /// Scheme, host, path and query, as far as they are known.
    pub url: String,
    /// The status of the answer to the client; `None`: there was none.
    pub status: Option<i64>,
    /// It went wrong.
    pub error: bool,
    /// The tenant.
    pub tenant: Option<String>,
    /// The route, as `HTTPRoute/namespace/name`.
    pub route: Option<String>,
    /// The request's id, as the application and the access logs see it.
    pub request_id: Option<String>,
    /// Its spans: each below its parent, siblings by their start.
    pub rows: Vec<Row>,
    /// Spans that were not kept.
    pub left_out: usize,
}

/// One span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its id.
    pub span: String,
    /// The span it is a part of.
    pub parent: Option<String>,
    /// How many of its ancestors are in the trace.
    pub depth: usize,
    /// Its name.
    pub name: String,
    /// `server` or `client`.
    pub kind: String,
    /// The tier that made it.
    pub tier: String,
    /// The tenant.
    pub tenant: Option<String>,
    /// When it began, in microseconds after the trace.
    pub offset_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// The status.
    pub status: Option<i64>,
    /// It went wrong.
    pub error: bool,
    /// What else is known of it, by the names of the semantic conventions.
    pub attributes: Vec<(String, String)>,
    /// Spans that it has to do with and that are not its parent, as `trace/span`.
    pub links: Vec<String>,
}

impl Waterfall {
    /// Whether it is the trace of this id, or one of its spans is linked to it.
    pub fn has_to_do_with(&self, trace: &str) -> bool {
        let linked = |link: &String| link.split_once('/').is_some_and(|(linked, _)| linked == trace);
        self.trace == trace || self.rows.iter().any(|row| row.links.iter().any(linked))
    }
}

/// The rows of a trace.
pub fn waterfall(trace: &Trace) -> Waterfall {
    let start = trace.spans.iter().map(|span| span.start).min().unwrap_or(UNIX_EPOCH);
    let offset = |span: &Span| span.start.duration_since(start).unwrap_or_default();
    let end = trace.spans.iter().map(|span| offset(span) + span.duration).max().unwrap_or_default();
    let mut rows = Vec::with_capacity(trace.spans.len());
    let mut done = BTreeSet::new();
    let known: BTreeSet<SpanId> = trace.spans.iter().map(|span| span.id).collect();
    for span in &trace.spans {
        if span.parent.is_none_or(|parent| !known.contains(&parent)) {
            descend(trace, span, 0, &mut rows, &mut done);
        }
    }
    // Spans that are each other's parents are somebody's mistake, and shown all the same.
    for span in &trace.spans {
        descend(trace, span, 0, &mut rows, &mut done);
    }
    let rows = rows.into_iter().map(|(span, depth)| row(span, depth, offset(span).as_micros() as u64)).collect();
    let root = trace.root();
    let of = |name: &str| root.and_then(|root| root.attribute(name)).map(Value::to_string);
    Waterfall {
        trace: trace.id.to_string(),
        start_ms: start.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
        duration_us: end.as_micros() as u64,
        method: of("http.request.method_original").or_else(|| of("http.request.method")).unwrap_or_default(),
        url: root.map(|root| url(root)).unwrap_or_default(),
        status: root.and_then(|root| status(root)),
        error: trace.spans.iter().any(|span| span.error),
        tenant: trace.spans.iter().find_map(|span| span.tenant.as_deref()).map(str::to_owned),
        route: trace.spans.iter().rev().find_map(|span| route(span)),
        request_id: of("bailey.request.id"),
        rows,
        left_out: trace.left_out,
    }
}

fn descend<'a>(
    trace: &'a Trace,
    span: &'a Span,
    depth: usize,
    rows: &mut Vec<(&'a Span, usize)>,
    done: &mut BTreeSet<SpanId>,
) {
    if !done.insert(span.id) {
        return;
    }
    rows.push((span, depth));
    for child in trace.spans.iter().filter(|child| child.parent == Some(span.id)) {
        descend(trace, child, depth + 1, rows, done);
    }
}

fn row(span: &Span, depth: usize, offset_us: u64) -> Row {
    Row {
        span: span.id.to_string(),
        parent: span.parent.map(|parent| parent.to_string()),
        depth,
        name: span.name.clone(),
        kind: match span.kind {
            Kind::Server => "server",
            Kind::Client => "client",
        }
        .to_owned(),
        tier: span.tier.to_string(),
        tenant: span.tenant.as_deref().map(str::to_owned),
        offset_us,
        duration_us: span.duration.as_micros() as u64,
        status: status(span),
        error: span.error,
        attributes: span.attributes.iter().map(|(name, value)| ((*name).to_owned(), visible(name, value))).collect(),
        links: span.links.iter().map(|(trace, span)| format!("{trace}/{span}")).collect(),
    }
}

/// The value, unless it is of a header field that carries secrets.
fn visible(name: &str, value: &Value) -> String {
    let field = name.strip_prefix("http.request.header.").or_else(|| name.strip_prefix("http.response.header."));
    if field.is_some_and(|field| is_secret(field.as_bytes())) { HIDDEN.to_owned() } else { value.to_string() }
}

/// The route as metrics name it, of the tier that routes to applications: what the outer tier meets is the ownership of a
/// hostname.
fn route(span: &Span) -> Option<String> {
    let (kind, name) = span.attribute("bailey.route.name")?.as_str()?.split_once(' ')?;
    (kind != RouteKind::Binding.as_str()).then(|| format!("{kind}/{name}"))
}

fn status(span: &Span) -> Option<i64> {
    span.attribute("http.response.status_code").and_then(Value::as_int)
}

fn url(span: &Span) -> String {
    let text = |name: &str| span.attribute(name).map(Value::to_string);
    let (scheme, host) = (text("url.scheme").unwrap_or_default(), text("server.address").unwrap_or_default());
    let mut url = String::new();
    if !host.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(url, "{scheme}://{host}");
        let default = if scheme == "https" { 443 } else { 80 };
        if let Some(port) = span.attribute("server.port").and_then(Value::as_int).filter(|port| *port != default) {
            let _ = write!(url, ":{port}");
        }
    }
    url.push_str(&text("url.path").unwrap_or_default());
    if let Some(query) = text("url.query").filter(|query| !query.is_empty()) {
        let _ = write!(url, "?{query}");
    }
    url
}
