//! The one thread that writes lines out, and the bounded way to it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Buffers on their way to the writer. With 256 KiB each this bounds the memory of a log that cannot be written.
const IN_FLIGHT: usize = 8;

/// How many lines were written and lost.
#[derive(Debug, Default)]
pub struct Counts {
    /// Lines handed to the operating system.
    pub written: AtomicU64,
    /// Lines lost because the writer was too slow or could not write.
    pub dropped: AtomicU64,
}

/// The way to the writer; each worker has a clone.
#[derive(Clone)]
pub struct Sink {
    full: SyncSender<Batch>,
    counts: Arc<Counts>,
}

/// Lines to be written.
pub(super) struct Batch {
    pub(super) text: Vec<u8>,
    pub(super) lines: u64,
    /// Where the memory goes afterwards, for other lines.
    pub(super) back: SyncSender<Vec<u8>>,
}

/// The writer thread. It ends, with everything written, when the last [`Sink`] is gone.
pub struct Writer {
    thread: JoinHandle<()>,
    counts: Arc<Counts>,
}

impl Sink {
    pub(super) fn send(&self, batch: Batch) {
        match self.full.try_send(batch) {
            Ok(()) => {}
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                self.counts.dropped.fetch_add(batch.lines, Ordering::Relaxed);
            }
        }
    }
}

impl Writer {
    /// Starts the thread. Errors when the system has no thread to give.
    pub fn start(to: impl Write + Send + 'static) -> std::io::Result<(Self, Sink)> {
        let (full, incoming) = sync_channel(IN_FLIGHT);
        let counts = Arc::<Counts>::default();
        let sink = Sink { full, counts: counts.clone() };
        let thread_counts = counts.clone();
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&incoming, to, &thread_counts))?;
        Ok((Self { thread, counts }, sink))
    }

    /// Written and lost lines so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Waits until everything is written. Call after the last [`Sink`] is gone.
    pub fn finish(self) {
        // A panic of the thread has lost lines already and must not take the process with it.
        let _ = self.thread.join();
    }
}

fn write_all(incoming: &Receiver<Batch>, mut to: impl Write, counts: &Counts) {
    let mut well = true;
    while let Ok(Batch { mut text, lines, back }) = incoming.recv() {
        let written = to.write_all(&text).and_then(|()| to.flush());
        text.clear();
        // A worker that has enough of them, or is gone, needs this one no more.
        let _ = back.try_send(text);
        // Once when it begins: whoever cannot write a log need not be told with every line.
        if let Err(error) = &written
            && well
        {
            tracing::warn!(%error, "the access log cannot be written; lines are lost");
        }
        well = written.is_ok();
        let counter = if well { &counts.written } else { &counts.dropped };
        counter.fetch_add(lines, Ordering::Relaxed);
    }
}
