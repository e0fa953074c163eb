//! Limits of a tier and of a tenant, with their defaults. All are on by default and none can be switched off: the largest
//! value of each is still a bound.
//!
//! Times are whole seconds, sizes are bytes, rates are per second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Structs of numbers, each with its default and its range.
macro_rules! limits {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident: u32 = $default:literal, $min:literal ..= $max:literal,)* })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            $($(#[$doc])* #[schemars(range(min = $min, max = $max))] pub $field: u32,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    )* };
}

limits! {
    /// Before a request: TLS and PROXY protocol.
    pub struct AcceptLimits {
        /// Seconds a TLS handshake may take.
        pub handshake_seconds: u32 = 10, 1..=60,
        /// Seconds a PROXY protocol header may take.
        pub proxy_header_seconds: u32 = 3, 1..=60,
        /// Bytes of a PROXY protocol header.
        pub proxy_header_bytes: u32 = 536, 108..=4096,
    }

    /// HTTP/1.1 requests.
    pub struct Http1Limits {
        /// Seconds from the first byte of a request head to its last.
        pub header_seconds: u32 = 10, 1..=120,
        /// Bytes of a request head.
        pub header_bytes: u32 = 32768, 1024..=262_144,
        /// Fields in a request head.
        pub header_fields: u32 = 100, 10..=1000,
        /// Bytes of the request target.
        pub target_bytes: u32 = 8192, 256..=65536,
    }

    /// HTTP/2 connections. A client that passes one of the rates is cut off with ENHANCE_YOUR_CALM.
    pub struct Http2Limits {
        /// Bytes of a decoded header list (RFC 9113, 6.5.2).
        pub header_list_bytes: u32 = 16384, 1024..=262_144,
        /// Fields in a header list; every piece of a split cookie counts.
        pub header_fields: u32 = 100, 10..=1000,
        /// Streams open at once on one connection.
        pub streams: u32 = 100, 1..=1000,
        /// Bytes a stream may send before it is granted more.
        pub stream_window_bytes: u32 = 65536, 65535..=16_777_216,
        /// Bytes a connection may send before it is granted more.
        pub connection_window_bytes: u32 = 1_048_576, 65535..=67_108_864,
        /// Streams per second that a client may cancel before they were answered.
        pub early_resets_per_second: u32 = 100, 1..=10000,
        /// Streams that a client may cancel before they were answered, over the life of a connection.
        pub early_resets: u32 = 200, 1..=100_000,
        /// Streams that a client may make the server reset, over the life of a connection.
        pub own_resets: u32 = 256, 1..=100_000,
        /// PING frames per second.
        pub pings_per_second: u32 = 100, 1..=10000,
        /// SETTINGS frames per second.
        pub settings_per_second: u32 = 50, 1..=10000,
        /// Empty DATA frames per second.
        pub empty_data_per_second: u32 = 100, 1..=10000,
        /// WINDOW_UPDATE frames per second for the connection.
        pub window_updates_per_second: u32 = 100, 1..=100_000,
        /// PRIORITY frames per second.
        pub priorities_per_second: u32 = 100, 1..=10000,
        /// CONTINUATION frames of one header block.
        pub continuations: u32 = 20, 1..=1000,
    }

    /// Bodies, both ways.
    pub struct BodyLimits {
        /// Seconds without any progress of a request body.
        pub stall_seconds: u32 = 30, 1..=3600,
        /// The least bytes per second of a request body, once `graceSeconds` are over.
        pub minimum_bytes_per_second: u32 = 500, 1..=1_000_000,
        /// Seconds before `minimumBytesPerSecond` counts.
        pub grace_seconds: u32 = 10, 1..=600,
        /// Seconds in which a client may take nothing of an answer that is waiting for it.
        pub write_stall_seconds: u32 = 30, 1..=3600,
        /// Bytes held per direction of an exchange; nothing is spooled.
        pub buffer_bytes: u32 = 32768, 4096..=1_048_576,
    }

    /// Connections of clients.
    pub struct ConnectionLimits {
        /// Seconds without a request.
        pub idle_seconds: u32 = 120, 1..=3600,
        /// Requests on one connection.
        pub requests: u32 = 10000, 1..=1_000_000,
        /// Seconds a connection may live, give or take a tenth.
        pub age_seconds: u32 = 3600, 10..=86400,
        /// Connections of one proxy process.
        pub total: u32 = 10000, 1..=1_000_000,
        /// Connections of one source: an IPv4 address or an IPv6 /64.
        pub per_source: u32 = 256, 1..=1_000_000,
        /// Share of `total` that one tenant may have, in percent.
        pub tenant_percent: u32 = 50, 1..=100,
    }

    /// Requests to applications.
    pub struct UpstreamLimits {
        /// Seconds to connect.
        pub connect_seconds: u32 = 3, 1..=60,
        /// Seconds from the end of the request to the first byte of the answer.
        pub first_byte_seconds: u32 = 60, 1..=3600,
        /// Seconds an unused connection is kept.
        pub idle_seconds: u32 = 30, 1..=3600,
        /// Requests in flight per tenant; there is no queue, more are answered 503 with `Retry-After: 1`.
        pub in_flight: u32 = 1024, 1..=1_000_000,
        /// Tries after the first, for requests of which nothing was sent or that are idempotent and unanswered.
        pub retries: u32 = 1, 0..=10,
        /// Retries as a share of requests, in percent.
        pub retry_budget_percent: u32 = 20, 1..=100,
        /// Bytes of a request body that are kept for a retry.
        pub retry_body_bytes: u32 = 32768, 0..=1_048_576,
    }

    /// The end of a process.
    pub struct DrainLimits {
        /// Seconds in which new connections are still accepted after the proxy stopped being ready.
        pub accept_seconds: u32 = 5, 0..=300,
        /// Seconds that open requests have to finish.
        pub drain_seconds: u32 = 30, 1..=3600,
    }
}

/// All limits of a tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TierLimits {
    /// Before a request: TLS and PROXY protocol.
    pub accept: AcceptLimits,
    /// HTTP/1.1 requests.
    pub http1: Http1Limits,
    /// HTTP/2 connections.
    pub http2: Http2Limits,
    /// Bodies, both ways.
    pub body: BodyLimits,
    /// Connections of clients.
    pub connection: ConnectionLimits,
    /// Requests to applications.
    pub upstream: UpstreamLimits,
    /// The end of a process.
    pub drain: DrainLimits,
}

/// What one tenant may use. What is absent is bounded by the tier's limits only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantLimits {
    /// Client connections of one outer proxy process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: Option<u32>,
    /// Requests per second through one outer proxy process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub requests_per_second: Option<u32>,
    /// Requests in flight at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub in_flight: Option<u32>,
    /// Routes; those beyond are not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub routes: Option<u32>,
    /// Certificates; hosts beyond get none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub certificates: Option<u32>,
}
