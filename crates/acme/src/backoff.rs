//! How long to wait after a failure: longer each time, spread by the name, so that many that failed together do not come
//! back together.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// The waits after failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

/// When the authority cannot be reached, or answers nonsense. Nothing was refused, so asking again soon harms nobody.
pub const UNREACHABLE: Backoff = Backoff { first: Duration::from_secs(10), longest: Duration::from_hours(1) };
/// Between two looks at an order that the authority works on.
pub const LOOK: Backoff = Backoff { first: Duration::from_secs(2), longest: Duration::from_mins(5) };
/// When an order failed: the next is a new one, which counts against the authority's limits. Five failed validations of a
/// name in an hour are what Let's Encrypt allows.
pub const REFUSED: Backoff = Backoff { first: Duration::from_mins(15), longest: Duration::from_hours(24) };

impl Backoff {
    /// The wait after `failures` in a row (from 1): doubled each time, up to a quarter more by `name`.
    pub fn wait(self, failures: u32, name: &str) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.longest);
        doubled + doubled.mul_f64(0.25 * share(name, failures))
    }
}

/// A number from 0 up to 1 that depends on nothing but its arguments.
pub(crate) fn share(name: &str, salt: u32) -> f64 {
    let digest = Sha256::new().chain_update(salt.to_be_bytes()).chain_update(name).finalize();
    let high = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_differ_by_name() {
        let wait = |failures| REFUSED.wait(failures, "a.example.com");
        assert!(wait(1) >= REFUSED.first && wait(1) < REFUSED.first * 5 / 4);
        assert!(wait(2) >= REFUSED.first * 2);
        for many in [12, 100, u32::MAX] {
            assert!(wait(many) >= REFUSED.longest && wait(many) <= REFUSED.longest * 5 / 4);
        }
        assert_ne!(wait(3), REFUSED.wait(3, "b.example.com"));
        assert_eq!(wait(3), wait(3));
    }
}
