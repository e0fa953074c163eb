//! The worker's clock and its deadlines: one wheel per worker, coarse ticks, no timer per read.
//!
//! A [`Deadline`] takes one slab entry for its whole life. Moving it later, which is what nearly every request does, is
//! a store: the wheel looks at the entry when its old slot comes round and relinks it. Only a move to an earlier time
//! touches the lists. What a deadline means is its owner's business.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

#[cfg(test)]
mod tests;

/// Length of a tick. Deadlines are late by up to two ticks, never early.
pub const TICK: Duration = Duration::from_millis(100);

/// Slots of the wheel; a deadline further away is looked at once per turn.
const SLOTS: u64 = 1024;
const NIL: usize = usize::MAX;
/// The due time of a deadline that is not armed.
const NEVER: u64 = u64::MAX;

struct Entry {
    /// Tick at which the deadline expires.
    due: u64,
    /// Tick at which the wheel looks at this entry; [`NEVER`] while it is in no slot.
    check: u64,
    prev: usize,
    next: usize,
    waker: Option<Waker>,
}

struct Inner {
    entries: RefCell<Slab<Entry>>,
    heads: RefCell<Vec<usize>>,
    now: Cell<u64>,
    /// How many entries are linked into a slot.
    linked: Cell<usize>,
    /// `None` in tests, where the clock is moved by hand.
    start: Option<Instant>,
    /// Set while the ticker sleeps because nothing is linked.
    ticker: RefCell<Option<Waker>>,
}

/// The timer wheel of one worker. Cloning gives another handle to the same wheel.
#[derive(Clone)]
pub struct Wheel(Rc<Inner>);

impl Default for Wheel {
    fn default() -> Self {
        Self::new()
    }
}

impl Wheel {
    /// A wheel that follows the monotonic clock once [`Wheel::run`] is polled.
    pub fn new() -> Self {
        Self::with_start(Some(Instant::now()))
    }

    /// A wheel whose clock only [`Wheel::advance_to`] moves, for tests.
    pub fn manual() -> Self {
        Self::with_start(None)
    }

    fn with_start(start: Option<Instant>) -> Self {
        Self(Rc::new(Inner {
            entries: RefCell::new(Slab::new()),
            heads: RefCell::new(vec![NIL; SLOTS as usize]),
            now: Cell::new(0),
            linked: Cell::new(0),
            start,
            ticker: RefCell::new(None),
        }))
    }

    /// The current tick. Coarse: read from memory, not from the clock.
    pub fn now(&self) -> u64 {
        self.0.refresh_if_asleep();
        self.0.now.get()
    }

    /// A new deadline, not armed.
    pub fn deadline(&self) -> Deadline {
        let entry = Entry { due: NEVER, check: NEVER, prev: NIL, next: NIL, waker: None };
        Deadline { key: self.0.entries.borrow_mut().insert(entry), wheel: self.clone() }
    }

    /// Wakes the owner of every deadline without expiring any, so that all of them look at the worker's state again
    /// (used when draining begins).
    pub fn wake_all(&self) {
        let wakers: Vec<Waker> = self.0.entries.borrow_mut().iter_mut().filter_map(|(_, e)| e.waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Moves the clock to `tick` and wakes the owners of all deadlines that expired on the way.
    pub fn advance_to(&self, tick: u64) {
        let mut expired = Vec::new();
        while self.0.now.get() < tick {
            if self.0.linked.get() == 0 {
                self.0.now.set(tick);
                break;
            }
            self.0.now.set(self.0.now.get() + 1);
            self.0.visit(&mut expired);
        }
        expired.into_iter().for_each(Waker::wake);
    }

    /// Drives the wheel; never returns. Sleeps without any timer while no deadline is armed.
    pub async fn run(&self) {
        loop {
            poll_fn(|cx| {
                if self.0.linked.get() > 0 {
                    return Poll::Ready(());
                }
                *self.0.ticker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
            tokio::time::sleep(TICK).await;
            if let Some(tick) = self.0.clock() {
                self.advance_to(tick);
            }
        }
    }
}

impl Inner {
    fn clock(&self) -> Option<u64> {
        self.start.map(|start| (start.elapsed().as_millis() / TICK.as_millis()) as u64)
    }

    /// While nothing is linked nobody moves the clock, so it is read on use.
    fn refresh_if_asleep(&self) {
        if self.linked.get() == 0
            && let Some(tick) = self.clock()
        {
            self.now.set(self.now.get().max(tick));
        }
    }

    /// Looks at every entry of the slot of the current tick.
    fn visit(&self, expired: &mut Vec<Waker>) {
        let now = self.now.get();
        let mut entries = self.entries.borrow_mut();
        let mut heads = self.heads.borrow_mut();
        let mut at = std::mem::replace(&mut heads[(now % SLOTS) as usize], NIL);
        while at != NIL {
            let entry = &mut entries[at];
            let next = entry.next;
            entry.check = NEVER;
            self.linked.set(self.linked.get() - 1);
            let due = entry.due;
            if due <= now {
                expired.extend(entry.waker.take());
            } else if due != NEVER {
                link(&mut entries, &mut heads, at, due.min(now + SLOTS - 1));
                self.linked.set(self.linked.get() + 1);
            }
            at = next;
        }
    }

    fn set(&self, key: usize, due: u64) {
        let mut entries = self.entries.borrow_mut();
        let entry = &mut entries[key];
        entry.due = due;
        let check = due.min(self.now.get() + SLOTS - 1);
        if entry.check <= check {
            return;
        }
        let mut heads = self.heads.borrow_mut();
        self.unlink(&mut entries, &mut heads, key);
        link(&mut entries, &mut heads, key, check);
        self.linked.set(self.linked.get() + 1);
        if let Some(ticker) = self.ticker.borrow_mut().take() {
            ticker.wake();
        }
    }

    fn unlink(&self, entries: &mut Slab<Entry>, heads: &mut [usize], key: usize) {
        let Entry { check, prev, next, .. } = entries[key];
        if check == NEVER {
            return;
        }
        if prev == NIL {
            heads[(check % SLOTS) as usize] = next;
        } else {
            entries[prev].next = next;
        }
        if next != NIL {
            entries[next].prev = prev;
        }
        entries[key].check = NEVER;
        self.linked.set(self.linked.get() - 1);
    }
}

fn link(entries: &mut Slab<Entry>, heads: &mut [usize], key: usize, check: u64) {
    let head = &mut heads[(check % SLOTS) as usize];
    let next = std::mem::replace(head, key);
    if next != NIL {
        entries[next].prev = key;
    }
    let entry = &mut entries[key];
    entry.check = check;
    entry.prev = NIL;
    entry.next = next;
}

/// One deadline of one owner, to be armed and moved as often as needed. Removed from the wheel on drop.
pub struct Deadline {
    wheel: Wheel,
    key: usize,
}

impl Deadline {
    /// The wheel this deadline lives on.
    pub fn wheel(&self) -> &Wheel {
        &self.wheel
    }

    /// Arms the deadline: it expires `after` from now, rounded up to ticks.
    pub fn set(&self, after: Duration) {
        self.set_at(self.wheel.now() + ticks(after));
    }

    /// Arms the deadline at an absolute tick.
    pub fn set_at(&self, tick: u64) {
        self.wheel.0.set(self.key, tick);
    }

    /// Disarms the deadline.
    pub fn clear(&self) {
        self.wheel.0.entries.borrow_mut()[self.key].due = NEVER;
    }

    /// Whether the deadline has passed.
    pub fn is_expired(&self) -> bool {
        self.wheel.0.entries.borrow()[self.key].due <= self.wheel.0.now.get()
    }

    /// Ready once the deadline has passed; otherwise remembers the task. Call it once per poll of the owner, also while
    /// disarmed: it is how [`Wheel::wake_all`] finds the task.
    pub fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut entries = self.wheel.0.entries.borrow_mut();
        let entry = &mut entries[self.key];
        if entry.due <= self.wheel.0.now.get() {
            return Poll::Ready(());
        }
        match &mut entry.waker {
            Some(known) if known.will_wake(cx.waker()) => {}
            other => *other = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let inner = &self.wheel.0;
        let mut entries = inner.entries.borrow_mut();
        inner.unlink(&mut entries, &mut inner.heads.borrow_mut(), self.key);
        entries.remove(self.key);
    }
}

/// A duration in ticks, rounded up, plus one because the current tick has already begun.
pub fn ticks(after: Duration) -> u64 {
    (after.as_millis().div_ceil(TICK.as_millis()) as u64).saturating_add(1)
}
