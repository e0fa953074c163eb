//! The outer side: one worker's links to one tenant's inner tier. Decides when a link is made, which one takes a request, and how long a
//! request waits for one. What flows on a link is in `wire` and `stream`.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bailey_http1::RequestHead;
use bailey_link::{Connection, Event, OpenError, RequestMeta, Settings, StreamId};
use bailey_routing::ir::Endpoint;
use tokio::sync::Notify;

use super::channel::Channel;
use super::convert;
use super::dial::{LinkSecurity, dial};
use super::stream::LinkStream;
use super::wire::{End, Wire};
use crate::metrics::{Counter, Limit};
use crate::timer::Wheel;
use crate::upstream::UpstreamError;
use crate::upstream::health::Health;
use crate::upstream::pool::{SharedLimits, seconds};

/// Between attempts while a request waits: a tier that restarts is found at once.
const PAUSE: Duration = Duration::from_millis(50);
/// Between attempts when nobody waits, at first; it doubles up to [`LONGEST_REST`].
const REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// What all links of a worker share.
pub(crate) struct LinkContext {
    pub(crate) security: LinkSecurity,
    pub(crate) settings: Settings,
    pub(crate) limits: SharedLimits,
    pub(crate) wheel: Wheel,
    pub(crate) counter: Counter,
}

impl LinkContext {
    /// How long a request waits for a link, and a link for its handshake.
    fn connect(&self) -> Duration {
        seconds(self.limits.get().connect_seconds)
    }
}

/// One worker's links to one tenant's inner tier.
pub(crate) struct LinkGroup {
    tenant: Arc<str>,
    context: Rc<LinkContext>,
    targets: RefCell<Vec<Rc<Target>>>,
    ready: RefCell<Vec<Rc<Link>>>,
    /// Told whenever a link comes or goes.
    news: Notify,
    /// Requests that wait for a link.
    waiting: Cell<usize>,
    turn: Cell<usize>,
    last_failure: Cell<Option<UpstreamError>>,
}

/// An inner endpoint.
struct Target {
    address: SocketAddr,
    weight: Cell<u32>,
    /// It left the snapshot.
    gone: Cell<bool>,
    /// A task makes or holds a link that takes requests.
    busy: Cell<bool>,
    rest: Cell<Duration>,
    not_before: Cell<Option<Instant>>,
    health: RefCell<Health>,
}

struct Link {
    wire: Rc<Wire>,
    target: Rc<Target>,
}

/// Counts a waiting request for as long as it waits, also when it is dropped.
struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl LinkGroup {
    pub(crate) fn new(tenant: Arc<str>, context: Rc<LinkContext>) -> Rc<Self> {
        Rc::new(Self {
            tenant,
            context,
            targets: RefCell::default(),
            ready: RefCell::default(),
            news: Notify::new(),
            waiting: Cell::new(0),
            turn: Cell::new(0),
            last_failure: Cell::new(None),
        })
    }

    /// Follows the snapshot: links to endpoints that left take no new requests and end with their last one.
    pub(crate) fn update(&self, endpoints: &[Endpoint]) {
        let mut targets = self.targets.borrow_mut();
        targets.retain(|target| {
            let stays = endpoints.iter().any(|endpoint| endpoint.address == target.address);
            target.gone.set(!stays);
            stays
        });
        for endpoint in endpoints {
            match targets.iter().find(|target| target.address == endpoint.address) {
                Some(known) => known.weight.set(endpoint.weight),
                None => targets.push(Rc::new(Target::new(endpoint))),
            }
        }
        self.ready.borrow_mut().retain(|link| {
            let stays = !link.target.gone.get();
            if !stays {
                link.wire.close();
            }
            stays
        });
        self.news.notify_waiters();
    }

    /// Whether there is nowhere to go.
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.borrow().is_empty()
    }

    /// Opens a stream with this head, on a new link if there must be one.
    pub(crate) async fn open(
        self: &Rc<Self>,
        head: &RequestHead,
        about: &RequestMeta<'_>,
        end: bool,
    ) -> Result<LinkStream, UpstreamError> {
        if self.ready.borrow().len() < self.targets.borrow().len() {
            self.dial_missing();
        }
        match self.open_now(head, about, end)? {
            Some(stream) => Ok(stream),
            // Boxed, as all that is rare on the way of a request: it must not enlarge what every connection carries.
            None => Box::pin(self.open_later(head, about, end)).await,
        }
    }

    async fn open_later(
        self: &Rc<Self>,
        head: &RequestHead,
        about: &RequestMeta<'_>,
        end: bool,
    ) -> Result<LinkStream, UpstreamError> {
        let until = tokio::time::Instant::now() + self.context.connect();
        self.waiting.set(self.waiting.get() + 1);
        let _waiting = Waiting(&self.waiting);
        loop {
            let news = self.news.notified();
            if self.is_empty() {
                return Err(UpstreamError::NoEndpoint);
            }
            self.dial_missing();
            if let Some(stream) = self.open_now(head, about, end)? {
                return Ok(stream);
            }
            // A link that ended asks for another round at once; a dialling task reports what comes of it.
            if tokio::time::timeout_at(until, news).await.is_err() {
                return Err(self.last_failure.get().unwrap_or(UpstreamError::LinkUnavailable));
            }
        }
    }

    /// Opens a stream on the least loaded link; `None` when there is no link.
    fn open_now(
        &self,
        head: &RequestHead,
        about: &RequestMeta<'_>,
        end: bool,
    ) -> Result<Option<LinkStream>, UpstreamError> {
        let mut full = false;
        let mut passed_over: u64 = 0;
        loop {
            let Some((at, link)) = self.lightest(passed_over) else {
                return if full { Err(UpstreamError::LinkFull) } else { Ok(None) };
            };
            let meta = convert::request_meta(head, about);
            match link.wire.act(|connection| connection.open(&meta, convert::request_fields(head), end)) {
                Ok(stream) => return Ok(Some(link.hold(stream))),
                Err(OpenError::HeadTooLarge) => return Err(UpstreamError::HeadTooLarge),
                Err(OpenError::Full | OpenError::Congested) => full = true,
                Err(OpenError::GoingAway | OpenError::NotReady | OpenError::NotClient) => {}
            }
            passed_over |= 1 << at;
        }
    }

    /// The link with the fewest streams per weight; ties go round. Looks at the first 64.
    fn lightest(&self, passed_over: u64) -> Option<(usize, Rc<Link>)> {
        let ready = self.ready.borrow();
        let count = ready.len().min(64);
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let best = (0..count)
            .map(|step| (turn.wrapping_add(step)) % count)
            .filter(|at| passed_over & (1 << at) == 0)
            .min_by_key(|at| ready[*at].load())?;
        Some((best, ready[best].clone()))
    }

    /// Starts a link to every endpoint that has none and may be tried now.
    fn dial_missing(self: &Rc<Self>) {
        let now = Instant::now();
        let targets = self.targets.borrow();
        let hopeless = !targets.iter().any(|target| target.health.borrow().usable(now));
        let urgent = self.ready.borrow().is_empty();
        for target in &*targets {
            let rested = target.not_before.get().is_none_or(|then| then <= now);
            let usable = hopeless || target.health.borrow().usable(now);
            if !target.busy.get() && usable && (rested || urgent) {
                target.busy.set(true);
                tokio::task::spawn_local(self.clone().keep(target.clone()));
            }
        }
    }

    /// Makes a link and keeps it until it ends; tries again while requests wait.
    async fn keep(self: Rc<Self>, target: Rc<Target>) {
        while !target.gone.get() {
            // A link that took requests has given its place back when it stopped taking them.
            let Err(failure) = self.attempt(&target).await else { return };
            self.count(failure);
            let now = Instant::now();
            target.health.borrow_mut().failed(now);
            target.not_before.set(Some(now + target.rest.get()));
            target.rest.set((target.rest.get() * 2).min(LONGEST_REST));
            if self.last_failure.replace(Some(failure)) == Some(failure) {
                tracing::debug!(tenant = %self.tenant, address = %target.address, %failure, "still no link");
            } else {
                tracing::warn!(tenant = %self.tenant, address = %target.address, %failure, "no link");
            }
            if self.waiting.get() == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        target.busy.set(false);
        self.news.notify_waiters();
    }

    fn count(&self, failure: UpstreamError) {
        let counts = &self.context.counter.shard().link;
        let count = if failure == UpstreamError::ConnectTimeout {
            self.context.counter.limit(Limit::Connect);
            &counts.timed_out
        } else if failure == UpstreamError::TlsFailed {
            &counts.tls_failed
        } else if failure == UpstreamError::LinkUnavailable {
            &counts.unusable
        } else {
            &counts.connect_failed
        };
        count.add(1);
    }

    /// One link from dialling to its end. An error if it never took a request.
    async fn attempt(self: &Rc<Self>, target: &Rc<Target>) -> Result<(), UpstreamError> {
        let io =
            tokio::time::timeout(self.context.connect(), dial(&self.context.security, &self.tenant, target.address))
                .await
                .map_err(|_| UpstreamError::ConnectTimeout)??;
        let wire = Wire::new(Connection::client(self.context.settings.clone()), self.context.counter.clone());
        let link = Rc::new(Link { wire: wire.clone(), target: target.clone() });
        let end = ClientEnd { group: self.clone(), link: link.clone(), was_ready: Cell::new(false) };
        let why = wire.run(io, &end, &self.context.wheel).await;
        self.retire(&link);
        tracing::debug!(tenant = %self.tenant, address = %target.address, %why, "link ended");
        if end.was_ready.get() { Ok(()) } else { Err(UpstreamError::LinkUnavailable) }
    }

    /// Takes a link out of the choice; another may be made to its endpoint at once.
    fn retire(&self, link: &Rc<Link>) {
        let mut ready = self.ready.borrow_mut();
        let before = ready.len();
        ready.retain(|known| !Rc::ptr_eq(known, link));
        if ready.len() != before {
            link.target.busy.set(false);
        }
        drop(ready);
        link.wire.close();
        self.news.notify_waiters();
    }
}

impl Target {
    fn new(endpoint: &Endpoint) -> Self {
        Self {
            address: endpoint.address,
            weight: Cell::new(endpoint.weight),
            gone: Cell::new(false),
            busy: Cell::new(false),
            rest: Cell::new(REST),
            not_before: Cell::new(None),
            health: RefCell::default(),
        }
    }
}

impl Link {
    fn load(&self) -> u64 {
        let streams = self.wire.look(Connection::live_streams) as u64;
        // Per weight, in fixed point.
        (streams << 16) / u64::from(self.target.weight.get().max(1))
    }

    fn hold(&self, stream: StreamId) -> LinkStream {
        LinkStream::new(Channel::new(self.wire.clone(), stream))
    }
}

struct ClientEnd {
    group: Rc<LinkGroup>,
    link: Rc<Link>,
    was_ready: Cell<bool>,
}

impl End for ClientEnd {
    fn on_event(&self, _: &Rc<Wire>, event: Event) {
        match event {
            Event::Ready(_) => {
                self.was_ready.set(true);
                self.group.last_failure.set(None);
                let target = &self.link.target;
                target.health.borrow_mut().reached();
                target.rest.set(REST);
                target.not_before.set(None);
                self.group.ready.borrow_mut().push(self.link.clone());
                self.group.news.notify_waiters();
            }
            Event::Goaway { reason, .. } => {
                tracing::debug!(tenant = %self.group.tenant, ?reason, "link goes away");
                self.group.retire(&self.link);
            }
            Event::Request { .. }
            | Event::Informational { .. }
            | Event::Response { .. }
            | Event::Data { .. }
            | Event::Trailers { .. }
            | Event::Reset { .. }
            | Event::Capacity { .. }
            | Event::Datagram { .. }
            | Event::Pong { .. } => {}
        }
    }

    fn is_over(&self, wire: &Wire) -> bool {
        wire.is_closing() && wire.look(Connection::live_streams) == 0
    }
}
