//! What is remembered of a request while it lives, for its line in the access log and for the metrics.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bailey_http1::{Fields, RequestHead};
use bailey_link::Times;
use bailey_routing::Matched;
use bailey_routing::ir::{Route, Upstream};
use tracing::Level;

use super::arrival::Incoming;
use super::ids::Ids;
use super::trace::{Told, Tracked};
use super::{Forwarder, Sender, Serving, headers};
use crate::access_log::{AccessLog, Draft, Entry, Options, Sink, Whose};
use crate::error::{ProxyError, Side};
use crate::exchange::Moved;
use crate::metrics::{Counter, Done, Hop, Meter, route_label};
use crate::respond::answer;
use crate::telemetry::End;
use crate::upstream::Copied;

/// Where access logs of a tier go.
#[derive(Clone)]
pub struct LogFile {
    /// The way to the writer.
    pub sink: Sink,
    /// How requests are logged when the objects do not say; `None`: they are not.
    pub unless_told: Option<Options>,
}

/// The meters of the routes that have been met since the snapshot is served, by the addresses of what they are of: the
/// snapshot, or what is kept here, keeps it alive, so that it is not given to another.
#[derive(Default)]
pub(super) struct Meters {
    routes: Known<Met>,
    upstreams: Known<Hop, 2>,
    none: RefCell<Option<Rc<Met>>>,
}

/// A route that was met.
pub(super) struct Met {
    meter: Rc<Meter>,
    whose: Whose,
}

impl Met {
    fn new(tenant: Arc<str>, route: Arc<str>) -> Rc<Self> {
        Rc::new(Self { meter: Meter::new(tenant.clone(), route.clone()), whose: Whose::new(tenant, route) })
    }
}

/// Things that belong to `N` parts of a snapshot, by the addresses of the parts.
struct Known<T, const N: usize = 1> {
    all: RefCell<HashMap<[usize; N], Rc<T>>>,
    /// The one asked for last, which is mostly the next one too.
    last: RefCell<Option<([usize; N], Rc<T>)>>,
}

/// What is known so far.
pub(super) struct Record {
    began: Instant,
    /// The upstream of the attempts.
    hop: Option<Rc<Hop>>,
    /// When the attempt under way was handed to a connection.
    sent_on: Option<Instant>,
    attempts: u8,
    /// From there to the head of its answer.
    answered: Option<Duration>,
    /// What the next tier says of its own times.
    inner: Option<Times>,
    moved: Moved,
    error: Option<ProxyError>,
    met: Option<Rc<Met>>,
    endpoint: Option<SocketAddr>,
    /// Its part in a trace, if the tier traces.
    trace: Option<Tracked>,
    /// What only the log wants; empty without one.
    logged: Option<Logged>,
}

/// The request as it came in, since what is sent on is another one.
struct Logged {
    draft: Draft,
    client: Option<IpAddr>,
    https: bool,
    id: Option<[u8; 16]>,
}

impl Record {
    /// A request that has just come; `None`: its head could not be read.
    pub(super) fn new(serving: &Serving, head: Option<&RequestHead>) -> Self {
        let draft = |log: &AccessLog| head.map(|head| log.draft(head)).unwrap_or_default();
        let logged = |log| Logged { draft: draft(log), client: None, https: false, id: None };
        Self {
            began: Instant::now(),
            hop: None,
            sent_on: None,
            attempts: 0,
            answered: None,
            inner: None,
            moved: Moved::default(),
            error: None,
            met: None,
            endpoint: None,
            trace: None,
            logged: serving.log.as_ref().map(logged),
        }
    }

    /// Whose request it was, where no more is known of it.
    pub(super) fn came_from(&mut self, client: IpAddr, https: bool) {
        if let Some(logged) = &mut self.logged {
            (logged.client, logged.https) = (Some(client), https);
        }
    }

    /// Takes part in a trace, if the tier traces.
    pub(super) fn begin_trace(&mut self, serving: &Serving, from: Sender<'_>, head: &RequestHead, ids: &Ids) {
        let settings = &serving.snapshot.settings;
        let begin = |tracing| Tracked::begin(tracing, &settings.front, from, head, ids);
        self.trace = settings.tracing.as_ref().map(begin);
    }

    pub(super) fn owned_by(&mut self, serving: &Serving, tenant: Option<&Arc<str>>) {
        if let (Some(trace), Some(tracing)) = (&mut self.trace, &serving.snapshot.settings.tracing) {
            trace.owned_by(tracing, tenant);
        }
    }

    pub(super) fn arrived(&mut self, incoming: &Incoming) {
        if let Some(trace) = &mut self.trace {
            trace.understood(incoming);
        }
        if let Some(logged) = &mut self.logged {
            logged.client = Some(incoming.client.ip());
            logged.https = incoming.https;
            logged.id = Some(incoming.id);
        }
    }

    pub(super) fn matched(&mut self, serving: &Serving, matched: &Matched<'_>) {
        self.met = Some(serving.meters.of(matched.route()));
        if let Some(trace) = &mut self.trace {
            trace.matched(matched);
        }
    }

    /// An attempt begins: its span is what the next hop is told of.
    pub(super) fn trace_attempt(&mut self, to: &Arc<Upstream>, head: &RequestHead, ids: &Ids) {
        if let Some(trace) = &mut self.trace {
            trace.attempt(to, head, || self.began.elapsed(), ids);
        }
    }

    /// Whether each attempt has a span.
    pub(super) fn traces_attempts(&self) -> bool {
        self.trace.as_ref().is_some_and(Tracked::is_remembered)
    }

    /// The span of the attempt under way has failed, and there will be another. `refused`: by its status.
    pub(super) fn trace_failure(&mut self, error: ProxyError, refused: Option<u16>) {
        if let Some(trace) = &mut self.trace {
            trace.failed(error, refused, || self.began.elapsed());
        }
    }

    /// What a next tier is told of the trace.
    pub(super) fn trace_for_link(&self) -> Option<Told> {
        self.trace.as_ref().map(Tracked::told)
    }

    /// Tells an application of the trace.
    pub(super) fn write_trace(&self, serving: &Serving, fields: &mut Fields) {
        if let (Some(trace), Some(tracing)) = (&self.trace, &serving.snapshot.settings.tracing) {
            trace.write(&tracing.forms, fields);
        }
    }

    /// Makes a copy for a mirror a part of the trace.
    pub(super) fn mirrored(
        &self,
        serving: &Serving,
        to: &Arc<Upstream>,
        head: &mut RequestHead,
        by: &Forwarder,
    ) -> Option<Copied> {
        let tracing = serving.snapshot.settings.tracing.as_ref()?;
        let trace = self.trace.as_ref()?;
        trace.mirror(&tracing.forms, to, head, || self.began.elapsed(), &by.ids, &by.tracer)
    }

    /// It is to be sent there.
    pub(super) fn goes_to(&mut self, serving: &Serving, upstream: &Arc<Upstream>) {
        self.hop = self.met.as_ref().map(|met| serving.meters.hop(upstream, &met.meter));
    }

    /// It is handed to a connection.
    pub(super) fn attempt(&mut self, endpoint: Option<SocketAddr>) {
        self.endpoint = endpoint;
        if let Some(trace) = &mut self.trace {
            trace.reached(endpoint);
        }
        self.sent_on = Some(Instant::now());
        self.attempts = self.attempts.saturating_add(1);
    }

    /// The head of an answer has come; what a tier before us is told of the time it took.
    pub(super) fn answered(&mut self, status: u16) -> Times {
        if let Some(trace) = &mut self.trace {
            trace.answered(status);
        }
        let now = Instant::now();
        self.answered = self.sent_on.map(|sent_on| now - sent_on);
        Times { head_us: micros(now - self.began), upstream_us: self.answered.map(micros) }
    }

    /// What a tier before us is told of the time that an answer of our own took.
    pub(super) fn times(&self) -> Times {
        Times { head_us: micros(self.began.elapsed()), upstream_us: None }
    }

    /// What the next tier has told of its own times.
    pub(super) fn told(&mut self, times: Option<Times>) {
        self.inner = times;
    }

    /// The attempt under way has failed; `status`: that of its answer, if one had come.
    pub(super) fn attempt_failed(&mut self, status: u16, by: &Counter) {
        self.count_attempt(status, Instant::now(), by);
        self.inner = None;
    }

    fn count_attempt(&mut self, status: u16, now: Instant, by: &Counter) {
        if let (Some(hop), Some(sent_on)) = (&self.hop, self.sent_on.take()) {
            by.attempt(hop, status, now - sent_on);
        }
    }

    pub(super) fn failed(&mut self, error: ProxyError) {
        self.error = Some(error);
    }

    pub(super) fn moved(&mut self, moved: Moved) {
        self.moved = moved;
    }

    /// The status that was sent; 0: none yet.
    pub(super) fn status(&self) -> u16 {
        self.moved.status
    }

    /// An answer of our own was sent.
    pub(super) fn sent(&mut self, status: u16, bytes: u64) {
        self.moved.status = status;
        self.moved.down = bytes;
    }

    /// Counts and logs the request.
    pub(super) fn finish(mut self, by: &Forwarder, serving: &Serving) {
        let now = Instant::now();
        let took = now - self.began;
        self.count_attempt(self.moved.status, now, &by.counter);
        let met = self.met.unwrap_or_else(|| serving.meters.none());
        let meter = &met.meter;
        // A client that left before there was a status is counted as what it would have been logged.
        let unsent = self.error.map_or(0, |error| answer(error.fate).status);
        let status = if self.moved.status == 0 { unsent } else { self.moved.status };
        let (received, sent) = (self.moved.up, self.moved.down);
        let done = Done { status, error: self.error, took, received, sent };
        let trace = self.trace.as_ref().map(Tracked::id);
        match trace {
            Some((trace, true)) => {
                let trace = u128::from_be_bytes(trace.to_bytes());
                by.counter.sampled(meter, &done, trace, SystemTime::now());
            }
            Some((_, false)) | None => by.counter.request(meter, &done),
        }
        if let (Some(trace), Some(tracing)) = (self.trace, &serving.snapshot.settings.tracing) {
            trace.finish(tracing, &by.tracer, End { status, error: self.error, took });
        }
        if let Some(error) = self.error {
            tell(error, by.identity.tier, meter);
        }
        let (Some(log), Some(logged)) = (&serving.log, self.logged) else { return };
        let trace = trace.map(|(trace, _)| trace.to_hex());
        let id = logged.id.map(|id| headers::id_text(&id));
        let answer = self.error.map(|error| answer(error.fate));
        let entry = Entry {
            began: self.began,
            tier: by.identity.tier,
            request_id: id.as_ref().map(|id| &id[..]),
            trace_id: trace.as_ref().map(|trace| &trace[..]),
            client: logged.client,
            whose: &met.whose,
            scheme: if logged.https { "https" } else { "http" },
            status,
            error: answer.map(|answer| answer.error_type).filter(|error| !error.is_empty()),
            reason: answer.map(|answer| answer.label),
            bytes_in: received,
            bytes_out: sent,
            duration: took,
            upstream: self.answered,
            inner_us: self.inner.map(|times| times.head_us),
            application_us: self.inner.and_then(|times| times.upstream_us),
            upstream_address: self.endpoint,
            attempts: self.attempts,
        };
        log.write(logged.draft, &entry);
    }
}

/// Microseconds as a link tells them: what does not fit is all ones.
fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}

impl<T, const N: usize> Default for Known<T, N> {
    fn default() -> Self {
        Self { all: RefCell::default(), last: RefCell::default() }
    }
}

impl<T, const N: usize> Known<T, N> {
    /// What belongs to the parts `at`, made when it is asked for first.
    fn of(&self, at: [usize; N], make: impl FnOnce() -> Rc<T>) -> Rc<T> {
        if let Some((last, known)) = &*self.last.borrow()
            && *last == at
        {
            return known.clone();
        }
        let known = self.all.borrow_mut().entry(at).or_insert_with(make).clone();
        *self.last.borrow_mut() = Some((at, known.clone()));
        known
    }
}

impl Meters {
    fn of(&self, route: &Arc<Route>) -> Rc<Met> {
        self.routes.of([Arc::as_ptr(route).addr()], || {
            Met::new(route.tenant.clone().unwrap_or_default(), route_label(&route.id))
        })
    }

    fn hop(&self, upstream: &Arc<Upstream>, meter: &Rc<Meter>) -> Rc<Hop> {
        // On links routes are not told apart.
        let route = if Hop::is_of_route(upstream.id.key()) { Rc::as_ptr(meter).addr() } else { 0 };
        let parts = [Arc::as_ptr(upstream).addr(), route];
        self.upstreams.of(parts, || Hop::new(upstream.id.key(), meter.route()))
    }

    fn none(&self) -> Rc<Met> {
        self.none.borrow_mut().get_or_insert_with(|| Met::new(Arc::default(), Arc::default())).clone()
    }
}

/// Tells the process's log of what somebody should look at, once a second for each route. What clients do wrong is not
/// among it.
fn tell(error: ProxyError, tier: &'static str, meter: &Meter) {
    let answer = answer(error.fate);
    if answer.level > Level::WARN || error.side == Side::Client {
        return;
    }
    let Some(unsaid) = meter.may_tell() else { return };
    let (tenant, route, side, reason) = (meter.tenant(), &**meter.route(), error.side.as_str(), answer.label);
    if answer.level == Level::ERROR {
        tracing::error!(tier, tenant, route, side, reason, unsaid, "{}", answer.detail);
    } else {
        tracing::warn!(tier, tenant, route, side, reason, unsaid, "{}", answer.detail);
    }
}
