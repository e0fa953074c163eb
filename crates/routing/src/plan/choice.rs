//! Shares of traffic from one random number.

use crate::ir::{Backend, Fraction};

/// The backend whose share of the number line holds `random`. `None` when no backend has a weight.
///
/// An invalid backend takes part like any other, so its share fails instead of moving to the rest.
pub(crate) fn weighted(backends: &[Backend], random: u64) -> Option<usize> {
    let total: u64 = backends.iter().map(|backend| u64::from(backend.weight)).sum();
    let mut left = scaled(random, total);
    backends.iter().position(|backend| {
        let weight = u64::from(backend.weight);
        let is_it = left < weight;
        left = left.saturating_sub(weight);
        is_it
    })
}

/// For every backend that has a share, a draw that chooses it.
pub(crate) fn draws(backends: &[Backend]) -> impl Iterator<Item = (usize, u64)> {
    let total: u128 = backends.iter().map(|backend| u128::from(backend.weight)).sum();
    let mut before: u128 = 0;
    backends.iter().enumerate().filter(|(_, backend)| backend.weight > 0).map(move |(index, backend)| {
        // The least draw that `scaled` puts at the start of this share.
        let draw = (before << 64).div_ceil(total.max(1));
        before += u128::from(backend.weight);
        (index, draw as u64)
    })
}

/// Whether the `index`-th draw of this request falls into `fraction`. Draws with different indexes, and the choice of the
/// backend, have nothing to do with each other.
pub(crate) fn drawn(fraction: Fraction, random: u64, index: u64) -> bool {
    scaled(mixed(random, index), u64::from(fraction.denominator.max(1))) < u64::from(fraction.numerator)
}

/// `random` on a line from 0 to `total`.
fn scaled(random: u64, total: u64) -> u64 {
    ((u128::from(random) * u128::from(total)) >> 64) as u64
}

/// The finaliser of `SplitMix64`.
fn mixed(random: u64, index: u64) -> u64 {
    let x = random.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
