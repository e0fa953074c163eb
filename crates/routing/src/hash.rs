//! The one hash of this crate: fixed, so that indexes and digests are the same in every process of a release.
//!
//! Bytes are taken eight at a time, little-endian, the last word padded with zeros; each word is mixed into two lanes by
//! `lane = fold((lane ^ word) * K)`, where `fold` xors the halves of the 128-bit product; the length closes a string.
//! It is quick and well spread, not a defence: tables never depend on it being hard to collide, they compare keys.

use std::hash::{Hash, Hasher};

const LANE_A: u64 = 0x243f_6a88_85a3_08d3;
const LANE_B: u64 = 0x1319_8a2e_0370_7344;
const MULTIPLY_A: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLY_B: u64 = 0xd6e8_feb8_6659_fd93;

/// The fixed hasher, with a 128-bit result for digests.
#[derive(Debug, Clone)]
pub(crate) struct FixedHasher {
    a: u64,
    b: u64,
}

/// 64 bits of the fixed hash of a value.
pub(crate) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = FixedHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The whole of the fixed hash of a value, for digests.
pub(crate) fn digest_of(value: &impl Hash) -> u128 {
    let mut hasher = FixedHasher::default();
    value.hash(&mut hasher);
    (u128::from(fold(hasher.a, MULTIPLY_B)) << 64) | u128::from(hasher.finish())
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

impl FixedHasher {
    fn word(&mut self, word: u64) {
        self.a = fold(self.a ^ word, MULTIPLY_A).wrapping_add(LANE_B);
        self.b = fold(self.b ^ word.rotate_left(32), MULTIPLY_B).wrapping_add(LANE_A);
    }
}

impl Default for FixedHasher {
    fn default() -> Self {
        Self { a: LANE_A, b: LANE_B }
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(last));
        }
        self.word(bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.word(u64::from(value));
    }
    fn write_u16(&mut self, value: u16) {
        self.word(u64::from(value));
    }
    fn write_u32(&mut self, value: u32) {
        self.word(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }
    fn write_u128(&mut self, value: u128) {
        self.word(value as u64);
        self.word((value >> 64) as u64);
    }
    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn finish(&self) -> u64 {
        fold(self.a, self.b)
    }
}
