//! A tier alone: everything in one process, no link.

use super::super::*;
use super::support::*;
use bailey_kit::admin::served::Served;
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_alone_serves_follows_edits_and_drains() {
    let app = echo().await;
    let with = |path: &str| {
        objects([gateway(), route("shop", "web", "a.example", path)].into_iter().chain(service("shop", "app", 80, app)))
    };
    let (tier, applied) = Tier::start(options(alone()), &with("/")).await.unwrap();
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    assert!(tier.is_ready());
    let to = tier.addresses()[0].address;
    let forged = "GET /x?y=1 HTTP/1.1\r\nhost: A.example.\r\nx-forwarded-for: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\nx-original-url: /admin\r\n\r\n";
    let answer = ask(to, forged).await;
    assert!(answer.starts_with("http/1.1 200 ok"), "{answer}");
    for line in ["get /x?y=1 http/1.1", "host: a.example", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    assert!(!answer.contains("6.6.6.6") && !answer.contains("admin"), "{answer}");
    assert!(ask(to, &get("b.example", "/")).await.starts_with("http/1.1 404"));

    let mut kept = TcpStream::connect(to).await.unwrap();
    assert!(ask_on(&mut kept, &get("a.example", "/old")).await.starts_with("http/1.1 200"));
    assert!(tier.apply(&with("/new")).changed && !tier.apply(&with("/new")).changed);
    assert!(ask_on(&mut kept, &get("a.example", "/old")).await.starts_with("http/1.1 404"));
    assert!(ask_on(&mut kept, &get("a.example", "/new/x")).await.starts_with("http/1.1 200"));

    let metrics = ask(tier.admin_address().unwrap(), &get("admin", "/metrics")).await;
    assert!(metrics.contains("bailey_config_generation{"), "{metrics}");
    assert!(metrics.contains("route=\"HTTPRoute/shop/web\""), "{metrics}");
    assert!(ask(tier.admin_address().unwrap(), &get("admin", "/readyz")).await.starts_with("http/1.1 200"));
    let served = ask(tier.admin_address().unwrap(), &get("10.0.0.7", "/served")).await;
    let served: Served = serde_json::from_str(served.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((served.tier.as_str(), served.gateway.as_deref()), ("gateway", Some("shop/web")));
    assert_eq!(served.digest, Some(format!("{:032x}", tier.snapshot().digest)));
    assert_eq!((served.generation, served.counts.routes, served.ready, served.stale), (2, 1, true, false));
    assert!(served.since.is_some() && served.denied.is_empty() && served.certificates.is_empty());
    assert!(tier.drain().await);
    assert!(TcpStream::connect(to).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_said_with_a_remedy() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let options = TierOptions { ports: [(80, port)].into(), ..options(alone()) };
    let error = Tier::start(options, &objects([gateway()])).await.err().unwrap().to_string();
    assert!(error.contains("another program has the port"), "{error}");
}

/// A tier alone before an application, with one route whose rule is `rule` without its backend.
async fn before(app: SocketAddr, rule: serde_json::Value) -> TierHandle {
    let mut route = route("shop", "web", "a.example", "/");
    for (key, value) in rule.as_object().unwrap() {
        route["spec"]["rules"][0][key] = value.clone();
    }
    let all = objects([gateway(), route].into_iter().chain(service("shop", "app", 80, app)));
    let (tier, applied) = Tier::start(options(alone()), &all).await.unwrap();
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    tier
}

fn at(tier: &TierHandle) -> SocketAddr {
    tier.addresses()[0].address
}

async fn reply(socket: &mut TcpStream, text: &str) {
    let _ = tokio::io::AsyncWriteExt::write_all(socket, text.as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_too_slow_is_504_and_one_that_is_gone_502() {
    let app = application(|socket, _| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(socket);
    })
    .await;
    let tier = before(app, json!({"timeouts": {"backendRequest": "200ms", "request": "5s"}})).await;
    let answer = ask(at(&tier), &get("a.example", "/")).await;
    assert!(answer.starts_with("http/1.1 504") && answer.contains("error=http_response_timeout"), "{answer}");
    let grpc = "POST /s/m HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    let answer = ask_head(at(&tier), grpc).await;
    assert!(answer.starts_with("http/1.1 200") && answer.contains("grpc-status: 4\r\n"), "{answer}");
    drop(tier);

    let gone = application(|socket, _| async move { drop(socket) }).await;
    let tier = before(gone, json!({})).await;
    let answer = ask(at(&tier), "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\n\r\nx").await;
    assert!(answer.starts_with("http/1.1 502") && answer.contains("error=connection_terminated"), "{answer}");
    let json = "GET / HTTP/1.1\r\nhost: a.example\r\naccept: application/json\r\n\r\n";
    assert!(ask(at(&tier), json).await.contains("\"error\":\"upstream_closed\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_worth_a_retry_is_retried_and_the_body_sent_again() {
    let seen = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = seen.clone();
    let app = application(move |mut socket, _| {
        let count = count.clone();
        async move {
            let mut body = [0; 4];
            tokio::io::AsyncReadExt::read_exact(&mut socket, &mut body).await.unwrap();
            assert_eq!(&body, b"body");
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            let status = if first { "503 Service Unavailable" } else { "200 OK" };
            reply(&mut socket, &format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")).await;
        }
    })
    .await;
    let tier = before(app, json!({"retry": {"codes": [503], "attempts": 2, "backoff": "10ms"}})).await;
    let put = "PUT / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 4\r\n\r\nbody";
    assert!(ask(at(&tier), put).await.starts_with("http/1.1 200"));
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    let metrics = ask(tier.admin_address().unwrap(), &get("admin", "/metrics")).await;
    assert!(metrics.contains("bailey_retries_total{tier=\"gateway\",gateway=\"shop/web\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_passes_bytes_both_ways_until_both_are_done() {
    let app = application(|mut socket, head| async move {
        assert!(head.contains("upgrade: websocket") && head.contains("sec-websocket-key: k"), "{head}");
        reply(&mut socket, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhi")
            .await;
        let (mut read, mut write) = socket.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await;
    let tier = before(app, json!({})).await;
    let mut socket = TcpStream::connect(at(&tier)).await.unwrap();
    let request = "GET /ws HTTP/1.1\r\nhost: a.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\nsec-websocket-version: 13\r\n\r\n";
    let head = ask_on(&mut socket, request).await;
    assert!(head.starts_with("http/1.1 101") && head.contains("upgrade: websocket"), "{head}");
    reply(&mut socket, "ping").await;
    let mut got = [0; 6];
    let echoed = tokio::io::AsyncReadExt::read_exact(&mut socket, &mut got);
    tokio::time::timeout(Duration::from_secs(10), echoed).await.unwrap().unwrap();
    assert_eq!(&got, b"hiping");
    tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
    let end = tokio::io::AsyncReadExt::read(&mut socket, &mut got);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), end).await.unwrap().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_edit_both_ways_and_cannot_touch_what_is_ours() {
    let app = echo().await;
    let rule = json!({"filters": [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {
            "set": [{"name": "x-forwarded-for", "value": "6.6.6.6"}, {"name": "x-new", "value": "1"}], "remove": ["x-real-ip", "x-old"]}},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "x-answer", "value": "2"}], "remove": ["server"]}},
        {"type": "URLRewrite", "urlRewrite": {"hostname": "inside.example", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/in"}}},
    ]});
    let tier = before(app, rule).await;
    let answer = ask(at(&tier), "GET /a?b HTTP/1.1\r\nhost: a.example\r\nx-old: 1\r\n\r\n").await;
    for line in [
        "get /in/a?b http/1.1",
        "host: inside.example\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "x-forwarded-host: a.example\r\n",
        "x-real-ip: 127.0.0.1\r\n",
        "x-new: 1\r\n",
        "x-answer: 2\r\n",
    ] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    assert!(!answer.contains("6.6.6.6") && !answer.contains("server: app") && !answer.contains("x-old"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_path_and_connect_are_refused_before_any_route() {
    let tier = before(echo().await, json!({})).await;
    for path in ["/a/../b", "/a%2fb", "/%00"] {
        assert!(ask(at(&tier), &get("a.example", path)).await.starts_with("http/1.1 400"), "{path}");
    }
    let named = "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: authorization\r\n\r\n";
    assert!(ask(at(&tier), named).await.starts_with("http/1.1 400"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_on_while_the_configuration_changes_and_while_draining() {
    let app = echo().await;
    let tier = before(app, json!({})).await;
    let to = at(&tier);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let stop = stop.clone();
            tokio::spawn(async move {
                let (mut socket, mut answered) = (TcpStream::connect(to).await.unwrap(), 0);
                while !stop.load(Ordering::Relaxed) {
                    assert!(ask_on(&mut socket, &get("a.example", "/x")).await.starts_with("http/1.1 200"));
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for edit in 0..50 {
        let mut route = route("shop", "web", "a.example", "/");
        route["spec"]["rules"][0]["name"] = json!(format!("edit-{edit}"));
        let all = objects([gateway(), route].into_iter().chain(service("shop", "app", 80, app)));
        assert!(tier.apply(&all).changed);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    assert!(tier.drain().await);
}
