//! What answers requests: the links to inner tiers, the applications' endpoints. One [`Backends`] per worker finds or makes a connection for
//! a request and returns an [`Upstream`] to pump it into. Which upstream a request goes to, and whether it is tried again, is decided by
//! the caller with [`retry`].

pub mod balance;
mod error;
mod h1;
mod h2c;
pub(crate) mod health;
mod mirror;
pub(crate) mod pool;
pub mod retry;

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bailey_crds::UpstreamLimits;
use bailey_http1::{Fields, RequestHead};
use bailey_link::{RequestMeta, Settings, Times};
use bailey_routing::ir::{BackendProtocol, Upstream as Source, UpstreamId, UpstreamKey};
use bytes::Bytes;

pub use error::UpstreamError;
pub use mirror::{Copied, MirrorTap, Mirrored};

use crate::error::ProxyError;
use crate::exchange::{Backend, ResetReason, ResponseEvent};
use crate::link::client::{LinkContext, LinkGroup};
use crate::link::{LinkSecurity, LinkStream};
use crate::metrics::{Counter, Limit};
use crate::timer::{Wheel, ticks};
use balance::Balance;
use h1::H1Exchange;
use h2c::H2Exchange;
use pool::{Arena, Group, Ready, SharedLimits};
use retry::{Attempt, Failure, Replay, RetryPolicy, Verdict};

#[cfg(test)]
pub(crate) mod tests;

/// How often what is idle is looked at.
const SWEEP: Duration = Duration::from_secs(5);
/// An upstream that nothing was sent to for so long is forgotten, links included.
const FORGET: Duration = Duration::from_mins(5);

/// What all upstreams of a worker share.
#[derive(Clone)]
pub struct BackendOptions {
    /// How links are protected; `None` where there are none.
    pub link: Option<LinkSecurity>,
    /// What this tier tells its peers about itself.
    pub link_settings: Settings,
    /// How requests are spread over endpoints.
    pub balance: Balance,
    /// What the worker counts with.
    pub counter: Counter,
}

/// One worker's connections to everything that answers.
pub struct Backends {
    groups: RefCell<HashMap<UpstreamId, Rc<Group>, BuildHasherDefault<IdHasher>>>,
    arena: Rc<Arena>,
    balance: Balance,
    limits: SharedLimits,
    link: Option<Rc<LinkContext>>,
    pub(crate) mirrors: mirror::Mirrors,
    counter: Counter,
}

/// A request to be opened.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// The head as the other side shall see it.
    pub head: &'a RequestHead,
    /// What a link tells beside the head; method, target, host, body length and stream type are taken from the head.
    pub about: &'a RequestMeta<'a>,
    /// The request has no body. Never set for an upgrade.
    pub end: bool,
}

impl<'a> Opening<'a> {
    /// A request whose `end` follows from its head.
    pub fn new(head: &'a RequestHead, about: &'a RequestMeta<'a>) -> Self {
        Self { head, about, end: crate::link::ends(head) }
    }
}

/// The hash is already in the id.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Ids write one u64; anything else still gets a hash.
        for byte in bytes {
            self.0 = self.0.rotate_left(5) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Backends {
    /// No connections yet. Call on the worker's own thread, and let [`Self::housekeep`] run there.
    pub fn new(options: BackendOptions, wheel: Wheel) -> Rc<Self> {
        let settings = options.link_settings;
        let limits = SharedLimits::default();
        let arena = Arena::new(wheel.clone());
        let counter = options.counter;
        let context =
            |security| LinkContext { security, settings, limits: limits.clone(), wheel, counter: counter.clone() };
        Rc::new(Self {
            groups: RefCell::default(),
            arena,
            balance: options.balance,
            link: options.link.map(|security| Rc::new(context(security))),
            limits,
            counter,
            mirrors: mirror::Mirrors::default(),
        })
    }

    /// Drops what has been idle for too long. Never ends.
    pub async fn housekeep(self: Rc<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let now = self.arena.now();
            self.groups.borrow_mut().retain(|_, group| {
                group.sweep(now);
                let stays = group.is_busy() || now.saturating_sub(group.used.get()) < ticks(FORGET);
                if !stays {
                    group.leave();
                }
                stays
            });
        }
    }

    /// Drops upstreams that are not among these, and takes over the endpoints of those that are. New requests get `limits`.
    pub fn follow(&self, upstreams: &[Arc<Source>], limits: UpstreamLimits) {
        self.limits.set(limits);
        let mut groups = self.groups.borrow_mut();
        groups.retain(|id, group| {
            let stays = upstreams.iter().find(|upstream| upstream.id == *id);
            match stays {
                Some(upstream) => group.follow(upstream),
                None => group.leave(),
            }
            stays.is_some()
        });
    }

    /// What requests that begin now are allowed.
    pub fn limits(&self) -> UpstreamLimits {
        self.limits.get()
    }

    fn group(&self, to: &Arc<Source>) -> Rc<Group> {
        if let Some(group) = self.groups.borrow().get(&to.id) {
            group.follow(to);
            return group.clone();
        }
        let link = match (to.id.key(), &self.link) {
            (UpstreamKey::Link { tenant }, Some(context)) => Some(LinkGroup::new(tenant.clone(), context.clone())),
            (UpstreamKey::Link { .. }, None) | (UpstreamKey::Service { .. }, _) => None,
        };
        let group =
            Group::new(to.clone(), self.balance, self.limits.clone(), link, self.counter.clone(), self.arena.now());
        self.groups.borrow_mut().insert(to.id.clone(), group.clone());
        group
    }

    /// Opens a request: finds a connection, or makes one within the connect deadline, and queues the head on it. Endpoints that refuse are
    /// passed over; nothing has been sent when this fails.
    pub async fn open(&self, to: &Arc<Source>, opening: Opening<'_>) -> Result<Upstream, UpstreamError> {
        let group = self.group(to);
        group.budget.request(self.limits.get().retry_budget_percent);
        self.open_on(group, opening, None).await
    }

    /// Opens a request once more after `failed`, at another endpoint if there is one, and hands over what of the body had been sent.
    pub async fn reopen(&self, failed: Upstream, opening: Opening<'_>) -> Result<Upstream, UpstreamError> {
        let avoid = failed.endpoint();
        let Upstream { group, replay, taps, .. } = failed;
        let again = Opening { end: opening.end, ..opening };
        let mut upstream = self.open_on(group, again, avoid).await?;
        if !opening.end {
            for part in replay.parts() {
                upstream.send_data(part.clone(), false);
            }
            if replay.ended() {
                upstream.send_data(Bytes::new(), true);
            }
        }
        upstream.taps = taps;
        Ok(upstream)
    }

    async fn open_on(
        &self,
        group: Rc<Group>,
        opening: Opening<'_>,
        avoid: Option<SocketAddr>,
    ) -> Result<Upstream, UpstreamError> {
        let Opening { head, about, end } = opening;
        let (is_link, h2) = match group.id().key() {
            UpstreamKey::Link { .. } => (true, false),
            UpstreamKey::Service { protocol, .. } => (false, *protocol == BackendProtocol::H2c),
        };
        let kind = if is_link {
            let link = group.link.clone().ok_or(UpstreamError::Internal)?;
            group.used.set(self.arena.now());
            Kind::Link(link.open(head, about, end).await?)
        } else {
            let (load, ready) = group.acquire(&self.arena, h2, avoid).await?;
            match ready {
                Ready::H1 { connection, reused } => {
                    Kind::H1(H1Exchange::new(load, self.arena.clone(), connection, reused, head))
                }
                Ready::H2(sender) => Kind::H2(H2Exchange::new(load, sender, head, end)?),
            }
        };
        Ok(Upstream {
            kind,
            group,
            replay: Replay::up_to(self.limits.get().retry_body_bytes as usize),
            refused: None,
            failure: None,
            answered: false,
            taps: Vec::new(),
        })
    }
}

/// A request that was opened: the side of an exchange that answers it. Dropping it before its end cancels.
pub struct Upstream {
    kind: Kind,
    group: Rc<Group>,
    replay: Replay,
    /// Statuses that are reported as failures, since the caller would try again.
    refused: Option<Box<[u16]>>,
    failure: Option<UpstreamError>,
    answered: bool,
    taps: Vec<MirrorTap>,
}

enum Kind {
    Link(LinkStream),
    H1(H1Exchange),
    H2(H2Exchange),
}

impl Upstream {
    /// The endpoint that was chosen; `None` on a link.
    pub fn endpoint(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Link(_) => None,
            Kind::H1(exchange) => Some(exchange.load().member().address),
            Kind::H2(exchange) => Some(exchange.load().member().address),
        }
    }

    /// What the next tier says of its own times, once it has answered.
    pub fn times(&self) -> Option<Times> {
        match &self.kind {
            Kind::Link(stream) => stream.times(),
            Kind::H1(_) | Kind::H2(_) => None,
        }
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<UpstreamError> {
        self.failure
    }

    /// The status that was refused, if one was.
    pub fn refused_status(&self) -> Option<u16> {
        match self.failure {
            Some(UpstreamError::Status(status)) => Some(status),
            Some(_) | None => None,
        }
    }

    /// Reports an answer with one of these statuses as [`UpstreamError::Status`] instead of passing it on. For attempts that are not the last.
    pub fn refuse_statuses(&mut self, codes: &[u16]) {
        self.refused = (!codes.is_empty()).then(|| codes.into());
    }

    /// Also hands the request's body to a mirror.
    pub fn tee(&mut self, tap: MirrorTap) {
        self.taps.push(tap);
    }

    /// Whether to open the request again after its failure, as far as the upstream can tell. `made` counts attempts so far.
    pub fn verdict(&self, made: u8, idempotent: bool, policy: &RetryPolicy) -> Verdict {
        let failure = self.failure.map_or(Failure::Answered, UpstreamError::failure);
        let attempt = Attempt { made, idempotent, replayable: self.replay.is_complete() };
        let refused = self.group.budget.refused();
        let verdict = retry::decide(failure, attempt, policy, &self.group.budget);
        if self.group.budget.refused() > refused {
            self.group.counter.limit(Limit::RetryBudget);
        }
        verdict
    }

    fn pass(&mut self, event: ResponseEvent) -> Result<ResponseEvent, UpstreamError> {
        if let ResponseEvent::Head { head, .. } = &event {
            if self.refused.as_ref().is_some_and(|codes| codes.contains(&head.status)) {
                return Err(UpstreamError::Status(head.status));
            }
            self.answered = true;
            self.replay.lose();
        }
        Ok(event)
    }
}

impl Backend for Upstream {
    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, ProxyError>> {
        let room = match &mut self.kind {
            Kind::Link(stream) => ready!(stream.poll_capacity(cx)),
            Kind::H1(exchange) => Ok(ready!(exchange.poll_capacity(cx))),
            Kind::H2(exchange) => Ok(ready!(exchange.poll_capacity(cx))),
        };
        if let Err(error) = room {
            self.failure = Some(error);
        }
        Poll::Ready(room.map_err(ProxyError::from))
    }

    fn send_data(&mut self, data: Bytes, end: bool) {
        if !self.answered {
            self.replay.record(&data, end);
        }
        for tap in &mut self.taps {
            tap.send(&data, end);
        }
        match &mut self.kind {
            Kind::Link(stream) => stream.send_data(data, end),
            Kind::H1(exchange) => exchange.send_data(data, end),
            Kind::H2(exchange) => exchange.send_data(data, end),
        }
    }

    fn send_trailers(&mut self, trailers: Fields) {
        // Bodies with trailers are streams; they are not kept for a repetition.
        self.replay.lose();
        for tap in &mut self.taps {
            tap.send(&Bytes::new(), true);
        }
        match &mut self.kind {
            Kind::Link(stream) => stream.send_trailers(trailers),
            Kind::H1(exchange) => exchange.send_trailers(&trailers),
            Kind::H2(exchange) => exchange.send_trailers(&trailers),
        }
    }

    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseEvent, ProxyError>> {
        let event = match &mut self.kind {
            Kind::Link(stream) => ready!(stream.poll_response(cx)),
            Kind::H1(exchange) => ready!(exchange.poll_response(cx)),
            Kind::H2(exchange) => ready!(exchange.poll_response(cx)),
        };
        let event = event.and_then(|event| self.pass(event));
        if let Err(error) = event {
            self.failure = Some(error);
        }
        Poll::Ready(event.map_err(ProxyError::from))
    }

    fn cancel(&mut self, reason: ResetReason) {
        match &mut self.kind {
            Kind::Link(stream) => stream.cancel(reason),
            Kind::H1(exchange) => exchange.cancel(reason),
            Kind::H2(exchange) => exchange.cancel(reason),
        }
    }
}
