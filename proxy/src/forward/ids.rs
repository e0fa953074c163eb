//! Ids of requests, traces and spans, and draws. Neither is a secret: an id must only be unlikely to occur twice, a draw only be even.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use bailey_kit::telemetry::{SpanId, TraceId};

/// A worker's source of them, seeded by the operating system's randomness.
pub(crate) struct Ids(Cell<u64>, u64);

impl Ids {
    pub(crate) fn new() -> Self {
        let random = || RandomState::new().hash_one(0);
        Self(Cell::new(random()), random() | 1)
    }

    /// An even draw (splitmix64 with a stream of its own).
    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(self.1);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A trace id, even in all its bits as sampling wants it.
    pub(crate) fn trace(&self) -> TraceId {
        loop {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&self.next().to_be_bytes());
            id[8..].copy_from_slice(&self.next().to_be_bytes());
            if let Some(id) = TraceId::new(id) {
                return id;
            }
        }
    }

    /// A span id.
    pub(crate) fn span(&self) -> SpanId {
        loop {
            if let Some(id) = SpanId::new(self.next().to_be_bytes()) {
                return id;
            }
        }
    }

    /// A request id: a random UUID (RFC 9562, version 4).
    pub(crate) fn request(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next().to_be_bytes());
        id[8..].copy_from_slice(&self.next().to_be_bytes());
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_draws_are_even() {
        let (one, two) = (Ids::new(), Ids::new());
        assert_ne!(one.request(), one.request());
        assert_ne!(one.request(), two.request());
        let low = (0..4000).filter(|_| one.next() < u64::MAX / 4).count();
        assert!((850..1150).contains(&low), "{low}");
    }
}
