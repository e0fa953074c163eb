//! What happens to a request or a response on the way (Gateway API `HTTPRouteFilter`, `GRPCRouteFilter`).

use std::sync::Arc;

use super::{Invalid, Target};

/// One filter of a rule or of a backend. Applied in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// `RequestHeaderModifier`.
    RequestHeaders(HeaderEdit),
    /// `ResponseHeaderModifier`.
    ResponseHeaders(HeaderEdit),
    /// `RequestRedirect`: the request is answered here.
    Redirect(Redirect),
    /// `URLRewrite`.
    Rewrite(Rewrite),
    /// `RequestMirror`.
    Mirror(Mirror),
    /// `CORS`.
    Cors(Box<Cors>),
    /// A filter that is unknown, unsupported or wrong: requests that would pass it fail.
    Invalid(Arc<Invalid>),
}

/// Header changes. Within one edit `set` is applied first, then `add`, then `remove`; Gateway API forbids one name
/// in two of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct HeaderEdit {
    /// Replace all fields of the name by this one.
    pub set: Box<[HeaderValue]>,
    /// One field more.
    pub add: Box<[HeaderValue]>,
    /// Names to delete, lower-case.
    pub remove: Box<[Arc<str>]>,
}

/// A header field to write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderValue {
    /// Lower-case, a valid field name.
    pub name: Arc<str>,
    /// A valid field value (no CR, LF, NUL).
    pub value: Arc<str>,
}

/// A redirect answered by the tier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// Scheme of the `Location`; the request's when absent.
    pub scheme: Option<Scheme>,
    /// Host of the `Location`; the request's when absent.
    pub host: Option<Arc<str>>,
    /// Port of the `Location`; when absent the well-known one of `scheme` if that is given, else the listener's.
    pub port: Option<u16>,
    /// Path of the `Location`; the request's when absent. The query is always kept.
    pub path: Option<PathRewrite>,
    /// The status (302 when the user names none).
    pub status: RedirectStatus,
}

/// The schemes a redirect may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`, port 80.
    Http,
    /// `https`, port 443.
    Https,
}

/// The statuses a redirect may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the IANA ones")]
pub enum RedirectStatus {
    MovedPermanently,
    Found,
    SeeOther,
    TemporaryRedirect,
    PermanentRedirect,
}

/// How a path is changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathRewrite {
    /// `ReplaceFullPath`: the whole path (not the query).
    Full(Arc<str>),
    /// `ReplacePrefixMatch`: what the rule's prefix matched. The rule must match by prefix.
    Prefix(Arc<str>),
}

/// `URLRewrite`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Rewrite {
    /// The Host the backend sees.
    pub host: Option<Arc<str>>,
    /// The path the backend sees.
    pub path: Option<PathRewrite>,
}

/// A copy of the request whose answer is thrown away.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mirror {
    /// Where the copy goes. An invalid target mirrors nothing.
    pub target: Target,
    /// How many of the requests.
    pub fraction: Fraction,
}

/// A share of requests. `percent: n` is `n / 100`, nothing given is `1 / 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fraction {
    /// At most `denominator`.
    pub numerator: u32,
    /// At least 1.
    pub denominator: u32,
}

/// `HTTPCORSFilter`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Cors {
    /// Origins that may read answers.
    pub allow_origins: Box<[OriginPattern]>,
    /// `Access-Control-Allow-Credentials: true`.
    pub allow_credentials: bool,
    /// Methods, or a single `*`.
    pub allow_methods: Box<[Arc<str>]>,
    /// Request header names, or a single `*`.
    pub allow_headers: Box<[Arc<str>]>,
    /// Response header names scripts may read, or a single `*`.
    pub expose_headers: Box<[Arc<str>]>,
    /// Seconds a preflight answer may be kept (5 unless given, says Gateway API).
    pub max_age: u32,
}

/// One entry of `allowOrigins`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OriginPattern {
    /// `*`.
    Any,
    /// An origin as a browser sends it, lower-case: `https://app.example.com`, `https://app.example.com:8443`.
    Exact(Arc<str>),
    /// `https://*.example.com:8443`: `prefix` is `https://`, `suffix` is `.example.com:8443` (or less: `https://*` is
    /// every host by https).
    Wildcard {
        /// Up to and including `://`.
        prefix: Arc<str>,
        /// What follows `*`.
        suffix: Arc<str>,
    },
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The well-known port.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl RedirectStatus {
    /// The number.
    pub fn code(self) -> u16 {
        match self {
            Self::MovedPermanently => 301,
            Self::Found => 302,
            Self::SeeOther => 303,
            Self::TemporaryRedirect => 307,
            Self::PermanentRedirect => 308,
        }
    }

    /// The status with this number, if a redirect may have it.
    pub fn from_code(code: u16) -> Option<Self> {
        match code {
            301 => Some(Self::MovedPermanently),
            302 => Some(Self::Found),
            303 => Some(Self::SeeOther),
            307 => Some(Self::TemporaryRedirect),
            308 => Some(Self::PermanentRedirect),
            _ => None,
        }
    }
}

impl Fraction {
    /// Every request.
    pub const ALL: Self = Self { numerator: 1, denominator: 1 };

    /// `percent` of a hundred.
    pub fn percent(percent: u32) -> Self {
        Self { numerator: percent, denominator: 100 }
    }
}

impl OriginPattern {
    /// Reads an entry of `allowOrigins`; `None` when it is neither `*` nor `scheme://host[:port]` where the host may be
    /// `*` or start with `*.`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://")?;
        let host = rest.strip_prefix('*').unwrap_or(rest);
        let wild = host.len() != rest.len();
        let bare = host.is_empty() || host.starts_with(':');
        let plausible = !scheme.is_empty()
            && !host.contains(['*', '/', '?', '#', '@', ' '])
            && if wild { bare || (host.starts_with('.') && host.len() > 1) } else { !bare };
        if !plausible {
            return None;
        }
        Some(if wild {
            Self::Wildcard { prefix: format!("{scheme}://").into(), suffix: host.into() }
        } else {
            Self::Exact(text.as_str().into())
        })
    }
}
