//! Applications that answer what no application should: the client gets 502 or a cut, the connection is never used again, and the next request gets
//! its own answer.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::scripted;
use crate::client::{PROTOCOLS, request};
use crate::folder::{client, route, tenant_a};

const HOST: &str = "e.a.localhost";
const HONEST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest";
const STOLEN: &str = "HTTP/1.1 200 OK\r\nX-Stolen: 1\r\nContent-Length: 6\r\n\r\nstolen";

/// What the client may see of an evil answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// An answer of the proxy's own: 502.
    Refused,
    /// The answer is good, what follows it is not.
    Passed,
    /// The answer began and is cut.
    Cut,
}

fn evil() -> Vec<(String, Fate)> {
    use Fate::{Cut, Passed, Refused};
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
    vec![
        // RFC 9112 6.3: the length is dropped, and the connection after it.
        (head("Content-Length: 5\r\nTransfer-Encoding: chunked") + "0\r\n\r\n" + STOLEN, Passed),
        (head("Transfer-Encoding: chunked\r\nContent-Length: 5") + "0\r\n\r\n" + STOLEN, Passed),
        (head("Content-Length: 2\r\nContent-Length: 5") + "hello", Refused),
        (head("Content-Length: 2\r\nContent-Length: 2") + "he", Refused),
        (head("Content-Length: 2, 2") + "he", Refused),
        (head("Content-Length: +2") + "he", Refused),
        (head("Content-Length: -1"), Refused),
        (head("Content-Length: 99999999999999999999"), Refused),
        (head("Transfer-Encoding: chunked, chunked") + "0\r\n\r\n", Refused),
        (head("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n", Refused),
        (head(&format!("X-Big: {}\r\nContent-Length: 0", "x".repeat(33_000))), Refused),
        (head(&format!("X-Big: {}\r\nContent-Length: 0", "x".repeat(300_000))), Refused),
        (head(&("X-Many: x\r\n".repeat(2_000) + "Content-Length: 0")), Refused),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned() + STOLEN,
            Refused,
        ),
        ("HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n".to_owned(), Refused),
        ("HTTP/1.1 99 What\r\nContent-Length: 0\r\n\r\n".to_owned(), Refused),
        ("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), Refused),
        ("HTTP/0.9 200 OK\r\n\r\n".to_owned(), Refused),
        ("220 smtp.example.com ESMTP\r\n".to_owned(), Refused),
        ("\0\0\0".to_owned(), Refused),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhe".to_owned(), Refused),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n".to_owned(), Refused),
        ("HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n".to_owned(), Refused),
        ("HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n".to_owned(), Refused),
        ("HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n".to_owned(), Refused),
        ("HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000) + HONEST, Refused),
        ("HTTP/1.1 200 OK\r\nContent-Len".to_owned(), Refused),
        (String::new(), Refused),
        (HONEST.to_owned() + STOLEN, Passed),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned() + STOLEN, Passed),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".to_owned() + STOLEN, Passed),
        (head("Transfer-Encoding: chunked") + "6\r\nhonest\r\n0\r\n\r\n" + STOLEN, Passed),
        (head("Content-Length: 100") + "short", Cut),
        (head("Transfer-Encoding: chunked") + "5\r\nhello\r\n", Cut),
        (head("Transfer-Encoding: chunked") + "5\r\nhelloX\r\n0\r\n\r\n" + STOLEN, Cut),
        (head("Transfer-Encoding: chunked") + "0x5\r\nhello\r\n0\r\n\r\n", Cut),
        (head("Transfer-Encoding: chunked") + "fffffffffffffffff\r\nhello", Cut),
    ]
}

#[tokio::test]
async fn no_evil_answer_gets_through_or_is_anyone_elses() {
    for protocol in PROTOCOLS {
        let evil = evil();
        let count = evil.len();
        let answers = std::sync::Arc::new(evil.clone());
        let app = scripted(move |mut connection| {
            let answers = answers.clone();
            async move {
                // One evil answer by the number in the path; a connection that is used after it would show.
                while let Some(head) = connection.head().await {
                    let number = head.split(' ').nth(1).and_then(|path| path[1..].parse::<usize>().ok());
                    match number.and_then(|number| answers.get(number)) {
                        Some((evil, _)) => {
                            connection.write(evil).await;
                            if !evil.contains("\r\n\r\n")
                                || evil.contains("short")
                                || evil.ends_with("hello\r\n")
                                || evil.ends_with("hello")
                            {
                                return;
                            }
                        }
                        None => connection.write(HONEST).await,
                    }
                }
            }
        })
        .await;
        let running =
            tenant_a(&(route("e", HOST, "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app"))).await;
        let client = client(&running.local);
        for (number, (text, fate)) in evil.iter().enumerate() {
            let shown = &text[..text.len().min(100)];
            let mut connection = client.connect(HOST, protocol).await.unwrap();
            // Not idempotent, so that it is asked once.
            let answer = connection.send(request("POST", HOST, &format!("/{number}"), &[], "")).await;
            match (fate, &answer) {
                (Fate::Refused, Ok(answer)) => assert_eq!(answer.status(), 502, "{protocol} {shown:?}"),
                (Fate::Passed, Ok(answer)) => {
                    assert!([200, 204, 304].contains(&answer.status().as_u16()), "{protocol} {shown:?}");
                    assert!(answer.body().is_empty() || answer.body() == "honest", "{protocol} {shown:?}");
                }
                (Fate::Cut, Err(_)) => {}
                (Fate::Cut | Fate::Refused | Fate::Passed, other) => panic!("{protocol} {shown:?}: {other:?}"),
            }
            if let Ok(answer) = &answer {
                assert!(!answer.headers().contains_key("x-stolen") && !answer.body().ends_with(b"stolen"), "{shown:?}");
            }
            let mut next = client.connect(HOST, protocol).await.unwrap();
            let answer = next.send(request("GET", HOST, "/after", &[], "")).await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), &answer.body()[..]),
                (200, &b"honest"[..]),
                "{protocol} after {shown:?}"
            );
        }
        assert!(app.connections() >= count, "{protocol}: an evil connection was used again");
    }
}

#[tokio::test]
async fn hop_by_hop_fields_of_an_answer_stay_behind() {
    let evil = "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Connection: x\r\nTrailer: X\r\nUpgrade: h2c\r\nAlt-Svc: h3=\":443\"\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok";
    let app = crate::backend::answering(evil).await;
    let running =
        tenant_a(&(route("e", HOST, "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app"))).await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect(HOST, protocol).await.unwrap();
        let answer = connection.send(request("GET", HOST, "/", &[], "")).await.unwrap();
        for name in [
            "connection",
            "x-private",
            "keep-alive",
            "proxy-connection",
            "proxy-authenticate",
            "trailer",
            "upgrade",
            "alt-svc",
        ] {
            assert!(!answer.headers().contains_key(name), "{protocol}: {name}");
        }
        assert_eq!(answer.headers()["x-kept"], "1");
    }
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole_and_framed_anew() {
    let app = scripted(|mut connection| async move {
        connection.head().await;
        connection.write("HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nuntil the end").await;
    })
    .await;
    let running =
        tenant_a(&(route("e", HOST, "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app"))).await;
    let mut tls = client(&running.local).tls(HOST, "http/1.1").await.unwrap();
    for _ in 0..2 {
        tls.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with("0\r\n\r\n") {
            let mut buffer = [0; 4096];
            let read = tls.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        assert!(answer.contains("transfer-encoding: chunked") && answer.contains("until the end"), "{answer}");
    }
}
