//! Edits of a running tier: live soon, and a broken one is reported and changes nothing.

use std::time::{Duration, Instant};

use crate::client::{Connection, Protocol, get};
use crate::site::{Site, route};

/// Far beyond what an edit takes: this is no test of speed.
const SOON: Duration = Duration::from_secs(3);

async fn mark(connection: &mut Connection) -> String {
    let response = connection.send(get(Protocol::H2, "/")).await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.headers()["x-route"].to_str().expect("text").to_owned()
}

#[tokio::test]
#[ignore = "slow: run by make slow"]
async fn an_edit_is_live_soon() {
    let site = Site::start().await;
    let mut connection = site.client().connect(Protocol::H2).await.unwrap();
    let mut took = Vec::new();
    for number in 0..10 {
        let text = number.to_string();
        let since = Instant::now();
        site.edit(&route(&text));
        while mark(&mut connection).await != text {
            assert!(since.elapsed() < SOON, "{}", site.inner.log());
        }
        took.push(since.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    took.sort();
    eprintln!(
        "an edit was live after {:?} (median of {}), {:?} at most",
        took[took.len() / 2],
        took.len(),
        took[took.len() - 1]
    );
}

#[tokio::test]
#[ignore = "slow: run by make slow"]
async fn a_broken_edit_is_reported_with_its_place_and_changes_nothing() {
    let mut site = Site::start().await;
    let mut connection = site.client().connect(Protocol::H2).await.unwrap();
    // Line 6 loses the end of its list.
    site.edit(&route("broken").replace("hostnames: [\"app.test\"]", "hostnames: [\"app.test\""));
    site.inner.says("the configuration before is kept", SOON).await;
    let log = site.inner.log();
    let place = log.lines().find(|line| line.contains("route.yaml:")).unwrap_or_else(|| panic!("no place in:\n{log}"));
    let line: u32 = place.split("route.yaml:").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    assert!((6..=8).contains(&line), "{place}");
    for _ in 0..50 {
        assert_eq!(mark(&mut connection).await, "first");
    }
    site.edit(&route("mended"));
    let since = Instant::now();
    while mark(&mut connection).await != "mended" {
        assert!(since.elapsed() < SOON, "{}", site.inner.log());
    }
}
