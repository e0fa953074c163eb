//! Durations as one worker counts them and as a scrape sums them up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};

/// Upper bounds in seconds: those of the semantic conventions for `http.server.request.duration`.
pub(super) const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The same in microseconds, which is what a request is compared with.
const BOUNDS_US: [u64; BOUNDS.len()] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000, 5_000_000,
    7_500_000, 10_000_000,
];
/// With the one that has no bound.
pub(super) const BUCKETS: usize = BOUNDS.len() + 1;

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

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request that stands for those of its bucket: where to look for one that took so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exemplar {
    /// The id of its trace, which is sampled.
    pub trace: u128,
    /// How long it took.
    pub took: Duration,
    /// When it was over.
    pub time: SystemTime,
}

type Exemplars = [Option<Exemplar>; BUCKETS];

/// What one worker has counted under one set of labels.
#[derive(Debug, Default)]
pub(super) struct Series {
    buckets: [Count; BUCKETS],
    nanoseconds: Count,
    /// Bytes of request bodies.
    pub(super) received: Count,
    /// Bytes of response bodies.
    pub(super) sent: Count,
    /// There only where requests are sampled.
    exemplars: OnceLock<Box<Mutex<Exemplars>>>,
    /// What the labels name is no longer configured.
    pub(super) retired: AtomicBool,
}

impl Series {
    /// Counts one that took so long.
    pub(super) fn observe(&self, took: Duration) {
        self.buckets[bucket(took)].add(1);
        self.nanoseconds.add(took.as_nanos() as u64);
    }

    /// Remembers a sampled request. A scrape that reads at this moment is not waited for; the next one will do.
    pub(super) fn exemplify(&self, exemplar: Exemplar) {
        let exemplars = self.exemplars.get_or_init(Box::default);
        let mut exemplars = match exemplars.try_lock() {
            Ok(exemplars) => exemplars,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        exemplars[bucket(exemplar.took)] = Some(exemplar);
    }
}

/// The bucket of a duration: the first whose bound it does not pass.
fn bucket(took: Duration) -> usize {
    let us = took.as_micros() as u64;
    let exact = us + u64::from(!took.subsec_nanos().is_multiple_of(1000));
    BOUNDS_US.iter().position(|bound| exact <= *bound).unwrap_or(BOUNDS.len())
}

/// The sum of series of several workers.
#[derive(Debug, Clone, Default)]
pub struct Total {
    /// Observations in each bucket, not cumulated; the last has no bound.
    pub(super) buckets: [u64; BUCKETS],
    nanoseconds: u64,
    /// Bytes of request bodies.
    pub received: u64,
    /// Bytes of response bodies.
    pub sent: u64,
    exemplars: Option<Box<Exemplars>>,
}

impl Total {
    pub(super) fn add(&mut self, series: &Series) {
        for (total, count) in self.buckets.iter_mut().zip(&series.buckets) {
            *total += count.get();
        }
        self.nanoseconds += series.nanoseconds.get();
        self.received += series.received.get();
        self.sent += series.sent.get();
        let Some(exemplars) = series.exemplars.get() else { return };
        let exemplars = *exemplars.lock().unwrap_or_else(PoisonError::into_inner);
        for (latest, one) in self.exemplars.get_or_insert_default().iter_mut().zip(exemplars) {
            *latest = (*latest).into_iter().chain(one).max_by_key(|exemplar| exemplar.time);
        }
    }

    /// With what was counted under other labels.
    pub fn join(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, more)| *sum += more);
        self.nanoseconds += other.nanoseconds;
        self.received += other.received;
        self.sent += other.sent;
    }

    /// What came after `before`. A count that went back belongs to a tier that was started anew.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            buckets: std::array::from_fn(|at| self.buckets[at].saturating_sub(before.buckets[at])),
            nanoseconds: self.nanoseconds.saturating_sub(before.nanoseconds),
            received: self.received.saturating_sub(before.received),
            sent: self.sent.saturating_sub(before.sent),
            exemplars: None,
        }
    }

    /// The latest sampled request of a bucket.
    pub(super) fn exemplar(&self, bucket: usize) -> Option<Exemplar> {
        self.exemplars.as_ref().and_then(|exemplars| exemplars[bucket])
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How long they took together.
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds).as_secs_f64()
    }

    /// The duration that so many in a thousand did not pass, by linear interpolation within its bucket, as Prometheus
    /// does it; of the last bucket its lower bound. `None`: there were none.
    pub fn quantile(&self, per_mille: u64) -> Option<Duration> {
        let rank = (self.count() * per_mille).div_ceil(1000).max(1);
        let mut below = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            if below + count >= rank {
                let lower = if at == 0 { 0 } else { BOUNDS_US[at - 1] };
                let width = BOUNDS_US.get(at).map_or(0, |upper| upper - lower);
                return Some(Duration::from_micros(lower + width * (rank - below) / count));
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_the_same_in_both_units() {
        for (seconds, us) in BOUNDS.iter().zip(BOUNDS_US) {
            assert_eq!(Duration::from_secs_f64(*seconds), Duration::from_micros(us));
        }
    }

    #[test]
    fn totals_are_joined_and_compared() {
        let total = |counts: &[u64]| {
            let mut total = Total { nanoseconds: 7, received: 3, sent: 2, ..Total::default() };
            total.buckets[..counts.len()].copy_from_slice(counts);
            total
        };
        let mut sum = total(&[1, 2]);
        sum.join(&total(&[10, 20, 30]));
        assert_eq!((sum.count(), sum.nanoseconds, sum.received, sum.sent), (63, 14, 6, 4));
        let moved = sum.since(&total(&[1, 2]));
        assert_eq!((moved.count(), moved.nanoseconds), (60, 7));
        assert_eq!(total(&[1]).since(&sum).count(), 0, "a tier that was started anew");
    }

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        assert_eq!(bucket(Duration::from_millis(5)), 0);
        assert_eq!(bucket(Duration::from_nanos(5_000_001)), 1);
        assert_eq!(bucket(Duration::from_secs(10)), BOUNDS.len() - 1);
        assert_eq!(bucket(Duration::from_secs(11)), BOUNDS.len());
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let series = Series::default();
        for _ in 0..99 {
            series.observe(Duration::from_millis(1));
        }
        series.observe(Duration::from_millis(80));
        let mut total = Total::default();
        assert_eq!(total.quantile(500), None);
        total.add(&series);
        assert_eq!(total.quantile(990), Some(Duration::from_millis(5)));
        assert!(total.quantile(500).is_some_and(|half| half < Duration::from_millis(5)));
        assert_eq!(total.quantile(995), Some(Duration::from_millis(100)));
    }

    #[test]
    fn the_latest_exemplar_of_a_bucket_is_kept() {
        let series = Series::default();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (trace, seconds) in [(1, 10), (2, 20)] {
            series.exemplify(Exemplar { trace, took: Duration::from_millis(1), time: at(seconds) });
        }
        let other = Series::default();
        other.exemplify(Exemplar { trace: 3, took: Duration::from_millis(1), time: at(15) });
        let mut total = Total::default();
        total.add(&series);
        total.add(&other);
        assert_eq!(total.exemplar(0).map(|exemplar| exemplar.trace), Some(2));
    }
}
