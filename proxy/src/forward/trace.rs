//! A request's part in a trace, for as long as the request lives: which trace it belongs to, whether that is kept, what the next hop is
//! told, and what is remembered for the spans that are made when it is over.
//!
//! The outer tier decides by the trace id and the tenant's share, unless it believes who sent the request. The inner tier follows what the
//! link says. A request that is neither sampled nor watched by a rule remembers nothing here but ids.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bailey_http1::{Fields, RequestHead};
use bailey_kit::telemetry::{Carrier, Context, Propagation, Remote, SpanId, TRACEPARENT_LEN, TraceId, TraceState};
use bailey_routing::Matched;
use bailey_routing::ir::{Upstream, UpstreamKey};

use super::Sender;
use super::arrival::Incoming;
use super::ids::Ids;
use crate::error::ProxyError;
use crate::forward::address::Front;
use crate::telemetry::{Attempt, Client, End, Facts, Tracer, Tracing};
use crate::upstream::{Copied, Mirrored};

/// A request's part in a trace.
pub(super) struct Tracked {
    trace: TraceId,
    /// The span that the next hop is told of.
    next: SpanId,
    sampled: bool,
    /// Whether somebody we believe has decided that.
    decided: bool,
    state: TraceState,
    /// What spans are made of; nothing where none will be.
    facts: Option<Box<Facts>>,
}

/// What the next tier is told of a trace.
pub(crate) struct Told {
    parent: [u8; TRACEPARENT_LEN],
    state: TraceState,
}

impl Told {
    pub(super) fn for_link(&self) -> bailey_link::Trace<'_> {
        let state = self.state.as_str().unwrap_or_default().as_bytes();
        bailey_link::Trace { parent: &self.parent, state, sampling: &[] }
    }
}

/// Fields of a head, by name.
struct In<'a>(&'a Fields);

impl Carrier for In<'_> {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name.as_bytes())
    }
}

/// Whether what a client's connection says of traces is believed.
pub(super) fn believes(tracing: Option<&Tracing>, front: &Front, peer: std::net::IpAddr) -> bool {
    front.tells_fields(peer) || tracing.is_some_and(|tracing| tracing.accept_parent)
}

impl Tracked {
    /// The part of a request that has just come.
    pub(super) fn begin(tracing: &Tracing, front: &Front, from: Sender<'_>, head: &RequestHead, ids: &Ids) -> Self {
        let (remote, link, peer) = match from {
            Sender::Link(meta) => (on_link(&meta.trace), None, None),
            Sender::Client(connection) => {
                let said = tracing.forms.iter().find_map(|form| form.read(&In(&head.fields))).unwrap_or_default();
                let peer = Some(connection.peer);
                if believes(Some(tracing), front, connection.peer.ip()) {
                    (said, None, peer)
                } else {
                    (Remote::default(), said.ids, peer)
                }
            }
        };
        let (trace, parent) = match remote.ids {
            Some((trace, span)) => (trace, Some(span)),
            None => (ids.trace(), None),
        };
        // Which tenant's share counts is not known yet.
        let may_be = remote.sampled.unwrap_or_else(|| tracing.largest_ratio().keeps(trace));
        let facts = (may_be || tracing.watches()).then(|| {
            Box::new(Facts {
                trace,
                id: ids.span(),
                parent,
                link,
                state: remote.state.clone(),
                start: SystemTime::now(),
                method: head.method,
                target: head.target.shared().clone(),
                host: head.authority.host_bytes().clone(),
                host_port: head.authority.port(),
                version: head.version,
                user_agent: head.fields.get_bytes(b"user-agent"),
                peer,
                client: None,
                tenant: None,
                matched: None,
                attempts: Vec::new(),
            })
        });
        Self {
            trace,
            next: ids.span(),
            sampled: remote.sampled.unwrap_or_else(|| tracing.ratio.keeps(trace)),
            decided: remote.sampled.is_some(),
            state: remote.state,
            facts,
        }
    }

    /// The trace, and whether it is kept.
    pub(super) fn id(&self) -> (TraceId, bool) {
        (self.trace, self.sampled)
    }

    /// It is known who asks.
    pub(super) fn understood(&mut self, incoming: &Incoming) {
        if let Some(facts) = &mut self.facts {
            facts.client = Some(Client {
                address: incoming.client,
                https: incoming.https,
                port: incoming.port,
                request_id: incoming.id,
            });
        }
    }

    /// It is known whose host it is, and so which share counts.
    pub(super) fn owned_by(&mut self, tracing: &Tracing, tenant: Option<&Arc<str>>) {
        if !self.decided {
            self.sampled = tracing.ratio_of(tenant.map(|tenant| &**tenant)).keeps(self.trace);
        }
        if !self.sampled && !tracing.watches() {
            self.facts = None;
        }
        if let Some(facts) = &mut self.facts {
            facts.tenant = tenant.cloned();
        }
    }

    pub(super) fn matched(&mut self, matched: &Matched<'_>) {
        if let Some(facts) = &mut self.facts {
            let path = matched.route_match().map(|matched| matched.path.clone());
            facts.matched = Some((matched.route().clone(), matched.rule_index(), path));
        }
    }

    /// An attempt begins, `began` after the request.
    pub(super) fn attempt(
        &mut self,
        to: &Arc<Upstream>,
        head: &RequestHead,
        began: impl FnOnce() -> Duration,
        ids: &Ids,
    ) {
        let Some(facts) = &mut self.facts else { return };
        self.next = ids.span();
        facts.attempts.push(attempt(self.next, to, head, began()));
    }

    /// The attempt under way goes to this endpoint.
    pub(super) fn reached(&mut self, endpoint: Option<std::net::SocketAddr>) {
        if let Some(attempt) = self.latest() {
            attempt.endpoint = endpoint;
        }
    }

    /// It was answered.
    pub(super) fn answered(&mut self, status: u16) {
        if let Some(attempt) = self.latest() {
            attempt.status = status;
        }
    }

    /// It has failed, and there will be another.
    pub(super) fn failed(&mut self, error: ProxyError, status: Option<u16>, now: impl FnOnce() -> Duration) {
        if let Some(attempt) = self.latest() {
            attempt.took = now().saturating_sub(attempt.began);
            attempt.status = status.unwrap_or_default();
            attempt.error = status.is_none().then_some(error);
        }
    }

    /// Whether attempts are told apart.
    pub(super) fn is_remembered(&self) -> bool {
        self.facts.is_some()
    }

    fn latest(&mut self) -> Option<&mut Attempt> {
        self.facts.as_mut()?.attempts.last_mut()
    }

    /// What a next tier is told.
    pub(super) fn told(&self) -> Told {
        let context =
            Context { trace: self.trace, span: self.next, sampled: self.sampled, state: TraceState::default() };
        Told { parent: context.traceparent(), state: self.state.clone() }
    }

    /// Tells an application, in the forms it wants.
    pub(super) fn write(&self, forms: &[Propagation], fields: &mut Fields) {
        write(forms, (self.trace, self.next, self.sampled, &self.state), fields);
    }

    /// The head of a copy for a mirror, and what to do when the copy is over: it has a span of its own.
    pub(super) fn mirror(
        &self,
        forms: &[Propagation],
        to: &Arc<Upstream>,
        head: &mut RequestHead,
        began: impl FnOnce() -> Duration,
        ids: &Ids,
        tracer: &Rc<Tracer>,
    ) -> Option<Copied> {
        let facts = self.facts.as_ref().filter(|_| self.sampled)?;
        let id = ids.span();
        write(forms, (self.trace, id, self.sampled, &self.state), &mut head.fields);
        let mut attempt = attempt(id, to, head, began());
        let (facts, tracer, started) = (facts.without_attempts(), tracer.clone(), std::time::Instant::now());
        Some(Box::new(move |copied: Mirrored| {
            attempt.took = started.elapsed();
            (attempt.endpoint, attempt.status, attempt.error) = (copied.endpoint, copied.status, copied.error);
            tracer.add([facts.copy(&tracer.origin, &attempt)]);
        }))
    }

    /// Makes the spans, if there are to be any.
    pub(super) fn finish(self, tracing: &Tracing, tracer: &Tracer, end: End) {
        let Some(mut facts) = self.facts else { return };
        if !self.sampled && !tracing.wants(end.status, end.took) {
            return;
        }
        if let Some(attempt) = facts.attempts.last_mut() {
            attempt.took = end.took.saturating_sub(attempt.began);
            attempt.error = end.error;
        }
        tracer.add(facts.spans(&tracer.origin, end));
    }
}

fn attempt(id: SpanId, to: &Arc<Upstream>, head: &RequestHead, began: Duration) -> Attempt {
    Attempt {
        id,
        began,
        took: Duration::ZERO,
        upstream: to.clone(),
        endpoint: None,
        target: head.target.shared().clone(),
        status: 0,
        error: None,
    }
}

fn write(forms: &[Propagation], context: (TraceId, SpanId, bool, &TraceState), fields: &mut Fields) {
    let (trace, span, sampled, state) = context;
    for form in forms {
        form.write(trace, span, sampled, state, |name, value| fields.set(name.as_bytes(), value));
    }
}

/// Writes a context of nobody (all digits `f`) where an application will be told of one, for those who say what it will see.
pub(crate) fn write_unmade(tracing: &Tracing, to: &Upstream, fields: &mut Fields) {
    let nobody = TraceId::new([0xff; 16]).zip(SpanId::new([0xff; 8])).filter(|_| is_told_by_fields(to));
    if let Some((trace, span)) = nobody {
        write(&tracing.forms, (trace, span, false, &TraceState::default()), fields);
    }
}

/// What the outer tier says. It knows no other form, whatever applications want.
fn on_link(trace: &bailey_link::Trace<'_>) -> Remote {
    let Some(context) = Context::parse(trace.parent) else { return Remote::default() };
    let state = if trace.state.is_empty() { TraceState::default() } else { TraceState::parse([trace.state]) };
    Context { state, ..context }.into()
}

/// Applications that are told by fields, and tiers that are told beside them.
pub(super) fn is_told_by_fields(to: &Upstream) -> bool {
    matches!(to.id.key(), UpstreamKey::Service { .. })
}
