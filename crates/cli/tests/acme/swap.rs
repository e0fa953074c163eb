//! Certificates are swapped while clients ask, and no client notices.

use std::time::Duration;

use super::load::Load;
use super::pebble::{PROFILES, Pebble, Ways, free_ports};
use super::site::{Site, within};

/// Names of three tenants.
const COUNT: usize = 24;

#[test]
#[ignore = "needs Pebble: make acme"]
fn certificates_swapped_under_load_lose_no_handshake_and_no_request() {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, Ways::default());
    let root = pebble.root();
    let names = (0..COUNT).map(|n| (format!("team-{}", n % 3), format!("www.swap-{n}.test"))).collect();
    let settings = PROFILES.map(|profile| format!("challenge: {{http01: {{}}}}, profile: {profile}"));
    let site = Site::with(&settings[0], names, "");
    let running = site.up(&pebble, &ports);
    let first: Vec<_> = site.hosts().iter().map(|host| running.waits_for(&root, host)).collect();

    let load = Load::start(&site.hosts(), running.https, &root);
    std::thread::sleep(Duration::from_secs(1));
    // Certificates of another profile are replaced at once.
    site.set(&settings[1]);
    let what = || format!("{} certificates\n{}", pebble.issued(), running.log());
    let mut missing: Vec<_> = site.hosts().into_iter().zip(&first).collect();
    within(Duration::from_mins(2), &what, || {
        missing.retain(|(host, before)| running.shown(&root, host).unwrap() == **before);
        missing.is_empty()
    });
    std::thread::sleep(Duration::from_secs(1));
    let tally = load.stop();
    eprintln!("{COUNT} certificates swapped under {} handshakes and {} requests", tally.handshakes, tally.requests);
    assert!(tally.handshakes > 200 && tally.requests > 400, "{} {}", tally.handshakes, tally.requests);
    assert!(tally.lost.is_empty(), "{:#?}", tally.lost);
    assert_eq!((pebble.orders(), pebble.issued()), (2 * COUNT, 2 * COUNT), "{}", running.log());
    running.kill();
}
