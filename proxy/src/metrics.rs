//! What is counted of requests, connections and everything around them, and how it is shown to Prometheus.
//!
//! ```text
//! table       every metric, once: name, kind, labels, meaning     -> docs/metrics.md
//! shard       what a worker counts with; series, histogram        written by one worker, plain loads and stores
//! process     counts that are no worker's
//! scrape      sums it all up, at the moment it is asked for
//! exposition  OpenMetrics text
//! ```
//! A worker takes a lock only when it meets labels for the first time, and nobody holds that lock for longer than it takes
//! to move a list. Label values are configured names and fixed words, never anything a client sent.

mod exposition;
mod histogram;
mod limit;
mod scrape;
mod series;
mod shard;
pub mod table;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bailey_kit::kube::Denied;

pub use histogram::{Count, Exemplar, Total};
pub use limit::Limit;
pub use scrape::{Scrape, Sources, route_id, route_label};
pub use shard::{Counter, Done, Hop, LinkCounts, Meter, Shard, UpstreamCounts};

use crate::snapshot::Snapshot;

#[cfg(test)]
mod tests;

/// Counts that are not a worker's: set by whoever loads configurations.
#[derive(Debug, Default)]
pub struct Process {
    /// Milliseconds since 1970 at which a configuration was last read.
    loaded: AtomicU64,
    /// Milliseconds since 1970 at which what is served now was first served.
    since: AtomicU64,
    /// 1 while the configuration comes from disk because its source could not be read.
    pub stale: AtomicU64,
    /// Configurations that were refused.
    pub rejected: AtomicU64,
    /// Problems that the configuration being served has.
    pub diagnostics: AtomicU64,
    /// Permissions in the cluster that are missing.
    pub denied: Mutex<BTreeSet<Denied>>,
    /// What keeps the tier from ordering certificates.
    pub orders_trouble: Mutex<Option<String>>,
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

    /// A configuration was read, with so many problems.
    pub fn loaded(&self, diagnostics: usize) {
        self.process.loaded.store(now_millis(), Ordering::Relaxed);
        self.process.diagnostics.store(diagnostics as u64, Ordering::Relaxed);
    }

    /// Another configuration is served from now on.
    pub fn went_live(&self) {
        self.process.since.store(now_millis(), Ordering::Relaxed);
    }

    /// When what is served now was first served, in milliseconds since 1970; 0: nothing is.
    pub fn live_since(&self) -> u64 {
        self.process.since.load(Ordering::Relaxed)
    }

    /// Lets go of the series of what `snapshot` no longer has, so that reloads without end do not make series without
    /// end. Call before it is served; the workers forget them when they follow.
    pub fn follow(&self, snapshot: &Snapshot) {
        let shards = self.shards();
        let configured = scrape::Configured::of(&snapshot.table);
        for shard in shards {
            let requests = shard.requests.retain(|key| configured.has_route(key));
            let attempts = shard.attempts.retain(|key| configured.has_upstream(key));
            if requests || attempts {
                shard.retired.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn shards(&self) -> Vec<Arc<Shard>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn now_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
