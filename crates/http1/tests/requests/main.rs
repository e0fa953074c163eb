//! What is refused of what the internet sends: one test for each rule of HTTP/1 framing, by its number. Every vector
//! is read whole and byte by byte, which has to end the same way.

#![expect(clippy::too_many_lines, reason = "tables of vectors")]

mod connection;
mod framing;
mod lines;
mod mutants;
mod targets;

use bailey_http1::{Limits, Refusal, RequestHead, RequestParser};
use bytes::BytesMut;

fn read(raw: &[u8]) -> Result<Option<RequestHead>, Refusal> {
    let limits = Limits::default();
    let whole = RequestParser::default().parse(&mut BytesMut::from(raw), &limits);
    let mut parser = RequestParser::default();
    let mut input = BytesMut::new();
    let mut slow = Ok(None);
    for &b in raw {
        input.extend_from_slice(&[b]);
        slow = parser.parse(&mut input, &limits);
        if !matches!(slow, Ok(None)) {
            break;
        }
    }
    assert_eq!(format!("{whole:?}"), format!("{slow:?}"), "split differs: {}", raw.escape_ascii());
    whole
}

fn accept(raw: impl AsRef<[u8]>) -> RequestHead {
    let raw = raw.as_ref();
    match read(raw) {
        Ok(Some(head)) => head,
        other => panic!("not accepted: {} → {other:?}", raw.escape_ascii()),
    }
}

fn refuse(raw: impl AsRef<[u8]>) -> Refusal {
    let raw = raw.as_ref();
    match read(raw) {
        Err(refusal) => {
            assert!(refusal.closes());
            refusal
        }
        other => panic!("not refused: {} → {other:?}", raw.escape_ascii()),
    }
}

/// A POST with these field lines.
fn post(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")
}

/// A GET with these field lines.
fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")
}

/// Every refusal is one of `allowed`.
fn refuse_all<'a>(vectors: impl IntoIterator<Item = &'a str>, wrap: fn(&str) -> String, allowed: &[Refusal]) {
    for lines in vectors {
        let refusal = refuse(wrap(lines));
        assert!(allowed.contains(&refusal), "{} → {refusal:?}", lines.escape_default());
    }
}
