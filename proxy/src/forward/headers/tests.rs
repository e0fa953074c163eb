//! What is deleted, what is written, and that nothing a client sends can come through as ours.

use super::*;

const OURS: &[&str] =
    &["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "x-request-id"];

fn all_forged() -> Fields {
    let names = FORWARDING.iter().map(|name| (*name).to_owned());
    let families = FORWARDING_PREFIXES.iter().map(|family| format!("{family}anything"));
    let traces = TRACE.iter().map(|name| (*name).to_owned());
    let all: Vec<String> = names.chain(families).chain(traces).collect();
    let twins = all.iter().map(|name| name.replace('-', "_"));
    all.iter().cloned().chain(twins).fold(Fields::new(), |mut fields, name| {
        fields.append(name.as_bytes(), b"forged");
        fields
    })
}

fn authority(text: &str) -> Authority {
    Authority::parse(text.as_bytes()).unwrap()
}

#[test]
fn every_forwarding_field_from_outside_is_deleted_with_its_twin() {
    let mut fields = all_forged();
    fields.append(b"accept", b"*/*");
    fields.append(b"x-custom", b"kept");
    fields.append(b"via-mirror", b"kept");
    delete_forwarding(&mut fields, TraceFields::None);
    let left: Vec<_> = fields.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(left, ["accept", "x-custom", "via-mirror"]);
}

#[test]
fn a_listed_proxy_may_send_a_trace_context_and_nothing_else() {
    let mut fields = all_forged();
    delete_forwarding(&mut fields, TraceFields::All);
    assert!(fields.iter().all(|(name, _)| is_trace(name)));
    assert!(fields.contains(b"traceparent"));
}

#[test]
fn the_names_of_the_best_known_edges_are_covered() {
    for name in [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-server",
        "x-forwarded-client-cert",
        "x-forwarded-tls-client-cert",
        "x-forwarded-tls-client-cert-info",
        "x-forwarded-ssl",
        "x-forwarded-scheme",
        "x-forwarded-uri",
        "x-forwarded",
        "x-original-url",
        "x-original-uri",
        "x-original-host",
        "x-original-forwarded-for",
        "x-envoy-external-address",
        "x-forwarded_for",
    ] {
        assert!(is_forwarding(name.as_bytes()), "{name}");
    }
}

#[test]
fn initials_cover_every_name() {
    let names = FORWARDING.iter().chain(FORWARDING_PREFIXES).chain(TRACE);
    for name in names {
        assert!(INITIALS.contains(&name.as_bytes()[0]), "{name}");
    }
}

#[test]
fn the_application_sees_each_of_our_fields_once() {
    let mut fields: Fields = OURS.iter().flat_map(|name| [(name.as_bytes(), &b"forged"[..]); 2]).collect();
    let authority = authority("A.Example.com.");
    let origin = Origin {
        client: "192.0.2.1:5555".parse().unwrap(),
        https: true,
        authority: &authority,
        port: 443,
        request_id: &[0xab; 16],
    };
    write_clean(&mut fields, &origin, false);
    let get = |name: &str| {
        assert_eq!(fields.get_all(name.as_bytes()).count(), 1, "{name}");
        String::from_utf8(fields.get(name.as_bytes()).unwrap().to_vec()).unwrap()
    };
    assert_eq!(get("x-forwarded-for"), "192.0.2.1");
    assert_eq!(get("x-real-ip"), "192.0.2.1");
    assert_eq!(get("x-forwarded-proto"), "https");
    assert_eq!(get("x-forwarded-host"), "a.example.com");
    assert_eq!(get("x-forwarded-port"), "443");
    assert_eq!(get("x-request-id"), "abababab-abab-abab-abab-abababababab");
    assert!(!fields.contains(b"forwarded"));
}

#[test]
fn forwarded_quotes_what_rfc_7239_wants_quoted() {
    for (client, host, https, expected) in [
        ("192.0.2.1:1", "a.example", false, "for=192.0.2.1;host=a.example;proto=http"),
        ("[2001:db8::1]:1", "a.example:8443", true, "for=\"[2001:db8::1]\";host=\"a.example:8443\";proto=https"),
    ] {
        let authority = authority(host);
        let origin =
            Origin { client: client.parse().unwrap(), https, authority: &authority, port: 443, request_id: &[0; 16] };
        let mut fields = Fields::new();
        write_clean(&mut fields, &origin, true);
        assert_eq!(fields.get(b"forwarded").unwrap(), expected.as_bytes());
        assert_eq!(fields.get(b"x-forwarded-host").unwrap(), host.as_bytes());
    }
}

#[test]
fn numbers_and_addresses_are_written_as_the_standard_library_does() {
    for number in [0_u16, 1, 9, 10, 80, 99, 100, 443, 8080, 9999, 10_000, 65_535] {
        assert_eq!(Text::default().decimal(number).as_bytes(), number.to_string().as_bytes());
    }
    for address in ["0.0.0.0", "10.200.3.255", "2001:db8::1"] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(Text::default().address(address).as_bytes(), address.to_string().as_bytes());
    }
}
