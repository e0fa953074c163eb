//! The last traces, in memory: for a page or a command that shows them where there is no collector.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::id::TraceId;
use super::span::Span;

#[cfg(test)]
mod tests;

/// Traces that are kept; the oldest makes room.
const TRACES: usize = 500;
/// Spans of one trace; more are counted and not kept.
const SPANS: usize = 64;
/// Bytes of all spans together; the oldest traces make room.
const BYTES: usize = 16 << 20;
/// News that a slow reader may be behind.
const NEWS: usize = 256;

/// The last traces. All tiers of a process share one, so that a trace shows them all.
#[derive(Debug)]
pub struct Store {
    kept: Mutex<Kept>,
    news: broadcast::Sender<TraceId>,
}

/// A trace as far as it has come in.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// Its spans, earliest first.
    pub spans: Vec<Arc<Span>>,
    /// Spans that were not kept since it has too many.
    pub left_out: usize,
}

#[derive(Debug, Default)]
struct Kept {
    traces: HashMap<TraceId, Trace>,
    /// In the order in which they were first heard of.
    order: VecDeque<TraceId>,
    bytes: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self { kept: Mutex::default(), news: broadcast::channel(NEWS).0 }
    }
}

impl Store {
    /// An empty store.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Keeps spans, and tells those who have subscribed.
    pub fn add(&self, spans: impl IntoIterator<Item = Span>) {
        let mut changed: Vec<TraceId> = Vec::new();
        let mut kept = self.kept();
        for span in spans {
            if changed.last() != Some(&span.trace) {
                changed.push(span.trace);
            }
            kept.add(span);
        }
        drop(kept);
        for trace in changed {
            // Nobody listens: nobody is told.
            let _ = self.news.send(trace);
        }
    }

    /// The traces, latest first, at most `limit`.
    pub fn recent(&self, limit: usize) -> Vec<Trace> {
        let kept = self.kept();
        kept.order.iter().rev().take(limit).filter_map(|id| kept.traces.get(id)).cloned().collect()
    }

    /// One trace.
    pub fn get(&self, id: TraceId) -> Option<Trace> {
        self.kept().traces.get(&id).cloned()
    }

    /// The ids of traces that got spans from now on. Who is too slow is told how many it has missed.
    pub fn subscribe(&self) -> broadcast::Receiver<TraceId> {
        self.news.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn add(&mut self, span: Span) {
        let id = span.trace;
        let order = &mut self.order;
        let trace = self.traces.entry(id).or_insert_with(|| {
            order.push_back(id);
            Trace { id, spans: Vec::new(), left_out: 0 }
        });
        if trace.spans.len() >= SPANS {
            trace.left_out += 1;
            return;
        }
        self.bytes += span.size();
        let at = trace.spans.partition_point(|other| other.start <= span.start);
        trace.spans.insert(at, Arc::new(span));
        while self.order.len() > TRACES || (self.bytes > BYTES && self.order.len() > 1) {
            let Some(oldest) = self.order.pop_front().and_then(|id| self.traces.remove(&id)) else { return };
            self.bytes -= oldest.spans.iter().map(|span| span.size()).sum::<usize>();
        }
    }
}

impl Trace {
    /// The span that no other of its spans is the parent of: where it began, as far as is known.
    pub fn root(&self) -> Option<&Arc<Span>> {
        let known = |id| self.spans.iter().any(|span| span.id == id);
        self.spans.iter().find(|span| span.parent.is_none_or(|parent| !known(parent)))
    }
}
