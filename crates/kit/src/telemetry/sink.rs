//! A worker's way out for spans. It never waits: what finds no room is dropped, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::span::Span;

/// Batches on their way to the pipeline. A batch is what a worker gathers in a tenth of a second, so this is reached only when the
/// pipeline's thread has no time at all.
const BATCHES: usize = 256;

/// What became of spans.
#[derive(Debug, Default)]
pub struct Counts {
    /// Taken by the collector.
    pub exported: AtomicU64,
    /// Not sent since there was no room to wait.
    pub dropped: AtomicU64,
    /// Given up after the collector had not taken them.
    pub failed: AtomicU64,
    /// Waiting to be sent now.
    pub queued: AtomicU64,
}

/// What a worker hands finished spans to. Clones lead to the same place.
#[derive(Clone, Debug)]
pub struct Sink {
    batches: mpsc::Sender<Vec<Span>>,
    counts: Arc<Counts>,
}

impl Sink {
    /// A sink, and its other end: batches of spans.
    pub fn new() -> (Self, mpsc::Receiver<Vec<Span>>) {
        let (batches, receiver) = mpsc::channel(BATCHES);
        (Self { batches, counts: Arc::default() }, receiver)
    }

    /// Hands spans over, or drops them if there is no room.
    pub fn send(&self, spans: Vec<Span>) {
        if let Err(error) = self.batches.try_send(spans) {
            let lost = match error {
                mpsc::error::TrySendError::Full(spans) | mpsc::error::TrySendError::Closed(spans) => spans.len(),
            };
            self.counts.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        }
    }

    /// What became of spans so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }
}
