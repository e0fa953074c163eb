//! One worker's share of the counts, and what it counts with.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::histogram::{Count, Exemplar, Series};
use super::limit::{LIMITS, Limit};
use super::scrape::upstream_labels;
use super::series::{Board, Key, Shared};
use bailey_routing::ir::UpstreamKey;

use crate::error::{ProxyError, Side};
use crate::respond::answer;

/// On whose side something went wrong, and the label of what.
pub(super) type Reason = (Side, &'static str);

/// One worker's share.
#[derive(Debug, Default)]
pub struct Shard {
    pub(super) requests: Shared,
    pub(super) attempts: Shared,
    /// Grows when series were let go of.
    pub(super) retired: AtomicU64,
    pub(super) errors: Mutex<Vec<(Reason, Arc<Count>)>>,
    /// Requests being answered.
    pub active_requests: Count,
    /// Client connections, opened since the start.
    pub connections_opened: Count,
    /// Client connections, closed since the start.
    pub connections_closed: Count,
    /// Second and further attempts at a backend.
    pub retries: Count,
    /// Copies of requests sent to mirrors.
    pub mirrors: Count,
    /// Copies that were not made because a mirror was busy.
    pub mirrors_skipped: Count,
    /// Connections to applications.
    pub upstream: UpstreamCounts,
    /// Links.
    pub link: LinkCounts,
    pub(super) limits: LimitCounts,
}

/// Connections to applications.
#[derive(Debug, Default)]
pub struct UpstreamCounts {
    /// Made.
    pub opened: Count,
    /// Closed.
    pub closed: Count,
    /// Waiting for a request.
    pub idle: Count,
    /// Not made.
    pub failed: Count,
    /// Endpoints set aside.
    pub ejections: Count,
}

/// Links to or from other tiers.
#[derive(Debug, Default)]
pub struct LinkCounts {
    /// Came about.
    pub opened: Count,
    /// Over.
    pub closed: Count,
    /// Streams begun.
    pub streams_opened: Count,
    /// Streams let go of.
    pub streams_closed: Count,
    /// Bytes read.
    pub received: Count,
    /// Bytes written.
    pub sent: Count,
    /// Nobody was there.
    pub connect_failed: Count,
    /// Nobody answered in time.
    pub timed_out: Count,
    /// It was not who it must be.
    pub tls_failed: Count,
    /// It came about and took no request.
    pub unusable: Count,
    /// Peers that failed the handshake.
    pub refused: Count,
    /// Peers that did not finish it in time.
    pub too_slow: Count,
}

/// One count for each limit.
#[derive(Debug)]
pub(super) struct LimitCounts([Count; LIMITS]);

impl Default for LimitCounts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Count::default()))
    }
}

impl LimitCounts {
    pub(super) fn of(&self, limit: Limit) -> &Count {
        &self.0[limit as usize]
    }
}

/// What is known of a request when it is over.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Status of the answer.
    pub status: u16,
    /// Why it went wrong, if it did.
    pub error: Option<ProxyError>,
    /// From the head's arrival to the end of the answer.
    pub took: Duration,
    /// Bytes of the request body.
    pub received: u64,
    /// Bytes of the response body.
    pub sent: u64,
}

/// The series of one set of labels, for each class of status; found once, and kept.
#[derive(Debug)]
struct Classes {
    first: Arc<str>,
    second: Arc<str>,
    via: Arc<str>,
    series: [OnceCell<Arc<Series>>; 6],
}

impl Classes {
    fn new(first: Arc<str>, second: Arc<str>, via: Arc<str>) -> Self {
        Self { first, second, via, series: std::array::from_fn(|_| OnceCell::new()) }
    }

    fn get(&self, status: u16, board: &Board, shared: &Shared) -> &Series {
        let class = (status / 100).min(5) as u8;
        let key = || Key { first: self.first.clone(), second: self.second.clone(), via: self.via.clone(), class };
        self.series[usize::from(class)].get_or_init(|| board.find(key(), shared))
    }
}

/// One upstream as a worker counts it; of a Service, what one route sends there.
#[derive(Debug)]
pub struct Hop(Classes);

impl Hop {
    /// Whether what each route sends there is counted by itself: to a Service, but not on a link, as the routes of an
    /// outer tier are hosts, of which there are many more.
    pub fn is_of_route(upstream: &UpstreamKey) -> bool {
        matches!(upstream, UpstreamKey::Service { .. })
    }

    /// A Service's port, to which `route` sends, or a tier at the end of a link.
    pub fn new(upstream: &UpstreamKey, route: &Arc<str>) -> Rc<Self> {
        let (hop, label) = upstream_labels(upstream);
        let via = if Self::is_of_route(upstream) { route.clone() } else { Arc::default() };
        Rc::new(Self(Classes::new(hop.into(), label, via)))
    }
}

/// One route as a worker counts it: kept by whoever meets the route again and again.
#[derive(Debug)]
pub struct Meter {
    classes: Classes,
    told: Cell<Option<Instant>>,
    unsaid: Cell<u64>,
}

impl Meter {
    /// A route of a tenant; both may be empty.
    pub fn new(tenant: Arc<str>, route: Arc<str>) -> Rc<Self> {
        Rc::new(Self {
            classes: Classes::new(tenant, route, Arc::default()),
            told: Cell::new(None),
            unsaid: Cell::new(0),
        })
    }

    /// The tenant.
    pub fn tenant(&self) -> &str {
        &self.classes.first
    }

    /// The route.
    pub fn route(&self) -> &Arc<str> {
        &self.classes.second
    }

    /// Whether a line about this route may be logged now, and how many were left out before it: one a second, so that
    /// a failing application does not fill the disk.
    pub fn may_tell(&self) -> Option<u64> {
        let now = Instant::now();
        if self.told.get().is_some_and(|then| now.duration_since(then) < Duration::from_secs(1)) {
            self.unsaid.set(self.unsaid.get() + 1);
            return None;
        }
        self.told.set(Some(now));
        Some(self.unsaid.take())
    }
}

/// What a worker counts with. Clones count into the same shard.
#[derive(Debug, Clone, Default)]
pub struct Counter(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    shard: Arc<Shard>,
    requests: Board,
    attempts: Board,
    errors: RefCell<HashMap<Reason, Arc<Count>>>,
    /// [`Shard::retired`] when series were last forgotten.
    forgot: Cell<u64>,
}

impl Counter {
    /// Counts into `shard`, which must belong to this worker alone.
    pub fn new(shard: Arc<Shard>) -> Self {
        Self(Rc::new(Inner { shard, ..Inner::default() }))
    }

    /// The plain counts of this worker.
    pub fn shard(&self) -> &Shard {
        &self.0.shard
    }

    /// Counts a request that is over.
    pub fn request(&self, meter: &Meter, done: &Done) {
        self.count(meter, done);
    }

    /// Counts a request that is over and whose trace is sampled: it may stand for those that took as long.
    pub fn sampled(&self, meter: &Meter, done: &Done, trace: u128, time: SystemTime) {
        self.count(meter, done).exemplify(Exemplar { trace, took: done.took, time });
    }

    fn count<'m>(&self, meter: &'m Meter, done: &Done) -> &'m Series {
        if let Some(error) = done.error {
            self.error(error);
        }
        let series = meter.classes.get(done.status, &self.0.requests, &self.0.shard.requests);
        series.observe(done.took);
        if done.received > 0 {
            series.received.add(done.received);
        }
        series.sent.add(done.sent);
        series
    }

    /// Counts an attempt that is over; `status` is 0 when there was no answer.
    pub fn attempt(&self, hop: &Hop, status: u16, took: Duration) {
        hop.0.get(status, &self.0.attempts, &self.0.shard.attempts).observe(took);
    }

    /// Counts that a limit refused or cut something, if that is what it was.
    pub fn limit(&self, limit: impl Into<Option<Limit>>) {
        if let Some(limit) = limit.into() {
            self.0.shard.limits.of(limit).add(1);
        }
    }

    /// Counts something that went wrong.
    pub fn error(&self, error: ProxyError) {
        let key = (error.side, answer(error.fate).label);
        let mut known = self.0.errors.borrow_mut();
        let count = known.entry(key).or_insert_with(|| {
            let count = Arc::<Count>::default();
            self.0.shard.errors.lock().unwrap_or_else(PoisonError::into_inner).push((key, count.clone()));
            count
        });
        count.add(1);
    }

    /// Follows a new configuration: forgets what it no longer names. Costs nothing when that is nothing.
    pub fn follow(&self) {
        let retired = self.0.shard.retired.load(Ordering::Relaxed);
        if self.0.forgot.replace(retired) != retired {
            self.0.requests.forget();
            self.0.attempts.forget();
        }
    }

    #[cfg(test)]
    pub(super) fn series(&self) -> usize {
        self.0.requests.len()
    }
}
