//! Time as it is written down: whole seconds since 1970, UTC.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in seconds since the beginning of 1970 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// The moment `later` after this one; the end of time rather than beyond it.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later.as_secs()))
    }

    /// The moment `earlier` before this one; 1970 rather than before it.
    #[must_use]
    pub fn before(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(earlier.as_secs()))
    }

    /// How long it is since `then`; nothing when that is still to come.
    pub fn since(self, then: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(then.0))
    }
}
