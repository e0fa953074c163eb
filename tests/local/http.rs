//! What people expect of any proxy, through both tiers.

use std::fmt::Write as _;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{PROTOCOLS, request, seen};
use crate::folder::{client, two_tenants};

#[tokio::test]
async fn the_plain_port_redirects_to_https_and_keeps_path_and_query() {
    let running = two_tenants().await;
    let client = client(&running.local);
    for (method, status) in [
        ("GET", StatusCode::MOVED_PERMANENTLY),
        ("HEAD", StatusCode::MOVED_PERMANENTLY),
        ("POST", StatusCode::PERMANENT_REDIRECT),
    ] {
        let answer = client.plain(method, "a.localhost", "/x/y?z=1&z=2").await;
        assert_eq!(answer.status(), status, "{method}");
        let to = answer.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(to, format!("https://a.localhost:{}/x/y?z=1&z=2", client.https.port()), "{method}");
    }
}

#[tokio::test]
async fn bodies_of_both_framings_arrive_whole() {
    let running = two_tenants().await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect("a.localhost", protocol).await.unwrap();
        for size in [0, 1, 1000, 70_000, 1_000_000] {
            let answer = connection.send(request("POST", "a.localhost", "/", &[], &"x".repeat(size))).await.unwrap();
            assert_eq!(seen(&answer)["body_bytes"], size, "{protocol}");
        }
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = two_tenants().await;
    let mut tls = client(&running.local).tls("a.localhost", "http/1.1").await.unwrap();
    let mut requests = String::new();
    for n in 0..5 {
        write!(requests, "GET /{n} HTTP/1.1\r\nHost: a.localhost\r\n").unwrap();
        requests.push_str(if n == 4 { "Connection: close\r\n\r\n" } else { "\r\n" });
    }
    tls.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    // The peer may end TCP without a TLS alert after close; what came before counts.
    let _ = tls.read_to_string(&mut answers).await;
    let order: Vec<_> =
        answers.match_indices("\"path\": \"/").map(|(at, found)| &answers[at + found.len()..][..1]).collect();
    assert_eq!(order, ["0", "1", "2", "3", "4"], "{answers}");
}

#[tokio::test]
async fn hostile_framing_is_refused_and_nothing_reaches_the_application() {
    let running = two_tenants().await;
    for hostile in [
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.localhost\r\nHost: b.localhost\r\n\r\n",
        "GET / HTTP/1.1\n Host: a.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1, 1\r\n\r\nx",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut tls = client(&running.local).tls("a.localhost", "http/1.1").await.unwrap();
        tls.write_all(hostile.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = tls.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{hostile:?}: {answer:?}");
        assert!(!answer.contains("app-a"), "{hostile:?}: {answer}");
    }
}

#[tokio::test]
async fn the_request_id_of_the_outer_tier_reaches_the_application_and_a_claimed_one_does_not() {
    let running = two_tenants().await;
    let answer = client(&running.local).get("a.localhost", "/", &[("x-request-id", "claimed")]).await;
    let ids = seen(&answer)["headers"]["x-request-id"].clone();
    assert_eq!(ids.as_array().unwrap().len(), 1);
    assert_ne!(ids[0], "claimed");
}

#[tokio::test]
async fn an_application_that_is_down_is_502_or_503_and_says_which_tier_knows() {
    let mut files = crate::folder::app("a").replace("spec: {echo: {}}", "spec: {address: '127.0.0.1:1'}");
    files.push('\n');
    let running = crate::folder::start(&[("topology.yaml", crate::folder::TWO_TENANTS), ("a.yaml", &files)]).await;
    let answer = client(&running.local).get("a.localhost", "/", &[]).await;
    assert!([502, 503].contains(&answer.status().as_u16()), "{answer:?}");
    let status = answer.headers()["proxy-status"].to_str().unwrap().to_owned();
    assert!(status.contains("connection_refused") && status.contains("inner"), "{status}");
}
