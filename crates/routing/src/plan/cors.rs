//! Cross-origin requests (Fetch standard, Gateway API `HTTPCORSFilter`).
//!
//! An origin that is not allowed is not refused: it gets no CORS headers, and its browser keeps the answer from it.

use std::sync::Arc;

use super::OwnHeaders;
use crate::ir::{Cors, OriginPattern};
use crate::request::RequestView;

const REQUEST_METHOD: &str = "access-control-request-method";
const REQUEST_HEADERS: &str = "access-control-request-headers";

/// The headers of the answer, when the request is a preflight: `OPTIONS` with an origin and a method to ask for.
pub(crate) fn preflight(cors: &Cors, request: &impl RequestView) -> Option<OwnHeaders> {
    let asked = first(request, REQUEST_METHOD)?;
    if request.method() != b"OPTIONS" || first(request, "origin").is_none() {
        return None;
    }
    let mut out = headers(cors, request);
    if out.iter().any(|(name, _)| *name == "access-control-allow-origin") {
        list("access-control-allow-methods", &cors.allow_methods, Some(asked), cors, &mut out);
        list("access-control-allow-headers", &cors.allow_headers, first(request, REQUEST_HEADERS), cors, &mut out);
        out.push(("access-control-max-age", cors.max_age.to_string().into()));
    }
    Some(out)
}

/// The headers every answer to an allowed origin has.
pub(crate) fn headers(cors: &Cors, request: &impl RequestView) -> OwnHeaders {
    let mut out = OwnHeaders::new();
    let star = cors.allow_origins.contains(&OriginPattern::Any) && !cors.allow_credentials;
    if !star {
        // A shared cache must not give one origin's answer to another.
        out.push(("vary", b"origin".to_vec()));
    }
    let Some(origin) = first(request, "origin") else { return out };
    if !cors.allow_origins.iter().any(|pattern| allows(pattern, origin)) {
        return out;
    }
    out.push(("access-control-allow-origin", if star { b"*".to_vec() } else { origin.to_vec() }));
    if cors.allow_credentials {
        out.push(("access-control-allow-credentials", b"true".to_vec()));
    }
    list("access-control-expose-headers", &cors.expose_headers, None, cors, &mut out);
    out
}

/// A list; of a `*` what was asked for, since `*` itself means nothing to a browser once credentials are allowed.
fn list(name: &'static str, items: &[Arc<str>], asked: Option<&[u8]>, cors: &Cors, out: &mut OwnHeaders) {
    let is_star = items.iter().any(|item| **item == *"*");
    let value = match asked {
        _ if items.is_empty() => None,
        _ if !is_star => Some(items.join(", ").into_bytes()),
        Some(asked) => Some(asked.to_vec()),
        None => (!cors.allow_credentials).then(|| b"*".to_vec()),
    };
    out.extend(value.map(|value| (name, value)));
}

fn first<'r>(request: &'r impl RequestView, name: &'r str) -> Option<&'r [u8]> {
    request.headers(name).next()
}

fn allows(pattern: &OriginPattern, origin: &[u8]) -> bool {
    match pattern {
        OriginPattern::Any => true,
        OriginPattern::Exact(exact) => origin.eq_ignore_ascii_case(exact.as_bytes()),
        OriginPattern::Wildcard { prefix, suffix } => wildcard_allows(prefix.as_bytes(), suffix.as_bytes(), origin),
    }
}

/// The `*` stands for at least one byte, and never for a port.
fn wildcard_allows(prefix: &[u8], suffix: &[u8], origin: &[u8]) -> bool {
    let Some(length) = origin.len().checked_sub(prefix.len() + suffix.len()).filter(|&length| length > 0) else {
        return false;
    };
    let (start, rest) = origin.split_at(prefix.len());
    let (star, end) = rest.split_at(length);
    start.eq_ignore_ascii_case(prefix) && end.eq_ignore_ascii_case(suffix) && !star.contains(&b':')
}
