//! One worker's view of an upstream: its endpoints, what is known of each, and their idle connections. Decides which endpoint takes a request
//! and whether a connection may be used again. Moves no bytes of a request.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bailey_crds::UpstreamLimits;
use bailey_http1::{ClientConnection, Limits};
use bailey_routing::ir::{Upstream as Source, UpstreamId};
use bytes::BytesMut;
use smallvec::SmallVec;
use tokio::net::TcpStream;

use super::UpstreamError;
use super::balance::{Balance, Candidates, choose};
use super::h2c::H2Pool;
use super::health::Health;
use super::retry::Budget;
use crate::io::Io;
use crate::link::client::LinkGroup;
use crate::metrics::{Counter, Limit};
use crate::timer::{Wheel, ticks};

/// Idle connections to one endpoint per worker.
const IDLE_PER_ENDPOINT: usize = 256;
/// For one attempt while there are other endpoints to try.
const CONNECT_ONE: Duration = Duration::from_secs(1);
/// Endpoints tried for one request.
const TRIES: usize = 3;
/// Bytes to make room for before a read.
pub(crate) const READ: usize = 16 * 1024;
/// Size of the blocks that are read into.
const BLOCK: usize = 64 * 1024;

/// What a tier's limits say of upstreams, as the worker's snapshot has it.
pub(crate) type SharedLimits = Rc<Cell<UpstreamLimits>>;

pub(crate) fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// Where all connections of a worker are read into: what a read brought is split off, so that a connection holds memory only for bytes that
/// are still in use.
pub(crate) struct Arena {
    block: RefCell<BytesMut>,
    wheel: Wheel,
}

impl Arena {
    pub(crate) fn new(wheel: Wheel) -> Rc<Self> {
        Rc::new(Self { block: RefCell::new(BytesMut::with_capacity(BLOCK)), wheel })
    }

    /// The worker's coarse clock, in ticks: what is idle for seconds needs no better one.
    pub(crate) fn now(&self) -> u64 {
        self.wheel.now()
    }

    /// Reads once and appends what came to `input`; 0 at the end.
    pub(crate) fn poll_read(
        &self,
        io: &mut Io,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
    ) -> Poll<std::io::Result<usize>> {
        if !input.is_empty() {
            return io.poll_read(cx, input, READ);
        }
        let mut arena = self.block.borrow_mut();
        let read = io.poll_read(cx, &mut arena, READ);
        if !arena.is_empty() {
            *input = arena.split();
        }
        read
    }
}

/// A connection to an application.
pub(crate) struct H1Connection {
    pub(crate) io: Io,
    pub(crate) codec: ClientConnection,
    _open: Open,
}

/// Counts a connection for as long as it is open.
pub(crate) struct Open(Counter);

impl Open {
    fn new(counter: &Counter) -> Self {
        counter.shard().upstream.opened.add(1);
        Self(counter.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.shard().upstream.closed.add(1);
    }
}

struct Idle {
    connection: Box<H1Connection>,
    /// Tick of the worker's wheel.
    since: u64,
}

/// Whether a connection that is idle since this tick may still be used.
fn is_fresh(since: u64, now: u64, limit: Duration) -> bool {
    now.saturating_sub(since) < ticks(limit)
}

/// One endpoint of an upstream, as one worker knows it.
pub(crate) struct Member {
    pub(crate) address: SocketAddr,
    weight: Cell<u32>,
    load: Cell<u32>,
    health: RefCell<Health>,
    idle: RefCell<Vec<Idle>>,
    pub(crate) h2: H2Pool,
    /// It left the snapshot: nothing is kept for it any more.
    gone: Cell<bool>,
    counter: Counter,
}

impl Member {
    fn new(address: SocketAddr, weight: u32, counter: Counter) -> Rc<Self> {
        Rc::new(Self {
            address,
            weight: Cell::new(weight),
            load: Cell::new(0),
            health: RefCell::default(),
            idle: RefCell::default(),
            h2: H2Pool::default(),
            gone: Cell::new(false),
            counter,
        })
    }

    /// The connection that was idle for the shortest time, and for less than `limit`, and is still as we left it.
    pub(crate) fn checkout(&self, arena: &Arena, limit: Duration) -> Option<Box<H1Connection>> {
        let mut nobody = Context::from_waker(Waker::noop());
        loop {
            let Idle { mut connection, since } = self.idle.borrow_mut().pop()?;
            self.counter.shard().upstream.idle.sub(1);
            let mut stray = BytesMut::new();
            // Anything to read is either the end or bytes that belong to no answer.
            if is_fresh(since, arena.now(), limit)
                && arena.poll_read(&mut connection.io, &mut nobody, &mut stray).is_pending()
            {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(crate) fn checkin(&self, connection: Box<H1Connection>, now: u64) {
        let mut idle = self.idle.borrow_mut();
        if !self.gone.get() && idle.len() < IDLE_PER_ENDPOINT {
            idle.push(Idle { connection, since: now });
            self.counter.shard().upstream.idle.add(1);
        }
    }

    /// Drops connections that have been idle for too long.
    fn sweep(&self, now: u64, limit: Duration) {
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain(|idle| is_fresh(idle.since, now, limit));
        self.counter.shard().upstream.idle.sub((before - idle.len()) as u64);
    }

    fn leave(&self) {
        self.gone.set(true);
        self.counter.shard().upstream.idle.sub(self.idle.take().len() as u64);
        self.h2.clear();
    }

    /// Makes a connection.
    pub(crate) async fn connect(&self) -> Result<(TcpStream, Open), UpstreamError> {
        let stream =
            TcpStream::connect(self.address).await.map_err(|error| UpstreamError::ConnectFailed(error.kind()))?;
        // Without it small writes would wait for acknowledgements; a socket that cannot do it still works.
        let _ = stream.set_nodelay(true);
        Ok((stream, Open::new(&self.counter)))
    }

    pub(crate) fn reached(&self) {
        self.health.borrow_mut().reached();
    }

    pub(crate) fn failed(&self) {
        if self.health.borrow_mut().failed(Instant::now()) {
            tracing::info!(address = %self.address, "endpoint set aside");
            self.counter.shard().upstream.ejections.add(1);
        }
    }
}

/// Counts a request in flight for as long as it lives.
pub(crate) struct Load(Rc<Member>);

impl Load {
    fn new(member: Rc<Member>) -> Self {
        member.load.set(member.load.get() + 1);
        Self(member)
    }

    pub(crate) fn member(&self) -> &Rc<Member> {
        &self.0
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.load.set(self.0.load.get().saturating_sub(1));
    }
}

/// A connection to an application, ready for a request.
pub(crate) enum Ready {
    /// One that was used before, or has just been made.
    H1 {
        connection: Box<H1Connection>,
        reused: bool,
    },
    H2(h2::client::SendRequest<bytes::Bytes>),
}

/// One upstream, as one worker knows it.
pub(crate) struct Group {
    source: RefCell<Arc<Source>>,
    /// What was there before: requests that still hold it do not turn the time back.
    superseded: RefCell<Option<Arc<Source>>>,
    members: RefCell<Vec<Rc<Member>>>,
    turn: Cell<u32>,
    balance: Balance,
    limits: SharedLimits,
    pub(crate) budget: Budget,
    /// Tick of the worker's wheel at which a request was last sent to it.
    pub(crate) used: Cell<u64>,
    /// Set for an upstream that is a link.
    pub(crate) link: Option<Rc<LinkGroup>>,
    pub(crate) counter: Counter,
}

struct View<'a> {
    members: &'a [Rc<Member>],
    tried: &'a [SocketAddr],
    /// Read when somebody asks, which a choice of one does not.
    now: OnceCell<Instant>,
}

impl Candidates for View<'_> {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn weight(&self, at: usize) -> u32 {
        self.members[at].weight.get()
    }

    fn load(&self, at: usize) -> u32 {
        self.members[at].load.get()
    }

    fn usable(&self, at: usize) -> bool {
        let member = &self.members[at];
        !self.tried.contains(&member.address) && member.health.borrow().usable(*self.now.get_or_init(Instant::now))
    }
}

impl Group {
    pub(crate) fn new(
        source: Arc<Source>,
        balance: Balance,
        limits: SharedLimits,
        link: Option<Rc<LinkGroup>>,
        counter: Counter,
        now: u64,
    ) -> Rc<Self> {
        let group = Self {
            source: RefCell::new(source),
            superseded: RefCell::new(None),
            members: RefCell::default(),
            turn: Cell::new(0),
            balance,
            limits,
            budget: Budget::default(),
            used: Cell::new(now),
            link,
            counter,
        };
        group.rebuild();
        Rc::new(group)
    }

    pub(crate) fn id(&self) -> UpstreamId {
        self.source.borrow().id.clone()
    }

    /// Follows the snapshot of the request that is about to use it.
    pub(crate) fn follow(&self, source: &Arc<Source>) {
        let old = |known: &Arc<Source>| Arc::ptr_eq(known, source);
        if old(&self.source.borrow()) || self.superseded.borrow().as_ref().is_some_and(old) {
            return;
        }
        *self.superseded.borrow_mut() = Some(self.source.replace(source.clone()));
        self.rebuild();
    }

    fn rebuild(&self) {
        let source = self.source.borrow();
        if let Some(link) = &self.link {
            return link.update(&source.endpoints);
        }
        let mut members = self.members.borrow_mut();
        let mut old = std::mem::take(&mut *members);
        for endpoint in &source.endpoints {
            let known = old.iter().position(|member| member.address == endpoint.address);
            let member = match known {
                Some(at) => old.swap_remove(at),
                None => Member::new(endpoint.address, endpoint.weight, self.counter.clone()),
            };
            member.weight.set(endpoint.weight);
            members.push(member);
        }
        for member in old {
            member.leave();
        }
    }

    /// Everything that is kept for it goes.
    pub(crate) fn leave(&self) {
        for member in &*self.members.borrow() {
            member.leave();
        }
        if let Some(link) = &self.link {
            link.update(&[]);
        }
    }

    pub(crate) fn sweep(&self, now: u64) {
        for member in &*self.members.borrow() {
            member.sweep(now, seconds(self.limits.get().idle_seconds));
        }
    }

    /// Whether requests are in flight.
    pub(crate) fn is_busy(&self) -> bool {
        self.members.borrow().iter().any(|member| member.load.get() > 0)
    }

    fn choose(&self, tried: &[SocketAddr]) -> Option<Rc<Member>> {
        let members = self.members.borrow();
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        let view = View { members: &members, tried, now: OnceCell::new() };
        choose(self.balance, turn, &view).map(|at| members[at].clone())
    }

    /// An endpoint and a connection to it. `avoid` has failed this request before.
    pub(crate) async fn acquire(
        &self,
        arena: &Arena,
        h2: bool,
        avoid: Option<SocketAddr>,
    ) -> Result<(Load, Ready), UpstreamError> {
        let tried: SmallVec<[SocketAddr; 4]> = avoid.into_iter().collect();
        let first = self.choose(&tried).ok_or(UpstreamError::NoEndpoint)?;
        if !h2 && let Some(connection) = first.checkout(arena, seconds(self.limits.get().idle_seconds)) {
            return Ok((Load::new(first), Ready::H1 { connection, reused: true }));
        }
        // Boxed: what is rare must not enlarge what every request carries.
        Box::pin(self.connect(arena, h2, first, tried)).await
    }

    /// A connection to `first`, or to another endpoint that has not been tried.
    async fn connect(
        &self,
        arena: &Arena,
        h2: bool,
        first: Rc<Member>,
        mut tried: SmallVec<[SocketAddr; 4]>,
    ) -> Result<(Load, Ready), UpstreamError> {
        let before = tried.len();
        let limits = self.limits.get();
        let (mut until, mut first) = (None, Some(first));
        loop {
            let member = first.take().or_else(|| self.choose(&tried)).ok_or(UpstreamError::NoEndpoint)?;
            let load = Load::new(member.clone());
            let kept = if h2 {
                member.h2.get().await.map(Ready::H2)
            } else {
                member
                    .checkout(arena, seconds(limits.idle_seconds))
                    .map(|connection| Ready::H1 { connection, reused: true })
            };
            if let Some(kept) = kept {
                return Ok((load, kept));
            }
            let until = *until.get_or_insert_with(|| tokio::time::Instant::now() + seconds(limits.connect_seconds));
            tried.push(member.address);
            let others = self.members.borrow().iter().any(|member| !tried.contains(&member.address));
            let last = !others || tried.len() - before >= TRIES;
            let limit = if last { until } else { until.min(tokio::time::Instant::now() + CONNECT_ONE) };
            let made = tokio::time::timeout_at(limit, make(&member, h2)).await;
            match made.unwrap_or(Err(UpstreamError::ConnectTimeout)) {
                // Whether the endpoint is well shows when it answers.
                Ok(ready) => return Ok((load, ready)),
                Err(error) => {
                    self.counter.shard().upstream.failed.add(1);
                    if error == UpstreamError::ConnectTimeout {
                        self.counter.limit(Limit::Connect);
                    }
                    member.failed();
                    if last {
                        return Err(error);
                    }
                }
            }
        }
    }
}

async fn make(member: &Rc<Member>, h2: bool) -> Result<Ready, UpstreamError> {
    if h2 {
        return member.h2.make(member).await.map(Ready::H2);
    }
    let (stream, open) = member.connect().await?;
    let io = Io::plain(stream);
    let codec = ClientConnection::new(Limits::DEFAULT);
    Ok(Ready::H1 { connection: Box::new(H1Connection { io, codec, _open: open }), reused: false })
}
