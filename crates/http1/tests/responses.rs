//! What is refused of what an upstream answers, and after which answers its connection is not used again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bailey_http1::{
    BodyLength, BodyPart, ClientConnection, Limits, Method, Refusal, RequestHead, ResponseHead, Upgrade,
};
use bytes::BytesMut;

/// A connection on which a request of that method was sent.
fn sent(method: Method, upgrade: Option<Upgrade>) -> ClientConnection {
    let mut client = ClientConnection::new(Limits::default());
    let head = RequestHead { method, upgrade, keep_alive: true, ..RequestHead::default() };
    let mut out = BytesMut::new();
    client.write_head(&head, &mut out);
    client.write_end(None, &mut out).unwrap();
    client
}

/// What became of one exchange.
#[derive(Debug, PartialEq)]
struct Answer {
    heads: Vec<(u16, BodyLength, String)>,
    body: Vec<u8>,
    closed: bool,
    reusable: bool,
}

/// Reads the answer whole; `closed` tells whether it needed the end of the connection.
fn exchange_in_steps(method: Method, upgrade: Option<Upgrade>, raw: &[u8], step: usize) -> Result<Answer, Refusal> {
    let mut client = sent(method, upgrade);
    let mut input = BytesMut::new();
    let mut answer = Answer { heads: Vec::new(), body: Vec::new(), closed: false, reusable: false };
    let mut ended = false;
    for piece in raw.chunks(step) {
        input.extend_from_slice(piece);
        ended |= drive(&mut client, &mut input, &mut answer)?;
    }
    if !ended {
        answer.closed = true;
        client.read_closed()?;
    }
    answer.reusable = client.is_reusable(&input);
    Ok(answer)
}

/// Reads all that can be read; true at the end of the body.
fn drive(client: &mut ClientConnection, input: &mut BytesMut, answer: &mut Answer) -> Result<bool, Refusal> {
    while let Some(head) = client.read_head(input)? {
        let lines: Vec<_> =
            head.fields.iter().map(|(n, v)| format!("{}={};", n.escape_ascii(), v.escape_ascii())).collect();
        answer.heads.push((head.status, head.body, lines.concat()));
        client.recycle(head.fields);
    }
    while let Some(part) = client.read_body(input)? {
        match part {
            BodyPart::Data(data) => answer.body.extend_from_slice(&data),
            BodyPart::Trailers(_) | BodyPart::End => return Ok(true),
        }
    }
    Ok(false)
}

fn exchange(method: Method, upgrade: Option<Upgrade>, raw: &[u8]) -> Result<Answer, Refusal> {
    let whole = exchange_in_steps(method, upgrade, raw, raw.len().max(1));
    let slow = exchange_in_steps(method, upgrade, raw, 1);
    assert_eq!(whole, slow, "split differs: {}", raw.escape_ascii());
    whole
}

fn get(raw: impl AsRef<[u8]>) -> Result<Answer, Refusal> {
    exchange(Method::Get, None, raw.as_ref())
}

#[test]
fn plain_answers_are_read_and_the_connection_is_kept() {
    for (raw, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 Alles in Ordnung\r\ncontent-length:2\r\n\r\nok", "ok"),
        ("HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nX_Y: underscore\r\nContent-Length: 2\r\n\r\nok", "ok"),
    ] {
        let answer = get(raw).unwrap();
        assert!(answer.reusable && !answer.closed, "{raw}");
        assert_eq!(answer.body, body.as_bytes());
    }
}

#[test]
fn h1_an_answer_with_both_lengths_is_read_in_chunks_and_the_connection_given_up() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
    ] {
        let answer = get(format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n2\r\nok\r\n0\r\n\r\n")).unwrap();
        assert_eq!(answer.body, b"ok");
        assert_eq!(answer.heads, [(200, BodyLength::Unknown, String::new())], "Content-Length is stripped");
        assert!(!answer.reusable, "{lines}");
    }
}

#[test]
fn h2_lengths_of_answers_are_one_plain_number() {
    for lines in [
        "Content-Length: 2, 2",
        "Content-Length: 2,2",
        "Content-Length: +2",
        "Content-Length: -2",
        "Content-Length: 02",
        "Content-Length: 0x2",
        "Content-Length:",
        "Content-Length: 2 2",
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2\r\nX: y\r\ncontent-length: 2",
        "Content-Length: 99999999999999999999",
        "Content-Length: two",
    ] {
        assert_eq!(get(format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\nok")), Err(Refusal::ContentLength), "{lines}");
    }
}

#[test]
fn h3_answers_are_chunked_by_one_plain_line_or_refused() {
    for lines in [
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: \"chunked\"",
    ] {
        let refusal = get(format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n0\r\n\r\n")).unwrap_err();
        assert!(matches!(refusal, Refusal::TransferEncoding | Refusal::UnknownCoding), "{lines}");
    }
    let raw = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(get(raw), Err(Refusal::TransferEncoding));
}

#[test]
fn h4_lines_of_answers_are_as_strict_as_those_of_requests() {
    for (raw, refusal) in [
        ("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", Refusal::BareLineBreak),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", Refusal::BareLineBreak),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", Refusal::BareLineBreak),
        ("HTTP/1.1 200 OK\rX: y\r\n\r\n", Refusal::BareLineBreak),
        ("HTTP/1.1 200\nX: y\r\n\r\n", Refusal::BareLineBreak),
        ("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", Refusal::FoldedLine),
        ("HTTP/1.1 200 OK\r\nX : y\r\n\r\n", Refusal::FieldName),
        ("HTTP/1.1 200 OK\r\n: y\r\n\r\n", Refusal::FieldName),
        ("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", Refusal::ControlCharacter),
        ("HTTP/1.1 200 O\0K\r\n\r\n", Refusal::ControlCharacter),
        ("HTTP/1.1 200 O\x7fK\r\n\r\n", Refusal::ControlCharacter),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", Refusal::StartLine),
        ("HTTP/1.1  200 OK\r\n\r\n", Refusal::Status),
        ("HTTP/1.1 200OK\r\n\r\n", Refusal::StartLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", Refusal::StartLine),
        ("HTTP/2 200 OK\r\n\r\n", Refusal::StartLine),
        ("HTTP/1.2 200 OK\r\n\r\n", Refusal::Version),
        ("ICY 200 OK\r\n\r\n", Refusal::StartLine),
        ("<html>", Refusal::StartLine),
    ] {
        assert_eq!(get(raw), Err(refusal), "{}", raw.escape_default());
    }
}

#[test]
fn statuses_outside_100_to_599_are_refused() {
    for status in ["000", "001", "099", "600", "999", "1", "20", "2x0", "-20", "+20", "0x1", " 20", "20 "] {
        let refusal = get(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n")).unwrap_err();
        assert_eq!(refusal, Refusal::Status, "{status}");
    }
}

#[test]
fn interim_answers_are_few() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let end = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let answer = get(format!("HTTP/1.1 100 Continue\r\n\r\n{early}{end}")).unwrap();
    assert_eq!(answer.heads.iter().map(|h| h.0).collect::<Vec<_>>(), [100, 103, 200]);
    assert!(answer.reusable);
    assert!(get(format!("{}{end}", early.repeat(8))).unwrap().reusable);
    assert_eq!(get(format!("{}{end}", early.repeat(9))), Err(Refusal::TooManyInterim));
    assert_eq!(get(format!("{}{end}", early.repeat(10_000))), Err(Refusal::TooManyInterim));
    for status in [102, 104, 110, 150, 199] {
        let answer = get(format!("HTTP/1.1 {status} x\r\n\r\n{end}")).unwrap();
        assert_eq!(answer.heads.iter().map(|h| h.0).collect::<Vec<_>>(), [status, 200]);
    }
}

#[test]
fn h8_cve_2026_2833_a_101_answers_only_who_asked_for_it() {
    let ask = Some(Upgrade::WebSocket);
    let good = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: y\r\n\r\n\x01\x02";
    let answer = exchange(Method::Get, ask, good.as_bytes()).unwrap();
    assert_eq!(answer.heads, [(101, BodyLength::None, "x=y;".to_owned())]);
    assert_eq!(answer.body, [1, 2]);
    assert!(!answer.reusable);
    assert_eq!(get(good), Err(Refusal::UnexpectedInterim));
    for raw in [
        "HTTP/1.1 101 x\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        assert_eq!(exchange(Method::Get, ask, raw.as_bytes()), Err(Refusal::UnexpectedInterim), "{raw}");
    }
    let refused = exchange(Method::Get, ask, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").unwrap();
    assert_eq!((refused.body, refused.reusable), (b"no".to_vec(), true));
}

#[test]
fn bodies_where_none_can_be_end_the_connection() {
    for raw in [
        "HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 204 x\r\n\r\nok",
        "HTTP/1.1 304 x\r\n\r\nok",
        "HTTP/1.1 304 x\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let answer = get(raw).unwrap();
        assert!(answer.body.is_empty() && !answer.reusable, "{raw}");
    }
    let answer = exchange(Method::Head, None, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    assert!(answer.body.is_empty() && !answer.reusable);
}

#[test]
fn answers_to_head_describe_a_body_without_sending_it() {
    for (raw, fields) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "content-length=5;"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
        ("HTTP/1.1 404 x\r\n\r\n", ""),
    ] {
        let answer = exchange(Method::Head, None, raw.as_bytes()).unwrap();
        assert_eq!(answer.heads[0].2, fields);
        assert!(answer.reusable && !answer.closed, "{raw}");
    }
}

#[test]
fn bytes_after_a_complete_answer_end_the_connection() {
    for raw in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokX",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n",
    ] {
        assert!(!get(raw).unwrap().reusable, "{raw}");
    }
}

#[test]
fn answers_without_length_end_with_the_connection() {
    for raw in [
        "HTTP/1.1 200 OK\r\n\r\nok",
        "HTTP/1.0 200 OK\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nok",
    ] {
        let answer = get(raw).unwrap();
        assert_eq!((answer.body, answer.closed, answer.reusable), (b"ok".to_vec(), true, false), "{raw}");
    }
}

#[test]
fn answers_that_break_off_are_no_answers() {
    for raw in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
    ] {
        assert_eq!(get(raw), Err(Refusal::Truncated), "{raw}");
    }
}

#[test]
fn who_closes_or_speaks_http_1_0_is_not_asked_again() {
    for raw in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ] {
        assert!(!get(raw).unwrap().reusable, "{raw}");
    }
}

#[test]
fn heads_of_answers_are_limited() {
    let fields = |n: usize| format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(n));
    assert!(get(fields(99)).is_ok());
    assert_eq!(get(fields(100)), Err(Refusal::TooManyFields));
    for n in [33_000, 300_000] {
        assert_eq!(get(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "v".repeat(n))), Err(Refusal::HeadTooLarge));
        assert_eq!(get(format!("HTTP/1.1 200 {}\r\n\r\n", "r".repeat(n))), Err(Refusal::HeadTooLarge));
    }
}

#[test]
fn hop_by_hop_fields_of_answers_never_pass() {
    let raw = concat!(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: x\r\nAlt-Svc: h3=\":443\"\r\nUpgrade: h2c\r\n",
        "Trailer: x\r\nProxy-Authenticate: x\r\nProxy-Connection: x\r\nTE: x\r\nProxy-Status: app\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = get(raw).unwrap();
    assert_eq!(answer.heads[0].2, "proxy-status=app;x-kept=1;");
    assert!(answer.reusable);
}

#[test]
fn h6_an_answer_before_the_whole_request_was_sent_ends_the_connection() {
    let mut client = ClientConnection::new(Limits::default());
    let mut head = RequestHead { method: Method::Post, keep_alive: true, ..RequestHead::default() };
    head.body = BodyLength::Length(10);
    let mut out = BytesMut::new();
    client.write_head(&head, &mut out);
    client.append(b"12345", &mut out).unwrap();
    let mut input = BytesMut::from("HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n");
    let response: ResponseHead = client.read_head(&mut input).unwrap().unwrap();
    assert_eq!(response.status, 400);
    assert!(matches!(client.read_body(&mut input), Ok(Some(BodyPart::End))));
    assert!(!client.is_reusable(&input));
    assert!(client.append(b"123456", &mut out).is_err(), "more than announced");
    assert!(client.write_end(None, &mut out).is_err(), "less than announced");
    assert!(!client.is_reusable(&input));
}

#[test]
fn bytes_on_an_idle_connection_end_it() {
    let client = ClientConnection::new(Limits::default());
    assert!(client.is_reusable(&BytesMut::new()));
    assert!(!client.is_reusable(&BytesMut::from("HTTP/1.1 408 x\r\n\r\n")));
}
