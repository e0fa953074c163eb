//! Names of what the operator makes, beyond the tiers' own (`bailey_translate::names`).
//!
//! A name is a pure function of what it stands for. Namespaced children begin with the name of their tier, so that two
//! tiers never share one; the names of cluster-scoped children carry a digest, because `a-b` and `c` give the same text as
//! `a` and `b-c`.

use sha2::{Digest as _, Sha256};

/// Longest name that every kind accepts (a Service's is a DNS label).
pub const LONGEST: usize = 63;
/// Characters of the tail that keeps names apart.
const TAIL: usize = 6;
const _: () = assert!(TAIL + 1 < LONGEST, "a tail has to leave room for the name");

/// A child of the tier `tier`, such as its second Service: `<tier>-<suffix>`, cut with a tail when it is too long.
pub fn child(tier: &str, suffix: &str) -> String {
    let whole = format!("{tier}-{suffix}");
    if whole.len() <= LONGEST { whole } else { tailed(tier, suffix, &whole) }
}

/// A cluster-scoped child of a tier: `bailey-<tier>-<suffix>-<digest>`.
pub fn cluster_child(topology: &str, tier: &str, suffix: &str) -> String {
    tailed(&format!("bailey-{tier}"), suffix, &format!("{topology}/{tier}/{suffix}"))
}

/// The Secret of the operator's namespace with the key of a topology's link CA.
pub fn link_authority(topology: &str) -> String {
    child(topology, "link-authority")
}

/// `<start>-<suffix>-<digest of identity>`, with as much of `start` as there is room for.
fn tailed(start: &str, suffix: &str, identity: &str) -> String {
    let digest = Sha256::digest(identity.as_bytes());
    let tail = format!("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]);
    let room = LONGEST - suffix.len() - 1 - TAIL - 1;
    let cut: String = start.chars().take(room).collect();
    format!("{}-{suffix}-{tail}", cut.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_names_are_plain() {
        assert_eq!(child("main-outer", "internal"), "main-outer-internal");
        assert_eq!(link_authority("main"), "main-link-authority");
    }

    #[test]
    fn cluster_scoped_names_of_different_topologies_stay_apart() {
        let (a, b) = (cluster_child("a-b", "a-b-c", "classes"), cluster_child("a", "a-b-c", "classes"));
        assert!(a.starts_with("bailey-a-b-c-classes-") && a != b);
    }

    proptest! {
        #[test]
        fn names_fit_and_are_labels(tier in "[a-z][-a-z0-9]{0,61}[a-z0-9]", suffix in "[a-z]{1,20}") {
            for name in [child(&tier, &suffix), cluster_child("main", &tier, &suffix)] {
                prop_assert!(name.len() <= LONGEST && !name.ends_with('-') && name.starts_with(|c: char| c.is_ascii_lowercase()));
            }
        }

        #[test]
        fn different_tiers_have_different_children(a in "[a-z]{40,63}", b in "[a-z]{40,63}") {
            prop_assume!(a != b);
            prop_assert_ne!(child(&a, "certificates"), child(&b, "certificates"));
        }
    }
}
