//! The life of one request, on any tier.
//!
//! ```text
//! arrive   who is the client, by which listener, whose host; forwarding fields deleted     (forward/arrival)
//! admit    same tenant as the TLS name (421), owner known (404), redirect, limits (429, 503) (forward/decision)
//! plan     find the route, decide what happens                           (forward/decision, bailey-routing)
//! send     edit the head, tell the application or the next tier where it comes from        (forward/edit, headers)
//!          open, pump, try again where that is safe                                        (forward/attempt)
//! answer   when it is ours to answer                                                       (forward/answer)
//! record   access log, metrics                                                             (forward/record)
//! ```
//! The same steps run on every tier. Whether a request came from a client or over a link, and whether it goes to an
//! endpoint or over a link, makes a difference only in `arrive` and `send`. Nothing here moves a byte of a body.

pub mod address;
mod answer;
pub(crate) mod arrival;
pub(crate) mod attempt;
mod connection;
pub(crate) mod decision;
pub(crate) mod edit;
pub mod headers;
pub(crate) mod ids;
mod record;
pub(crate) mod trace;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bailey_http1::RequestHead;
use bailey_kit::telemetry::Sink;
use bailey_routing::ir::{Tenant, Upstream};
use bailey_routing::{Forward, Plan};
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::access_log::AccessLog;
use crate::acme::Hold;
use crate::error::{Fate, ProxyError, Side};
use crate::exchange::Downstream;
use crate::front::{FrontLimits, Intake, Serve};
use crate::limits::{NOBODY, NoRoom, Place, WorkerTenants};
use crate::link::{LinkDownstream, LinkService};
use crate::metrics::{Counter, Limit};
use crate::snapshot::{Current, Snapshot};
use crate::telemetry::{SpanOrigin, Tracer};
use crate::upstream::{Backends, MirrorTap};
use crate::worker::Worker;
use arrival::Incoming;
use attempt::Sending;
use ids::Ids;
use record::{Meters, Record};

pub use connection::{ConnectionInfo, Listener, Places, TlsInfo};
pub use record::LogFile;

/// What does not change while a tier runs.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// `outer`, `inner` or `gateway`: for logs.
    pub tier: &'static str,
    /// The name of this tier in `Proxy-Status`, a token: `bailey-outer`.
    pub name: &'static str,
}

/// What one worker answers requests with.
pub struct Forwarder {
    identity: Identity,
    /// Ports as declared → ports as clients see them, where they differ.
    ports: RefCell<BTreeMap<u16, u16>>,
    worker: Rc<Worker>,
    backends: Rc<Backends>,
    current: Arc<Current>,
    serving: RefCell<Rc<Serving>>,
    tenants: WorkerTenants,
    /// The account of a tier without tenants.
    nobody: Arc<str>,
    counter: Counter,
    log: Option<LogFile>,
    tracer: Rc<Tracer>,
    /// Told when lines of the log, or spans, wait to be handed over.
    lines: Rc<Notify>,
    ids: Ids,
    acme: Option<Arc<Hold>>,
}

/// Where a worker tells of requests, and whom it asks.
pub struct Outlets {
    /// Counts them.
    pub counter: Counter,
    /// Writes their lines.
    pub log: Option<LogFile>,
    /// Whose spans they make.
    pub origin: SpanOrigin,
    /// Takes the spans.
    pub spans: Sink,
    /// Answers ACME authorities, where the tier gets its own certificates.
    pub acme: Option<Arc<Hold>>,
}

/// A snapshot, and what this worker remembers as long as it is served.
struct Serving {
    snapshot: Arc<Snapshot>,
    meters: Meters,
    limits: Rc<FrontLimits>,
    log: Option<AccessLog>,
}

impl Forwarder {
    /// A worker's forwarder. Call on the worker's own thread.
    pub fn new(
        identity: Identity,
        worker: Rc<Worker>,
        backends: Rc<Backends>,
        current: Arc<Current>,
        tenants: WorkerTenants,
        to: Outlets,
    ) -> Self {
        let Outlets { counter, log, origin, spans, acme } = to;
        let lines: Rc<Notify> = Rc::default();
        let serving = RefCell::new(Rc::new(Serving::new(current.load_full(), log.as_ref(), &lines)));
        Self {
            identity,
            ports: RefCell::default(),
            worker,
            backends,
            current,
            serving,
            tenants,
            nobody: NOBODY.into(),
            counter,
            log,
            tracer: Rc::new(Tracer::new(origin, spans, lines.clone())),
            lines,
            ids: Ids::new(),
            acme,
        }
    }

    /// The snapshot to serve the next request from. Costs a comparison; reference counts that workers share are touched
    /// only when there is a new one.
    fn serving(&self) -> Rc<Serving> {
        let current = self.current.load();
        let mine = self.serving.borrow().clone();
        if Arc::ptr_eq(&current, &mine.snapshot) {
            return mine;
        }
        drop(current);
        self.follow();
        self.serving.borrow().clone()
    }

    /// Takes over a new snapshot: connections to endpoints that are gone end with their last request.
    pub fn follow(&self) {
        let snapshot = self.current.load_full();
        let upstreams: Vec<_> = snapshot.table.upstreams().cloned().collect();
        self.backends.follow(&upstreams, snapshot.settings.limits.upstream);
        self.tenants.refresh();
        self.counter.follow();
        *self.serving.borrow_mut() = Rc::new(Serving::new(snapshot, self.log.as_ref(), &self.lines));
    }

    /// Clients reach the declared port `port` at `visible`: what redirects and applications are told.
    pub fn show(&self, port: u16, visible: u16) {
        self.ports.borrow_mut().insert(port, visible);
    }

    fn visible(&self, port: u16) -> u16 {
        self.ports.borrow().get(&port).copied().unwrap_or(port)
    }

    /// Waits until lines of the log, or spans, wait for [`Self::flush`].
    pub async fn something_waits(&self) {
        self.lines.notified().await;
    }

    /// Hands over what has been logged and traced; called now and then, so that it does not wait for more.
    pub fn flush(&self) {
        self.tracer.flush();
        if let Some(log) = &self.serving.borrow().log {
            log.flush();
        }
    }

    /// Answers one request, whoever brought it. Returns when nothing more will be sent on `down`.
    pub(crate) async fn answer<D: Downstream>(&self, from: Sender<'_>, down: &mut D, head: Box<RequestHead>) {
        let serving = self.serving();
        let active = &self.counter.shard().active_requests;
        active.add(1);
        let mut record = Record::new(&serving, Some(&head));
        record.begin_trace(&serving, from, &head, &self.ids);
        let visible = |port| self.visible(port);
        match arrival::arrive(&serving.snapshot, from, head, visible, || self.ids.request()) {
            Ok(mut incoming) => {
                record.arrived(&incoming);
                let result = self.decide(&serving, from, &mut incoming, down, &mut record).await;
                if let Err(error) = result {
                    Box::pin(self.fail(error, Some(&incoming), down, &mut record)).await;
                }
            }
            Err(error) => Box::pin(self.fail(error, None, down, &mut record)).await,
        }
        active.sub(1);
        record.finish(self, &serving);
    }

    /// Everything between a request that is understood and its answer.
    async fn decide<D: Downstream>(
        &self,
        serving: &Serving,
        from: Sender<'_>,
        incoming: &mut Incoming,
        down: &mut D,
        record: &mut Record,
    ) -> Result<(), ProxyError> {
        let snapshot = &*serving.snapshot;
        if let Some(hold) = &self.acme
            && let Some(proof) = decision::acme_proof(hold, incoming)
        {
            return Box::pin(answer::proof(&proof?, incoming, down, record)).await;
        }
        let routes = decision::same_tenant(snapshot, from, incoming)?;
        let tenant = routes.tenant();
        record.owned_by(serving, tenant);
        let listener = decision::listener(snapshot, incoming)?;
        self.count_connection(tenant, from)?;
        if let Some(respond) = decision::redirect(listener, incoming, |port| self.visible(port)) {
            return Box::pin(answer::planned(&respond, incoming, down, record)).await;
        }
        let _place = self.admit(tenant, from)?;
        let matched = decision::route(&routes, incoming)?;
        record.matched(serving, &matched);
        match decision::planned(snapshot, matched, incoming, self.ids.next()) {
            Plan::Respond(respond) => Box::pin(answer::planned(&respond, incoming, down, record)).await,
            Plan::Forward(forward) => {
                edit::request(&forward, incoming, snapshot.settings.forwarded);
                record.trace_attempt(forward.upstream, &incoming.head, &self.ids);
                let told = if trace::is_told_by_fields(forward.upstream) {
                    record.write_trace(serving, &mut incoming.head.fields);
                    None
                } else {
                    record.trace_for_link()
                };
                let taps = self.copies(serving, &forward, &incoming.head, record);
                let about = attempt::about(from, &listener.name, incoming, told.as_ref());
                record.goes_to(serving, forward.upstream);
                let sending = Sending { serving, forward: &forward, incoming, about: &about };
                self.attempts(sending, taps, down, record).await
            }
        }
    }

    /// Room for the request. At the edge only: a link's requests have been counted there.
    fn admit(&self, tenant: Option<&Arc<str>>, from: Sender<'_>) -> Result<Option<Place>, ProxyError> {
        let Sender::Client(_) = from else { return Ok(None) };
        self.tenants.request(tenant.unwrap_or(&self.nobody)).map_err(|no_room| {
            let (limit, fate) = match no_room {
                NoRoom::InFlight if self.has_own(tenant, |tenant| tenant.max_in_flight) => {
                    (Limit::TenantInFlight, Fate::TenantBusy)
                }
                NoRoom::InFlight => (Limit::InFlight, Fate::TenantBusy),
                NoRoom::Rate => (Limit::TenantRate, Fate::RateLimited),
            };
            self.counter.limit(limit);
            ProxyError::us(fate)
        })
    }

    /// Whether a tenant has a limit of its own, rather than the tier's.
    fn has_own(&self, tenant: Option<&Arc<str>>, limit: fn(&Tenant) -> Option<u32>) -> bool {
        let serving = self.serving.borrow();
        tenant.and_then(|tenant| serving.snapshot.table.tenant(tenant)).and_then(limit).is_some()
    }

    /// Counts that there was no room for a connection of a tenant.
    fn no_connection(&self, tenant: &Arc<str>) -> ProxyError {
        let own = self.has_own(Some(tenant), |tenant| tenant.max_connections);
        self.counter.limit(if own { Limit::TenantConnections } else { Limit::ConnectionsOfTenant });
        ProxyError::us(Fate::TenantConnections)
    }

    /// Room for the connection, where only its requests tell whose it is: without TLS. It counts for every tenant that it
    /// has asked for something.
    fn count_connection(&self, tenant: Option<&Arc<str>>, from: Sender<'_>) -> Result<(), ProxyError> {
        let (Some(tenant), Sender::Client(connection)) = (tenant, from) else { return Ok(()) };
        if connection.tls.is_some() || connection.places.has(tenant) {
            return Ok(());
        }
        match self.tenants.connection(tenant) {
            Ok(place) => connection.places.keep(tenant, place),
            Err(_) => return Err(self.no_connection(tenant)),
        }
        Ok(())
    }

    /// Starts the copies for mirrors; the taps are where their bodies go.
    fn copies(
        &self,
        serving: &Serving,
        forward: &Forward<'_>,
        head: &RequestHead,
        record: &Record,
    ) -> SmallVec<[MirrorTap; 1]> {
        if forward.mirrors.is_empty() {
            return SmallVec::new();
        }
        let before = self.backends.mirrors_dropped();
        let copy = |mirror: &&Arc<Upstream>| {
            let mut head = head.clone();
            let done = record.mirrored(serving, mirror, &mut head, self);
            self.backends.mirror(mirror, head, done)
        };
        let taps = forward.mirrors.iter().filter_map(copy).collect();
        let skipped = self.backends.mirrors_dropped() - before;
        self.counter.shard().mirrors_skipped.add(skipped);
        self.counter.shard().mirrors.add(forward.mirrors.len() as u64 - skipped);
        taps
    }

    /// The answer to a request that went wrong, unless an answer has begun or nobody is there to read it.
    async fn fail<D: Downstream>(
        &self,
        error: ProxyError,
        incoming: Option<&Incoming>,
        down: &mut D,
        record: &mut Record,
    ) {
        record.failed(error);
        if record.status() == 0 {
            if error.side == Side::Client {
                down.close_after_answer();
            }
            answer::failed(error.fate, incoming, self.identity.name, down, record).await;
        }
    }
}

/// Who brought a request.
#[derive(Clone, Copy)]
pub(crate) enum Sender<'a> {
    /// A client's connection.
    Client(&'a ConnectionInfo),
    /// The outer tier, with what it tells beside the head.
    Link(&'a bailey_link::RequestMeta<'a>),
}

impl Serving {
    fn new(snapshot: Arc<Snapshot>, log: Option<&LogFile>, waits: &Rc<Notify>) -> Self {
        let log = log.and_then(|file| {
            let options = snapshot.settings.access_log.clone().or_else(|| file.unless_told.clone())?;
            Some(AccessLog::new(options, file.sink.clone(), waits.clone()))
        });
        let limits = Rc::new(FrontLimits::of(&snapshot.settings.limits));
        Self { snapshot, meters: Meters::default(), limits, log }
    }
}

impl Serve for Forwarder {
    type Open = OpenConnection;

    fn intake(&self, peer: IpAddr) -> Intake {
        self.serving().snapshot.settings.front.intake(peer)
    }

    fn limits(&self) -> Rc<FrontLimits> {
        self.serving().limits.clone()
    }

    fn open(&self, info: &ConnectionInfo) -> Option<OpenConnection> {
        let serving = self.serving();
        let table = &serving.snapshot.table;
        let tenant = info.tls.as_ref().and_then(|tls| {
            let listener = table.listener_at(info.listener.port, tls.sni.as_bytes())?;
            table.tenant_of(listener, tls.sni.as_bytes())
        });
        let place = match tenant.map(|tenant| (tenant, self.tenants.connection(tenant))) {
            None => None,
            Some((_, Ok(place))) => place,
            Some((tenant, Err(_))) => {
                self.counter.error(self.no_connection(tenant));
                return None;
            }
        };
        let counter = self.counter.clone();
        counter.shard().connections_opened.add(1);
        Some(OpenConnection { counter, _place: place })
    }

    fn serve<D: Downstream>(
        &self,
        info: &Rc<ConnectionInfo>,
        down: &mut D,
        head: Box<RequestHead>,
    ) -> impl Future<Output = ()> {
        self.answer(Sender::Client(info), down, head)
    }

    fn refused(&self, info: &ConnectionInfo, fate: Fate, status: u16) {
        let serving = self.serving();
        let mut record = Record::new(&serving, None);
        record.came_from(info.proxied.unwrap_or(info.peer).ip(), info.listener.https);
        record.failed(ProxyError::client(fate));
        record.sent(status, 0);
        record.finish(self, &serving);
    }
}

/// Counts a connection, for its tenant and for the metrics, as long as it lives.
pub struct OpenConnection {
    counter: Counter,
    _place: Option<Place>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counter.shard().connections_closed.add(1);
    }
}

impl LinkService for Rc<Forwarder> {
    async fn serve_stream(
        &self,
        down: &mut LinkDownstream,
        head: Box<RequestHead>,
        meta: Box<bailey_link::RequestHead>,
    ) {
        self.answer(Sender::Link(&meta.meta()), down, head).await;
    }
}
