//! Certificates from a real authority for tests, Pebble, as `bailey up --acme` gets them: `make acme` builds Pebble and runs
//! these.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "acme/pebble.rs"]
mod pebble;
#[path = "acme/site.rs"]
mod site;

use pebble::{Pebble, free_ports};
use site::Site;

const A: &str = "www.team-a.test";
const B: &str = "www.team-b.test";
const C: &str = "new.team-a.test";

/// Two tenants' names, then a process that is killed and comes back, then one name more: three orders in all.
fn certificates_come_stay_and_are_not_ordered_again(challenge: &'static str) {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, 30);
    let root = pebble.root();
    let site = Site::new(challenge, &[("team-a", A), ("team-b", B)]);

    let running = site.up(&pebble, &ports);
    let first: Vec<Vec<u8>> = [A, B].iter().map(|host| running.waits_for(&root, host)).collect();
    assert_eq!(running.get(&root, A), 200);
    assert!(running.shown(&root, "other.team-a.test").is_err(), "nobody owns this name");
    assert_eq!(running.ask_for_proof(A, "never-made"), 404);
    assert_eq!(pebble.orders(), 2, "{}", pebble.log());
    let log = running.log();
    running.kill();

    let again = site.up(&pebble, &ports);
    let second: Vec<Vec<u8>> = [A, B].iter().map(|host| again.waits_for(&root, host)).collect();
    assert_eq!(first, second, "the same certificates, from the store");
    site.add("team-a", C);
    again.waits_for(&root, C);
    assert_eq!(pebble.orders(), 3, "only the new name was ordered: {}", pebble.log());
    assert_nothing_leaks(&site, &pebble.tokens(), &(log + &again.log()));
    // Pebble tells the tokens that it asks for by HTTP.
    assert_eq!(pebble.tokens().is_empty(), challenge != "http01", "{}", pebble.log());
    again.kill();
}

/// Everything is logged, down to the traces; no key and no token is in it, and nothing wrong about what has no effect.
fn assert_nothing_leaks(site: &Site, tokens: &[String], log: &str) {
    assert!(log.contains("a certificate is live"), "the log is that of a driver at work: {log}");
    assert!(log.contains("store has no effect on one machine"), "notes are in it: {log}");
    assert!(!log.contains("acme has no effect"), "what is heeded has an effect: {log}");
    let keys = site.keys();
    assert!(keys.len() >= 4, "three certificates and an account: {}", keys.len());
    for secret in keys.iter().chain(tokens) {
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
    }
}

#[test]
#[ignore = "needs Pebble: make acme"]
fn by_http_01_with_a_third_of_all_nonces_refused() {
    certificates_come_stay_and_are_not_ordered_again("http01");
}

#[test]
#[ignore = "needs Pebble: make acme"]
fn by_tls_alpn_01_with_a_third_of_all_nonces_refused() {
    certificates_come_stay_and_are_not_ordered_again("tlsAlpn01");
}

#[test]
#[ignore = "needs Pebble: make acme"]
fn with_nine_nonces_of_ten_refused() {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, 90);
    let site = Site::new("http01", &[("team-a", A)]);
    let running = site.up(&pebble, &ports);
    running.waits_for(&pebble.root(), A);
    assert_eq!(pebble.orders(), 1, "{}", pebble.log());
    running.kill();
}
