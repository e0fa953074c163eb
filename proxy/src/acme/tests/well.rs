//! Orders that come to a good end, by every way to it.

use std::time::Duration;

use bailey_acme::Secret;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::authority::Ca;
use super::bed::{Bed, By};
use crate::acme::Material;
use crate::acme::dns::tests::server::{KEY, KEY_NAME, Server};
use crate::tls::public::CertificateIssuer as _;

const NAME: &str = "_acme-challenge.a.example.com";

async fn hundred(refused: u32) {
    let hosts: Vec<String> = (0..100).map(|at| format!("h{at}.d{}.example{}.com", at % 7, at % 9)).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let mut bed = Bed::new(&hosts, By::Http, json!({})).await;
    bed.authority.state().refused = refused;
    // The tenant's share of orders is 30 at once and 10 more each hour.
    bed.pass(Duration::from_hours(9)).await;
    for host in hosts {
        assert!(bed.served(host).is_some(), "{:?}", bed.listed(host));
    }
    assert_eq!(bed.authority.state().orders.len(), 100, "each was ordered once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_certificates_come_with_a_third_of_all_nonces_refused() {
    hundred(30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_certificates_come_with_nine_nonces_of_ten_refused() {
    hundred(90).await;
}

pub(super) fn by_update(server: &Server) -> By<'_> {
    let address = server.address.to_string();
    let spec =
        json!({"provider": "rfc2136", "credentialsRef": {"name": "dns"}, "propagation": {"nameservers": [address]}});
    let entries = [("server", address), ("keyName", KEY_NAME.to_owned()), ("key", BASE64.encode(KEY))];
    let dns_credentials = entries.map(|(key, value)| (key.to_owned(), Secret::new(value.into_bytes()))).into();
    By::Dns(server, spec, Material { dns_credentials, ..Material::default() })
}

#[tokio::test]
async fn a_name_and_its_wildcard_are_proven_under_one_name_of_dns_and_nothing_stays_there() {
    let server = Server::start().await;
    let hosts = ["a.example.com", "*.a.example.com"];
    let mut bed = Bed::new(&hosts, by_update(&server), json!({})).await;
    bed.pass(Duration::from_hours(1)).await;
    for host in hosts {
        assert!(bed.served(host).is_some(), "{:?}", bed.listed(host));
    }
    assert!(bed.served("x.a.example.com").is_some() && bed.served("y.x.a.example.com").is_none());
    assert_eq!(server.texts(), []);
    assert!(server.zone().most >= 1);
}

#[tokio::test]
async fn a_record_that_is_not_seen_fails_no_proof_and_goes_in_the_end() {
    let server = Server::start().await;
    let By::Dns(_, mut spec, material) = by_update(&server) else { unreachable!() };
    spec["propagation"]["timeoutSeconds"] = json!(1);
    let mut bed = Bed::new(&["a.example.com"], By::Dns(&server, spec, material), json!({})).await;
    server.zone().lag = usize::MAX;
    bed.driver.settle().await;
    let error = bed.listed("a.example.com").error.clone().unwrap();
    assert!(error.contains("not to be seen within 1 s"), "{error}");
    assert!(!bed.authority.state().orders[0].failed(), "the authority was not told");
    server.zone().lag = 0;
    bed.pass(Duration::from_hours(2)).await;
    assert!(bed.served("a.example.com").is_some(), "{:?}", bed.listed("a.example.com"));
    assert_eq!((server.texts(), bed.authority.state().orders.len()), (vec![], 1));
}

#[tokio::test]
async fn what_a_process_left_in_dns_is_taken_away_by_the_next() {
    let server = Server::start().await;
    let By::Dns(_, mut spec, material) = by_update(&server) else { unreachable!() };
    spec["propagation"]["timeoutSeconds"] = json!(1);
    let mut bed = Bed::new(&["a.example.com"], By::Dns(&server, spec, material), json!({})).await;
    server.zone().lag = usize::MAX;
    bed.driver.settle().await;
    assert_eq!(server.texts().len(), 1);
    // The name goes while nobody is there.
    bed.hold.own(&[]);
    bed.restart().await;
    bed.pass(Duration::from_hours(1)).await;
    assert_eq!(server.texts(), [], "{NAME} is gone");
}

#[tokio::test]
async fn an_account_is_made_once_and_bound_to_the_external_one() {
    let more = json!({"email": "ops@example.com",
        "externalAccount": {"keyId": "kid-1", "secretRef": {"name": "account", "key": "mac"}}});
    let server = Server::start().await;
    let By::Dns(_, spec, material) = by_update(&server) else { unreachable!() };
    let mac = BASE64URL_NOPAD.encode(b"CANARY-mac-0123456789");
    let material = Material { external_account: Some(Secret::new(mac.into_bytes())), ..material };
    let mut bed = Bed::new(&["a.example.com"], By::Dns(&server, spec, material), more).await;
    bed.pass(Duration::from_hours(1)).await;
    bed.restart().await;
    bed.pass(Duration::from_hours(1)).await;
    let accounts = bed.authority.state().accounts.clone();
    assert_eq!(accounts.len(), 1);
    assert_eq!(accounts[0]["contact"], json!(["mailto:ops@example.com"]));
    let binding = &accounts[0]["externalAccountBinding"];
    let part = |name: &str| BASE64URL_NOPAD.decode(binding[name].as_str().unwrap().as_bytes()).unwrap();
    let header: Value = serde_json::from_slice(&part("protected")).unwrap();
    assert_eq!((header["alg"].as_str(), header["kid"].as_str()), (Some("HS256"), Some("kid-1")));
    let input = format!("{}.{}", binding["protected"].as_str().unwrap(), binding["payload"].as_str().unwrap());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"CANARY-mac-0123456789");
    aws_lc_rs::hmac::verify(&key, input.as_bytes(), &part("signature")).unwrap();
}

/// Who signed the last certificate of what a client gets.
async fn root_of_chain(preferred: &str) -> String {
    let more = json!({"preferredChain": preferred});
    let mut bed = Bed::new(&["a.example.com"], By::Http, more).await;
    {
        let mut state = bed.authority.state();
        let others = ["Root X", "Root Y"].map(|name| state.ca.signed_by(&Ca::new(name)));
        state.others = others.to_vec();
        state.refused = 30;
    }
    bed.pass(Duration::from_hours(1)).await;
    let key = bed.hold.issue("a.example.com").unwrap_or_else(|| panic!("{:?}", bed.listed("a.example.com")));
    let (_, top) = X509Certificate::from_der(key.cert.last().unwrap()).unwrap();
    top.issuer().iter_common_name().next().unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_preferred_chain_is_served_where_the_authority_has_it() {
    for (preferred, served) in [("Root Y", "Root Y"), ("Good CA", "Good CA"), ("Root Z", "Good CA")] {
        assert_eq!(root_of_chain(preferred).await, served);
    }
}
