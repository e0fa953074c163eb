//! A hundred names at an authority that refuses nonces.

use std::time::{Duration, Instant};

use super::pebble::{Pebble, Ways, free_ports};
use super::site::{Running, Site, within};

/// The most that an authority may take for all names when it refuses nine nonces of ten.
const TEN_MINUTES: Duration = Duration::from_mins(10);

/// So many names of five tenants, each of a domain of its own: no limit of an authority holds any of them up.
fn names(count: usize) -> Vec<(String, String)> {
    (0..count).map(|n| (format!("team-{}", n % 5), format!("www.site-{n}.test"))).collect()
}

fn site(count: usize) -> Site {
    Site::with("challenge: {http01: {}}", names(count), "")
}

fn all_are_served(site: &Site, running: &Running, pebble: &Pebble, longest: Duration) {
    let root = pebble.root();
    let mut missing = site.hosts();
    let what = || format!("{} certificates are there\n{}", pebble.issued(), running.log());
    within(longest, &what, || {
        missing.retain(|host| running.shown(&root, host).is_err());
        missing.is_empty()
    });
}

/// Every name gets its certificate by one order.
fn every_one_succeeds(count: usize, refused_nonces: u32) {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, Ways { refused_nonces, ..Ways::default() });
    let site = site(count);
    let running = site.up(&pebble, &ports);
    let begun = Instant::now();
    all_are_served(&site, &running, &pebble, TEN_MINUTES);
    eprintln!("{count} certificates with {refused_nonces} % of nonces refused: {:.0} s", begun.elapsed().as_secs_f32());
    assert_eq!((pebble.orders(), pebble.issued()), (count, count), "{}", running.log());
    running.kill();
}

#[test]
#[ignore = "needs Pebble: make acme"]
fn a_hundred_names_with_a_third_of_all_nonces_refused() {
    every_one_succeeds(100, 30);
}

/// As many names as `BAILEY_ACME_NAMES` says, or ten.
#[test]
#[ignore = "needs Pebble: make acme"]
fn with_nine_nonces_of_ten_refused() {
    let names = std::env::var("BAILEY_ACME_NAMES").map_or(10, |count| count.parse().expect("a number of names"));
    every_one_succeeds(names, 90);
}

/// The process dies three times on the way. An order that was sent and not answered is never sent again without a long wait, so those
/// names, and no others, are without a certificate for now.
#[test]
#[ignore = "needs Pebble: make acme"]
fn crashes_among_a_hundred_names_order_none_twice() {
    const COUNT: usize = 100;
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, Ways { refused_nonces: 30, ..Ways::default() });
    let (root, site) = (pebble.root(), site(COUNT));
    let mut lost = Vec::new();
    for after in [20, 45, 70] {
        let running = site.up(&pebble, &ports);
        within(TEN_MINUTES, &|| running.log(), || pebble.issued() >= after);
        lost.extend(unanswered(&running.log()));
        running.kill();
    }
    let running = site.up(&pebble, &ports);
    let mut missing = site.hosts();
    within(TEN_MINUTES, &|| running.log(), || {
        lost.extend(unanswered(&running.log()));
        missing.retain(|host| !lost.contains(host) && running.shown(&root, host).is_err());
        missing.is_empty()
    });
    lost.sort();
    lost.dedup();
    eprintln!("three crashes among {COUNT} names: {} orders without an answer", lost.len());
    assert!(pebble.orders() <= COUNT, "{} orders", pebble.orders());
    assert!(lost.len() <= 30, "{lost:?}");
    running.kill();
}

/// The names whose order was sent by a process that died before the answer came.
fn unanswered(log: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| line.contains("whether the order arrived is not known"));
    let host = |line: &str| {
        line.split("host=").nth(1)?.split([' ', ',', '}']).next().map(|host| host.trim_matches('"').to_owned())
    };
    lines.filter_map(host).collect()
}
