//! Every protocol of a client against every protocol of an application: what HTTP promises holds on all four.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::{Application, Body, fixed, scripted, serving};
use crate::client::{Answer, Client, PROTOCOLS, request};
use crate::folder::{Running, client, route, tenant_a};

const HOSTS: [(&str, &str); 2] = [("one.a.localhost", "HTTP/1.1"), ("two.a.localhost", "HTTP/2.0")];

fn trailers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// A body of these pieces with these trailers.
fn ending(pieces: &[&'static str], end: HeaderMap) -> Body {
    let data = pieces.iter().map(|piece| Frame::data(Bytes::from_static(piece.as_bytes())));
    let frames: Vec<_> = data.chain([Frame::trailers(end)]).map(Ok::<_, std::convert::Infallible>).collect();
    StreamBody::new(futures_util::stream::iter(frames)).boxed()
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let plain = |status: u16| Response::builder().status(status);
    match head.uri.path() {
        "/204" => plain(204).body(fixed("")).unwrap(),
        "/304" => plain(304).header("etag", "\"x\"").body(fixed("")).unwrap(),
        "/500" => plain(500).body(fixed("sorry")).unwrap(),
        "/empty" => plain(200).body(fixed("")).unwrap(),
        "/long" => plain(200).body(fixed(vec![b'l'; 300_000])).unwrap(),
        "/early" => plain(403).body(fixed("early")).unwrap(),
        "/trailers" => plain(200)
            .header("trailer", "grpc-status, grpc-message, x-private")
            .body(ending(
                &["a", "b"],
                trailers(&[("grpc-status", "0"), ("grpc-message", "fine"), ("x-forwarded-for", "6.6.6.6")]),
            ))
            .unwrap(),
        _ => {
            let collected = body.collect().await.unwrap();
            let end: Vec<_> = collected
                .trailers()
                .into_iter()
                .flatten()
                .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
                .collect();
            let bytes = collected.to_bytes();
            let text = json!({"method": head.method.as_str(), "protocol": format!("{:?}", head.version), "length": head.headers.get("content-length").map(|v| v.to_str().unwrap()), "bytes": bytes.len(), "trailers": end});
            plain(200).body(fixed(text.to_string())).unwrap()
        }
    }
}

async fn running() -> (Running, Application) {
    let app = serving(answer).await;
    let rule = |name: &str| format!("    - backendRefs: [{{name: {name}, port: 80}}]");
    let objects = [
        route("one", HOSTS[0].0, &rule("one")),
        route("two", HOSTS[1].0, &rule("two")),
        app.object("a", "one"),
        app.h2c("a", "two"),
    ];
    (tenant_a(&objects.concat()).await, app)
}

#[tokio::test]
async fn every_kind_of_answer_arrives_and_the_connection_goes_on() {
    let (running, _app) = running().await;
    let client = client(&running.local);
    for (host, spoken) in HOSTS {
        for protocol in PROTOCOLS {
            let mut connection = client.connect(host, protocol).await.unwrap();
            for (method, path, status, bytes) in [
                ("GET", "/204", 204, 0),
                ("HEAD", "/long", 200, 0),
                ("GET", "/304", 304, 0),
                ("GET", "/long", 200, 300_000),
                ("GET", "/500", 500, 5),
                ("GET", "/empty", 200, 0),
                ("HEAD", "/500", 500, 0),
                ("OPTIONS", "/empty", 200, 0),
                ("DELETE", "/empty", 200, 0),
                ("GET", "/trailers", 200, 2),
            ] {
                let answer = connection.send(request(method, host, path, &[], "")).await;
                let answer = answer.unwrap_or_else(|e| panic!("{protocol} {spoken} {method} {path}: {e}"));
                assert_eq!(
                    (answer.status().as_u16(), answer.body().len()),
                    (status, bytes),
                    "{protocol} {spoken} {method} {path}"
                );
                if (method, path) == ("HEAD", "/long") {
                    assert_eq!(answer.headers()["content-length"], "300000", "{protocol} {spoken}");
                }
            }
            for size in [0, 1, 100_000] {
                let answer = connection.send(request("PUT", host, "/", &[], &"x".repeat(size))).await.unwrap();
                let seen = crate::client::seen(&answer);
                assert_eq!((&seen["bytes"], &seen["protocol"]), (&json!(size), &json!(spoken)), "{protocol}");
            }
        }
    }
}

/// A request over h2 whose body has trailers; the answer with its own.
async fn over_h2(client: &Client, host: &str, request: Request<Body>) -> (Answer, HeaderMap) {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let tls = client.tls(host, "h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let collected = body.collect().await.unwrap();
    let end = collected.trailers().cloned().unwrap_or_default();
    (Response::from_parts(head, collected.to_bytes()), end)
}

fn grpc(host: &str, path: &str, body: Body) -> Request<Body> {
    let request = Request::post(format!("https://{host}{path}"));
    request.header("te", "trailers").header("content-type", "application/grpc").body(body).unwrap()
}

#[tokio::test]
async fn trailers_of_grpc_go_both_ways_and_forwarding_names_in_them_nowhere() {
    let (running, _app) = running().await;
    let client = client(&running.local);
    for (host, spoken) in HOSTS {
        let (answer, end) = over_h2(&client, host, grpc(host, "/trailers", fixed("x"))).await;
        assert_eq!(answer.body(), "ab", "{spoken}");
        assert_eq!(
            (end["grpc-status"].as_bytes(), end["grpc-message"].as_bytes()),
            (&b"0"[..], &b"fine"[..]),
            "{spoken}"
        );
        assert!(
            !end.contains_key("x-forwarded-for") && !answer.headers().contains_key("grpc-status"),
            "{spoken}: {end:?}"
        );

        let sent = ending(
            &["a", "b"],
            trailers(&[("grpc-status", "0"), ("authorization", "x"), ("x-forwarded-for", "6.6.6.6")]),
        );
        let (answer, _) = over_h2(&client, host, grpc(host, "/", sent)).await;
        let seen = crate::client::seen(&answer);
        assert_eq!(seen["bytes"], 2, "{spoken}");
        let end = seen["trailers"].to_string();
        assert!(!end.contains("6.6.6.6") && !end.contains("authorization"), "{spoken}: {end}");
    }
}

#[tokio::test]
async fn errors_of_the_proxy_are_told_to_grpc_clients_as_trailers_only() {
    let objects =
        route(
            "g",
            "g.a.localhost",
            "    - matches: [{path: {type: PathPrefix, value: /dead}}]\n      backendRefs: [{name: dead, port: 80}]",
        ) + &crate::backend::local_backend("a", "dead", "address: '127.0.0.1:1', appProtocol: kubernetes.io/h2c");
    let running = tenant_a(&objects).await;
    for (path, status) in [("/dead/X", "14"), ("/unknown/X", "12")] {
        let (answer, end) =
            over_h2(&client(&running.local), "g.a.localhost", grpc("g.a.localhost", path, fixed("x"))).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["grpc-status"].to_str().unwrap()), (200, status));
        assert_eq!(answer.headers()["content-type"], "application/grpc");
        assert!(answer.headers()["grpc-message"].len() > 5 && answer.body().is_empty() && end.is_empty());
    }
}

/// Sends bytes over HTTP/1.1, reads until `end` has come.
async fn raw(client: &Client, host: &str, bytes: &[u8], end: &str) -> String {
    let mut tls = client.tls(host, "http/1.1").await.unwrap();
    tls.write_all(bytes).await.unwrap();
    until(&mut tls, end).await
}

async fn until(tls: &mut (impl tokio::io::AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(8), tls.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("{end:?} never came: {text}")).unwrap();
        assert!(read > 0, "{end:?} never came: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

#[tokio::test]
async fn a_chunked_request_without_length_arrives_chunked_or_framed_and_whole() {
    let (running, _app) = running().await;
    for (host, spoken) in HOSTS {
        let text = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
        );
        let answer = raw(&client(&running.local), host, text.as_bytes(), "}").await;
        assert!(answer.contains("\"bytes\":7") && answer.contains("\"length\":null"), "{spoken}: {answer}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_gets_it_before_it_sends() {
    let (running, _app) = running().await;
    for (host, spoken) in HOSTS {
        let mut tls = client(&running.local).tls(host, "http/1.1").await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        tls.write_all(head.as_bytes()).await.unwrap();
        let interim = until(&mut tls, "\r\n\r\n").await;
        assert!(interim.starts_with("HTTP/1.1 100 "), "{spoken}: {interim}");
        tls.write_all(b"hello").await.unwrap();
        let answer = until(&mut tls, "}").await;
        assert!(answer.contains("\"bytes\":5"), "{spoken}: {answer}");
    }
}

#[tokio::test]
async fn early_hints_reach_clients_of_both_protocols_and_other_interim_answers_do_not() {
    let app = scripted(|mut connection| async move {
        while connection.head().await.is_some() {
            connection.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let running = tenant_a(
        &(route("e", "e.a.localhost", "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app")),
    )
    .await;
    let client = client(&running.local);
    let answer = raw(&client, "e.a.localhost", b"GET / HTTP/1.1\r\nHost: e.a.localhost\r\n\r\n", "\r\n\r\nok").await;
    assert!(answer.starts_with("HTTP/1.1 103 ") && answer.contains("rel=preload"), "{answer}");
    assert!(!answer.contains("HTTP/1.1 102") && answer.contains("HTTP/1.1 200"), "{answer}");

    let tls = client.tls("e.a.localhost", "h2").await.unwrap();
    let (mut sender, connection) = h2::client::handshake(tls).await.unwrap();
    tokio::spawn(connection);
    let get = Request::get("https://e.a.localhost/").body(()).unwrap();
    let (mut response, _) = sender.send_request(get, true).unwrap();
    let hint = std::future::poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
    assert_eq!((hint.status().as_u16(), hint.headers()["link"].to_str().unwrap()), (103, "</a.css>; rel=preload"));
    assert_eq!(response.await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_is_heard_at_once() {
    let (running, _app) = running().await;
    let client = client(&running.local);
    for (host, spoken) in HOSTS {
        let head = format!("POST /early HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000000\r\n\r\nbegin");
        let answer = raw(&client, host, head.as_bytes(), "early").await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{spoken}: {answer}");

        let (mut sender, connection) = h2::client::handshake(client.tls(host, "h2").await.unwrap()).await.unwrap();
        tokio::spawn(connection);
        let post = Request::post(format!("https://{host}/early")).body(()).unwrap();
        let (response, mut body) = sender.send_request(post, false).unwrap();
        body.send_data(Bytes::from_static(b"begin"), false).unwrap();
        let response = tokio::time::timeout(Duration::from_secs(8), response).await.expect("an answer").unwrap();
        assert_eq!(response.status(), 403, "{spoken}");
        drop(body);
        // The connection is not harmed.
        let get = Request::get(format!("https://{host}/empty")).body(()).unwrap();
        let (response, _) = sender.ready().await.unwrap().send_request(get, true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200, "{spoken}");
    }
}
