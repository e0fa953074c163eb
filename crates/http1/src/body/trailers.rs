//! Which trailer fields may be passed on.

use crate::hop_by_hop::{Kind, kind};

/// Names that frame, route, authenticate or describe a message; in a trailer they come too late to be honest
/// (RFC 9110 section 6.5.1).
const DENIED: [&[u8]; 30] = [
    b"accept",
    b"age",
    b"authorization",
    b"cache-control",
    b"cdn-loop",
    b"client-ip",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"cookie",
    b"date",
    b"expires",
    b"forwarded",
    b"from",
    b"location",
    b"max-forwards",
    b"origin",
    b"pragma",
    b"range",
    b"referer",
    b"retry-after",
    b"set-cookie",
    b"tracestate",
    b"traceparent",
    b"true-client-ip",
    b"user-agent",
    b"vary",
    b"via",
    b"warning",
    b"www-authenticate",
];

/// Families of such names.
const DENIED_PREFIXES: [&[u8]; 12] = [
    b"access-control-",
    b"cf-",
    b"content-security-",
    b"if-",
    b"sec-",
    b"x-client-",
    b"x-cluster-",
    b"x-forwarded",
    b"x-http-method",
    b"x-original-",
    b"x-real-",
    b"x-rewrite-",
];

/// True for a (lower-case) name that does no harm after the body, such as `grpc-status` or `server-timing`. Whether
/// trailers are passed on at all is the proxy's decision.
pub fn is_trailer_allowed(name: &[u8]) -> bool {
    kind(name) == Kind::EndToEnd
        && !DENIED.contains(&name)
        && !DENIED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
