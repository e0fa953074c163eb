//! One worker: a thread with a current-thread runtime, and what its tasks share.
//!
//! Everything hangs on one `Rc<Worker>`: the wheel, the drain phase, and what the other parts of the engine put here.
//! Nothing in it is shared with another thread except through the [`Seed`] it was made from.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::front::Date;
use crate::metrics::{Counter, Shard};
use crate::timer::Wheel;

#[cfg(test)]
mod tests;

/// How far shutting down has come. Only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrainPhase {
    /// Serving.
    #[default]
    Serving,
    /// No new requests are invited: `Connection: close`, GOAWAY; idle connections close. Those in flight go on.
    Draining,
    /// The time is over: what is left is cut.
    Cut,
}

/// What a worker is made from: all that crosses the thread boundary.
pub struct Seed {
    /// Number of this worker, from 0.
    pub id: usize,
    /// The drain phase of the process.
    pub drain: watch::Receiver<DrainPhase>,
    /// Its share of the counts.
    pub shard: Arc<Shard>,
}

/// What all tasks of one worker share.
pub struct Worker {
    /// Number of this worker, from 0.
    pub id: usize,
    /// The worker's clock and deadlines.
    pub wheel: Wheel,
    /// The value of the Date field.
    pub date: Date,
    /// What it counts with.
    pub counter: Counter,
    drain: Cell<DrainPhase>,
}

impl Worker {
    /// The shared state of one worker; call on its own thread.
    pub fn new(seed: &Seed) -> Rc<Self> {
        let wheel = Wheel::new();
        let date = Date::new(wheel.clone());
        let counter = Counter::new(seed.shard.clone());
        Rc::new(Self { id: seed.id, wheel, date, counter, drain: Cell::new(*seed.drain.borrow()) })
    }

    /// The drain phase. Connections look at it whenever they are polled; a change wakes every owner of a deadline.
    pub fn drain_phase(&self) -> DrainPhase {
        self.drain.get()
    }

    /// Follows the drain phase of the process and tells every connection of this worker. Ends when its sender is gone.
    pub(crate) async fn follow_drain(&self, mut phase: watch::Receiver<DrainPhase>) {
        loop {
            let now = *phase.borrow_and_update();
            if self.drain.replace(now) != now {
                self.wheel.wake_all();
            }
            if phase.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Starts a worker's thread. `run` gets the shared state and ends when the worker has nothing left to do; the thread
/// ends with it, and so do all local tasks it spawned.
pub fn spawn<F, Fut>(seed: Seed, run: F) -> io::Result<JoinHandle<io::Result<()>>>
where
    F: FnOnce(Rc<Worker>) -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    std::thread::Builder::new().name(format!("worker-{}", seed.id)).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(61).build()?;
        let tasks = tokio::task::LocalSet::new();
        tasks.block_on(&runtime, async move {
            let worker = Worker::new(&seed);
            let (ticker, follower) = (worker.clone(), worker.clone());
            tokio::task::spawn_local(async move { ticker.wheel.run().await });
            tokio::task::spawn_local(async move { follower.follow_drain(seed.drain).await });
            run(worker).await;
        });
        Ok(())
    })
}
