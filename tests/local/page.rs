//! The page over its socket, with real tiers behind it: what happened is there, over both tiers, and what is secret is not.
//! What a browser makes of it is tested in `tests/page`.

use std::fs;
use std::net::SocketAddr;

use bailey_proxy::page::waterfall::Waterfall;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::folder::{Running, client, two_tenants};

/// A GET on the admin port: the status and the text.
async fn ask(admin: SocketAddr, target: &str, host: &str) -> (u16, String) {
    let io = TokioIo::new(TcpStream::connect(admin).await.unwrap());
    let (mut sender, connection) = http1::handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get(target).header("host", host).body(Full::<bytes::Bytes>::default()).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    connection.abort();
    (head.status.as_u16(), text)
}

async fn page(running: &Running, target: &str) -> String {
    let (status, text) = ask(running.local.admin().unwrap(), target, "localhost").await;
    assert_eq!(status, 200, "{target}: {text}");
    text
}

/// The trace of a request for this path, once it is there with `rows` spans.
async fn trace(running: &Running, path: &str, rows: usize) -> Waterfall {
    for _ in 0..400 {
        let all: Vec<Waterfall> = serde_json::from_str(&page(running, "/api/traces").await).unwrap();
        if let Some(one) = all.into_iter().find(|one| one.url.contains(path) && one.rows.len() >= rows) {
            return one;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no trace of {path} came");
}

#[tokio::test]
async fn a_request_is_shown_with_its_way_through_both_tiers_and_without_secrets() {
    let running = two_tenants().await;
    let fields = [("authorization", "Bearer hush"), ("cookie", "sid=hush"), ("user-agent", "<script>hi</script>")];
    client(&running.local).get("a.localhost", "/hello", &fields).await;
    let one = trace(&running, "/hello", 4).await;
    let rows: Vec<_> = one.rows.iter().map(|row| (row.depth, &*row.tier, &*row.kind)).collect();
    assert_eq!(rows, [(0, "outer", "server"), (1, "outer", "client"), (2, "inner", "server"), (3, "inner", "client")]);
    assert_eq!(
        (one.status, one.tenant.as_deref(), one.route.as_deref()),
        (Some(200), Some("a"), Some("HTTPRoute/a/web"))
    );
    let shown = page(&running, &format!("/requests/{}", one.trace)).await;
    assert!(shown.contains("/hello") && shown.contains("&lt;script&gt;") && !shown.contains("hush"), "{shown}");
    assert!(page(&running, "/requests?tenant=a").await.contains("/hello"));
    assert!(!page(&running, "/requests?tenant=b").await.contains("/hello"));
    assert!(page(&running, "/requests?backend=a%2Fapp-a%3A80").await.contains("/hello"));
}

#[tokio::test]
async fn a_strangers_context_is_no_parent_and_finds_the_trace_all_the_same() {
    let running = two_tenants().await;
    let context = "4bf92f3577b34da6a3ce929d0e0e4736";
    let field = format!("00-{context}-00f067aa0ba902b7-01");
    client(&running.local).get("a.localhost", "/linked", &[("traceparent", &field)]).await;
    let one = trace(&running, "/linked", 4).await;
    assert_ne!(one.trace, context, "the tier made a trace of its own");
    let found = page(&running, &format!("/api/traces?context={context}")).await;
    assert_eq!(serde_json::from_str::<Vec<Waterfall>>(&found).unwrap()[0].trace, one.trace);
}

#[tokio::test]
async fn an_explanation_and_the_topology_are_of_what_runs() {
    let mut running = two_tenants().await;
    let port = running.local.https().unwrap().port();
    let target = format!("/api/explain?url=https%3A%2F%2Fa.localhost%3A{port}%2Fx&header=cookie%3A+sid%3Dhush");
    let explained = page(&running, &target).await;
    let verdict: serde_json::Value = serde_json::from_str(&explained).unwrap();
    assert_eq!(verdict["verdict"]["outcome"], "forwarded", "{explained}");
    assert!(!explained.contains("hush"), "{explained}");
    let topology = page(&running, "/api/topology").await;
    assert!(topology.contains("a/web") && topology.contains("app-b:80"), "{topology}");
    // An edit shows without a new start; a tenant that is gone leaves.
    fs::write(running.folder.join("b.yaml"), "").unwrap();
    running.local.reload().await.unwrap();
    assert!(!page(&running, "/api/topology").await.contains("app-b:80"));
    fs::write(running.folder.join("b.yaml"), "a: [").unwrap();
    running.local.reload().await.unwrap_err();
    assert!(page(&running, "/").await.contains("The last edit was refused"));
    assert!(page(&running, "/configuration").await.contains("b.yaml:1"));
}

#[tokio::test]
async fn the_development_certificates_are_listed_once_they_are_made() {
    let running = two_tenants().await;
    assert!(page(&running, "/certificates").await.contains("None yet"));
    client(&running.local).get("a.localhost", "/", &[]).await;
    let shown = page(&running, "/certificates").await;
    assert!(shown.contains("a.localhost") && shown.contains("development CA"), "{shown}");
}

#[tokio::test]
async fn no_other_name_is_answered() {
    let running = two_tenants().await;
    let (status, text) = ask(running.local.admin().unwrap(), "/api/topology", "evil.example").await;
    assert!(status == 421 && !text.contains("a/web"), "{status} {text}");
}
