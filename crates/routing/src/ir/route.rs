//! Routes, their rules and what those match (Gateway API `HTTPRoute`, `GRPCRoute`; `Ingress`; hostname ownership).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Backend, Filter, Invalid};
use crate::pattern::Pattern;

/// One route object after translation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// Which object it comes from.
    pub id: RouteId,
    /// Creation time in seconds since 1970; older routes win ties. `None` (files without the field) is younger than all.
    pub created: Option<i64>,
    /// The tenant it belongs to. Set in tiers of a topology.
    pub tenant: Option<Arc<str>>,
    /// Where it is attached; a listener occurs once.
    pub attachments: Box<[Attachment]>,
    /// Its rules in the user's order.
    pub rules: Box<[Rule]>,
}

/// A route object's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId {
    /// Its kind.
    pub kind: RouteKind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// Kinds that compile to a [`Route`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteKind {
    /// `HTTPRoute`.
    Http,
    /// `GRPCRoute`: errors answer as gRPC trailers-only responses.
    Grpc,
    /// `Ingress`.
    Ingress,
    /// `HostnameBinding`: in the outer tier, one hostname forwarded to its tenant.
    Binding,
}

/// A route on a listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// Name of a [`Listener`](super::Listener).
    pub listener: Arc<str>,
    /// The hosts it answers for there: listener, grant and route hostnames already intersected. Empty: none.
    pub hosts: Box<[HostPattern]>,
}

/// A hostname or a set of them. Lower-case, no port, no trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Exactly this host.
    Exact(Arc<str>),
    /// Any host with at least one label before this suffix: `Wildcard("example.com")` is `*.example.com`.
    Wildcard(Arc<str>),
    /// Every host, and requests without one.
    Any,
}

/// One rule of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// The user's name for it, for logs.
    pub name: Option<Arc<str>>,
    /// Any one of these is enough. Empty: every request (as `PathPrefix: /`).
    pub matches: Box<[RouteMatch]>,
    /// What is done to requests and responses, in order.
    pub filters: Box<[Filter]>,
    /// Where they go. Empty without a redirect: 500.
    pub backends: Box<[Backend]>,
    /// Timeouts and retries; `None` when the user gave neither.
    pub policy: Option<Box<RulePolicy>>,
    /// The rule as a whole is wrong: whatever it matches answers so.
    pub invalid: Option<Arc<Invalid>>,
}

/// Deadlines and retries of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RulePolicy {
    /// From the request's arrival to the end of the response. `Some(ZERO)`: no deadline at all; `None`: the tier's default.
    pub request_timeout: Option<Duration>,
    /// For one attempt at a backend. `Some(ZERO)`: none at all; `None`: the tier's default.
    pub backend_timeout: Option<Duration>,
    /// When to try again.
    pub retry: Option<Retry>,
}

/// Gateway API `HTTPRouteRetry`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Retry {
    /// Response statuses that are worth another attempt, 400–599.
    pub codes: Box<[u16]>,
    /// Attempts beyond the first; `None`: the tier's default.
    pub attempts: Option<u32>,
    /// Least wait between attempts; `None`: the tier's default.
    pub backoff: Option<Duration>,
}

/// One way for a request to match: path and all conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteMatch {
    /// The path, compared by raw bytes (RFC 3986 percent-encoding is not undone).
    pub path: PathMatch,
    /// Everything else; `None` when the path is all. [`RouteMatch::new`] leaves out an empty one.
    pub conditions: Option<Box<Conditions>>,
}

/// What a match asks for besides the path. All must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Conditions {
    /// The method.
    pub method: Option<Method>,
    /// Header fields. Names are unique (Gateway API: of equal names only the first counts).
    pub headers: Box<[HeaderMatch]>,
    /// Query parameters. Names are unique.
    pub query: Box<[QueryMatch]>,
}

/// How a path matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathMatch {
    /// The whole path, case-sensitive.
    Exact(Arc<str>),
    /// By path element: `/abc` matches `/abc`, `/abc/` and `/abc/d`, not `/abcd`. A trailing slash here means nothing.
    Prefix(Arc<str>),
    /// The whole path against a pattern.
    Regex(Pattern),
    /// The path has two elements and the second is this: a `GRPCRoute` that names a method but no service. (Service and
    /// method is `Exact("/service/method")`, service alone is `Prefix("/service")`.)
    GrpcMethod(Arc<str>),
}

/// A header condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderMatch {
    /// Lower-case.
    pub name: Arc<str>,
    /// Against the value; several fields of the name are joined by `, ` as RFC 9110 5.3 says.
    pub value: ValueMatch,
}

/// A query condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueryMatch {
    /// The parameter, decoded (`+` and percent-encoding undone in the request before comparing).
    pub name: Arc<str>,
    /// Against the decoded value of the first parameter of that name.
    pub value: ValueMatch,
}

/// How a value matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ValueMatch {
    /// Byte for byte.
    Exact(Arc<str>),
    /// The whole value against a pattern.
    Regex(Pattern),
}

/// Methods a match may name (Gateway API `HTTPMethod`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of RFC 9110 and RFC 5789")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
}

impl Route {
    /// Errors are to be told in gRPC's way.
    pub fn is_grpc(&self) -> bool {
        self.id.kind == RouteKind::Grpc
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

impl RouteKind {
    /// The Kubernetes kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTPRoute",
            Self::Grpc => "GRPCRoute",
            Self::Ingress => "Ingress",
            Self::Binding => "HostnameBinding",
        }
    }
}

impl HostPattern {
    /// Reads `*.example.com`, `example.com`, or nothing (`""`, every host), in any case, with or without a trailing dot.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        match text.strip_prefix("*.") {
            Some(suffix) => Self::Wildcard(suffix.into()),
            None if text.is_empty() || text == "*" => Self::Any,
            None => Self::Exact(text.into()),
        }
    }

    /// The hosts both patterns answer for: patterns are either nested or apart, so it is one of them or none.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        if other.covers(self) {
            Some(self.clone())
        } else if self.covers(other) {
            Some(other.clone())
        } else {
            None
        }
    }

    /// Every host of `other` is one of this.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Wildcard(suffix), Self::Exact(host)) => is_below(host, suffix),
            (Self::Wildcard(suffix), Self::Wildcard(inner)) => suffix == inner || is_below(inner, suffix),
            (Self::Exact(_), Self::Wildcard(_) | Self::Any) | (Self::Wildcard(_), Self::Any) => false,
        }
    }

    /// The host (lower-case, no port) is one of this.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *host,
            Self::Wildcard(suffix) => is_below(host, suffix),
        }
    }
}

/// `host` has at least one label before `.suffix`.
fn is_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('.')).is_some_and(|label| !label.is_empty())
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl RouteMatch {
    /// A match on path and conditions; empty conditions cost nothing.
    pub fn new(path: PathMatch, conditions: Conditions) -> Self {
        let conditions = (conditions != Conditions::default()).then(|| Box::new(conditions));
        Self { path, conditions }
    }

    /// A match on the path alone.
    pub fn path(path: PathMatch) -> Self {
        Self { path, conditions: None }
    }
}

impl Method {
    /// The method as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
        }
    }

    /// Reads a method; methods are case-sensitive (RFC 9110 9.1).
    pub fn parse(text: &str) -> Option<Self> {
        use Method::{Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace};
        [Get, Head, Post, Put, Delete, Connect, Options, Trace, Patch].into_iter().find(|m| m.as_str() == text)
    }
}
