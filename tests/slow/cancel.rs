//! A client that gives up a request ends it at the application too, whatever state it is in.

use std::time::Duration;

use http_body_util::BodyExt as _;

use crate::client::{PROTOCOLS, Protocol, get, request};
use crate::origin::paced;
use crate::site::Site;

/// Far beyond what it takes: this is no test of speed.
const SOON: Duration = Duration::from_secs(5);
const ENDLESS: usize = usize::MAX / 2;

#[tokio::test]
#[ignore = "slow: run by make slow"]
async fn a_request_given_up_while_it_waits_is_cancelled_at_the_application() {
    let site = Site::start().await;
    for protocol in PROTOCOLS {
        let mut connection = site.client().connect(protocol).await.unwrap();
        let asking = tokio::spawn(async move { connection.send(get(protocol, "/hang")).await.map(drop) });
        site.origin.active(1, SOON).await;
        asking.abort();
        let took = site.origin.active(0, SOON).await;
        eprintln!("{protocol:?}: a waiting request was cancelled after {took:?}");
    }
}

#[tokio::test]
#[ignore = "slow: run by make slow"]
async fn a_response_given_up_in_the_middle_is_cancelled_at_the_application() {
    let site = Site::start().await;
    for protocol in PROTOCOLS {
        for read in [1, 50] {
            let mut connection = site.client().connect(protocol).await.unwrap();
            let path = format!("/down?bytes={ENDLESS}");
            let mut response = connection.send(get(protocol, &path)).await.unwrap();
            for _ in 0..read {
                response.body_mut().frame().await.unwrap().unwrap();
            }
            // Nothing is read for a while, so that every buffer on the way is full.
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop((response, connection));
            let took = site.origin.active(0, SOON).await;
            eprintln!("{protocol:?}: a response was cancelled after {took:?}");
        }
    }
}

#[tokio::test]
#[ignore = "slow: run by make slow"]
async fn an_upload_given_up_in_the_middle_is_cancelled_at_the_application() {
    let site = Site::start().await;
    for protocol in PROTOCOLS {
        for pause in [0, 50] {
            let mut connection = site.client().connect(protocol).await.unwrap();
            let body = paced(ENDLESS, Duration::from_millis(5), ());
            let asked = request(protocol, "POST", &format!("/up?pause={pause}"), body);
            let asking = tokio::spawn(async move { connection.send(asked).await.map(drop) });
            site.origin.active(1, SOON).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            asking.abort();
            let took = site.origin.active(0, SOON).await;
            eprintln!("{protocol:?}: an upload was cancelled after {took:?}");
        }
    }
}

#[tokio::test]
#[ignore = "slow: run by make slow"]
async fn other_requests_of_a_connection_go_on_when_one_is_given_up() {
    let site = Site::start().await;
    let mut connection = site.client().connect(Protocol::H2).await.unwrap();
    let mut whole = connection.send(get(Protocol::H2, "/down?bytes=8000000&pause=20")).await.unwrap();
    for _ in 0..20 {
        let given_up = connection.send(get(Protocol::H2, &format!("/down?bytes={ENDLESS}"))).await.unwrap();
        drop(given_up);
    }
    assert_eq!(crate::origin::read_slowly(whole.body_mut(), Duration::ZERO).await, 8_000_000);
    site.origin.active(0, SOON).await;
}
