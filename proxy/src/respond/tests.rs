//! The table of answers, looked at as a whole.

use super::*;

const ALL: &[Fate] = &[
    Fate::Malformed,
    Fate::HostInvalid,
    Fate::ConnectionNamesProtected,
    Fate::ForwardedForInvalid,
    Fate::ExpectationUnknown,
    Fate::MethodUnsupported,
    Fate::TargetTooLong,
    Fate::HeadTooLarge,
    Fate::BodyTooLarge,
    Fate::HeadTimeout,
    Fate::BodyTimeout,
    Fate::ClientGone,
    Fate::ClientStalled,
    Fate::Misdirected,
    Fate::HostUnknown,
    Fate::RouteUnknown,
    Fate::RouteInvalid,
    Fate::BackendUnresolved,
    Fate::BackendInvalid,
    Fate::NoEndpoint,
    Fate::TierNotReady,
    Fate::TenantSuspended,
    Fate::TenantBusy,
    Fate::TenantConnections,
    Fate::RateLimited,
    Fate::NotConfigured,
    Fate::Internal,
    Fate::ConnectFailed,
    Fate::ConnectTimeout,
    Fate::TlsFailed,
    Fate::LinkUnavailable,
    Fate::StreamRefused,
    Fate::UpstreamClosed,
    Fate::UpstreamReset,
    Fate::UpstreamMalformed,
    Fate::UpstreamHeadTooLarge,
    Fate::BackendTimeout,
    Fate::RequestTimeout,
    Fate::UpstreamStalled,
];

#[test]
fn every_fate_has_a_label_of_its_own() {
    let labels: std::collections::HashSet<_> = ALL.iter().map(|fate| answer(*fate).label).collect();
    assert_eq!(labels.len(), ALL.len());
}

#[test]
fn every_answer_that_is_sent_names_its_error_type() {
    for fate in ALL {
        let answer = answer(*fate);
        assert_eq!(answer.error_type.is_empty(), answer.status == 499, "{fate:?}");
        assert!((400..600).contains(&answer.status), "{fate:?}");
        assert!(!answer.detail.contains('"'), "{fate:?} would break the quoted string");
    }
}

#[test]
fn busy_answers_say_when_to_come_back() {
    for fate in ALL.iter().map(|fate| answer(*fate)) {
        if fate.status == 429 || fate.label == "tenant_busy" {
            assert_eq!(fate.retry_after, Some(1), "{}", fate.label);
        }
    }
}

#[test]
fn proxy_status_names_the_tier() {
    assert_eq!(
        answer(Fate::NoEndpoint).proxy_status("bailey-inner"),
        "bailey-inner; error=destination_unavailable; details=\"the backend has no endpoint that is ready\""
    );
}
