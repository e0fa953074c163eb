//! The simple case, both sides, through both connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bailey_http1::{
    BodyLength, BodyPart, ClientConnection, Fields, Limits, Next, RequestHead, ResponseHead, ServerConnection,
};
use bytes::BytesMut;

const DATE: &[u8] = b"Sat, 21 Nov 2026 12:00:00 GMT";

fn read_all(mut next: impl FnMut() -> Option<BodyPart>) -> (Vec<u8>, Option<Fields>) {
    let mut data = Vec::new();
    loop {
        match next().unwrap() {
            BodyPart::Data(more) => data.extend_from_slice(&more),
            BodyPart::Trailers(fields) => return (data, Some(fields)),
            BodyPart::End => return (data, None),
        }
    }
}

#[test]
fn a_request_and_its_answer_pass_through_both_sides() {
    let mut server = ServerConnection::new(Limits::default());
    let mut input = BytesMut::from(
        &b"POST /a/b?c=d HTTP/1.1\r\nHOST: Example.COM.:8080\r\nX-One:  1 \r\nContent-Length: 5\r\n\r\nhelloGET"[..],
    );
    let head = server.read_head(&mut input).unwrap().unwrap();
    assert_eq!(head.path(), b"/a/b");
    assert_eq!(head.query(), Some(&b"c=d"[..]));
    assert_eq!((head.host(), head.port()), (&b"example.com"[..], Some(8080)));
    assert_eq!(head.body, BodyLength::Length(5));
    assert_eq!(head.fields.iter().collect::<Vec<_>>(), [(&b"x-one"[..], &b"1"[..])]);
    let (body, _) = read_all(|| server.read_body(&mut input).unwrap());
    assert_eq!(body, b"hello");
    assert_eq!(&input[..], b"GET");

    let mut client = ClientConnection::new(Limits::default());
    let mut out = BytesMut::new();
    client.write_head(&head, &mut out);
    client.append(&body, &mut out).unwrap();
    client.write_end(None, &mut out).unwrap();
    assert_eq!(
        &out[..],
        b"POST /a/b?c=d HTTP/1.1\r\nhost: example.com:8080\r\nx-one: 1\r\ncontent-length: 5\r\n\r\nhello"
    );

    let mut answer = BytesMut::from(
        &b"HTTP/1.1 200 OK\r\nServer: app\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n"
            [..],
    );
    let response: ResponseHead = client.read_head(&mut answer).unwrap().unwrap();
    let (body, trailers) = read_all(|| client.read_body(&mut answer).unwrap());
    assert_eq!(body, b"ok");
    assert!(client.is_reusable(&answer));

    let mut out = BytesMut::new();
    server.write_head(&response, DATE, &mut out);
    server.append(&body, &mut out).unwrap();
    server.write_end(trailers.as_ref(), &mut out).unwrap();
    assert_eq!(
        &out[..],
        b"HTTP/1.1 200 OK\r\nserver: app\r\ntransfer-encoding: chunked\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\n2\r\nok\r\n0\r\ngrpc-status: 0\r\n\r\n"
    );
    assert_eq!(server.next(&mut input), Next::Request);
}

#[test]
fn edits_stay_in_place_and_order() {
    let mut head = RequestHead::default();
    for (name, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        head.fields.append(name.as_bytes(), value.as_bytes());
    }
    head.fields.set(b"a", b"4");
    head.fields.set(b"c", b"5\r\nevil: 1");
    assert!(head.fields.remove(b"b"));
    assert!(!head.fields.remove(b"b"));
    let left: Vec<_> = head.fields.iter().collect();
    assert_eq!(left, [(&b"a"[..], &b"4"[..]), (b"c", b"5  evil: 1")]);
}
