//! Series by their labels: made by the worker that meets the labels first, read by scrapes, and let go of when what the
//! labels name is no longer configured. Neither side waits for the other longer than it takes to move a short list.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::histogram::Series;

/// Series of one worker, and of one scrape, for one metric; what comes beyond is counted under [`OTHER`].
pub(super) const MAX_SERIES: usize = 20_000;
/// What stands for all that there is no room for.
pub(super) const OTHER: &str = "other";

/// What tells one series from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    /// Of a request its tenant, of an attempt the kind of hop.
    pub(super) first: Arc<str>,
    /// Of a request its route, of an attempt its upstream.
    pub(super) second: Arc<str>,
    /// Of an attempt at a Service the route that sent it, which the page wants and a scrape does not tell apart; else empty.
    pub(super) via: Arc<str>,
    /// Hundreds of the status; 0: there was none.
    pub(super) class: u8,
}

impl Key {
    /// The key that stands for this one when there is no room.
    pub(super) fn other(&self) -> Self {
        Self { first: Arc::default(), second: Arc::from(OTHER), via: Arc::default(), class: self.class }
    }

    /// Without the route that sent an attempt.
    pub(super) fn whole(&self) -> Self {
        Self { via: Arc::default(), ..self.clone() }
    }
}

/// The word for hundreds of a status.
pub(super) const fn class_word(class: u8) -> &'static str {
    match class {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "none",
    }
}

type Rows = Vec<(Key, Arc<Series>)>;

/// The series of one worker as the rest of the process sees them.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Made since somebody looked. The only lock that a worker takes.
    fresh: Mutex<Rows>,
    /// Locked by scrapes and reloads.
    seen: Mutex<Rows>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Rows> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
        seen.extend(fresh);
        seen
    }

    /// Looks at every series.
    pub(super) fn each(&self, mut look: impl FnMut(&Key, &Series)) {
        self.seen().iter().for_each(|(key, series)| look(key, series));
    }

    /// Lets go of series whose labels are not configured; `true`: there were some, and the worker has to forget them too.
    pub(super) fn retain(&self, configured: impl Fn(&Key) -> bool) -> bool {
        let mut seen = self.seen();
        let before = seen.len();
        seen.retain(|(key, series)| {
            let stays = &*key.second == OTHER || configured(key);
            series.retired.store(!stays, Ordering::Relaxed);
            stays
        });
        seen.len() < before
    }
}

/// The series of one worker as it finds them.
#[derive(Debug, Default)]
pub(super) struct Board {
    known: RefCell<HashMap<Key, Arc<Series>>>,
}

impl Board {
    /// The series of these labels, or the one for all others when there are too many.
    pub(super) fn find(&self, key: Key, shared: &Shared) -> Arc<Series> {
        let mut known = self.known.borrow_mut();
        let key = if known.len() >= MAX_SERIES && !known.contains_key(&key) { key.other() } else { key };
        match known.entry(key) {
            Entry::Occupied(series) => series.get().clone(),
            Entry::Vacant(place) => {
                let series = Arc::<Series>::default();
                let row = (place.key().clone(), series.clone());
                shared.fresh.lock().unwrap_or_else(PoisonError::into_inner).push(row);
                place.insert(series).clone()
            }
        }
    }

    /// Forgets the series that [`Shared::retain`] has let go of.
    pub(super) fn forget(&self) {
        self.known.borrow_mut().retain(|_, series| !series.retired.load(Ordering::Relaxed));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.borrow().len()
    }
}
