//! What strangers send to confuse proxies, byte by byte over TLS: the rules H1 to H17. Refused with this status, closed, and nothing of it reaches
//! the application.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::{Application, answering, scripted};
use crate::client::Client;
use crate::folder::{Running, client, route, tenant_a};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// What an attacker wants to have answered as a request of its own.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a.localhost\r\n\r\n";

async fn running(app: &Application) -> Running {
    let rules = "    - matches: [{path: {type: PathPrefix, value: /}}]\n      backendRefs: [{name: app, port: 80}]";
    tenant_a(&(route("r", "a.localhost", rules) + &app.object("a", "app"))).await
}

/// Sends these bytes and reads until the connection ends, which it must.
async fn answers(client: &Client, bytes: &[u8]) -> String {
    let mut tls = client.tls("a.localhost", "http/1.1").await.unwrap();
    tls.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(8), tls.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(ended.is_ok(), "left open: {:?}: {answer:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
    answer
}

/// A request with these lines between `Host` and the end of its head.
fn with(lines: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a.localhost\r\n{lines}\r\n\r\n{body}")
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn vectors() -> Vec<(u16, String)> {
    let mut all: Vec<(u16, String)> = Vec::new();
    let mut add = |status: u16, request: String| all.push((status, request));
    // H1
    add(400, with("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n"));
    add(400, with("Transfer-Encoding: chunked\r\nContent-Length: 4", "0\r\n\r\n"));
    add(400, with("Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 0", "0\r\n\r\n"));
    // H2
    for length in ["1, 1", "+1", "-1", " ", "0x1", "01", "1 1", "99999999999999999999", "1;", "1.0", "one", "1\t2"] {
        add(400, with(&format!("Content-Length: {length}"), "x"));
    }
    add(400, with("Content-Length: 1\r\nContent-Length: 1", "x"));
    add(400, with("Content-Length: 1\r\nContent-Length: 2", "xx"));
    // H3
    for coding in [
        "chunked, chunked",
        "identity, chunked",
        ",chunked",
        "chunked;q=1",
        "\"chunked\"",
        "\x0bchunked",
        "chunked,",
        "identity",
    ] {
        add(0, with(&format!("Transfer-Encoding: {coding}"), "0\r\n\r\n"));
    }
    add(400, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"));
    add(501, with("Transfer-Encoding: gzip", "0\r\n\r\n"));
    add(400, "POST / HTTP/1.0\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned());
    // H4
    for lines in [
        "X: a\nY: b",
        "X: a\rb",
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X : a",
        " X: a",
        "X: a\0b",
        "X: \x01",
        ": a",
        "X",
        "X\t: a",
        "(X): a",
        "X\u{e9}: a",
        "X: a\x7f",
    ] {
        add(400, with(lines, ""));
    }
    for line in [
        "GET / HTTP/1.1\n",
        "GET  / HTTP/1.1\r\n",
        "GET /  HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        " GET / HTTP/1.1\r\n",
        "GET\t/ HTTP/1.1\r\n",
        "GET /\r\n",
        "GET / http/1.1\r\n",
        "G\0T / HTTP/1.1\r\n",
        "GET / HTTP/01.1\r\n",
    ] {
        add(400, format!("{line}Host: a.localhost\r\n\r\n"));
    }
    add(505, "GET / HTTP/1.2x\r\nHost: a.localhost\r\n\r\n".to_owned());
    // H7
    for value in ["y 100-continue", "100-continue, x", "200-ok"] {
        add(417, with(&format!("Content-Length: 1\r\nExpect: {value}"), "x"));
    }
    // H10
    add(501, "CONNECT a.localhost:443 HTTP/1.1\r\nHost: a.localhost:443\r\n\r\n".to_owned());
    add(405, "TRACE / HTTP/1.1\r\nHost: a.localhost\r\n\r\n".to_owned());
    add(400, format!("{} / HTTP/1.1\r\nHost: a.localhost\r\n\r\n", "M".repeat(33)));
    // H11
    for host in [
        "",
        "Host: a.localhost\r\nHost: a.localhost",
        "Host: a.localhost\r\nHost: b.localhost",
        "Host: u@a.localhost",
        "Host: a.localhost/x",
        "Host: a b",
        "Host: a.localhost,b.localhost",
        "Host: ",
        "Host: a.localhost:80x",
        "Host: a.localhost:99999",
        "Host: a.localhost\u{ff}",
        "Host: a..localhost",
        "Host: a.localhost#x",
    ] {
        let line = if host.is_empty() { String::new() } else { format!("{host}\r\n") };
        add(400, format!("GET / HTTP/1.1\r\n{line}\r\n"));
    }
    for target in [
        "https://b.localhost/",
        "https://u@a.localhost/",
        "a.localhost:443",
        "*",
        "x",
        "/a#b",
        "/a\\b",
        "/\u{e9}",
        "/a\x01",
        "/%zz",
        "/%",
        "ftp://a.localhost/",
        "https:///x",
    ] {
        add(400, get(target));
    }
    // H14
    for target in ["/a/../b", "/a/%2e%2e/b", "/a%2fb", "/a%5cb", "/a%00b", "/./x", "/a//b"] {
        add(400, get(target));
    }
    // H15, F2
    for line in ["X_Forwarded_For: 6.6.6.6", "content_length: 1", "Connection: content-length", "connection: \u{e4}"] {
        add(400, with(line, ""));
    }
    // H17
    add(431, with("X-A: b\r\n".repeat(101).trim_end(), ""));
    add(431, with(&format!("X-A: {}", "b".repeat(33_000)), ""));
    add(414, get(&format!("/{}", "x".repeat(8_200))));
    all
}

#[tokio::test]
async fn every_vector_is_refused_with_its_status_and_closes_and_nothing_reaches_the_application() {
    let app = answering(OK).await;
    let running = running(&app).await;
    let client = client(&running.local);
    let vectors = vectors();
    assert!(vectors.len() >= 60);
    let mut wrong = Vec::new();
    for (status, request) in vectors {
        let answer = answers(&client, format!("{request}{SMUGGLED}").as_bytes()).await;
        let found = answer.get(9..12).and_then(|code| code.parse::<u16>().ok()).unwrap_or(0);
        let right = if status == 0 { matches!(found, 400 | 501) } else { found == status };
        if !right || answer.matches("HTTP/1.1 ").count() != 1 {
            wrong.push(format!(
                "wanted {status}: {:?} → {:?}",
                &request[..request.len().min(120)],
                &answer[..answer.len().min(400)]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
    assert!(app.heads.all().is_empty(), "{:?}", app.heads.all());
    assert_eq!(client.get("a.localhost", "/", &[]).await.status(), 200);
}

#[tokio::test]
async fn a_broken_chunk_never_looks_like_the_end_of_a_body() {
    let app = scripted(|mut connection| async move {
        connection.head().await;
        while connection.more().await {}
        assert!(!connection.taken().ends_with(b"0\r\n\r\n"), "a clean end");
        connection.finish();
    })
    .await;
    let running = running(&app).await;
    let client = client(&running.local);
    for (n, body) in [
        "5;a=\nb\r\nhello\r\n0\r\n\r\n",
        "5;a=\rb\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "1_0\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\r\nhello\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = answers(&client, (with("Transfer-Encoding: chunked", body) + SMUGGLED).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{body:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{body:?}");
        assert!(app.heads.all().len() <= n + 1);
    }
    assert!(app.heads.all().iter().all(|head| head.starts_with("POST / ")), "{:?}", app.heads.all());
    let begun = app.heads.all().len();
    crate::client::eventually(|| app.finished() == begun).await;
}

#[tokio::test]
async fn trailers_of_a_request_reach_no_application_as_fields() {
    let app = answering(OK).await;
    let running = running(&app).await;
    let body =
        "2\r\nhi\r\n0\r\nHost: evil\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: x\r\nContent-Length: 5\r\n\r\n";
    let request = with("Transfer-Encoding: chunked\r\nConnection: close", body);
    let answer = answers(&client(&running.local), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    for head in app.heads.all() {
        assert!(!head.contains("evil") && !head.contains("6.6.6.6"), "{head}");
    }
}

#[tokio::test]
async fn an_early_answer_ends_the_connection_and_what_follows_is_never_a_request() {
    // 0.CL and CL.0: the application answers without reading the body.
    let app = scripted(|mut connection| async move {
        if connection.head().await.is_some() {
            connection.write("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno").await;
            connection.end().await;
        }
    })
    .await;
    let running = running(&app).await;
    let client = client(&running.local);
    let answer =
        answers(&client, (with("Content-Length: 500000", "") + SMUGGLED + "GET /x HTTP/1.1\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(app.heads.all().len(), 1);
    let again = answers(&client, (with("Content-Length: 5000", "") + SMUGGLED).as_bytes()).await;
    assert!(again.starts_with("HTTP/1.1 403 "), "{again}");
    assert_eq!(app.connections(), 2, "a connection with half a request on it is never used again");
}

#[tokio::test]
async fn a_tunnel_begins_with_the_applications_101_only() {
    let app = scripted(|mut connection| async move {
        while connection.head().await.is_some() {
            connection.write(OK).await;
        }
    })
    .await;
    let running = running(&app).await;
    let upgrade = "GET /chat HTTP/1.1\r\nHost: a.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let closing = "GET /next HTTP/1.1\r\nHost: b.localhost\r\nConnection: close\r\n\r\n";
    let answer = answers(&client(&running.local), format!("{upgrade}{closing}").as_bytes()).await;
    let statuses: Vec<_> = answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert!(statuses == ["200", "421"] || statuses == ["200"], "{answer}");
    assert_eq!(app.heads.all().len(), 1, "{:?}", app.heads.all());
}
