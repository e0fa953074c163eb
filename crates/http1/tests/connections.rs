//! The server's side of a connection: what follows what, and when it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bailey_http1::{
    BodyLength, BodyPart, Fields, Limits, Next, Refusal, RequestHead, ResponseHead, ServerConnection, Upgrade,
};
use bytes::BytesMut;

const DATE: &[u8] = b"Sat, 21 Nov 2026 12:00:00 GMT";

fn server() -> ServerConnection {
    ServerConnection::new(Limits::default())
}

/// A connection that has read the head of `raw`, and the bytes after it.
fn asked(raw: impl AsRef<[u8]>) -> (ServerConnection, RequestHead, BytesMut) {
    let mut server = server();
    let mut input = BytesMut::from(raw.as_ref());
    let head = server.read_head(&mut input).unwrap().unwrap();
    (server, head, input)
}

/// Writes a whole response and shows it.
fn answer(server: &mut ServerConnection, status: u16, length: BodyLength, body: &str) -> String {
    let mut out = BytesMut::new();
    let head = ResponseHead { body: length, ..ResponseHead::new(status) };
    server.write_head(&head, DATE, &mut out);
    if server.has_body() {
        server.append(body.as_bytes(), &mut out).unwrap();
    }
    server.write_end(None, &mut out).unwrap();
    let date = "date: Sat, 21 Nov 2026 12:00:00 GMT\r\n";
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.contains(date));
    text.replace(date, "")
}

#[test]
fn responses_are_framed_for_the_request_they_answer() {
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const OLD: &str = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
    const OLD_KEEP: &str = "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
    let two = BodyLength::Length(2);
    for (request, status, length, expected, next) in [
        (GET, 200, two, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Next::Request),
        (GET, 200, BodyLength::None, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Next::Request),
        (
            GET,
            200,
            BodyLength::Unknown,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Next::Request,
        ),
        (
            GET,
            200,
            BodyLength::UntilClose,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Next::Request,
        ),
        (GET, 204, BodyLength::Unknown, "HTTP/1.1 204 No Content\r\n\r\n", Next::Request),
        (GET, 304, BodyLength::None, "HTTP/1.1 304 Not Modified\r\n\r\n", Next::Request),
        (GET, 299, two, "HTTP/1.1 299 \r\ncontent-length: 2\r\n\r\nok", Next::Request),
        (HEAD, 200, two, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", Next::Request),
        (HEAD, 200, BodyLength::Unknown, "HTTP/1.1 200 OK\r\n\r\n", Next::Request),
        (CLOSE, 200, two, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", Next::Close),
        (OLD, 200, two, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", Next::Close),
        (OLD, 200, BodyLength::Unknown, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok", Next::Close),
        (OLD_KEEP, 200, two, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok", Next::Request),
        (OLD_KEEP, 200, BodyLength::Unknown, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok", Next::Close),
    ] {
        let (mut server, _, mut input) = asked(request);
        let text = answer(&mut server, status, length, "ok");
        assert_eq!(text.replace(&format!("{}\r\n", String::from_utf8_lossy(DATE)), ""), expected, "{request}");
        assert_eq!(server.next(&mut input), next, "{expected}");
    }
}

#[test]
fn fields_cannot_contradict_the_framing() {
    let (mut server, ..) = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut head = ResponseHead { body: BodyLength::Length(2), ..ResponseHead::new(200) };
    for name in ["content-length", "transfer-encoding", "connection", "upgrade", "keep-alive", "trailer", "x-kept"] {
        head.fields.append(name.as_bytes(), b"7");
    }
    let mut out = BytesMut::new();
    server.write_head(&head, DATE, &mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!(
        text,
        format!("HTTP/1.1 200 OK\r\nx-kept: 7\r\ncontent-length: 2\r\ndate: {}\r\n\r\n", String::from_utf8_lossy(DATE))
    );
}

#[test]
fn a_date_of_the_application_is_kept() {
    let (mut server, ..) = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut head = ResponseHead::new(200);
    head.fields.append(b"date", b"then");
    let mut out = BytesMut::new();
    server.write_head(&head, DATE, &mut out);
    assert_eq!(&out[..], b"HTTP/1.1 200 OK\r\ndate: then\r\ncontent-length: 0\r\n\r\n");
}

#[test]
fn h13_pipelined_requests_wait_for_their_turn() {
    let (mut server, first, mut input) =
        asked("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_eq!(first.host(), b"a");
    assert!(server.read_head(&mut input).unwrap().is_none());
    assert_eq!(server.next(&mut input), Next::Busy);
    assert!(matches!(server.read_body(&mut input), Ok(Some(BodyPart::Data(data))) if &data[..] == b"abc"));
    assert!(matches!(server.read_body(&mut input), Ok(Some(BodyPart::End))));
    assert!(matches!(server.read_body(&mut input), Ok(None)));
    answer(&mut server, 200, BodyLength::None, "");
    assert_eq!(server.next(&mut input), Next::Request);
    let second = server.read_head(&mut input).unwrap().unwrap();
    assert_eq!((second.host(), second.path()), (&b"b"[..], &b"/2"[..]));
}

#[test]
fn h6_cve_2025_4366_an_unread_body_is_drained_or_ends_the_connection() {
    let smuggled = "GET /admin HTTP/1.1\r\nHost: b\r\n\r\n";
    // Small and there: drained, and what follows is the next request.
    let len = smuggled.len();
    let (mut server, _, mut input) = asked(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n{smuggled}GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
    ));
    answer(&mut server, 403, BodyLength::None, "");
    assert_eq!(server.next(&mut input), Next::Request);
    assert_eq!(server.read_head(&mut input).unwrap().unwrap().path(), b"/next");

    // Not there yet: asked again.
    let (mut server, _, mut input) = asked("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    answer(&mut server, 403, BodyLength::None, "");
    assert_eq!(server.next(&mut input), Next::Drain);
    assert!(server.read_head(&mut input).unwrap().is_none());
    input.extend_from_slice(b"lo\r\n0\r\n\r\n");
    assert_eq!(server.next(&mut input), Next::Request);

    // Announced too large: the client is told.
    let (mut server, _, mut input) = asked("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n");
    assert!(answer(&mut server, 403, BodyLength::None, "").contains("connection: close"));
    assert_eq!(server.next(&mut input), Next::Close);

    // Turns out too large.
    let (mut server, _, mut input) = asked("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    answer(&mut server, 403, BodyLength::None, "");
    for _ in 0..16 {
        assert_eq!(server.next(&mut input), Next::Drain);
        input.extend_from_slice(format!("1000\r\n{}\r\n", "x".repeat(4096)).as_bytes());
    }
    assert_eq!(server.next(&mut input), Next::Drain);
    input.extend_from_slice(b"1\r\nx\r\n");
    assert_eq!(server.next(&mut input), Next::Close);

    // Malformed.
    let (mut server, _, mut input) = asked("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz");
    answer(&mut server, 403, BodyLength::None, "");
    assert_eq!(server.next(&mut input), Next::Close);
}

#[test]
fn h7_an_early_answer_to_a_waiting_client_ends_the_connection() {
    let raw = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let (mut server, head, mut input) = asked(raw);
    assert!(head.expect_continue && server.expects_continue());
    assert!(answer(&mut server, 401, BodyLength::None, "").contains("connection: close"));
    assert_eq!(server.next(&mut input), Next::Close);

    let (mut server, _, mut input) = asked(raw);
    let mut out = BytesMut::new();
    server.write_continue(&mut out);
    server.write_continue(&mut out);
    assert_eq!(&out[..], b"HTTP/1.1 100 Continue\r\n\r\n");
    input.extend_from_slice(b"hello");
    assert!(matches!(server.read_body(&mut input), Ok(Some(BodyPart::Data(_)))));
    assert!(!answer(&mut server, 200, BodyLength::None, "").contains("connection: close"));
    assert_eq!(server.next(&mut input), Next::Request);

    // A client that does not wait after all.
    let (mut server, _, mut input) = asked(format!("{raw}hello"));
    assert!(matches!(server.read_body(&mut input), Ok(Some(BodyPart::Data(_)))));
    let mut out = BytesMut::new();
    server.write_continue(&mut out);
    assert!(out.is_empty());
    answer(&mut server, 200, BodyLength::None, "");
    assert_eq!(server.next(&mut input), Next::Request);
}

#[test]
fn interim_responses_reach_only_who_can_read_them() {
    let mut hints = ResponseHead::new(103);
    hints.fields.append(b"link", b"</a>");
    for (version, expected) in [("1.1", &b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"[..]), ("1.0", b"")] {
        let (mut server, ..) = asked(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"));
        let mut out = BytesMut::new();
        server.write_interim(&hints, &mut out);
        server.write_interim(&ResponseHead::new(100), &mut out);
        assert_eq!(&out[..], expected);
    }
}

#[test]
fn h8_cve_2026_2833_bytes_pass_raw_only_after_the_101() {
    let raw = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /evil HTTP/1.1\r\n";
    let (mut server, head, mut input) = asked(raw);
    assert_eq!(head.upgrade, Some(Upgrade::WebSocket));
    assert!(matches!(server.read_body(&mut input), Ok(Some(BodyPart::End))));
    assert!(matches!(server.read_body(&mut input), Ok(None)), "nothing before the 101");
    assert_eq!(&input[..], b"GET /evil HTTP/1.1\r\n");
    let mut out = BytesMut::new();
    server.write_head(&ResponseHead { upgrade: Some(Upgrade::WebSocket), ..ResponseHead::new(101) }, DATE, &mut out);
    assert!(out.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
    assert!(String::from_utf8_lossy(&out).contains("connection: upgrade\r\nupgrade: websocket\r\n\r\n"));
    assert!(matches!(server.read_body(&mut input), Ok(Some(BodyPart::Data(data))) if data.len() == 20));
    assert!(server.read_head(&mut input).unwrap().is_none());
    assert!(matches!(server.read_closed(), Ok(Some(BodyPart::End))));
    assert!(matches!(server.read_closed(), Ok(None)));

    // Any other answer: what came meanwhile may not be HTTP, so it is not read as HTTP.
    let (mut server, _, mut input) = asked(raw);
    answer(&mut server, 200, BodyLength::None, "");
    assert_eq!(server.next(&mut input), Next::Close);
    let (mut server, _, mut input) =
        asked("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    answer(&mut server, 403, BodyLength::None, "");
    assert_eq!(server.next(&mut input), Next::Request);
}

#[test]
fn a_refused_request_can_be_answered_and_then_the_connection_ends() {
    let mut server = server();
    let mut input = BytesMut::from("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let refusal = server.read_head(&mut input).unwrap_err();
    assert_eq!(refusal, Refusal::MissingHost);
    let text = answer(&mut server, refusal.status(), BodyLength::None, "");
    assert_eq!(text, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_eq!(server.next(&mut input), Next::Close);
    assert!(server.read_head(&mut input).unwrap().is_none());
}

#[test]
fn h5_a_refused_body_ends_the_connection() {
    let (mut server, _, mut input) = asked("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello");
    assert!(matches!(server.read_body(&mut input), Err(Refusal::ChunkSize)));
    assert!(answer(&mut server, 400, BodyLength::None, "").contains("connection: close"));
    assert_eq!(server.next(&mut input), Next::Close);
}

#[test]
fn a_client_that_leaves_inside_its_body_is_noticed_and_one_that_only_stops_sending_is_answered() {
    let (mut server, _, mut input) = asked("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    assert!(matches!(server.read_body(&mut input), Ok(Some(BodyPart::Data(_)))));
    assert!(matches!(server.read_closed(), Err(Refusal::Truncated)));

    let (mut server, _, mut input) = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(server.read_closed(), Ok(Some(BodyPart::End))));
    assert!(answer(&mut server, 200, BodyLength::None, "").contains("connection: close"));
    assert_eq!(server.next(&mut input), Next::Close);
}

#[test]
fn a_connection_told_to_close_does_so_after_the_response_or_at_once_when_idle() {
    let (mut server, _, mut input) = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.close_after_response();
    assert!(answer(&mut server, 200, BodyLength::None, "").contains("connection: close"));
    assert_eq!(server.next(&mut input), Next::Close);

    let mut idle = ServerConnection::new(Limits::default());
    assert!(idle.is_idle());
    idle.close_after_response();
    assert_eq!(idle.next(&mut BytesMut::new()), Next::Close);
}

#[test]
fn debug_output_keeps_secrets() {
    let mut fields = Fields::new();
    for name in ["authorization", "cookie", "set-cookie", "proxy-authorization", "x-open"] {
        fields.append(name.as_bytes(), b"value");
    }
    let text = format!("{fields:?}");
    assert_eq!(text.matches("(redacted)").count(), 4);
    assert_eq!(text.matches("\"value\"").count(), 1);
}

#[test]
fn fields_from_ranges_are_checked_and_written_as_lines() {
    let buffer = bytes::Bytes::from_static(b"\x01xa\x02bcNx\r\n");
    let good = Fields::from_ranges(buffer.clone(), [(1..2, 2..3), (4..5, 5..6)]).unwrap();
    assert_eq!(good.iter().collect::<Vec<_>>(), [(&b"x"[..], &b"a"[..]), (b"b", b"c")]);
    for (name, value) in [(1..2, 8..10), (6..7, 2..3), (1..1, 2..3), (1..2, 9..11), (0..1, 2..3), (1..2, 4_000..4_001)]
    {
        assert!(Fields::from_ranges(buffer.clone(), [(name, value)]).is_err());
    }
    let head = RequestHead { fields: good, ..RequestHead::default() };
    let mut out = BytesMut::new();
    bailey_http1::encode_request(&head, &mut out);
    assert!(String::from_utf8_lossy(&out).contains("\r\nx: a\r\nb: c\r\n"));
}
