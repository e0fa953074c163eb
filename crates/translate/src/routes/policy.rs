//! Timeouts and retries of a rule.

use std::time::Duration;

use bailey_crds::gateway::{RouteRetry, RouteTimeouts};
use bailey_routing::ir::{Retry, RulePolicy};

use super::rule::Problems;
use crate::diagnostics::Code;
use crate::durations;

/// Deadlines and retries as the rule states them; a value that is not valid is reported and makes the rule invalid.
pub(super) fn translate(
    timeouts: Option<&RouteTimeouts>,
    retry: Option<&RouteRetry>,
    at: &str,
    problems: &mut Problems<'_>,
) -> Option<Box<RulePolicy>> {
    if timeouts.is_none() && retry.is_none() {
        return None;
    }
    let mut policy = RulePolicy::default();
    if let Some(timeouts) = timeouts {
        policy.request_timeout = duration(timeouts.request.as_deref(), &format!("{at}.timeouts.request"), problems);
        let field = format!("{at}.timeouts.backendRequest");
        policy.backend_timeout = duration(timeouts.backend_request.as_deref(), &field, problems);
        check_order(&policy, &field, problems);
    }
    policy.retry = retry.map(|retry| translate_retry(retry, &format!("{at}.retry"), problems));
    Some(Box::new(policy))
}

fn check_order(policy: &RulePolicy, field: &str, problems: &mut Problems<'_>) {
    let (Some(request), Some(backend)) = (policy.request_timeout, policy.backend_timeout) else { return };
    // Zero is no limit at all (GEP-1742), so nothing is longer than it.
    if !request.is_zero() && (backend > request || backend.is_zero()) {
        let message =
            format!("{backend:?} for one backend request does not fit into {request:?} for the whole request");
        problems.rule(Code::TimeoutOrder, field, message);
    }
}

fn translate_retry(retry: &RouteRetry, at: &str, problems: &mut Problems<'_>) -> Retry {
    for (index, code) in retry.codes.iter().enumerate() {
        if !(400..=599).contains(code) {
            problems.rule(
                Code::InvalidRetry,
                &format!("{at}.codes[{index}]"),
                format!("{code} is not from 400 to 599"),
            );
        }
    }
    let backoff = duration(retry.backoff.as_deref(), &format!("{at}.backoff"), problems);
    Retry { codes: retry.codes.clone().into(), attempts: retry.attempts, backoff }
}

fn duration(text: Option<&str>, field: &str, problems: &mut Problems<'_>) -> Option<Duration> {
    let text = text?;
    let parsed = durations::parse(text);
    if parsed.is_none() {
        problems.rule(Code::InvalidDuration, field, format!("{text:?} is not a duration"));
    }
    parsed
}
