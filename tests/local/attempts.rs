//! What happens between a rule and its endpoints: mirrors, deadlines, repetitions, references, dead endpoints.

use std::fmt::Write as _;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::{Application, answering, scripted};
use crate::client::{Answer, PROTOCOLS, eventually, request, seen};
use crate::folder::{Running, TWO_TENANTS, app, client, echo, route, start, tenant_a};

const HOST: &str = "t.a.localhost";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn ask(running: &Running, protocol: &str, method: &str, path: &str, body: &str) -> Answer {
    let mut connection = client(&running.local).connect(HOST, protocol).await.unwrap();
    connection.send(request(method, HOST, path, &[], body)).await.unwrap()
}

#[tokio::test]
async fn every_mirror_gets_its_share_and_none_delays_the_request() {
    let (all, fraction) = (answering(OK).await, answering(OK).await);
    let hanging = scripted(|mut connection| async move {
        connection.head().await;
        pending::<()>().await;
    })
    .await;
    let dead = "---\napiVersion: bailey.dev/v1alpha1\nkind: LocalBackend\nmetadata: {name: dead, namespace: a}\nspec: {address: '127.0.0.1:1'}\n";
    let mirror = |name: &str, share: &str| {
        format!("        - {{type: RequestMirror, requestMirror: {{backendRef: {{name: {name}, port: 80}}{share}}}}}\n")
    };
    let rules = format!(
        "    - filters:\n{}{}{}{}{}      backendRefs: [{{name: app, port: 80}}]",
        mirror("all", ""),
        mirror("fraction", ", fraction: {numerator: 1, denominator: 4}"),
        mirror("hanging", ""),
        mirror("dead", ""),
        mirror("never", ", percent: 0"),
    );
    let never = answering(OK).await;
    let objects = [
        route("m", HOST, &rules),
        echo("app"),
        all.object("a", "all"),
        fraction.object("a", "fraction"),
        hanging.object("a", "hanging"),
        never.object("a", "never"),
        dead.to_owned(),
    ];
    let running = tenant_a(&objects.concat()).await;
    let mut connection = client(&running.local).connect(HOST, "h2").await.unwrap();
    // Fewer than are let wait for the mirror that hangs, so that every copy counts.
    for n in 0..50 {
        let answer = connection.send(request("POST", HOST, &format!("/{n}"), &[], "body")).await.unwrap();
        assert_eq!(seen(&answer)["body"], "body");
    }
    eventually(|| all.heads.all().len() == 50).await;
    assert!(all.heads.all().iter().all(|head| head.starts_with("POST /")));
    let share = fraction.heads.all().len();
    assert!((2..=30).contains(&share), "{share} of 50 for a quarter");
    assert_eq!(never.heads.all().len(), 0);
}

#[tokio::test]
async fn a_large_body_passes_a_mirror_that_does_not_read() {
    let hanging = scripted(|connection| async move {
        let _kept = connection;
        pending::<()>().await;
    })
    .await;
    let rules = "    - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: hanging, port: 80}}}]\n      backendRefs: [{name: app, port: 80}]";
    let running = tenant_a(&(route("m", HOST, rules) + &echo("app") + &hanging.object("a", "hanging"))).await;
    for protocol in PROTOCOLS {
        let answer = ask(&running, protocol, "POST", "/", &"x".repeat(3_000_000)).await;
        assert_eq!(seen(&answer)["body_bytes"], 3_000_000, "{protocol}");
    }
}

#[tokio::test]
async fn deadlines_of_the_request_and_of_one_attempt_are_504() {
    let silent = scripted(|mut connection| async move {
        connection.head().await;
        pending::<()>().await;
    })
    .await;
    let rules = "    - matches: [{path: {type: PathPrefix, value: /request}}]\n      timeouts: {request: 200ms}\n      backendRefs: [{name: silent, port: 80}]\n    - matches: [{path: {type: PathPrefix, value: /backend}}]\n      timeouts: {request: 10s, backendRequest: 200ms}\n      backendRefs: [{name: silent, port: 80}]\n    - backendRefs: [{name: app, port: 80}]\n      timeouts: {request: 0s}";
    let running = tenant_a(&(route("t", HOST, rules) + &echo("app") + &silent.object("a", "silent"))).await;
    for protocol in PROTOCOLS {
        for path in ["/request", "/backend"] {
            let answer = ask(&running, protocol, "POST", path, "x").await;
            assert_eq!(answer.status(), 504, "{protocol} {path}");
            let status = answer.headers()["proxy-status"].to_str().unwrap();
            assert!(status.contains("inner") && status.contains("timeout"), "{status}");
        }
        assert_eq!(ask(&running, protocol, "GET", "/", "").await.status(), 200);
    }
}

/// Answers 503 so many times, then 200.
async fn recovers_after(failures: usize) -> Application {
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    scripted(move |mut connection| {
        let count = count.clone();
        async move {
            while connection.head().await.is_some() {
                let bad = count.fetch_add(1, Ordering::SeqCst) < failures;
                connection.write(if bad { "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno" } else { OK }).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn listed_codes_are_repeated_as_often_as_the_rule_says_and_no_more() {
    let rules = "    - matches: [{path: {type: PathPrefix, value: /listed}}]\n      retry: {codes: [503], attempts: 2, backoff: 1ms}\n      backendRefs: [{name: app, port: 80}]\n    - matches: [{path: {type: PathPrefix, value: /other}}]\n      retry: {codes: [502], attempts: 2, backoff: 1ms}\n      backendRefs: [{name: app, port: 80}]\n    - matches: [{path: {type: PathPrefix, value: /none}}]\n      backendRefs: [{name: app, port: 80}]";
    for (method, path, failures, status, asked) in [
        ("GET", "/listed", 2, 200, 3),
        ("GET", "/listed", 3, 503, 3),
        ("PUT", "/listed", 1, 200, 2),
        ("POST", "/listed", 1, 503, 1),
        ("GET", "/other", 1, 503, 1),
        ("GET", "/none", 1, 503, 1),
    ] {
        let app = recovers_after(failures).await;
        let running = tenant_a(&(route("t", HOST, rules) + &app.object("a", "app"))).await;
        assert_eq!(ask(&running, "h2", method, path, "").await.status(), status, "{method} {path} {failures}");
        assert_eq!(app.heads.all().len(), asked, "{method} {path} {failures}");
    }
}

#[tokio::test]
async fn a_connection_that_dies_is_tried_again_only_where_that_is_harmless() {
    for (method, status, asked) in [("GET", 200, 2), ("POST", 502, 1)] {
        let app = scripted(|mut connection| async move {
            let number = connection.number;
            while connection.head().await.is_some() {
                if number == 0 {
                    return;
                }
                connection.write(OK).await;
            }
        })
        .await;
        let running =
            tenant_a(&(route("t", HOST, "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app"))).await;
        assert_eq!(ask(&running, "http/1.1", method, "/", "").await.status(), status, "{method}");
        assert_eq!(app.heads.all().len(), asked, "{method}");
    }
}

/// A Service of tenant a with these endpoints.
fn service(endpoints: &[std::net::SocketAddr]) -> String {
    let mut text = "---\napiVersion: v1\nkind: Service\nmetadata: {name: app, namespace: a}\nspec: {ports: [{name: http, port: 80}]}\n".to_owned();
    for (n, endpoint) in endpoints.iter().enumerate() {
        write!(text, "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: app-{n}, namespace: a, labels: {{kubernetes.io/service-name: app}}}}\naddressType: IPv4\nports: [{{name: http, port: {}}}]\nendpoints: [{{addresses: ['{}'], conditions: {{ready: true}}}}]\n", endpoint.port(), endpoint.ip()).unwrap();
    }
    text
}

#[tokio::test]
async fn endpoints_share_the_load_and_a_dead_one_is_nobodys_error() {
    let (one, two) = (answering(OK).await, answering(OK).await);
    let dead = "127.0.0.1:1".parse().unwrap();
    let objects =
        route("t", HOST, "    - backendRefs: [{name: app, port: 80}]") + &service(&[one.address, dead, two.address]);
    let running = tenant_a(&objects).await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect(HOST, protocol).await.unwrap();
        for n in 0..60 {
            // Not idempotent: only what reached nobody may be sent again.
            let answer = connection.send(request("POST", HOST, "/", &[], "x")).await.unwrap();
            assert_eq!(answer.status(), 200, "{protocol} request {n}");
        }
    }
    let (one, two) = (one.heads.all().len(), two.heads.all().len());
    assert_eq!(one + two, 120);
    assert!(one >= 30 && two >= 30, "{one} and {two}");
}

#[tokio::test]
async fn no_endpoint_at_all_is_503_and_one_that_comes_back_is_used() {
    let objects = |endpoints: &[std::net::SocketAddr]| {
        route("t", HOST, "    - backendRefs: [{name: app, port: 80}]") + &service(endpoints)
    };
    let mut running = start(&[("topology.yaml", TWO_TENANTS), ("a.yaml", &objects(&[]))]).await;
    let answer = ask(&running, "h2", "GET", "/", "").await;
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "1"));

    // An address where nothing listens yet.
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    std::fs::write(running.folder.join("a.yaml"), objects(&[address])).unwrap();
    running.local.reload().await.unwrap();
    assert_eq!(ask(&running, "h2", "GET", "/", "").await.status(), 502);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        while !stopped.load(Ordering::SeqCst) {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let mut head = [0; 4096];
                while matches!(tcp.read(&mut head).await, Ok(1..)) {
                    tcp.write_all(OK.as_bytes()).await.unwrap();
                }
            });
        }
    });
    // The only endpoint is asked even while it is set aside.
    assert_eq!(ask(&running, "h2", "GET", "/", "").await.status(), 200);
    stop.store(true, Ordering::SeqCst);
    task.abort();
}

#[tokio::test]
async fn a_backend_of_another_namespace_needs_a_grant() {
    let objects = route("t", HOST, "    - backendRefs: [{name: app-b, namespace: b, port: 80}]");
    let grant = "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g, namespace: b}\nspec:\n  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}]\n  to: [{group: '', kind: Service}]\n";
    // Namespaces of one tenant: those of another are out of reach whatever they grant.
    let topology = TWO_TENANTS
        .replace("names: [a]", "names: [a, b]")
        .replace("    - {name: b, namespaces: {names: [b]}, hostnames: [\"b.localhost\"]}\n", "");
    let mut running = start(&[("topology.yaml", &topology), ("a.yaml", &objects), ("b.yaml", &app("b"))]).await;
    assert_eq!(ask(&running, "h2", "GET", "/", "").await.status(), 500);
    let said: Vec<_> = running.local.warnings().map(ToString::to_string).collect();
    assert!(said.iter().any(|text| text.contains("ReferenceGrant") && text.contains("a.yaml:")), "{said:#?}");
    std::fs::write(running.folder.join("grant.yaml"), grant).unwrap();
    running.local.reload().await.unwrap();
    assert_eq!(seen(&ask(&running, "h2", "GET", "/", "").await)["backend"], "app-b");
    std::fs::remove_file(running.folder.join("grant.yaml")).unwrap();
    running.local.reload().await.unwrap();
    assert_eq!(ask(&running, "h2", "GET", "/", "").await.status(), 500);
}

#[tokio::test]
async fn another_tenants_application_is_out_of_reach_whatever_it_grants() {
    let objects = route("t", HOST, "    - backendRefs: [{name: app-b, namespace: b, port: 80}]");
    let grant = "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g, namespace: b}\nspec:\n  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}]\n  to: [{group: '', kind: Service}]\n";
    let files = [("topology.yaml", TWO_TENANTS), ("a.yaml", &*objects), ("b.yaml", &*app("b")), ("grant.yaml", grant)];
    let running = start(&files).await;
    let answer = ask(&running, "h2", "GET", "/", "").await;
    assert_eq!(answer.status(), 500, "{:?}", answer.body());
}
