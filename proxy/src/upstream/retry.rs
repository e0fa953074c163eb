//! Decides whether a failed attempt may be made once more, and remembers what would have to be sent again. Pure: no clock, no I/O.
//!
//! The rule behind all of it: an application must never see a request twice unless that is harmless. "Harmless" is: nothing reached it, or the
//! method is idempotent (RFC 9110, 9.2.2) and no byte of an answer came.

use bytes::Bytes;
use std::cell::Cell;
use std::time::Duration;

/// How an attempt ended, as far as a repetition is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No byte of the request can have been processed: not connected, or refused by a peer that says so.
    SentNothing,
    /// A connection that had been idle turned out to be closed before the first byte of an answer.
    Stale,
    /// Something was sent, and no byte of an answer came.
    Unanswered,
    /// The answer's status, which the route may list as worth a repetition.
    Status(u16),
    /// An answer had begun. Never repeated.
    Answered,
}

/// What the route says about repetitions (Gateway API, `HTTPRouteRetry`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Repetitions that the route asks for.
    pub attempts: u8,
    /// Repetitions that do no harm, which the tier makes without being asked.
    pub unasked: u8,
    /// Statuses that count as a failure.
    pub codes: Vec<u16>,
    /// The pause before the first repetition; doubled for each further one.
    pub backoff: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 0, unasked: 1, codes: Vec::new(), backoff: Duration::ZERO }
    }
}

/// The attempt that just failed.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// Attempts made so far, this one included.
    pub made: u8,
    /// Whether the method may be repeated without harm.
    pub idempotent: bool,
    /// Whether everything that was sent is still at hand.
    pub replayable: bool,
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try once more after this pause (zero: at once).
    Again(Duration),
    /// Report the failure.
    GiveUp,
}

/// The longest pause between attempts, whatever the doubling says.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Decides. Takes from the budget only when the verdict is to try again.
pub fn decide(failure: Failure, attempt: Attempt, policy: &RetryPolicy, budget: &Budget) -> Verdict {
    let harmless = match failure {
        Failure::SentNothing => true,
        // The application may have got the request just before it closed, so a POST is not repeated blindly (RFC 9112, 9.3.1).
        Failure::Stale | Failure::Unanswered => attempt.idempotent,
        Failure::Status(code) => attempt.idempotent && policy.codes.contains(&code),
        Failure::Answered => false,
    };
    let left = match failure {
        Failure::SentNothing | Failure::Stale | Failure::Unanswered => {
            attempt.made <= policy.attempts.max(policy.unasked)
        }
        Failure::Status(_) | Failure::Answered => attempt.made <= policy.attempts,
    };
    // A tier that restarts refuses what is on its way, and idle connections go away: neither made anyone work, so the
    // first repetition is not charged.
    let free = attempt.made == 1 && matches!(failure, Failure::SentNothing | Failure::Stale);
    if !harmless || !left || !attempt.replayable || !(free || budget.take()) {
        return Verdict::GiveUp;
    }
    if free {
        return Verdict::Again(Duration::ZERO);
    }
    let doubled = policy.backoff.saturating_mul(1 << u32::from(attempt.made.saturating_sub(1)).min(10));
    Verdict::Again(doubled.min(LONGEST_PAUSE))
}

/// Keeps repetitions at or below a share of the requests, so that a failing upstream is not pushed over by them.
///
/// Every request pays in its share of a repetition; a repetition takes out a whole one. A small reserve lets quiet upstreams repeat at all.
#[derive(Debug)]
pub struct Budget {
    percents: Cell<u32>,
    /// Repetitions that it did not pay for.
    refused: Cell<u64>,
}

/// Repetitions a quiet upstream may make.
const RESERVE: u32 = 10;
/// What may be saved up at most, so that a long calm does not pay for a storm.
const CEILING: u32 = 200;
const PER_REPETITION: u32 = 100;

impl Default for Budget {
    fn default() -> Self {
        Self { percents: Cell::new(RESERVE * PER_REPETITION), refused: Cell::new(0) }
    }
}

impl Budget {
    /// Counts a first attempt, which pays for so many percent of a repetition.
    pub fn request(&self, percent: u32) {
        self.percents.set((self.percents.get() + percent).min(CEILING * PER_REPETITION));
    }

    /// Takes one repetition out, if there is one.
    pub fn take(&self) -> bool {
        let Some(rest) = self.percents.get().checked_sub(PER_REPETITION) else {
            self.refused.set(self.refused.get() + 1);
            return false;
        };
        self.percents.set(rest);
        true
    }

    /// How many repetitions it did not pay for.
    pub fn refused(&self) -> u64 {
        self.refused.get()
    }
}

/// The part of a request body that was handed to an attempt, for the next one. Shares the bytes, copies none.
#[derive(Debug)]
pub struct Replay {
    limit: usize,
    parts: Vec<Bytes>,
    size: usize,
    ended: bool,
    lost: bool,
}

impl Replay {
    /// Nothing yet, and never more than `limit` bytes.
    pub fn up_to(limit: usize) -> Self {
        Self { limit, parts: Vec::new(), size: 0, ended: false, lost: false }
    }

    /// Remembers what was handed over. Beyond the limit everything is let go and the request can no longer be repeated.
    pub fn record(&mut self, data: &Bytes, end: bool) {
        self.ended |= end;
        if self.lost {
            return;
        }
        self.size += data.len();
        if self.size > self.limit {
            self.lose();
        } else if !data.is_empty() {
            self.parts.push(data.clone());
        }
    }

    /// Gives the memory up: an answer began, or the body is one that cannot be repeated.
    pub fn lose(&mut self) {
        self.lost = true;
        self.parts = Vec::new();
    }

    /// Whether [`Self::parts`] is all that was handed over.
    pub fn is_complete(&self) -> bool {
        !self.lost
    }

    /// What to send again, in order.
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    /// Whether the end of the body was handed over too.
    pub fn ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Attempt = Attempt { made: 1, idempotent: true, replayable: true };
    const POST: Attempt = Attempt { made: 1, idempotent: false, replayable: true };

    fn plain(failure: Failure, attempt: Attempt) -> Verdict {
        decide(failure, attempt, &RetryPolicy::default(), &Budget::default())
    }

    #[test]
    fn a_request_that_reached_nobody_is_repeated_once_whatever_its_method() {
        assert_eq!(plain(Failure::SentNothing, POST), Verdict::Again(Duration::ZERO));
        assert_eq!(plain(Failure::SentNothing, Attempt { made: 2, ..POST }), Verdict::GiveUp);
    }

    #[test]
    fn a_stale_connection_is_replaced_for_idempotent_requests_only() {
        assert_eq!(plain(Failure::Stale, GET), Verdict::Again(Duration::ZERO));
        assert_eq!(plain(Failure::Stale, POST), Verdict::GiveUp);
    }

    #[test]
    fn unanswered_requests_are_repeated_once_or_as_the_route_says() {
        assert_eq!(plain(Failure::Unanswered, GET), Verdict::Again(Duration::ZERO));
        assert_eq!(plain(Failure::Unanswered, Attempt { made: 2, ..GET }), Verdict::GiveUp);
        assert_eq!(plain(Failure::Unanswered, POST), Verdict::GiveUp);
        let policy = RetryPolicy {
            attempts: 2,
            codes: vec![503],
            backoff: Duration::from_millis(100),
            ..RetryPolicy::default()
        };
        let budget = Budget::default();
        assert_eq!(decide(Failure::Unanswered, GET, &policy, &budget), Verdict::Again(Duration::from_millis(100)));
        assert_eq!(decide(Failure::Unanswered, POST, &policy, &budget), Verdict::GiveUp);
        let second = Attempt { made: 2, ..GET };
        assert_eq!(decide(Failure::Status(503), second, &policy, &budget), Verdict::Again(Duration::from_millis(200)));
        assert_eq!(decide(Failure::Status(500), second, &policy, &budget), Verdict::GiveUp);
        assert_eq!(decide(Failure::Status(503), Attempt { made: 3, ..GET }, &policy, &budget), Verdict::GiveUp);
    }

    #[test]
    fn an_answer_that_began_is_never_repeated() {
        let policy = RetryPolicy { attempts: 9, codes: vec![500], ..RetryPolicy::default() };
        assert_eq!(decide(Failure::Answered, GET, &policy, &Budget::default()), Verdict::GiveUp);
    }

    #[test]
    fn a_body_that_is_gone_is_not_repeated() {
        assert_eq!(plain(Failure::SentNothing, Attempt { replayable: false, ..GET }), Verdict::GiveUp);
    }

    #[test]
    fn repetitions_stay_below_their_share_of_the_requests() {
        for percent in [20, 5] {
            let budget = Budget::default();
            let mut repeated = 0;
            for _ in 0..1000 {
                budget.request(percent);
                repeated += u32::from(budget.take());
            }
            assert!((percent * 10..=percent * 10 + RESERVE).contains(&repeated), "{percent}: {repeated}");
        }
    }

    #[test]
    fn the_tier_says_how_often_it_repeats_without_being_asked() {
        let budget = Budget::default();
        let with = |unasked, made| {
            let policy = RetryPolicy { unasked, ..RetryPolicy::default() };
            decide(Failure::Unanswered, Attempt { made, ..GET }, &policy, &budget)
        };
        assert_eq!(with(0, 1), Verdict::GiveUp);
        assert_eq!((with(3, 3), with(3, 4)), (Verdict::Again(Duration::ZERO), Verdict::GiveUp));
    }

    #[test]
    fn replay_keeps_small_bodies_and_drops_large_ones() {
        let mut replay = Replay::up_to(8);
        replay.record(&Bytes::from_static(b"ab"), false);
        replay.record(&Bytes::from_static(b"c"), true);
        assert!(replay.is_complete() && replay.ended());
        assert_eq!(replay.parts().concat(), b"abc");
        replay.record(&Bytes::from_static(b"defghi"), false);
        assert!(!replay.is_complete());
        assert!(replay.parts().is_empty());
    }
}
