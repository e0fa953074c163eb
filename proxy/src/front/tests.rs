//! The limits of the API and what the fronts make of them.

use bailey_crds::{AcceptLimits, BodyLimits, ConnectionLimits, Http1Limits, Http2Limits};

use super::guard::FrameRates;
use super::*;

/// Limits that are all different.
fn numbered() -> TierLimits {
    TierLimits {
        accept: AcceptLimits { handshake_seconds: 1, proxy_header_seconds: 2, proxy_header_bytes: 3 },
        http1: Http1Limits { header_seconds: 4, header_bytes: 5, header_fields: 6, target_bytes: 7 },
        http2: Http2Limits {
            header_list_bytes: 8,
            header_fields: 9,
            streams: 10,
            stream_window_bytes: 11,
            connection_window_bytes: 12,
            early_resets_per_second: 13,
            early_resets: 14,
            own_resets: 15,
            pings_per_second: 16,
            settings_per_second: 17,
            empty_data_per_second: 18,
            window_updates_per_second: 19,
            priorities_per_second: 20,
            continuations: 21,
        },
        body: BodyLimits {
            stall_seconds: 22,
            minimum_bytes_per_second: 23,
            grace_seconds: 24,
            write_stall_seconds: 25,
            buffer_bytes: 26,
        },
        connection: ConnectionLimits { idle_seconds: 27, requests: 28, age_seconds: 29, ..ConnectionLimits::default() },
        ..TierLimits::default()
    }
}

#[test]
fn every_limit_of_the_api_that_is_about_clients_reaches_the_front() {
    let limits = numbered();
    let seconds = Duration::from_secs;
    let expected = FrontLimits {
        handshake: seconds(1),
        proxy_header: seconds(2),
        proxy_header_bytes: 3,
        head: seconds(4),
        http: bailey_http1::Limits { head_bytes: 5, fields: 6, target_bytes: 7, ..FrontLimits::default().http },
        h2: h2::H2Limits {
            header_list: 8,
            fields: 9,
            streams: 10,
            stream_window: 11,
            connection_window: 12,
            early_resets: 14,
            own_resets: 15,
            rates: FrameRates {
                resets: 13,
                pings: 16,
                settings: 17,
                empty_data: 18,
                window_updates: 19,
                priorities: 20,
                continuations: 21,
            },
        },
        body_silence: seconds(22),
        body_rate: 23,
        body_grace: seconds(24),
        stall: seconds(25),
        buffer: 26,
        idle: seconds(27),
        requests: 28,
        age: seconds(29),
    };
    assert_eq!(format!("{:?}", FrontLimits::of(&limits)), format!("{expected:?}"));
}
