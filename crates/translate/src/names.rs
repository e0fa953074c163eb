//! Names of the objects that Bailey makes.
//!
//! A name is a pure function of what it stands for and stays the same between releases: changing this file renames
//! objects in running clusters.

use sha2::{Digest, Sha256};

/// Longest name that every kind accepts (a Service's is a DNS label).
const LONGEST: usize = 63;
/// Characters of the tail that keeps cut names apart.
const TAIL: usize = 6;
const _: () = assert!(TAIL + 1 < LONGEST, "a tail has to leave room for the name");

/// The name of a topology's outer tier: Deployment, Service, `TierConfig`.
pub fn outer(topology: &str) -> String {
    compose(&[topology, "outer"])
}

/// The name of a tenant's inner tier: Deployment, Service, `TierConfig`.
pub fn inner(topology: &str, tenant: &str) -> String {
    compose(&[topology, tenant])
}

/// Joins `parts` with hyphens; a result that is too long is cut and gets a tail that depends on all of it.
fn compose(parts: &[&str]) -> String {
    let whole = parts.join("-");
    if whole.len() <= LONGEST {
        return whole;
    }
    let digest = Sha256::digest(whole.as_bytes());
    let tail = format!("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]);
    let cut: String = whole.chars().take(LONGEST - TAIL - 1).collect();
    format!("{}-{tail}", cut.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::{inner, outer};

    #[test]
    fn short_names_are_kept_as_they_are() {
        assert_eq!(outer("main"), "main-outer");
        assert_eq!(inner("main", "team-a"), "main-team-a");
    }

    #[test]
    fn names_that_are_cut_at_the_same_place_stay_apart() {
        let (a, b) = (inner("main", &("x".repeat(70) + "a")), inner("main", &("x".repeat(70) + "b")));
        assert_eq!((a.len(), b.len()), (63, 63));
        assert_ne!(a, b);
    }

    #[test]
    fn a_cut_name_never_changes() {
        assert_eq!(inner("main", &"x".repeat(70)), format!("main-{}-{}", "x".repeat(51), "650ffb"));
    }
}
