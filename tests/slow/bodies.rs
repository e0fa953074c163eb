//! Bodies that are larger than the memory they may take, in both directions and several at once, with slow readers at either end.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;

use crate::client::{Client, PROTOCOLS, Protocol, request};
use crate::origin::{full, paced, read_slowly};
use crate::site::Site;

const GIB: usize = 1024 * 1024 * 1024;
/// Bodies that are read much more slowly than they could be sent.
const SLOW: usize = 24 * 1024 * 1024;
/// The rest of a slow reader after each MiB.
const PAUSE: Duration = Duration::from_millis(250);
/// What each process may have resident at most, in KiB.
const LIMIT: u64 = 64 * 1024;

async fn down(client: Client, protocol: Protocol, bytes: usize, pause: Duration) {
    let mut connection = client.connect(protocol).await.expect("a connection");
    let path = format!("/down?bytes={bytes}");
    let response = connection.send(request(protocol, "GET", &path, full(""))).await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(read_slowly(&mut response.into_body(), pause).await, bytes, "{protocol:?}");
}

async fn up(client: Client, protocol: Protocol, bytes: usize, pause: Duration) {
    let mut connection = client.connect(protocol).await.expect("a connection");
    let path = format!("/up?pause={}", pause.as_millis());
    let body = paced(bytes, Duration::ZERO, ());
    let response = connection.send(request(protocol, "POST", &path, body)).await.expect("an answer");
    assert_eq!(response.status(), 200);
    let counted = response.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(counted, bytes.to_string(), "{protocol:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: run by make slow"]
async fn a_gibibyte_up_and_down_beside_slow_readers_takes_little_memory() {
    let site = Site::start().await;
    let since = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let rest = Duration::from_millis(1);
    for protocol in PROTOCOLS {
        for _ in 0..4 {
            tasks.spawn(down(site.client(), protocol, SLOW, PAUSE));
            tasks.spawn(up(site.client(), protocol, SLOW, PAUSE));
        }
    }
    tasks.spawn(down(site.client(), Protocol::H1, GIB / 2, rest));
    tasks.spawn(down(site.client(), Protocol::H2, GIB / 2, rest));
    tasks.spawn(up(site.client(), Protocol::H1, GIB / 2, rest));
    tasks.spawn(up(site.client(), Protocol::H2, GIB / 2, rest));
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    let (outer, inner) = (site.outer.peak_kib(), site.inner.peak_kib());
    eprintln!(
        "1 GiB up and down and 16 slow bodies in {:?}: outer {outer} KiB, inner {inner} KiB at most",
        since.elapsed()
    );
    assert!(outer < LIMIT && inner < LIMIT, "outer {outer} KiB, inner {inner} KiB");
}
