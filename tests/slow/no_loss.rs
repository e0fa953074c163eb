//! No request is lost: edits of routes, a restart of the inner tier with a gap, a handover between two outer processes, all under load.

use std::time::Duration;

use crate::client::Protocol;
use crate::load::{self, Outcome, Plan};
use crate::site::{Site, route};

/// Requests a second, of each protocol.
const RATE: u32 = 1000;
const LASTS: Duration = Duration::from_secs(14);
const EDITS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: run by make slow"]
async fn edits_and_restarts_of_both_tiers_under_load_lose_no_request() {
    let mut site = Site::start().await;
    let h1 = Plan { protocol: Protocol::H1, connections: 60, streams: 1, rate: RATE, lasts: LASTS };
    let h2 = Plan { protocol: Protocol::H2, connections: 3, streams: 30, ..h1 };
    let loads = [h1, h2].map(|plan| tokio::spawn(load::run(site.client(), plan)));
    tokio::time::sleep(Duration::from_millis(500)).await;
    for number in 0..EDITS {
        site.edit(&route(&number.to_string()));
        tokio::time::sleep(Duration::from_millis(70)).await;
    }
    restart_inner(&mut site).await;
    hand_over_outer(&mut site).await;
    for load in loads {
        report(&load.await.expect("no panic"), &site);
    }
}

/// The old process ends before the new one starts, so for a while nobody takes links.
async fn restart_inner(site: &mut Site) {
    site.inner.terminate();
    let status = site.inner.ended(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}:\n{}", site.inner.log());
    tokio::time::sleep(Duration::from_millis(200)).await;
    site.inner = site.another("inner").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// The new process listens on the same port before the old one is told to go.
async fn hand_over_outer(site: &mut Site) {
    let new = site.another("outer").await;
    let mut old = std::mem::replace(&mut site.outer, new);
    old.terminate();
    let status = old.ended(Duration::from_secs(40)).await;
    assert!(status.success(), "{status}:\n{}", old.log());
}

fn report(outcome: &Outcome, site: &Site) {
    eprintln!("{outcome:?}");
    assert!(outcome.lost.is_empty(), "{outcome:?}\nouter:\n{}\ninner:\n{}", site.outer.log(), site.inner.log());
    assert_eq!(outcome.sent, u64::from(RATE) * LASTS.as_secs());
}
