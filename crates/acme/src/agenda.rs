//! What is to be done for one certificate now: nothing until some moment, go on with its order, or begin one.

use crate::Time;
use crate::budget::Purpose;
use crate::order::{Phase, Progress, Wish};
use crate::renewal::{Life, Policy, Window, renew_at};

/// What is known of a wanted certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// How far its order has come.
    pub progress: Progress,
    /// The certificate that is there.
    pub held: Option<Held>,
    /// When somebody asked for a new one, before its time. Done when the one that is there came later.
    pub asked: Option<Time>,
}

/// A certificate that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// When it came.
    pub issued: Time,
    /// From when until when it is valid.
    pub life: Life,
    /// When its authority wants it renewed.
    pub window: Option<Window>,
    /// Its name for a renewal (RFC 9773 section 4.1), where the authority knows such names.
    pub replaces: Option<String>,
    /// It comes from the authority and the profile that are configured now; others are replaced.
    pub current: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing before this moment.
    Wait(Time),
    /// Go on with the order that is under way.
    GoOn,
    /// Begin an order, if the budget grants it.
    Begin(Wish),
}

impl Entry {
    /// What is to be done at `now`.
    pub fn next(&self, host: &str, policy: Policy, now: Time) -> Next {
        if now < self.progress.not_before {
            return Next::Wait(self.progress.not_before);
        }
        if self.progress.phase != Phase::Idle {
            return Next::GoOn;
        }
        match self.renew_at(host, policy) {
            Some(at) if now < at => Next::Wait(at),
            _ => Next::Begin(self.wish()),
        }
    }

    /// When the certificate is renewed; `None`: as soon as possible.
    pub fn renew_at(&self, host: &str, policy: Policy) -> Option<Time> {
        let held = self.held.as_ref().filter(|held| held.current)?;
        let at = renew_at(host, held.life, held.window, policy);
        // A clock that is ahead of ours asks for later: once all the same.
        Some(self.asked.filter(|asked| held.issued < *asked).map_or(at, |asked| at.min(asked)))
    }

    fn wish(&self) -> Wish {
        match self.held.as_ref().filter(|held| held.current) {
            // An authority may refuse the name of the one before (RFC 9773 section 5): after a failure it is left out.
            Some(held) => {
                let replaces = held.replaces.clone().filter(|_| self.progress.failures == 0);
                Wish { purpose: Purpose::Renewal, replaces }
            }
            None => Wish { purpose: Purpose::First, replaces: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(current: bool) -> Entry {
        let life = Life { begins: Time(0), ends: Time(90 * 86_400) };
        let held = Held { issued: life.begins, life, window: None, replaces: Some("aki.serial".to_owned()), current };
        Entry { held: Some(held), ..Entry::default() }
    }

    fn next(entry: &Entry, now: u64) -> Next {
        entry.next("a.example.com", Policy::default(), Time(now))
    }

    #[test]
    fn what_is_missing_is_ordered_at_once_and_what_fails_waits() {
        let first = Next::Begin(Wish { purpose: Purpose::First, replaces: None });
        assert_eq!(next(&Entry::default(), 5), first);
        let failed = Progress { not_before: Time(100), failures: 1, ..Progress::default() };
        let failed = Entry { progress: failed, ..Entry::default() };
        assert_eq!((next(&failed, 99), next(&failed, 100)), (Next::Wait(Time(100)), first));
    }

    #[test]
    fn a_renewal_names_what_it_replaces_until_that_fails() {
        let mut entry = held(true);
        assert!(matches!(next(&entry, 86_400), Next::Wait(at) if at.0 > 50 * 86_400));
        let wish = |replaces: Option<&str>| {
            Next::Begin(Wish { purpose: Purpose::Renewal, replaces: replaces.map(str::to_owned) })
        };
        assert_eq!(next(&entry, 70 * 86_400), wish(Some("aki.serial")));
        entry.progress.failures = 1;
        assert_eq!(next(&entry, 70 * 86_400), wish(None));
    }

    #[test]
    fn a_certificate_of_another_authority_is_replaced_at_once() {
        assert_eq!(next(&held(false), 5), Next::Begin(Wish { purpose: Purpose::First, replaces: None }));
    }

    #[test]
    fn a_renewal_that_somebody_asks_for_comes_once_and_not_before_its_moment() {
        let mut entry = held(true);
        entry.asked = Some(Time(1000));
        assert_eq!(next(&entry, 999), Next::Wait(Time(1000)));
        assert!(matches!(next(&entry, 1000), Next::Begin(Wish { purpose: Purpose::Renewal, .. })));
        entry.held.as_mut().unwrap().issued = Time(1000);
        assert!(matches!(next(&entry, 1001), Next::Wait(at) if at.0 > 50 * 86_400), "it is done");
    }

    #[test]
    fn an_order_under_way_goes_on() {
        let placed = Progress { phase: Phase::Placed { url: "u".to_owned() }, ..Progress::default() };
        assert_eq!(next(&Entry { progress: placed, ..held(true) }, 5), Next::GoOn);
    }
}
