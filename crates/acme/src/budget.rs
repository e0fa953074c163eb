//! What the authority allows, never passed: counted before each call, and written down before it.
//!
//! Each limit is a bucket (the generic cell rate algorithm: one moment per key). A bucket lets a part of the limit through
//! at once and spreads the rest over the window, so that no window of that length ever holds more than the limit, whether
//! the authority counts windows or buckets. The figures are Let's Encrypt's (letsencrypt.org/docs/rate-limits).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::names::registered_domain;

#[cfg(test)]
mod tests;

/// At most `at_once + refilled` in any `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How long a window is.
    pub window: Duration,
    /// How many may come at once.
    pub at_once: u64,
    /// How many more come back over a window.
    pub refilled: u64,
}

const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// New orders of an account: 300 in three hours.
pub const ACCOUNT: Limit = Limit { window: Duration::from_hours(3), at_once: 150, refilled: 150 };
/// New certificates of a registered domain: 50 in a week.
pub const DOMAIN: Limit = Limit { window: WEEK, at_once: 30, refilled: 20 };
/// Certificates with the same names: 5 in a week.
pub const DUPLICATE: Limit = Limit { window: WEEK, at_once: 2, refilled: 3 };
/// Failed validations of a name: 5 in an hour.
pub const FAILURES: Limit = Limit { window: Duration::from_hours(1), at_once: 2, refilled: 3 };
/// New orders of one tenant, so that no tenant uses up what belongs to all: 60 in three hours.
pub const TENANT: Limit = Limit { window: Duration::from_hours(3), at_once: 30, refilled: 30 };
/// The shortest and the longest wait that an authority's `Retry-After` is taken for.
pub const PAUSE: (Duration, Duration) = (Duration::from_mins(1), DAY);

impl Limit {
    /// The most in any window.
    pub fn most(self) -> u64 {
        self.at_once + self.refilled
    }

    /// Between two that come back, in whole seconds, rounded up.
    fn interval(self) -> u64 {
        self.window.as_secs().div_ceil(self.refilled)
    }
}

/// Which limit holds something up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The authority told everybody here to wait.
    Authority,
    /// [`ACCOUNT`].
    Account,
    /// [`TENANT`].
    Tenant,
    /// [`DOMAIN`].
    Domain,
    /// [`DUPLICATE`].
    Duplicate,
    /// [`FAILURES`].
    Failures,
}

impl Held {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Authority => "the authority asked to wait",
            Self::Account => "the account's new orders are used up for now",
            Self::Tenant => "the tenant's share of new orders is used up for now",
            Self::Domain => "the registered domain's new certificates are used up for now",
            Self::Duplicate => "certificates with these names are used up for now",
            Self::Failures => "the name failed too often to try it again now",
        }
    }
}

/// What an order is for. A renewal does not count as a new order or as a new certificate of its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// The first certificate of these names.
    First,
    /// One in place of another with the same names.
    Renewal,
}

/// An order, as the limits see it.
#[derive(Clone, Copy, Debug)]
pub struct Cost<'a> {
    /// The name.
    pub host: &'a str,
    /// Whose it is.
    pub tenant: &'a str,
    /// What for.
    pub purpose: Purpose,
}

/// What was spent. Small: one moment for each key that is not back at its full measure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Nothing is ordered before.
    #[serde(default)]
    paused: Time,
    /// When each bucket is full again.
    #[serde(default)]
    full: BTreeMap<String, Time>,
}

impl Budget {
    /// What must be taken as spent when nothing is known any more: the certificates that are there, by name and the moment
    /// they came, and all orders of an account's window.
    pub fn rebuilt<'a>(certificates: impl Iterator<Item = (&'a str, Time)>, now: Time) -> Self {
        let mut budget = Self { paused: now.after(ACCOUNT.window), ..Self::default() };
        let mut certificates: Vec<_> = certificates.collect();
        certificates.sort_by_key(|(_, came)| *came);
        for (host, came) in certificates {
            budget.take(format!("duplicate {host}"), DUPLICATE, came);
            budget.take(format!("domain {}", registered_domain(host)), DOMAIN, came);
        }
        budget.forget(now);
        budget
    }

    /// Takes an order out of every bucket it counts in, or says what holds it up and until when, taking nothing.
    pub fn order(&mut self, cost: Cost<'_>, now: Time) -> Result<(), (Held, Time)> {
        if now < self.paused {
            return Err((Held::Authority, self.paused));
        }
        let failures = self.free_at(&failures_key(cost.host), FAILURES, now);
        if failures > now {
            return Err((Held::Failures, failures));
        }
        let mut counted = vec![(Held::Duplicate, format!("duplicate {}", cost.host), DUPLICATE)];
        if cost.purpose == Purpose::First {
            counted.push((Held::Domain, format!("domain {}", registered_domain(cost.host)), DOMAIN));
            counted.push((Held::Tenant, format!("tenant {}", cost.tenant), TENANT));
            counted.push((Held::Account, "account".to_owned(), ACCOUNT));
        }
        let until = counted.iter().map(|(held, key, limit)| (*held, self.free_at(key, *limit, now)));
        if let Some((held, until)) = until.max_by_key(|(_, until)| *until).filter(|(_, until)| *until > now) {
            return Err((held, until));
        }
        for (_, key, limit) in counted {
            self.take(key, limit, now);
        }
        self.forget(now);
        Ok(())
    }

    /// Gives back what was taken for the certificate of an order that ended without one. The order itself stays counted.
    pub fn refund(&mut self, cost: Cost<'_>) {
        self.give_back(&format!("duplicate {}", cost.host), DUPLICATE);
        if cost.purpose == Purpose::First {
            self.give_back(&format!("domain {}", registered_domain(cost.host)), DOMAIN);
        }
    }

    /// Counts a validation that failed.
    pub fn failed(&mut self, host: &str, now: Time) {
        self.take(failures_key(host), FAILURES, now);
    }

    /// The authority said to wait: nothing is ordered until then, by anybody. Answers that are no sensible wait are taken
    /// as the nearest that is.
    pub fn pause(&mut self, wait: Option<Duration>, now: Time) {
        let wait = wait.unwrap_or(Duration::from_hours(1)).clamp(PAUSE.0, PAUSE.1);
        self.paused = self.paused.max(now.after(wait));
    }

    /// Until when nothing is ordered, if that is still to come.
    pub fn paused(&self, now: Time) -> Option<Time> {
        (now < self.paused).then_some(self.paused)
    }

    /// The first moment the bucket gives one.
    fn free_at(&self, key: &str, limit: Limit, now: Time) -> Time {
        let full = self.full.get(key).copied().unwrap_or_default().max(now);
        let depth = Duration::from_secs(limit.interval() * (limit.at_once - 1));
        full.before(depth).max(now)
    }

    fn take(&mut self, key: String, limit: Limit, now: Time) {
        let full = self.full.entry(key).or_default();
        *full = (*full).max(now).after(Duration::from_secs(limit.interval()));
    }

    fn give_back(&mut self, key: &str, limit: Limit) {
        if let Some(full) = self.full.get_mut(key) {
            *full = full.before(Duration::from_secs(limit.interval()));
        }
    }

    fn forget(&mut self, now: Time) {
        self.full.retain(|_, full| *full > now);
    }
}

fn failures_key(host: &str) -> String {
    format!("failures {host}")
}
