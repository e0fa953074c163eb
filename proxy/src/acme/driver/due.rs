//! Which certificate is looked at when: as many as there may be, one look costs its own.

use std::collections::{BTreeSet, HashMap};

use bailey_acme::Time;
use bailey_acme::names::CertificateId;

/// A moment for each certificate.
#[derive(Debug, Default)]
pub(super) struct Due {
    by_time: BTreeSet<(Time, CertificateId)>,
    by_id: HashMap<CertificateId, Time>,
}

impl Due {
    /// Looks at a certificate at this moment, and not at the one that was set before.
    pub(super) fn set(&mut self, id: &CertificateId, at: Time) {
        if let Some(before) = self.by_id.insert(id.clone(), at) {
            self.by_time.remove(&(before, id.clone()));
        }
        self.by_time.insert((at, id.clone()));
    }

    /// One whose moment has come. It has none then, until it is set again.
    pub(super) fn take(&mut self, now: Time) -> Option<CertificateId> {
        let (_, id) = self.by_time.first().filter(|(at, _)| *at <= now)?.clone();
        self.forget(&id);
        Some(id)
    }

    /// Looks at it no more.
    pub(super) fn forget(&mut self, id: &CertificateId) {
        if let Some(at) = self.by_id.remove(id) {
            self.by_time.remove(&(at, id.clone()));
        }
    }

    /// The moment of the next.
    pub(super) fn next(&self) -> Option<Time> {
        self.by_time.first().map(|(at, _)| *at)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_in_the_order_of_their_moments_and_each_once() {
        let id = |host: &str| CertificateId::of("a", host);
        let mut due = Due::default();
        for (host, at) in [("a", 5), ("b", 3), ("c", 9), ("a", 7)] {
            due.set(&id(host), Time(at));
        }
        assert_eq!(due.take(Time(2)), None);
        assert_eq!((due.take(Time(7)), due.take(Time(7)), due.take(Time(7))), (Some(id("b")), Some(id("a")), None));
        assert_eq!(due.next(), Some(Time(9)));
        due.forget(&id("c"));
        assert_eq!(due.next(), None);
    }
}
