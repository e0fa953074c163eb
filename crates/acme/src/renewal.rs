//! When a certificate is renewed: when its authority says (RFC 9773), else when a third of its life is left, or half of a
//! life below ten days. Spread by the name, so that certificates that came together do not go together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::backoff::share;

#[cfg(test)]
mod tests;

/// Lives below this are renewed at half.
const SHORT: Duration = Duration::from_hours(10 * 24);
/// The authority is asked for its window no more often and no more seldom than this.
pub const ASK: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24));

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The first second.
    pub begins: Time,
    /// The last.
    pub ends: Time,
}

/// Between when and when the authority wants a certificate renewed (RFC 9773 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment.
    pub start: Time,
    /// The last.
    pub end: Time,
}

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The share of the life that must be left, in percent, when the authority has no answer.
    pub remaining_percent: Option<u8>,
}

impl Life {
    /// How long it is.
    pub fn length(self) -> Duration {
        self.ends.since(self.begins)
    }

    /// Whether a client would take it now.
    pub fn holds(self, now: Time) -> bool {
        self.begins <= now && now < self.ends
    }
}

/// The moment to renew. In the past: at once.
pub fn renew_at(host: &str, life: Life, window: Option<Window>, policy: Policy) -> Time {
    // A window that ends before it begins is no answer (RFC 9773 section 4.2).
    if let Some(window) = window.filter(|window| window.start < window.end) {
        let at = window.start.after(window.end.since(window.start).mul_f64(share(host, 0)));
        // An authority's window never makes a certificate run out.
        return at.min(life.ends.before(life.length() / 10));
    }
    let left = match policy.remaining_percent {
        Some(percent) => f64::from(percent) / 100.0,
        None if life.length() < SHORT => 1.0 / 2.0,
        None => 1.0 / 3.0,
    };
    // Up to a twentieth of the life earlier.
    life.ends.before(life.length().mul_f64((left + 0.05 * share(host, 0)).min(0.95)))
}

/// How long until the authority is asked again for its window.
pub fn ask_again(retry_after: Duration) -> Duration {
    retry_after.clamp(ASK.0, ASK.1)
}
