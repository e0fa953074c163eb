//! Limits of a tier and of a tenant, as a whole tier keeps them.

use super::super::*;
use super::support::*;
use serde_json::{Value, json};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The configuration of the tier alone of [`gateway`].
fn config(limits: &Value) -> Value {
    json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "TierConfig", "metadata": {"name": "web", "namespace": "shop"},
           "spec": {"role": "Gateway", "limits": limits}})
}

fn before(app: SocketAddr, limits: &Value) -> Objects {
    let fixed = [gateway(), route("shop", "web", "a.example", "/"), config(limits)];
    objects(fixed.into_iter().chain(service("shop", "app", 80, app)))
}

async fn tier(app: SocketAddr, limits: &Value) -> TierHandle {
    let (tier, applied) = Tier::start(options(alone()), &before(app, limits)).await.unwrap();
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    tier
}

fn at(tier: &TierHandle) -> SocketAddr {
    tier.addresses()[0].address
}

/// An application that never answers.
async fn silent() -> SocketAddr {
    application(|socket, _| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(socket);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_limits_and_cuts_nothing() {
    let app = echo().await;
    let tier = tier(app, &json!({})).await;
    let mut old = TcpStream::connect(at(&tier)).await.unwrap();
    assert!(ask_on(&mut old, &get("a.example", "/")).await.starts_with("http/1.1 200"));
    let long = get("a.example", &format!("/{}", "x".repeat(300)));
    assert!(ask(at(&tier), &long).await.starts_with("http/1.1 200"));

    let tight = json!({"http1": {"targetBytes": 256}, "connection": {"requests": 1, "perSource": 3}});
    assert!(tier.apply(&before(app, &tight)).changed);
    assert!(ask_head(at(&tier), &long).await.starts_with("http/1.1 414"));
    assert!(ask_head(at(&tier), &get("a.example", "/")).await.contains("connection: close"));
    let kept = ask_on(&mut old, &long).await;
    assert!(kept.starts_with("http/1.1 200") && !kept.contains("connection: close"), "{kept}");

    let mut more = Vec::new();
    let mut answered = 0;
    for _ in 0..8 {
        let mut socket = TcpStream::connect(at(&tier)).await.unwrap();
        let mut byte = [0];
        let turned_away = tokio::time::timeout(Duration::from_millis(100), socket.read(&mut byte)).await;
        answered += usize::from(turned_away.is_err());
        more.push(socket);
    }
    assert_eq!(answered, 2, "with the old one there may be three of one source");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_to_the_first_byte_is_the_tier_s_where_the_route_says_nothing() {
    let tier = tier(silent().await, &json!({"upstream": {"firstByteSeconds": 1}})).await;
    let began = Instant::now();
    assert!(ask(at(&tier), &get("a.example", "/")).await.starts_with("http/1.1 504"));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_alone_has_room_for_so_many_requests_at_once() {
    let tier = tier(silent().await, &json!({"upstream": {"inFlight": 1}})).await;
    let mut first = TcpStream::connect(at(&tier)).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut first, get("a.example", "/").as_bytes()).await.unwrap();
    let mut answer = String::new();
    // The first request may still be on its way when the second comes.
    for _ in 0..50 {
        let second = tokio::time::timeout(Duration::from_millis(200), ask(at(&tier), &get("a.example", "/"))).await;
        answer = second.unwrap_or_default();
        if !answer.is_empty() {
            break;
        }
    }
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: 1\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tier_says_how_often_an_unanswered_request_is_repeated() {
    for (retries, expected) in [(0, 1), (3, 4)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let app = application(move |socket, _| {
            count.fetch_add(1, Ordering::Relaxed);
            async move { drop(socket) }
        })
        .await;
        let tier = tier(app, &json!({"upstream": {"retries": retries}})).await;
        assert!(ask(at(&tier), &get("a.example", "/")).await.starts_with("http/1.1 502"));
        assert_eq!(asked.load(Ordering::Relaxed), expected, "{retries} retries");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unused_connection_to_an_application_is_kept_as_long_as_the_tier_says() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let app = application(move |mut socket, _| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            loop {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await.unwrap();
                if read_head(&mut socket).await.is_none() {
                    return;
                }
            }
        }
    })
    .await;
    let all = before(app, &json!({"upstream": {"idleSeconds": 1}}));
    let (tier, _) = Tier::start(TierOptions { workers: 1, ..options(alone()) }, &all).await.unwrap();
    let made = || made.load(Ordering::Relaxed);
    for _ in 0..3 {
        assert!(ask(at(&tier), &get("a.example", "/")).await.starts_with("http/1.1 200"));
    }
    assert_eq!(made(), 1);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(ask(at(&tier), &get("a.example", "/")).await.starts_with("http/1.1 200"));
    assert_eq!(made(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_takes_as_long_as_the_tier_says() {
    let limits = json!({"drain": {"acceptSeconds": 0, "drainSeconds": 1}});
    let all = before(silent().await, &limits);
    let (tier, _) = Tier::start(TierOptions { drain: DrainTimes::default(), ..options(alone()) }, &all).await.unwrap();
    let mut open = TcpStream::connect(at(&tier)).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut open, get("a.example", "/").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let clean = tokio::time::timeout(Duration::from_secs(20), tier.drain()).await;
    assert_eq!(clean, Ok(false));
}

fn outer_only(limits: &Value) -> Value {
    let mut value = topology();
    value["spec"]["tenants"][0]["limits"] = limits.clone();
    value["spec"]["outer"].as_object_mut().unwrap().remove("clientAddress");
    value
}

async fn outer(all: &Objects) -> TierHandle {
    let link = Some(Authority::new().link("bailey://main/outer"));
    let role = Role::Outer { topology: "main".into() };
    Tier::start(TierOptions { link, ..options(role) }, all).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_connection_counts_for_the_tenants_it_asks() {
    let outer = outer(&objects([outer_only(&json!({"connections": 1}))])).await;
    let mut first = TcpStream::connect(at(&outer)).await.unwrap();
    // No inner tier runs, so there is a 503 of another kind.
    for _ in 0..2 {
        assert!(
            ask_on(&mut first, &get("a.example", "/")).await.contains("no proxy of this site's tier is ready"),
            "no inner tier"
        );
    }
    let mut second = TcpStream::connect(at(&outer)).await.unwrap();
    let answer = ask_on(&mut second, &get("a.example", "/")).await;
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: 1\r\n"), "{answer}");
    assert!(answer.contains("this site has too many connections"), "{answer}");
    assert!(ask_on(&mut second, &get("nobody.example", "/")).await.starts_with("http/1.1 404"));
    drop(first);
    let mut answer = String::new();
    for _ in 0..100 {
        answer = ask_on(&mut second, &get("a.example", "/")).await;
        if !answer.contains("too many connections") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(answer.contains("no proxy of this site's tier is ready"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_room_for_so_many_requests_at_once() {
    // A link that nobody accepts: requests wait for it.
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let waits = outer_only(&json!({"inFlight": 2}));
    let all = objects([waits].into_iter().chain(link_service(hole.local_addr().unwrap())));
    let outer = outer(&all).await;
    let mut sockets = Vec::new();
    for _ in 0..6 {
        let mut socket = TcpStream::connect(at(&outer)).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, get("a.example", "/").as_bytes()).await.unwrap();
        sockets.push(socket);
    }
    let mut refused = 0;
    for socket in &mut sockets {
        let head = tokio::time::timeout(Duration::from_secs(1), read_head(socket)).await;
        refused +=
            usize::from(matches!(head, Ok(Some(head)) if head.contains("tenant") || head.contains("in progress")));
    }
    assert_eq!(refused, 4);
}
