//! What a request asks of the connection: keep-alive, upgrades, expectations, pipelining.

use bailey_http1::{Limits, Refusal, RequestParser, Upgrade, Version};
use bytes::BytesMut;

use super::{accept, get, post, refuse};

#[test]
fn h7_expect_is_exactly_100_continue() {
    let head = accept(post("Content-Length: 1\r\nExpect: 100-continue"));
    assert!(head.expect_continue && head.fields.is_empty());
    for value in [
        "",
        "100",
        "100-Continue",
        "100-CONTINUE",
        "100-continue, x",
        "x 100-continue",
        "y 100-continue",
        "100-continue;q=1",
        "100 continue",
        "200-ok",
        "100-continu",
        "100-continuex",
        "\"100-continue\"",
        "100_continue",
        "100-continue,100-continue",
        ",100-continue",
        "100-continue,",
    ] {
        let refusal = refuse(post(&format!("Content-Length: 1\r\nExpect: {value}")));
        assert_eq!((refusal, refusal.status()), (Refusal::Expectation, 417), "{value}");
    }
    assert_eq!(refuse(post("Expect: 100-continue\r\nExpect: 100-continue")), Refusal::Expectation);
    assert!(!accept(post("Expect: 100-continue")).expect_continue, "without a body there is nothing to wait for");
    assert!(!accept("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n").expect_continue);
}

#[test]
fn h8_only_a_plain_websocket_request_asks_for_an_upgrade() {
    for lines in [
        "Connection: Upgrade\r\nUpgrade: websocket",
        "Upgrade: WebSocket\r\nConnection: keep-alive, upgrade",
        "Connection: keep-alive\r\nConnection: UPGRADE\r\nupgrade: WEBSOCKET",
    ] {
        let head = accept(get(lines));
        assert_eq!(head.upgrade, Some(Upgrade::WebSocket), "{lines}");
        assert!(head.fields.is_empty());
    }
    for lines in [
        "Upgrade: websocket",
        "Connection: upgrade",
        "Connection: upgrade\r\nUpgrade: foo",
        "Connection: upgrade\r\nUpgrade: websocket, foo",
        "Connection: upgrade\r\nUpgrade: foo, websocket",
        "Connection: upgrade\r\nUpgrade: websocket/13",
        "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket",
        "Connection: upgrade\r\nUpgrade: foo\r\nUpgrade: websocket",
        "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 4",
        "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked",
        "Connection: upgrade\r\nUpgrade: TLS/1.0",
        "Connection: upgrade\r\nUpgrade:",
    ] {
        let head = accept(get(lines));
        assert!(head.upgrade.is_none() && head.fields.is_empty(), "{lines}");
    }
    assert_eq!(accept(post("Connection: upgrade\r\nUpgrade: websocket")).upgrade, None);
    let old = accept("GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(old.upgrade, None);
}

#[test]
fn h9_h2c_upgrades_are_stripped_and_served_plain() {
    for lines in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        "Upgrade: h2c",
        "HTTP2-Settings: x\r\nConnection: http2-settings",
        "Connection: upgrade\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: x",
        "Connection: upgrade\r\nUpgrade: h2",
    ] {
        let head = accept(get(lines));
        assert!(head.upgrade.is_none() && head.fields.is_empty() && head.keep_alive, "{lines}");
    }
}

#[test]
fn h13_pipelined_requests_are_read_one_by_one() {
    let mut input = BytesMut::from(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\nGET /3 HTTP/1.1\r\nHo",
    );
    let mut parser = RequestParser::default();
    let mut seen = Vec::new();
    while let Some(head) = parser.parse(&mut input, &Limits::DEFAULT).unwrap() {
        seen.push((head.path().to_vec(), head.host().to_vec(), head.fields.len()));
        parser.recycle(head.fields);
    }
    assert_eq!(seen, [(b"/1".to_vec(), b"a".to_vec(), 0), (b"/2".to_vec(), b"b".to_vec(), 1)]);
    input.extend_from_slice(b"st: c\r\n\r\n");
    assert_eq!(parser.parse(&mut input, &Limits::DEFAULT).unwrap().unwrap().host(), b"c");
}

#[test]
fn cve_2024_45410_connection_cannot_remove_end_to_end_fields() {
    for token in [
        "x-forwarded-for",
        "X-Forwarded-For",
        "x-real-ip",
        "forwarded",
        "host",
        "content-length",
        "authorization",
        "cookie",
        "close, x-forwarded-for",
        "x-forwarded-for, close",
        "keep-alive,\tX-FORWARDED-HOST",
        "te, x",
        "\u{e4}",
        "x forwarded for",
        "transfer-encoding",
        "\"close\"",
        "close;x",
        "proxy-authorization",
        "x_forwarded_for",
        "trailer",
    ] {
        let refusal = refuse(get(&format!("Connection: {token}")));
        assert_eq!((refusal, refusal.status()), (Refusal::ConnectionToken, 400), "{token}");
        assert_eq!(refuse(get(&format!("Connection: close\r\nconnection: {token}"))), Refusal::ConnectionToken);
    }
}

#[test]
fn hop_by_hop_fields_never_pass() {
    let head = accept(get(concat!(
        "Connection: keep-alive, TE\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nProxy-Authorization: s\r\nProxy: evil\r\n",
        "Proxy-Foo: x\r\nTE: gzip\r\nTrailer: X\r\nUpgrade: foo\r\nHTTP2-Settings: x\r\nX-Kept: 1\r\nTE: trailers"
    )));
    let fields: Vec<_> = head.fields.iter().collect();
    assert_eq!(fields, [(&b"x-kept"[..], &b"1"[..]), (b"te", b"trailers")]);
}

#[test]
fn keep_alive_follows_version_and_connection() {
    for (version, connection, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: close", false),
        ("1.1", "Connection: keep-alive", true),
        ("1.1", "Connection: keep-alive, close", false),
        ("1.1", "Connection: Close\r\nConnection: keep-alive", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive", true),
        ("1.0", "Connection: keep-alive, close", false),
    ] {
        let lines = if connection.is_empty() { String::new() } else { format!("{connection}\r\n") };
        let head = accept(format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n"));
        assert_eq!(head.keep_alive, keep_alive, "{version} {connection}");
        assert_eq!(head.version == Version::Http10, version == "1.0");
    }
}
