//! Attempts at a backend: open, pump, and once more where that can do no harm.

use std::sync::Arc;
use std::time::Duration;

use bailey_http1::{RequestHead, ResponseHead};
use bailey_link::{ClientTls, RequestMeta, Scheme};
use bailey_routing::Forward;
use bailey_routing::ir::{RulePolicy, Upstream as Source, UpstreamKey};
use smallvec::SmallVec;

use super::arrival::Incoming;
use super::record::Record;
use super::trace::{Told, is_told_by_fields};
use super::{Forwarder, Sender, Serving, edit};
use crate::error::{Fate, ProxyError};
use crate::exchange::{Downstream, PumpError, PumpLimits, pump};
use crate::metrics::Limit;
use crate::timer::ticks;
use crate::upstream::retry::{RetryPolicy, Verdict};
use crate::upstream::{MirrorTap, Opening, Upstream};

/// Where the route wants no deadline, and on links, whose other end has deadlines of its own: a bound all the same.
const LONGEST: Duration = Duration::from_hours(1);
/// Silence within an answer or a tunnel.
const SILENCE: Duration = Duration::from_hours(1);
/// Pause before the first repetition where the route names none.
const BACKOFF: Duration = Duration::from_millis(25);

/// What is sent, and where.
pub(super) struct Sending<'a, 'f> {
    pub(super) serving: &'a Serving,
    pub(super) forward: &'a Forward<'f>,
    pub(super) incoming: &'a Incoming,
    /// What a link is told beside the head.
    pub(super) about: &'a RequestMeta<'a>,
}

/// What a further attempt needs to know.
struct Again<'a> {
    serving: &'a Serving,
    to: &'a Arc<Source>,
    opening: Opening<'a>,
    made: u8,
    idempotent: bool,
    policy: &'a RetryPolicy,
}

/// How long things may take, in ticks of the worker's wheel.
struct Deadlines {
    /// When the whole request is over.
    request: Option<u64>,
    /// For one attempt.
    attempt: Option<Duration>,
    first_byte: Duration,
}

impl Forwarder {
    /// Opens the request at the backend and moves everything, more than once if need be.
    pub(super) async fn attempts<D: Downstream>(
        &self,
        Sending { serving, forward, incoming, about }: Sending<'_, '_>,
        mut taps: SmallVec<[MirrorTap; 1]>,
        down: &mut D,
        record: &mut Record,
    ) -> Result<(), ProxyError> {
        let opening = Opening::new(&incoming.head, about);
        let deadlines = self.deadlines(forward, incoming);
        let policy = retries(forward.policy, self.backends.limits().retries);
        let idempotent = incoming.head.method.is_idempotent() && incoming.head.upgrade.is_none();
        let deadline = self.worker.wheel.deadline();
        let mut upstream = self.backends.open(forward.upstream, opening).await?;
        taps.drain(..).for_each(|tap| upstream.tee(tap));
        let mut body_done = opening.end;
        for made in 1..=u8::MAX {
            record.attempt(upstream.endpoint());
            let may_refuse = made <= policy.attempts && idempotent;
            upstream.refuse_statuses(if may_refuse { &policy.codes } else { &[] });
            let limits = self.limits(&deadlines);
            let on_head = |down: &mut D, head: &mut ResponseHead| {
                down.took(record.answered(head.status));
                edit::response(forward, head);
            };
            let pumped = pump(down, &mut upstream, &deadline, limits, body_done, on_head).await;
            record.told(upstream.times());
            let failed = match pumped {
                Ok(moved) => {
                    record.moved(moved);
                    return Ok(());
                }
                Err(failed) => failed,
            };
            record.moved(failed.moved);
            let by_route = forward.policy.is_some_and(|policy| policy.backend_timeout.is_some());
            if failed.error.fate == Fate::BackendTimeout && !by_route {
                self.counter.limit(Limit::FirstByte);
            }
            record.attempt_failed(upstream.refused_status().unwrap_or(failed.moved.status), &self.counter);
            // Boxed: what is rare must not enlarge what every request carries.
            let again = Again { serving, to: forward.upstream, opening, made, idempotent, policy: &policy };
            upstream = Box::pin(self.again(upstream, &failed, &again, record)).await?;
            body_done = failed.moved.request_complete;
        }
        Err(ProxyError::us(Fate::Internal))
    }

    /// The next attempt after a failed one, if there may be one.
    async fn again(
        &self,
        upstream: Upstream,
        failed: &PumpError,
        again: &Again<'_>,
        record: &mut Record,
    ) -> Result<Upstream, ProxyError> {
        let Again { made, idempotent, policy, mut opening, .. } = *again;
        let error = failed.error;
        if failed.moved.status != 0 || !error.may_retry(idempotent) {
            return Err(error);
        }
        match upstream.verdict(made, idempotent, policy) {
            Verdict::GiveUp => return Err(error),
            Verdict::Again(Duration::ZERO) => {}
            Verdict::Again(pause) => tokio::time::sleep(pause).await,
        }
        self.counter.shard().retries.add(1);
        let (head, told, about);
        if let Some(refused) = record.traces_attempts().then(|| upstream.refused_status()) {
            record.trace_failure(error, refused);
            record.trace_attempt(again.to, opening.head, &self.ids);
            (head, told) = told_anew(again, record);
            about = RequestMeta { trace: told.as_ref().map(Told::for_link).unwrap_or_default(), ..*opening.about };
            opening = Opening { head: &head, about: &about, ..opening };
        }
        // What the first attempt says is nearer to the cause than that the second found nobody.
        self.backends.reopen(upstream, opening).await.map_err(|_| error)
    }

    fn deadlines(&self, forward: &Forward<'_>, incoming: &Incoming) -> Deadlines {
        let wanted = timeouts(forward, incoming, self.backends.limits().first_byte_seconds);
        Deadlines {
            request: wanted.request.map(|limit| self.worker.wheel.now() + ticks(limit)),
            attempt: wanted.attempt,
            first_byte: wanted.first_byte,
        }
    }

    fn limits(&self, deadlines: &Deadlines) -> PumpLimits {
        let attempt = deadlines.attempt.map(|limit| self.worker.wheel.now() + ticks(limit));
        PumpLimits {
            first_byte: deadlines.first_byte,
            silence: Some(SILENCE),
            over_at: deadlines.request.into_iter().chain(attempt).min(),
        }
    }
}

/// How long things may take, from now on.
pub(crate) struct Timeouts {
    /// The whole exchange.
    pub(crate) request: Option<Duration>,
    /// One attempt.
    pub(crate) attempt: Option<Duration>,
    /// Until the first byte of an answer.
    pub(crate) first_byte: Duration,
}

/// What the route, the tier before and this tier (`first_byte_seconds`) allow.
pub(crate) fn timeouts(forward: &Forward<'_>, incoming: &Incoming, first_byte_seconds: u32) -> Timeouts {
    let wanted = |pick: fn(&RulePolicy) -> Option<Duration>| forward.policy.and_then(pick);
    let is_link = matches!(forward.upstream.id.key(), UpstreamKey::Link { .. });
    // A tunnel lasts as long as both sides like; only the answer to the request for it has a deadline.
    let whole = |limit: &Duration| *limit > Duration::ZERO && incoming.head.upgrade.is_none();
    let request = wanted(|policy| policy.request_timeout).filter(whole);
    let before = incoming.deadline_ms.map(|left| Duration::from_millis(left.into()));
    let backend = wanted(|policy| policy.backend_timeout);
    Timeouts {
        request: request.into_iter().chain(before).min(),
        attempt: backend.filter(whole),
        first_byte: match backend {
            Some(Duration::ZERO) => LONGEST,
            Some(limit) => limit,
            None if is_link => LONGEST,
            None => Duration::from_secs(first_byte_seconds.into()),
        },
    }
}

/// When a request is sent once more; `unasked`: how often the tier does so of its own accord.
pub(crate) fn retries(policy: Option<&RulePolicy>, unasked: u32) -> RetryPolicy {
    let unasked = unasked.min(10) as u8;
    let Some(retry) = policy.and_then(|policy| policy.retry.as_ref()) else {
        return RetryPolicy { unasked, ..RetryPolicy::default() };
    };
    RetryPolicy {
        unasked,
        attempts: retry.attempts.unwrap_or(1).min(10) as u8,
        codes: retry.codes.to_vec(),
        backoff: retry.backoff.unwrap_or(BACKOFF),
    }
}

/// The head of a further attempt, and what a link is told: each attempt has a span of its own.
fn told_anew(again: &Again<'_>, record: &Record) -> (RequestHead, Option<Told>) {
    let mut head = again.opening.head.clone();
    if is_told_by_fields(again.to) {
        record.write_trace(again.serving, &mut head.fields);
    }
    (head, record.trace_for_link())
}

/// What the next tier is told beside the head.
pub(crate) fn about<'a>(
    sender: Sender<'a>,
    listener: &'a str,
    incoming: &Incoming,
    told: Option<&'a Told>,
) -> RequestMeta<'a> {
    let tls = match sender {
        Sender::Client(connection) => connection.tls.as_ref(),
        Sender::Link(_) => None,
    };
    RequestMeta {
        client: incoming.client,
        listener: listener.as_bytes(),
        scheme: if incoming.https { Scheme::Https } else { Scheme::Http },
        tls: tls.map(|tls| ClientTls {
            version: if tls.tls13 { 0x0304 } else { 0x0303 },
            sni: tls.sni.as_bytes(),
            ..ClientTls::default()
        }),
        request_id: incoming.id,
        trace: told.map(Told::for_link).unwrap_or_default(),
        hops: incoming.hops.saturating_add(1),
        deadline_ms: incoming.deadline_ms,
        ..RequestMeta::default()
    }
}
