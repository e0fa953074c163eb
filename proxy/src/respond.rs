//! The one table from a request's fate to what everyone sees of it: status, log level, metric label, `Proxy-Status`
//! (RFC 9209) and a sentence. A new [`Fate`] does not compile until it has a row here. No row quotes the request, so
//! that an answer can reflect nothing.

use crate::error::Fate;
use tracing::Level;

#[cfg(test)]
mod tests;

/// What a fate looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status of the answer; of the log line only where no answer can be sent any more.
    pub status: u16,
    /// How loudly it is logged.
    pub level: Level,
    /// Value of the label `reason` of the metrics: fixed words, so that their number is bounded.
    pub label: &'static str,
    /// The `error` parameter of `Proxy-Status` (RFC 9209 2.3); empty where the answer is a regular one of ours.
    pub error_type: &'static str,
    /// One sentence for the body, the log and `Proxy-Status; details`.
    pub detail: &'static str,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u32>,
}

const fn row(status: u16, level: Level, label: &'static str, error_type: &'static str, detail: &'static str) -> Answer {
    Answer { status, level, label, error_type, detail, retry_after: None }
}

const fn later(seconds: u32, answer: Answer) -> Answer {
    Answer { retry_after: Some(seconds), ..answer }
}

/// The answer to a fate.
#[rustfmt::skip]
pub const fn answer(fate: Fate) -> Answer {
    use Level as L;
    match fate {
        Fate::Malformed => row(400, L::DEBUG, "malformed", "http_request_error", "the request is malformed"),
        Fate::HostInvalid => row(400, L::DEBUG, "host_invalid", "http_request_error", "the request names no valid host"),
        Fate::ConnectionNamesProtected => row(400, L::INFO, "connection_protected", "http_request_denied", "the Connection field names a field that must not be removed"),
        Fate::ForwardedForInvalid => row(400, L::WARN, "forwarded_for_invalid", "http_request_denied", "the proxy in front sent an invalid X-Forwarded-For"),
        Fate::ExpectationUnknown => row(417, L::DEBUG, "expectation_unknown", "http_request_error", "the expectation is not known"),
        Fate::MethodUnsupported => row(501, L::DEBUG, "method_unsupported", "http_request_denied", "the method is not supported here"),
        Fate::TargetTooLong => row(414, L::DEBUG, "target_too_long", "http_request_denied", "the request target is too long"),
        Fate::HeadTooLarge => row(431, L::DEBUG, "head_too_large", "http_request_denied", "the request head is too large"),
        Fate::BodyTooLarge => row(413, L::DEBUG, "body_too_large", "http_request_denied", "the request body is too large"),
        Fate::HeadTimeout => row(408, L::DEBUG, "head_timeout", "http_request_error", "the request head did not arrive in time"),
        Fate::BodyTimeout => row(408, L::DEBUG, "body_timeout", "http_request_error", "the request body did not arrive in time"),
        Fate::ClientGone => row(499, L::DEBUG, "client_gone", "", "the client left"),
        Fate::ClientStalled => row(499, L::DEBUG, "client_stalled", "", "the client stopped reading"),
        Fate::Misdirected => row(421, L::INFO, "misdirected", "http_request_denied", "this connection was made for another site"),
        Fate::HostUnknown => row(404, L::DEBUG, "host_unknown", "destination_not_found", "no site is published under this host name"),
        Fate::RouteUnknown => row(404, L::DEBUG, "route_unknown", "destination_not_found", "no route of this site matches the request"),
        Fate::RouteInvalid => row(500, L::WARN, "route_invalid", "proxy_configuration_error", "the route is not valid"),
        Fate::BackendUnresolved => row(503, L::WARN, "backend_unresolved", "proxy_configuration_error", "the backend of the route does not exist or may not be used"),
        Fate::BackendInvalid => row(500, L::WARN, "backend_invalid", "proxy_configuration_error", "the backend of the route does not exist or may not be used"),
        Fate::NoEndpoint => later(1, row(503, L::WARN, "no_endpoint", "destination_unavailable", "the backend has no endpoint that is ready")),
        Fate::TierNotReady => later(1, row(503, L::WARN, "tier_not_ready", "destination_unavailable", "no proxy of this site's tier is ready: none runs, or they cannot load its routes")),
        // Nobody knows when a suspension ends; an hour keeps clients and crawlers from asking all the time.
        Fate::TenantSuspended => later(3600, row(503, L::INFO, "tenant_suspended", "http_request_denied", "this site is suspended")),
        Fate::TenantBusy => later(1, row(503, L::WARN, "tenant_busy", "connection_limit_reached", "too many requests to this site are in progress")),
        Fate::TenantConnections => later(1, row(503, L::WARN, "tenant_connections", "connection_limit_reached", "this site has too many connections")),
        Fate::RateLimited => later(1, row(429, L::INFO, "rate_limited", "http_request_denied", "too many requests to this site")),
        Fate::NotConfigured => later(1, row(503, L::ERROR, "not_configured", "proxy_configuration_error", "no configuration has been loaded yet")),
        Fate::Internal => row(500, L::ERROR, "internal", "proxy_internal_error", "an internal error")  ,
        Fate::ConnectFailed => row(502, L::WARN, "connect_failed", "connection_refused", "the backend could not be connected to"),
        Fate::ConnectTimeout => row(504, L::WARN, "connect_timeout", "connection_timeout", "the backend did not accept the connection in time"),
        Fate::TlsFailed => row(502, L::ERROR, "tls_failed", "tls_protocol_error", "no trusted connection to the next hop could be made"),
        Fate::LinkUnavailable => later(1, row(503, L::WARN, "link_unavailable", "destination_unavailable", "the tier of this site cannot be reached")),
        Fate::StreamRefused => later(1, row(503, L::WARN, "stream_refused", "connection_limit_reached", "the next hop takes no more requests at the moment")),
        Fate::UpstreamClosed => row(502, L::WARN, "upstream_closed", "connection_terminated", "the backend closed the connection before a complete answer"),
        Fate::UpstreamReset => row(502, L::WARN, "upstream_reset", "connection_terminated", "the backend reset the request"),
        Fate::UpstreamMalformed => row(502, L::WARN, "upstream_malformed", "http_protocol_error", "the answer of the backend is malformed"),
        Fate::UpstreamHeadTooLarge => row(502, L::WARN, "upstream_head_too_large", "http_response_header_section_size", "the head of the backend's answer is too large"),
        Fate::BackendTimeout => row(504, L::WARN, "backend_timeout", "http_response_timeout", "the backend did not answer in time"),
        Fate::RequestTimeout => row(504, L::WARN, "request_timeout", "http_response_timeout", "the request was not completed in time"),
        Fate::UpstreamStalled => row(504, L::WARN, "upstream_stalled", "connection_read_timeout", "the answer of the backend stopped"),
    }
}

impl Answer {
    /// The gRPC status for the same thing. From the mapping in gRPC's own documents (`http-grpc-status-mapping`), but for
    /// a deadline, which has a code of its own.
    pub const fn grpc_status(&self) -> u8 {
        match self.status {
            400 | 413 | 414 | 417 | 431 => 13,
            401 => 16,
            403 => 7,
            404 | 501 => 12,
            408 | 504 => 4,
            429 | 502 | 503 => 14,
            499 => 1,
            _ => 2,
        }
    }

    /// The field value of `Proxy-Status` for a tier called `tier` (RFC 9209 2). `tier` must be a token.
    pub fn proxy_status(&self, tier: &str) -> String {
        format!("{tier}; error={}; details=\"{}\"", self.error_type, self.detail)
    }
}
