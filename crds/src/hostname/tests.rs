use super::{Hostname, HostnameError};

fn host(text: &str) -> Hostname {
    Hostname::parse(text).unwrap()
}

#[test]
fn spellings_of_one_host_become_the_same() {
    for spelling in ["a.example.com", "A.EXAMPLE.com", "a.example.com.", "A.Example.Com."] {
        assert_eq!(host(spelling).as_str(), "a.example.com");
    }
    assert_eq!(host("*.Example.com").as_str(), "*.example.com");
    assert_eq!(host("xn--bcher-kva.example").as_str(), "xn--bcher-kva.example");
}

#[test]
fn what_is_not_a_host_is_refused_with_the_reason() {
    let long = format!("{}.example", "a.".repeat(130));
    for (text, reason) in [
        ("", HostnameError::Empty),
        (".", HostnameError::Empty),
        ("bücher.example", HostnameError::NotAscii),
        ("a\u{ff0e}b", HostnameError::NotAscii),
        ("192.0.2.1", HostnameError::Address),
        ("::1", HostnameError::Address),
        ("a.example.com:443", HostnameError::Address),
        ("*", HostnameError::Wildcard),
        ("a.*.example.com", HostnameError::Wildcard),
        ("*a.example.com", HostnameError::Wildcard),
        ("*.*.example.com", HostnameError::Wildcard),
        ("a..b", HostnameError::Label),
        ("a.example.com..", HostnameError::Label),
        ("-a.example.com", HostnameError::Label),
        ("a-.example.com", HostnameError::Label),
        ("a_b.example.com", HostnameError::Label),
        ("a%2e.example.com", HostnameError::Label),
        ("*.", HostnameError::Wildcard),
        (long.as_str(), HostnameError::TooLong),
    ] {
        assert_eq!(Hostname::parse(text), Err(reason), "{text}");
    }
}

#[test]
fn a_wildcard_covers_one_label_or_more_but_not_its_parent() {
    let wildcard = host("*.example.com");
    for inside in ["a.example.com", "a.b.example.com", "*.b.example.com", "*.example.com"] {
        assert!(wildcard.covers(&host(inside)), "{inside}");
        assert!(host(inside).overlaps(&wildcard), "{inside}");
    }
    for outside in ["example.com", "badexample.com", "*.com", "a.example.org"] {
        assert!(!wildcard.covers(&host(outside)), "{outside}");
    }
}

#[test]
fn the_name_of_a_binding_is_the_hash_of_the_canonical_host() {
    assert_eq!(host("A.example.com.").binding_name(), host("a.example.com").binding_name());
    assert_ne!(host("*.example.com").binding_name(), host("example.com").binding_name());
    // `printf %s example.com | sha256sum`
    assert_eq!(host("example.com").binding_name(), "host-a379a6f6eeafb9a55e378c118034e2751e682fab");
}
