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

/// The name of the `HostnameBinding` for a canonical hostname. It is the key of the ownership ledger, so it must not be
/// possible to find a second hostname with the same name: 160 bits of SHA-256.
pub fn binding(host: &str) -> String {
    format!("host-{}", hex(&Sha256::digest(host.as_bytes())[..20]))
}

/// Joins `parts` with hyphens; a result that is too long is cut and gets a tail that depends on all of it.
pub fn compose(parts: &[&str]) -> String {
    let whole = parts.join("-");
    if whole.len() <= LONGEST {
        return whole;
    }
    let tail = &hex(&Sha256::digest(whole.as_bytes()))[..TAIL];
    let mut cut = LONGEST - TAIL - 1;
    while !whole.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}-{tail}", whole[..cut].trim_end_matches(['-', '.']))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char]).collect()
}

#[cfg(test)]
mod tests {
    use super::{binding, compose, inner, outer};

    #[test]
    fn short_names_are_kept_as_they_are() {
        assert_eq!(outer("main"), "main-outer");
        assert_eq!(inner("main", "team-a"), "main-team-a");
    }

    #[test]
    fn names_that_are_cut_at_the_same_place_stay_apart() {
        let (a, b) = ("x".repeat(70) + "a", "x".repeat(70) + "b");
        let (a, b) = (compose(&["main", &a]), compose(&["main", &b]));
        assert_eq!((a.len(), b.len()), (63, 63));
        assert_ne!(a, b);
    }

    #[test]
    fn the_name_of_a_binding_never_changes() {
        assert_eq!(binding("a.example.com"), binding("a.example.com"));
        assert_ne!(binding("a.example.com"), binding("*.example.com"));
        assert_eq!(binding("a.example.com").len(), 45);
    }
}
