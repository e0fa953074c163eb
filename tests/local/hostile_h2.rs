//! What strangers send over HTTP/2, frame by frame: the rules Z6 to Z8. Nothing of it reaches the application.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::answering;
use crate::client::Client;
use crate::folder::{client, route, tenant_a};
use crate::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, PUSH_PROMISE, RST_STREAM, SETTINGS, block, frame,
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// How the proxy answers.
#[derive(Debug, PartialEq)]
enum Answer {
    Reset,
    Goaway,
    /// The first byte of the answer's head: an index of HPACK's table for the common statuses.
    Head(u8),
    Closed,
}

const STATUS_200: u8 = 0x88;
const STATUS_400: u8 = 0x8c;

async fn ask(client: &Client, frames: &[Vec<u8>]) -> Answer {
    let mut tls = client.tls("a.localhost", "h2").await.unwrap();
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frames.concat());
    tls.write_all(&bytes).await.unwrap();
    let answer = async {
        loop {
            let mut head = [0; 9];
            if tls.read_exact(&mut head).await.is_err() {
                return Answer::Closed;
            }
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            if tls.read_exact(&mut payload).await.is_err() {
                return Answer::Closed;
            }
            match head[3] {
                RST_STREAM => return Answer::Reset,
                GOAWAY => return Answer::Goaway,
                HEADERS => return Answer::Head(payload[0]),
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(8), answer).await.expect("an answer of some kind")
}

const GOOD: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a.localhost")];

/// The good request with one field replaced, or taken away.
fn but(name: &str, value: Option<&'static str>) -> Vec<(&'static str, &'static str)> {
    GOOD.iter().filter_map(|(n, v)| if *n == name { value.map(|value| (*n, value)) } else { Some((*n, *v)) }).collect()
}

/// The good request with more fields.
fn and(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&GOOD[..], more].concat()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn hostile_heads_are_reset_or_400_and_nothing_reaches_the_application() {
    let app = answering(OK).await;
    let running =
        tenant_a(&(route("r", "a.localhost", "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app")))
            .await;
    let client = client(&running.local);
    let head = |fields: &[(&str, &str)]| frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields));
    let vectors = [
        and(&[("host", "b.localhost")]),
        and(&[("host", "a.localhost"), ("host", "a.localhost")]),
        but(":authority", None),
        but(":authority", Some("u@a.localhost")),
        but(":authority", Some("a.localhost/x")),
        but(":authority", Some("a localhost")),
        but(":authority", Some("")),
        but(":authority", Some("a.localhost:99999")),
        but(":scheme", Some("ftp")),
        but(":scheme", None),
        but(":path", None),
        but(":path", Some("")),
        but(":path", Some("x")),
        but(":path", Some("*")),
        but(":path", Some("/a b")),
        but(":path", Some("/a\\b")),
        but(":path", Some("/a/../b")),
        but(":path", Some("/a%2fb")),
        but(":path", Some("/a%00b")),
        but(":path", Some("/ HTTP/1.1\r\nHost: b.localhost\r\n\r\n")),
        but(":path", Some("https://b.localhost/")),
        but(":method", Some("GE T")),
        but(":method", Some("GET / HTTP/1.1\r\nHost: b")),
        but(":method", None),
        and(&[(":method", "POST")]),
        and(&[("x", "y"), (":path", "/late")]),
        and(&[(":unknown", "x")]),
        and(&[(":protocol", "websocket")]),
        and(&[("connection", "close")]),
        and(&[("connection", "x-forwarded-for")]),
        and(&[("keep-alive", "x")]),
        and(&[("proxy-connection", "x")]),
        and(&[("transfer-encoding", "chunked")]),
        and(&[("upgrade", "h2c")]),
        and(&[("te", "gzip")]),
        and(&[("X-Upper", "x")]),
        and(&[("x", "a\r\nevil: b")]),
        and(&[("x", "a\nevil: b")]),
        and(&[("x", "a\0b")]),
        and(&[("x y", "a")]),
        and(&[("x: y", "a")]),
        and(&[("", "a")]),
        and(&[("content-length", "5")]),
        and(&[("content-length", "0"), ("content-length", "0")]),
        and(&[("content-length", "x")]),
        and(&[("x_forwarded_for", "6.6.6.6")]),
    ];
    let mut wrong = Vec::new();
    for fields in &vectors {
        let answer = ask(&client, &[head(fields)]).await;
        if !matches!(answer, Answer::Reset | Answer::Goaway | Answer::Closed | Answer::Head(STATUS_400)) {
            wrong.push(format!("{fields:?}: {answer:x?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(app.heads.all().is_empty(), "{:?}", app.heads.all());
    assert_eq!(ask(&client, &[head(&GOOD)]).await, Answer::Head(STATUS_200), "the control");
}

#[tokio::test]
async fn frames_a_client_may_not_send_end_the_connection() {
    let app = answering(OK).await;
    let running =
        tenant_a(&(route("r", "a.localhost", "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app")))
            .await;
    let client = client(&running.local);
    let good = block(&GOOD);
    for (what, frames) in [
        ("an even stream", vec![frame(HEADERS, END_HEADERS | END_STREAM, 2, &good)]),
        ("PUSH_PROMISE", vec![frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2], &good[..]].concat())]),
        ("DATA on an idle stream", vec![frame(DATA, END_STREAM, 1, b"x")]),
        (
            "a stream number that goes back",
            vec![frame(HEADERS, END_HEADERS, 5, &good), frame(HEADERS, END_HEADERS, 3, &good)],
        ),
        ("DATA between the parts of a head", vec![frame(HEADERS, 0, 1, &good), frame(DATA, END_STREAM, 1, b"x")]),
    ] {
        let answer = ask(&client, &frames).await;
        assert!(matches!(answer, Answer::Goaway | Answer::Closed | Answer::Reset), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_other_than_announced_is_reset_and_cookies_are_joined() {
    let app = answering(OK).await;
    let running =
        tenant_a(&(route("r", "a.localhost", "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app")))
            .await;
    let client = client(&running.local);
    let announced = block(&[&GOOD[..], &[("content-length", "5")]].concat());
    for body in ["", "123", "1234567"] {
        let frames = [frame(HEADERS, END_HEADERS, 1, &announced), frame(DATA, END_STREAM, 1, body.as_bytes())];
        let answer = ask(&client, &frames).await;
        assert!(matches!(answer, Answer::Reset | Answer::Goaway | Answer::Head(STATUS_400)), "{body:?}: {answer:?}");
    }
    let before = app.heads.all().len();
    let crumbs = block(&[&GOOD[..], &[("cookie", "a=1"), ("cookie", "b=2"), ("x", " trimmed ")]].concat());
    assert_eq!(ask(&client, &[frame(HEADERS, END_HEADERS | END_STREAM, 1, &crumbs)]).await, Answer::Head(STATUS_200));
    let head = app.heads.all()[before..].concat();
    assert!(head.contains("\r\ncookie: a=1; b=2\r\n"), "{head}");
    assert!(head.contains("\r\nx: trimmed\r\n"), "{head}");
}

#[tokio::test]
async fn a_claimed_scheme_is_no_scheme_and_a_fragment_goes_nowhere() {
    let app = answering(OK).await;
    let running =
        tenant_a(&(route("r", "a.localhost", "    - backendRefs: [{name: app, port: 80}]") + &app.object("a", "app")))
            .await;
    let client = client(&running.local);
    for fields in [but(":scheme", Some("http")), but(":path", Some("/a#b"))] {
        let answer = ask(&client, &[frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields))]).await;
        assert_eq!(answer, Answer::Head(STATUS_200));
    }
    let heads = app.heads.all();
    assert!(heads.iter().all(|head| head.contains("x-forwarded-proto: https\r\n")), "{heads:?}");
    assert!(heads[1].starts_with("GET /a HTTP/1.1\r\n"), "{heads:?}");
}
