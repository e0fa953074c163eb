//! Short runs of the fuzz bodies, and that the split of the input does not matter.

use proptest::prelude::*;

use crate::bodies;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn any_input_is_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..400)) {
        bodies::read_any(&data);
    }

    #[test]
    fn any_interleaving_keeps_the_bound_and_drains(script in prop::collection::vec(any::<u8>(), 0..1500)) {
        bodies::interleave(&script);
    }
}

/// More under `BAILEY_PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("BAILEY_PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(128)
}
