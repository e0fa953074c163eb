//! What a process does with the spans of one tier: keeps them in a store, sends them to a collector. One task of the runtime that is not
//! the data path's; how slow the collector is makes no difference to it, since what waits is bounded and the rest is dropped and counted.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::otlp::{ExportError, Exporter};
use super::resource;
use super::sink::{Counts, Sink};
use super::span::Span;
use super::store::Store;

/// Spans of one export.
const BATCH: usize = 512;
/// How long a span waits for more.
const DELAY: Duration = Duration::from_secs(1);
/// Spans that may wait; more are dropped.
const QUEUE: usize = 8192;
/// Failures are told once in so long.
const TELL: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;

/// Where the spans of a tier go.
#[derive(Debug, Default)]
pub struct Destinations {
    /// Attributes of the resource; the environment's come in their place or beside them.
    pub resource: Vec<(&'static str, String)>,
    /// Where they are kept in memory too.
    pub store: Option<Arc<Store>>,
}

/// The way of a tier's spans. It ends by itself when every sink is gone; see [`Pipeline::finish`].
#[derive(Debug)]
pub struct Pipeline {
    endpoint: watch::Sender<Option<String>>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl Pipeline {
    /// Starts the task on the current runtime. Nothing is exported before [`Pipeline::export_to`].
    pub fn start(to: Destinations) -> (Self, Sink) {
        let (sink, batches) = Sink::new();
        let (endpoint, follow) = watch::channel(None);
        let run = Run {
            resource: resource::attributes(&to.resource, |name| std::env::var(name).ok()),
            store: to.store,
            counts: sink.counts().clone(),
            exporter: None,
            unusable: false,
            pending: VecDeque::new(),
            due: None,
            told: None,
        };
        let task = tokio::spawn(run.run(batches, follow));
        (Self { endpoint, counts: sink.counts().clone(), task }, sink)
    }

    /// Sends spans to this collector from now on, or to none.
    pub fn export_to(&self, endpoint: Option<&str>) {
        self.endpoint.send_if_modified(|current| {
            let changed = current.as_deref() != endpoint;
            if changed {
                *current = endpoint.map(str::to_owned);
            }
            changed
        });
    }

    /// What became of spans so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Sends what waits, for at most `within`. Every sink must be gone by now.
    pub async fn finish(self, within: Duration) {
        let Self { endpoint, counts, mut task } = self;
        let ended = tokio::time::timeout(within, &mut task).await.is_ok();
        // Kept until here: the task would take its end for a change.
        drop(endpoint);
        if !ended {
            task.abort();
            let spans = counts.queued.load(Ordering::Relaxed);
            tracing::warn!(spans, "the time is over: spans were not sent");
        }
    }
}

type Flight = Pin<Box<dyn Future<Output = (usize, Result<(), ExportError>)> + Send>>;

struct Run {
    resource: Vec<(String, String)>,
    store: Option<Arc<Store>>,
    counts: Arc<Counts>,
    exporter: Option<Arc<Exporter>>,
    /// There is a collector, and no way to it.
    unusable: bool,
    pending: VecDeque<Span>,
    /// When the oldest of them has waited long enough.
    due: Option<Instant>,
    told: Option<Instant>,
}

impl Run {
    async fn run(mut self, mut batches: mpsc::Receiver<Vec<Span>>, mut endpoint: watch::Receiver<Option<String>>) {
        let mut flight: Option<Flight> = None;
        let mut open = true;
        let mut followed = true;
        loop {
            if flight.is_none() {
                flight = self.next_flight(!open);
            }
            if !open && flight.is_none() {
                return;
            }
            let waits = flight.is_none().then_some(self.due).flatten();
            tokio::select! {
                // A change that came before spans counts for them.
                biased;
                changed = endpoint.changed(), if followed => match changed {
                    Ok(()) => {
                        let endpoint = endpoint.borrow_and_update().clone();
                        self.follow(endpoint.as_deref());
                    }
                    Err(_) => followed = false,
                },
                (spans, result) = landed(flight.as_mut()) => {
                    flight = None;
                    self.landed(spans, result);
                }
                more = batches.recv(), if open => match more {
                    Some(spans) => self.take(spans),
                    None => open = false,
                },
                () = tokio::time::sleep_until(waits.unwrap_or_else(Instant::now)), if waits.is_some() => {}
            }
        }
    }

    fn follow(&mut self, endpoint: Option<&str>) {
        let made = endpoint.map(|endpoint| Exporter::new(endpoint, &self.resource)).transpose();
        self.unusable = made.is_err();
        let made = made.inspect_err(|error| tracing::error!("{error}"));
        self.exporter = made.ok().flatten().map(Arc::new);
        if self.exporter.is_none() {
            self.counts.dropped.fetch_add(self.pending.len() as u64, Ordering::Relaxed);
            self.pending.clear();
            self.settle();
        }
    }

    fn take(&mut self, mut spans: Vec<Span>) {
        if let Some(store) = &self.store {
            store.add(spans.iter().cloned());
        }
        if self.exporter.is_some() {
            let room = QUEUE - self.pending.len();
            self.counts.dropped.fetch_add(spans.len().saturating_sub(room) as u64, Ordering::Relaxed);
            spans.truncate(room);
            self.pending.extend(spans);
            self.settle();
        } else if self.unusable {
            self.counts.failed.fetch_add(spans.len() as u64, Ordering::Relaxed);
        }
    }

    /// Notes how many wait, and since when.
    fn settle(&mut self) {
        self.counts.queued.store(self.pending.len() as u64, Ordering::Relaxed);
        self.due = if self.pending.is_empty() { None } else { self.due.or_else(|| Some(Instant::now() + DELAY)) };
    }

    /// The next export, if it is time for one.
    fn next_flight(&mut self, last: bool) -> Option<Flight> {
        let exporter = self.exporter.clone()?;
        let due = last || self.pending.len() >= BATCH || self.due.is_some_and(|due| due <= Instant::now());
        if self.pending.is_empty() || !due {
            return None;
        }
        let spans: Vec<Span> = self.pending.drain(..self.pending.len().min(BATCH)).collect();
        self.due = None;
        self.settle();
        Some(Box::pin(async move {
            let count = spans.len();
            (count, exporter.export(spans).await)
        }))
    }

    fn landed(&mut self, spans: usize, result: Result<(), ExportError>) {
        let Err(error) = result else {
            self.counts.exported.fetch_add(spans as u64, Ordering::Relaxed);
            return;
        };
        self.counts.failed.fetch_add(spans as u64, Ordering::Relaxed);
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            self.told = Some(Instant::now());
            tracing::warn!(spans, "{error}; spans are lost as long as this lasts");
        }
    }
}

/// The end of an export, if one is under way.
async fn landed(flight: Option<&mut Flight>) -> (usize, Result<(), ExportError>) {
    match flight {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}
