//! What is counted of requests, and how it is shown to Prometheus.
//!
//! Every worker counts into a shard that nobody else writes, with plain loads and stores; a scrape adds the shards up. A
//! lock is taken only when a route is met for the first time. Label values are configured names and fixed words, never
//! anything a client sent.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::error::{ProxyError, Side};
use crate::respond::answer;

#[cfg(test)]
mod tests;

/// Upper bounds of the duration histogram, in seconds: those of the semantic conventions for `http.server.request.duration`.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Series of one worker; what comes beyond is counted under the route `other`.
const MAX_SERIES: usize = 20_000;

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds. Only the worker the shard belongs to may call this, so it needs no atomic addition.
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// Takes away, under the same rule.
    pub fn sub(&self, less: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(less), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What tells one series from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    tenant: Arc<str>,
    route: Arc<str>,
    /// Hundreds of the status.
    class: u8,
}

/// On whose side something went wrong, and the label of what.
type Reason = (Side, &'static str);

/// Requests of one route with answers of one class.
#[derive(Debug, Default)]
struct Series {
    buckets: [Count; BOUNDS.len() + 1],
    nanoseconds: Count,
    received: Count,
    sent: Count,
}

/// One worker's share.
#[derive(Debug, Default)]
pub struct Shard {
    series: Mutex<Vec<(Key, Arc<Series>)>>,
    errors: Mutex<Vec<(Reason, Arc<Count>)>>,
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
}

/// Counts that are not a worker's: set by whoever loads configurations.
#[derive(Debug, Default)]
pub struct Process {
    /// Number of the snapshot that is served.
    pub generation: AtomicU64,
    /// 1 while the configuration comes from disk because its source could not be read.
    pub stale: AtomicU64,
    /// Configurations that were refused.
    pub rejected: AtomicU64,
    /// Problems that the configuration being served has.
    pub diagnostics: AtomicU64,
    /// Access log lines that were dropped because the writer could not keep up.
    pub log_dropped: AtomicU64,
}

/// All metrics of one tier.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Counts of the process.
    pub process: Process,
    shards: Mutex<Vec<Arc<Shard>>>,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A shard for one more worker.
    pub fn shard(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::default());
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).push(shard.clone());
        shard
    }

    /// The registry that shows these metrics, each with the tier's own labels (`tier`, `topology`).
    pub fn registry(self: &Arc<Self>, labels: Vec<(&'static str, String)>) -> Registry {
        let labels = labels.into_iter().map(|(name, value)| (Cow::Borrowed(name), Cow::Owned(value)));
        let mut registry = Registry::with_labels(labels);
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("bailey_build", "The release that is running", version);
        registry.register_collector(Box::new(Shown(self.clone())));
        registry
    }

    fn shards(&self) -> Vec<Arc<Shard>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The text of a registry, as a scrape gets it.
pub fn render(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
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

/// One route as a worker counts it: kept by whoever meets the route again and again.
#[derive(Debug)]
pub struct Meter {
    tenant: Arc<str>,
    route: Arc<str>,
    classes: [OnceCell<Arc<Series>>; 6],
    told: Cell<Option<Instant>>,
    unsaid: Cell<u64>,
}

impl Meter {
    /// A route of a tenant; both may be empty.
    pub fn new(tenant: Arc<str>, route: Arc<str>) -> Rc<Self> {
        let classes = std::array::from_fn(|_| OnceCell::new());
        Rc::new(Self { tenant, route, classes, told: Cell::new(None), unsaid: Cell::new(0) })
    }

    /// The tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The route.
    pub fn route(&self) -> &str {
        &self.route
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
#[derive(Debug, Clone)]
pub struct Counter {
    shard: Arc<Shard>,
    series: Rc<RefCell<HashMap<Key, Arc<Series>>>>,
    errors: Rc<RefCell<HashMap<Reason, Arc<Count>>>>,
}

impl Counter {
    /// Counts into `shard`, which must belong to this worker alone.
    pub fn new(shard: Arc<Shard>) -> Self {
        Self { shard, series: Rc::default(), errors: Rc::default() }
    }

    /// The plain counts of this worker.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Counts a request that is over.
    pub fn request(&self, meter: &Meter, done: &Done) {
        if let Some(error) = done.error {
            self.error(error);
        }
        let class = (done.status / 100).min(5) as u8;
        let key = || Key { tenant: meter.tenant.clone(), route: meter.route.clone(), class };
        let series = meter.classes[usize::from(class)].get_or_init(|| self.series_of(key()));
        let seconds = done.took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        series.buckets[bucket].add(1);
        series.nanoseconds.add(done.took.as_nanos() as u64);
        series.received.add(done.received);
        series.sent.add(done.sent);
    }

    /// Counts something that went wrong.
    pub fn error(&self, error: ProxyError) {
        let key = (error.side, answer(error.fate).label);
        if let Some(count) = self.errors.borrow().get(&key) {
            return count.add(1);
        }
        let count = Arc::new(Count::default());
        count.add(1);
        self.errors.borrow_mut().insert(key, count.clone());
        self.shard.errors.lock().unwrap_or_else(PoisonError::into_inner).push((key, count));
    }

    fn series_of(&self, mut key: Key) -> Arc<Series> {
        if let Some(series) = self.series.borrow().get(&key) {
            return series.clone();
        }
        let mut known = self.series.borrow_mut();
        if known.len() >= MAX_SERIES {
            key = Key { tenant: Arc::from(""), route: Arc::from("other"), class: key.class };
        }
        let shard = &self.shard;
        let series = known.entry(key.clone()).or_insert_with(|| {
            let series = Arc::new(Series::default());
            shard.series.lock().unwrap_or_else(PoisonError::into_inner).push((key, series.clone()));
            series
        });
        series.clone()
    }
}

/// The sum of one series over all workers.
#[derive(Default)]
struct Total {
    buckets: [u64; BOUNDS.len() + 1],
    nanoseconds: u64,
    received: u64,
    sent: u64,
}

impl Total {
    fn add(&mut self, series: &Series) {
        for (total, count) in self.buckets.iter_mut().zip(&series.buckets) {
            *total += count.get();
        }
        self.nanoseconds += series.nanoseconds.get();
        self.received += series.received.get();
        self.sent += series.sent.get();
    }
}

#[derive(Debug)]
struct Shown(Arc<Metrics>);

type Labels = Vec<(&'static str, String)>;

fn labels(key: &Key) -> Labels {
    vec![
        ("tenant", key.tenant.to_string()),
        ("route", key.route.to_string()),
        ("http_response_status_class", format!("{}xx", key.class)),
    ]
}

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shards = self.0.shards();
        let mut totals: BTreeMap<Key, Total> = BTreeMap::new();
        for shard in &shards {
            for (key, series) in shard.series.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                totals.entry(key.clone()).or_default().add(series);
            }
        }
        durations(&mut encoder, &totals)?;
        let received = "Bytes of request bodies";
        family(
            &mut encoder,
            "http_server_request_body_bytes",
            received,
            totals.iter().map(|(k, t)| (labels(k), t.received)),
        )?;
        let sent = "Bytes of response bodies";
        family(&mut encoder, "http_server_response_body_bytes", sent, totals.iter().map(|(k, t)| (labels(k), t.sent)))?;
        errors(&mut encoder, &shards)?;
        self.plain(&mut encoder, &shards)
    }
}

impl Shown {
    fn plain(&self, encoder: &mut DescriptorEncoder<'_>, shards: &[Arc<Shard>]) -> fmt::Result {
        let sum =
            |pick: fn(&Shard) -> &Count| shards.iter().fold(0_u64, |sum, shard| sum.wrapping_add(pick(shard).get()));
        let opened = sum(|shard| &shard.connections_opened);
        let open = opened.saturating_sub(sum(|shard| &shard.connections_closed));
        gauge(encoder, "http_server_active_requests", "Requests being answered", sum(|shard| &shard.active_requests))?;
        gauge(encoder, "bailey_connections", "Client connections that are open", open)?;
        counter(encoder, "bailey_connections_opened", "Client connections that were opened", opened)?;
        counter(encoder, "bailey_retries", "Second and further attempts at a backend", sum(|shard| &shard.retries))?;
        counter(encoder, "bailey_mirrors", "Copies of requests sent to mirrors", sum(|shard| &shard.mirrors))?;
        let skipped = sum(|shard| &shard.mirrors_skipped);
        counter(encoder, "bailey_mirrors_skipped", "Copies not made because a mirror was busy", skipped)?;
        let process = &self.0.process;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        gauge(
            encoder,
            "bailey_config_generation",
            "Number of the configuration that is served",
            get(&process.generation),
        )?;
        gauge(encoder, "bailey_config_stale", "1 while an old configuration from disk is served", get(&process.stale))?;
        gauge(
            encoder,
            "bailey_config_diagnostics",
            "Problems in the configuration that is served",
            get(&process.diagnostics),
        )?;
        counter(encoder, "bailey_config_rejected", "Configurations that were refused", get(&process.rejected))?;
        counter(encoder, "bailey_access_log_dropped", "Access log lines that were dropped", get(&process.log_dropped))
    }
}

fn durations(encoder: &mut DescriptorEncoder<'_>, totals: &BTreeMap<Key, Total>) -> fmt::Result {
    let help = "Time from a request's head to the end of its answer";
    let kind = MetricType::Histogram;
    let mut metric = encoder.encode_descriptor("http_server_request_duration", help, Some(&Unit::Seconds), kind)?;
    for (key, total) in totals {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(total.buckets).collect();
        let count = total.buckets.iter().sum();
        let seconds = Duration::from_nanos(total.nanoseconds).as_secs_f64();
        metric.encode_family(&labels(key))?.encode_histogram::<Labels>(seconds, count, &buckets, None)?;
    }
    Ok(())
}

fn errors(encoder: &mut DescriptorEncoder<'_>, shards: &[Arc<Shard>]) -> fmt::Result {
    let mut totals: BTreeMap<(&'static str, &'static str), u64> = BTreeMap::new();
    for shard in shards {
        for ((side, reason), count) in shard.errors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            *totals.entry((side.as_str(), reason)).or_default() += count.get();
        }
    }
    let rows = totals
        .into_iter()
        .map(|((side, reason), count)| (vec![("side", side.to_owned()), ("reason", reason.to_owned())], count));
    family(encoder, "bailey_request_errors", "Requests that did not get their application's answer", rows)
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl Iterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, count) in rows {
        ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(metric)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)
}
