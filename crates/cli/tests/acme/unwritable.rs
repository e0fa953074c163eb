//! A store that takes nothing: what is there is served, and nothing is ordered.

use std::time::Duration;

use super::pebble::{Pebble, Ways, free_ports};
use super::site::{Site, within};

const THERE: &str = "there.team-a.test";
const WANTED: &str = "wanted.team-a.test";

#[test]
#[ignore = "needs Pebble: make acme"]
fn a_store_that_cannot_be_written_serves_on_and_nothing_is_ordered() {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, Ways::default());
    let root = pebble.root();
    let site = Site::new("http01", &[("team-a", THERE)]);
    let running = site.up(&pebble, &ports);
    let before = running.waits_for(&root, THERE);
    running.kill();

    site.block();
    let running = site.up(&pebble, &ports);
    assert_eq!(running.waits_for(&root, THERE), before);
    site.add("team-a", WANTED);
    within(Duration::from_mins(1), &|| running.log(), || running.log().contains("certificate store"));
    assert_eq!(running.shown(&root, THERE).unwrap(), before);
    assert_eq!(pebble.orders(), 1, "{}", running.log());

    // It is well again: no restart is needed.
    site.unblock();
    running.waits_for(&root, WANTED);
    assert_eq!(running.shown(&root, THERE).unwrap(), before);
    assert_eq!(pebble.orders(), 2, "{}", running.log());
    running.kill();
}
