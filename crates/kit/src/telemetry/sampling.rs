//! Which traces are kept. The trace id decides (OpenTelemetry, consistent probability sampling): its last 56 bits are random, and a trace is
//! kept if they are not below a threshold. So every hop with the same ratio keeps the same traces, and a hop with a smaller one keeps a
//! part of them.

use super::id::TraceId;

/// Random bits of a trace id.
const BITS: u32 = 56;
/// All values of these bits, as a number.
const ALL: u64 = 1 << BITS;

/// A share of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ratio {
    /// How many of the values of the random bits are kept.
    kept: u64,
}

impl Ratio {
    /// No trace.
    pub const NONE: Self = Self { kept: 0 };
    /// Every trace.
    pub const ALL: Self = Self { kept: ALL };

    /// So many of a million; more is all.
    pub fn millionths(share: u32) -> Self {
        let share = u128::from(share.min(1_000_000));
        Self { kept: (share * u128::from(ALL) / 1_000_000) as u64 }
    }

    /// Whether the trace is among them.
    pub fn keeps(self, trace: TraceId) -> bool {
        let bytes = trace.to_bytes();
        let mut random = [0; 8];
        random[1..].copy_from_slice(&bytes[9..]);
        u64::from_be_bytes(random) >= ALL - self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces() -> impl Iterator<Item = TraceId> {
        // Even draws, as trace ids are (splitmix64).
        (1..20_000_u64).filter_map(|n| {
            let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let mut bytes = [7; 16];
            bytes[8..].copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
            TraceId::new(bytes)
        })
    }

    #[test]
    fn a_ratio_keeps_its_share() {
        let kept = |share| traces().filter(|trace| Ratio::millionths(share).keeps(*trace)).count();
        assert_eq!((kept(0), kept(1_000_000), kept(2_000_000)), (0, 19_999, 19_999));
        assert!((1800..2200).contains(&kept(100_000)), "{}", kept(100_000));
        assert!((10..=32).contains(&kept(1_000)), "0.1 %: {}", kept(1_000));
        assert_eq!((Ratio::millionths(0), Ratio::millionths(1_000_000)), (Ratio::NONE, Ratio::ALL));
    }

    #[test]
    fn a_smaller_ratio_keeps_a_part_of_what_a_larger_one_keeps() {
        let (small, large) = (Ratio::millionths(10_000), Ratio::millionths(250_000));
        assert!(traces().filter(|trace| small.keeps(*trace)).all(|trace| large.keeps(trace)));
    }

    #[test]
    fn the_threshold_is_that_of_the_specification() {
        // th:8 is one half: kept from 0x80000000000000 on.
        let trace = |low: u64| TraceId::new((u128::from(u64::MAX) << 64 | u128::from(low)).to_be_bytes()).unwrap();
        let half = Ratio::millionths(500_000);
        assert!(half.keeps(trace(0x0080_0000_0000_0000)) && !half.keeps(trace(0xff7f_ffff_ffff_ffff)));
    }
}
