//! Tables of what a client address is, and properties of what may never be believed.

use super::*;

fn fields(lines: &[&str]) -> Fields {
    lines.iter().map(|line| (&b"x-forwarded-for"[..], line.as_bytes())).collect()
}

fn front(hops: u8) -> Front {
    Front::ForwardedFor { from: ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()].into(), hops }
}

fn client(front: &Front, peer: &str, lines: &[&str]) -> Result<String, Fate> {
    let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
    front.client(peer, None, &fields(lines)).map(|found| found.ip().to_string()).map_err(|error| error.fate)
}

#[test]
fn without_a_front_the_peer_is_the_client_whatever_it_sends() {
    assert_eq!(client(&Front::Nobody, "203.0.113.9", &["1.2.3.4"]), Ok("203.0.113.9".into()));
}

#[test]
fn an_unlisted_peer_is_never_believed_and_never_parsed() {
    for lines in [&["1.2.3.4"][..], &["unknown, ???"], &["1.1.1.1", "2.2.2.2"]] {
        assert_eq!(client(&front(1), "203.0.113.9", lines), Ok("203.0.113.9".into()), "{lines:?}");
    }
}

#[test]
fn the_address_is_counted_from_the_right_over_all_lines() {
    for (hops, lines, expected) in [
        (1, &["1.1.1.1, 2.2.2.2"][..], "2.2.2.2"),
        (2, &["1.1.1.1, 2.2.2.2"], "1.1.1.1"),
        (2, &["1.1.1.1", "2.2.2.2 , 3.3.3.3"], "2.2.2.2"),
        (3, &["1.1.1.1, 2.2.2.2"], "10.0.0.1"),
        (1, &[], "10.0.0.1"),
        (1, &["forged, <script>, 2.2.2.2"], "2.2.2.2"),
    ] {
        assert_eq!(client(&front(hops), "10.0.0.1", lines), Ok(expected.into()), "{hops} {lines:?}");
    }
}

#[test]
fn a_listed_proxy_that_breaks_the_grammar_is_refused() {
    for value in [
        "unknown",
        "_obf",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4:",
        "1.2.3.4:99999",
        "fe80::1%eth0",
        "[fe80::1%1]:2",
        "",
        "1.2.3.4,",
        "a.example",
        "01.2.3.4",
    ] {
        assert_eq!(client(&front(1), "10.0.0.1", &[value]), Err(Fate::ForwardedForInvalid), "{value}");
    }
}

#[test]
fn every_form_of_an_address_is_read_as_one() {
    for (value, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ] {
        assert_eq!(client(&front(1), "fd00::1", &[value]), Ok(expected.into()), "{value}");
    }
}

#[test]
fn ten_thousand_entries_cost_no_more_than_the_last() {
    let long = "9.9.9.9,".repeat(10_000) + "2.2.2.2";
    assert_eq!(client(&front(1), "10.0.0.1", &[&long]), Ok("2.2.2.2".into()));
    assert_eq!(client(&front(255), "10.0.0.1", &[&long]), Ok("9.9.9.9".into()));
}

#[test]
fn an_ipv4_peer_on_an_ipv6_socket_is_listed_by_its_ipv4_network() {
    assert_eq!(client(&front(1), "::ffff:10.0.0.1", &["2.2.2.2"]), Ok("2.2.2.2".into()));
    assert_eq!(client(&front(1), "::ffff:11.0.0.1", &["2.2.2.2"]), Ok("11.0.0.1".into()));
}

#[test]
fn proxy_protocol_counts_only_from_listed_peers() {
    let front = Front::ProxyProtocol { from: ["10.0.0.0/8".parse().unwrap()].into() };
    let told = Some("192.0.2.7:1234".parse().unwrap());
    let at = |peer: &str| front.client(peer.parse().unwrap(), told, &fields(&["6.6.6.6"])).unwrap().to_string();
    assert_eq!(at("10.1.1.1:1"), "192.0.2.7:1234");
    assert_eq!(at("11.1.1.1:1"), "11.1.1.1:1");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_of_an_unlisted_peer_change_its_address(lines in proptest::collection::vec("[ -~]{0,60}", 0..6), hops in 0_u8..=255) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        proptest::prop_assert_eq!(client(&front(hops), "203.0.113.9", &lines), Ok("203.0.113.9".into()));
    }

    #[test]
    fn a_listed_peer_gives_the_nth_from_the_right_or_itself_or_an_error(
        addresses in proptest::collection::vec(proptest::prelude::any::<[u8; 4]>(), 0..12),
        split in 0_usize..12,
        hops in 1_u8..14,
    ) {
        let texts: Vec<String> = addresses.iter().map(|a| std::net::Ipv4Addr::from(*a).to_string()).collect();
        let (one, two) = texts.split_at(split.min(texts.len()));
        let lines: Vec<String> = [one, two].iter().filter(|part| !part.is_empty()).map(|part| part.join(", ")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let expected = texts.iter().rev().nth(usize::from(hops) - 1).cloned().unwrap_or_else(|| "10.0.0.1".to_owned());
        proptest::prop_assert_eq!(client(&front(hops), "10.0.0.1", &lines), Ok(expected));
    }
}
