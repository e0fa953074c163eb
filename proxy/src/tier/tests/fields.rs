//! Fields of the API that a whole topology has to keep: logs, addresses, what applications are told, the link's certificates.

use super::super::*;
use super::support::*;
use serde_json::{Value, json};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// [`topology`] with nobody in front, and these fields on top.
fn with(fields: &[(&str, Value)]) -> Value {
    let mut value = topology();
    value["spec"]["outer"].as_object_mut().unwrap().remove("clientAddress");
    for (path, field) in fields {
        let mut at = &mut value["spec"];
        for name in path.split('.') {
            at = &mut at[name];
        }
        *at = field.clone();
    }
    value
}

struct Pair {
    inner: TierHandle,
    outer: TierHandle,
}

impl Pair {
    /// Both tiers of this topology before an application.
    async fn start(topology: Value, app: SocketAddr, log: LogTarget) -> Self {
        let authority = Authority::new();
        let common = || {
            [topology.clone(), route("team-a", "main", "a.example", "/")]
                .into_iter()
                .chain(service("team-a", "app", 80, app))
        };
        let role = Role::Inner { topology: "main".into(), tenant: "team-a".into() };
        let link = Some(authority.link("bailey://main/tenant/team-a"));
        let own = TierOptions { link, access_log: log.clone(), workers: 1, ..options(role) };
        let (inner, applied) = Tier::start(own, &objects(common())).await.unwrap();
        assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
        let all = objects(common().chain(link_service(inner.addresses()[0].address)));
        let link = Some(authority.link("bailey://main/outer"));
        let role = Role::Outer { topology: "main".into() };
        let own = TierOptions { link, access_log: log, workers: 1, ..options(role) };
        let (outer, applied) = Tier::start(own, &all).await.unwrap();
        assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
        Self { inner, outer }
    }

    fn at(&self) -> SocketAddr {
        self.outer.addresses()[0].address
    }

    async fn end(self) {
        assert!(self.outer.drain().await);
        assert!(self.inner.drain().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_tiers_log_as_the_topology_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let asked = "GET /x HTTP/1.1\r\nhost: a.example\r\nuser-agent: me\r\nx-shop: blue\r\ncookie: sid=1\r\n\r\n";
    let fields = json!({"drop": ["host"], "keep": ["header.X-Shop", "header.cookie"], "redact": ["user_agent"]});
    let log = json!({"format": "json", "fields": fields});
    let pair = Pair::start(with(&[("accessLog", log)]), echo().await, LogTarget::File(file.clone())).await;
    assert!(ask(pair.at(), asked).await.starts_with("http/1.1 200"));
    pair.end().await;
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut tiers: Vec<_> = lines.iter().map(|line| line["tier"].as_str().unwrap()).collect();
    tiers.sort_unstable();
    assert_eq!(tiers, ["inner", "outer"]);
    for line in &lines {
        assert_eq!((&line["header.x-shop"], &line["header.cookie"]), (&json!("blue"), &json!("***")), "{line}");
        assert_eq!((&line["user_agent"], line.get("host")), (&json!("***"), None), "{line}");
    }

    std::fs::remove_file(&file).unwrap();
    let log = json!({"format": "clf"});
    let pair = Pair::start(with(&[("accessLog", log)]), echo().await, LogTarget::File(file.clone())).await;
    assert!(ask(pair.at(), asked).await.starts_with("http/1.1 200"));
    // Nobody has to end for it: lines are handed over soon.
    let mut text = String::new();
    for _ in 0..100 {
        text = std::fs::read_to_string(&file).unwrap();
        if text.lines().count() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(text.lines().filter(|line| line.contains("\"GET /x HTTP/1.1\" 200 ")).count(), 2, "{text}");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_gets_the_standard_field_where_the_topology_says_so() {
    for (told, expected) in [(false, false), (true, true)] {
        let pair = Pair::start(with(&[("inner.forwarded", json!(told))]), echo().await, LogTarget::Nowhere).await;
        let asked = "GET / HTTP/1.1\r\nhost: a.example\r\nforwarded: for=6.6.6.6\r\n\r\n";
        let answer = ask(pair.at(), asked).await;
        assert_eq!(answer.contains("\r\nforwarded: for=127.0.0.1;host=a.example;proto=http\r\n"), expected, "{answer}");
        assert!(!answer.contains("6.6.6.6"), "{answer}");
        pair.end().await;
    }
}

/// Sends bytes and returns all that comes back until the other end closes.
async fn send(to: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(to).await.unwrap();
    // Who is refused may be so before everything was sent.
    let _ = socket.write_all(bytes).await;
    let mut got = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut got)).await.unwrap();
    String::from_utf8_lossy(&got).to_ascii_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_balancer_tells_the_client_s_address_and_nobody_else() {
    let get = b"GET / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: 6.6.6.6\r\nconnection: close\r\n\r\n";
    let version_2 = |command: u8, addresses: &[u8]| {
        let family = if addresses.is_empty() { 0 } else { 0x11 };
        [b"\r\n\r\n\0\r\nQUIT\n", &[command, family, 0, addresses.len() as u8][..], addresses, get].concat()
    };
    let v1 = [&b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\n"[..], get].concat();
    let v2 = version_2(0x21, &[192, 0, 2, 8, 198, 51, 100, 1, 0xdc, 4, 0, 80]);
    let local = version_2(0x20, &[]);
    let from = |network: &str| with(&[("outer.clientAddress", json!({"proxyProtocol": {"from": [network]}}))]);

    let pair = Pair::start(from("127.0.0.0/8"), echo().await, LogTarget::Nowhere).await;
    for (bytes, client) in [(&v1, "192.0.2.7"), (&v2, "192.0.2.8"), (&local, "127.0.0.1")] {
        let answer = send(pair.at(), bytes).await;
        assert!(answer.contains(&format!("x-forwarded-for: {client}\r\n")) && !answer.contains("6.6.6.6"), "{answer}");
    }
    assert_eq!(send(pair.at(), get).await, "", "a listed peer must send a header");
    pair.end().await;

    let pair = Pair::start(from("192.0.2.0/24"), echo().await, LogTarget::Nowhere).await;
    for bytes in [&v1, &v2, &local] {
        let answer = send(pair.at(), bytes).await;
        assert!(answer.starts_with("http/1.1 400") && !answer.contains("192.0.2."), "{answer}");
    }
    assert!(send(pair.at(), get).await.contains("x-forwarded-for: 127.0.0.1\r\n"));
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_backend_that_is_not_there_is_unavailable() {
    let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute",
        "metadata": {"name": "calls", "namespace": "shop"},
        "spec": {"parentRefs": [{"name": "web"}], "hostnames": ["a.example"],
                 "rules": [{"backendRefs": [{"name": "nobody", "port": 80}]}]}});
    let (tier, _) = Tier::start(options(alone()), &objects([gateway(), route])).await.unwrap();
    let call = "POST /s.S/M HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    let answer = ask_head(tier.addresses()[0].address, call).await;
    assert!(answer.starts_with("http/1.1 200") && answer.contains("grpc-status: 14\r\n"), "{answer}");
    let plain = ask_head(tier.addresses()[0].address, &call.replace("application/grpc", "text/plain")).await;
    assert!(!plain.starts_with("http/1.1 200"), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_of_the_link_are_taken_and_wrong_ones_change_nothing() {
    use crate::serve::LinkFolder;
    let (first, second) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let write = |credentials: &LinkCredentials| {
        for (name, text) in
            [("ca.crt", &credentials.roots), ("tls.crt", &credentials.chain), ("tls.key", &credentials.key)]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
    };
    write(&first.link("bailey://main/tenant/team-a"));
    let app = echo().await;
    let common = [with(&[]), route("team-a", "main", "a.example", "/")];
    let common = || common.clone().into_iter().chain(service("team-a", "app", 80, app));
    let role = Role::Inner { topology: "main".into(), tenant: "team-a".into() };
    let link = Some(LinkCredentials::read(folder.path()).unwrap());
    let (inner, _) = Tier::start(TierOptions { link, ..options(role) }, &objects(common())).await.unwrap();
    let all = objects(common().chain(link_service(inner.addresses()[0].address)));
    let reached_by = async |authority: &Authority| {
        let (role, link) = (Role::Outer { topology: "main".into() }, Some(authority.link("bailey://main/outer")));
        let (outer, _) = Tier::start(TierOptions { link, ..options(role) }, &all).await.unwrap();
        let answer = ask(outer.addresses()[0].address, &get("a.example", "/")).await;
        answer.starts_with("http/1.1 200")
    };
    let mut watched = LinkFolder::watch(Some(folder.path())).unwrap();
    let mut take_over = async || {
        tokio::time::timeout(Duration::from_secs(10), watched.changed()).await.unwrap();
        watched.reload(&inner);
    };
    assert!(reached_by(&first).await);
    std::fs::write(folder.path().join("tls.crt"), "no certificate").unwrap();
    take_over().await;
    assert!(reached_by(&first).await && !reached_by(&second).await);
    write(&second.link("bailey://main/tenant/team-a"));
    take_over().await;
    assert!(reached_by(&second).await && !reached_by(&first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_says_nothing_has_as_long_as_the_tier_says() {
    let limits = json!({"accept": {"handshakeSeconds": 1}});
    let pair = Pair::start(with(&[("inner.limits", limits)]), echo().await, LogTarget::Nowhere).await;
    let mut silent = TcpStream::connect(pair.inner.addresses()[0].address).await.unwrap();
    let mut byte = [0];
    let end = tokio::time::timeout(Duration::from_secs(8), silent.read(&mut byte)).await;
    assert!(matches!(end, Ok(Ok(0) | Err(_))), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_a_link_as_long_as_the_tier_says() {
    // A port that accepts and says nothing.
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = json!({"upstream": {"connectSeconds": 5}});
    let all = objects([with(&[("outer.limits", limits)])].into_iter().chain(link_service(hole.local_addr().unwrap())));
    let link = Some(Authority::new().link("bailey://main/outer"));
    let role = Role::Outer { topology: "main".into() };
    let (outer, _) = Tier::start(TierOptions { link, ..options(role) }, &all).await.unwrap();
    let began = Instant::now();
    assert!(ask(outer.addresses()[0].address, &get("a.example", "/")).await.starts_with("http/1.1 50"));
    assert!(began.elapsed() >= Duration::from_millis(4500));
}

/// How often an application that never answers was asked, after so many requests, by a tier with these limits.
async fn asked(limits: Value, requests: usize, body: &str) -> usize {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let app = application(move |socket, _| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { drop(socket) }
    })
    .await;
    let pair = Pair::start(with(&[("inner.limits", limits)]), app, LogTarget::Nowhere).await;
    let mut socket = TcpStream::connect(pair.at()).await.unwrap();
    let request = format!("PUT / HTTP/1.1\r\nhost: a.example\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for _ in 0..requests {
        assert!(ask_on(&mut socket, &request).await.starts_with("http/1.1 5"));
    }
    asked.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_kept_for_a_repetition_up_to_what_the_tier_says() {
    assert_eq!(asked(json!({"upstream": {"retryBodyBytes": 10}}), 1, "0123456789").await, 2);
    assert_eq!(asked(json!({"upstream": {"retryBodyBytes": 9}}), 1, "0123456789").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn repetitions_cost_the_share_that_the_tier_says() {
    // Ten are in reserve.
    assert_eq!(asked(json!({"upstream": {"retryBudgetPercent": 1}}), 30, "").await, 40);
    assert_eq!(asked(json!({"upstream": {"retryBudgetPercent": 100}}), 30, "").await, 60);
}
