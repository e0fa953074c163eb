//! Certificates from a real authority for tests, Pebble, as `bailey up --acme` gets them: `make acme` builds Pebble and runs
//! these.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "acme/client.rs"]
mod client;
#[path = "acme/collector.rs"]
mod collector;
#[path = "acme/dns.rs"]
mod dns;
#[path = "acme/load.rs"]
mod load;
#[path = "acme/many.rs"]
mod many;
#[path = "acme/pebble.rs"]
mod pebble;
#[path = "acme/secrets.rs"]
mod secrets;
#[path = "acme/site.rs"]
mod site;
#[path = "acme/swap.rs"]
mod swap;
#[path = "acme/unwritable.rs"]
mod unwritable;

use std::time::Duration;

use pebble::{Pebble, Ways, free_ports};
use site::{Site, within};

const A: &str = "www.team-a.test";
const B: &str = "www.team-b.test";
const C: &str = "new.team-a.test";

/// Two tenants' names, then a process that is killed and comes back, then one name more: three orders in all.
fn certificates_come_stay_and_are_not_ordered_again(challenge: &str) {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, Ways { refused_nonces: 30, ..Ways::default() });
    let root = pebble.root();
    let site = Site::new(challenge, &[("team-a", A), ("team-b", B)]);

    let running = site.up(&pebble, &ports);
    let first: Vec<Vec<u8>> = [A, B].iter().map(|host| running.waits_for(&root, host)).collect();
    assert_eq!(running.get(&root, A), 200);
    assert!(running.shown(&root, "other.team-a.test").is_err(), "nobody owns this name");
    assert_eq!(running.ask_for_proof(A, "never-made"), 404);
    assert_eq!(pebble.orders(), 2, "{}", pebble.log());
    running.kill();

    let again = site.up(&pebble, &ports);
    let second: Vec<Vec<u8>> = [A, B].iter().map(|host| again.waits_for(&root, host)).collect();
    assert_eq!(first, second, "the same certificates, from the store");
    site.add("team-a", C);
    again.waits_for(&root, C);
    assert_eq!(pebble.orders(), 3, "only the new name was ordered: {}", pebble.log());
    again.kill();
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

/// Killed while the authority looks at the proofs of every order: the next process goes on with these orders.
fn orders_under_way_outlive_a_crash(challenge: &str) {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, Ways { slow: 6, ..Ways::default() });
    let site = Site::new(challenge, &[("team-a", A), ("team-b", B), ("team-a", C)]);
    let running = site.up(&pebble, &ports);
    // A proof is asked for when its order is in the store.
    within(Duration::from_mins(1), &|| format!("{}\n{}", pebble.log(), running.log()), || pebble.proofs() == 3);
    running.kill();
    let again = site.up(&pebble, &ports);
    for host in site.hosts() {
        again.waits_for(&pebble.root(), &host);
    }
    assert_eq!((pebble.orders(), pebble.issued()), (3, 3), "{}", pebble.log());
    again.kill();
}

#[test]
#[ignore = "needs Pebble: make acme"]
fn orders_by_http_01_outlive_a_crash() {
    orders_under_way_outlive_a_crash("http01");
}

#[test]
#[ignore = "needs Pebble: make acme"]
fn orders_by_tls_alpn_01_outlive_a_crash() {
    orders_under_way_outlive_a_crash("tlsAlpn01");
}
