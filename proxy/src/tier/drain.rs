//! The end of a tier: not ready, but still accepting, then no new requests, then what is left is cut.

use std::time::{Duration, Instant};

use super::TierHandle;
use crate::worker::DrainPhase;

/// How often the end of the workers is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// How long the last spans may take to their collector.
const SEND: Duration = Duration::from_secs(5);

impl TierHandle {
    /// Ends the tier in good order. `false` when requests had to be cut.
    pub async fn drain(mut self) -> bool {
        self.readiness.drain();
        let (accept, finish) = self.options.drain.within(self.current.load().settings.limits.drain);
        tracing::info!(seconds = accept.as_secs(), "not ready any more, still accepting");
        tokio::time::sleep(accept).await;
        tracing::info!(seconds = finish.as_secs(), connections = self.connections(), "draining");
        self.phase.send_replace(DrainPhase::Draining);
        let until = Instant::now() + finish;
        let mut clean = true;
        while !self.workers.iter().all(|worker| worker.thread.is_finished()) {
            if clean && Instant::now() >= until {
                clean = false;
                tracing::warn!(connections = self.connections(), "the time is over: what is left is cut");
                self.phase.send_replace(DrainPhase::Cut);
            }
            tokio::time::sleep(LOOK).await;
        }
        for worker in self.workers.drain(..) {
            match worker.thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "a worker had failed"),
                Err(_) => tracing::error!("a worker had panicked"),
            }
        }
        if let Some(log) = self.log.take() {
            log.finish();
        }
        if let Some(spans) = self.spans.take() {
            spans.finish(SEND).await;
        }
        clean
    }
}

impl Drop for TierHandle {
    fn drop(&mut self) {
        self.phase.send_replace(DrainPhase::Cut);
    }
}
