//! Decides when an endpoint is set aside and for how long. Pure: the time comes from the caller.
//!
//! Only failures to connect, or to answer anything at all on a connection, count here: an application that answers 500 is reachable.

use std::time::{Duration, Instant};

/// Failures within [`WINDOW`] that set an endpoint aside.
const LIMIT: u8 = 3;
/// Failures further apart than this do not add up.
const WINDOW: Duration = Duration::from_secs(10);
/// How long the first time; each further time without a success in between doubles it.
const FIRST: Duration = Duration::from_secs(10);
/// The longest an endpoint is set aside before it is tried again.
const LONGEST: Duration = Duration::from_mins(1);

/// What one worker knows about the reachability of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Health {
    window_start: Option<Instant>,
    failures: u8,
    aside_until: Option<Instant>,
    times_aside: u8,
}

impl Health {
    /// Whether the endpoint may be chosen at `now`.
    pub(crate) fn usable(&self, now: Instant) -> bool {
        self.aside_until.is_none_or(|until| now >= until)
    }

    /// Records that the endpoint was reached. Forgets everything that was held against it.
    pub(crate) fn reached(&mut self) {
        if self.window_start.is_some() || self.times_aside > 0 {
            *self = Self::default();
        }
    }

    /// Records a failure at `now`; true if it sets the endpoint aside (again).
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        if !self.usable(now) {
            return false;
        }
        let fresh = self.window_start.is_some_and(|start| now.duration_since(start) <= WINDOW);
        if !fresh {
            self.window_start = Some(now);
            self.failures = 0;
        }
        self.failures += 1;
        // After a pause one failure is enough: the endpoint is on probation until it answers once.
        if self.failures < LIMIT && self.times_aside == 0 {
            return false;
        }
        let pause = (FIRST * (1 << self.times_aside.min(3))).min(LONGEST);
        self.aside_until = Some(now + pause);
        self.times_aside = self.times_aside.saturating_add(1);
        self.window_start = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn three_failures_in_ten_seconds_set_aside_for_ten() {
        let t = Instant::now();
        let mut health = Health::default();
        assert!(!health.failed(t));
        assert!(!health.failed(after(t, 5)));
        assert!(health.usable(after(t, 5)));
        assert!(health.failed(after(t, 10)));
        assert!(!health.usable(after(t, 19)));
        assert!(health.usable(after(t, 20)));
    }

    #[test]
    fn failures_far_apart_do_not_add_up() {
        let t = Instant::now();
        let mut health = Health::default();
        for n in 0..10 {
            assert!(!health.failed(after(t, n * 11)));
        }
    }

    #[test]
    fn a_success_clears_the_record() {
        let t = Instant::now();
        let mut health = Health::default();
        health.failed(t);
        health.failed(t);
        health.reached();
        assert_eq!(health, Health::default());
        assert!(!health.failed(t));
    }

    #[test]
    fn the_pause_doubles_up_to_a_minute() {
        let mut now = Instant::now();
        let mut health = Health::default();
        health.failed(now);
        health.failed(now);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            assert!(health.failed(now));
            let pause = (0..100).find(|s| health.usable(after(now, *s))).unwrap();
            pauses.push(pause);
            now = after(now, pause);
        }
        assert_eq!(pauses, [10, 20, 40, 60, 60, 60]);
    }

    #[test]
    fn failures_while_aside_change_nothing() {
        let t = Instant::now();
        let mut health = Health::default();
        for _ in 0..3 {
            health.failed(t);
        }
        let before = health.clone();
        assert!(!health.failed(after(t, 1)));
        assert_eq!(before, health);
    }
}
