//! Hostile variants made by rule instead of by hand: every pair of framing lines, every byte put into or in the place of
//! every byte of a framing line and of a start line.

use bailey_http1::{BodyLength, Limits, Refusal, RequestHead, RequestParser};
use bytes::BytesMut;

fn parse(raw: &[u8]) -> Result<Option<RequestHead>, Refusal> {
    RequestParser::default().parse(&mut BytesMut::from(raw), &Limits::DEFAULT)
}

/// All texts that differ from `text` by one byte put in, or put in the place of another.
fn mutants(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let places = 0..text.len();
    places.flat_map(move |place| {
        (0..=255_u8).flat_map(move |b| {
            let (before, after) = text.split_at(place);
            [[before, &[b], after].concat(), [before, &[b], &after[1..]].concat()]
        })
    })
}

#[test]
fn h1_no_spelling_of_both_lengths_is_accepted() {
    let lengths = [
        "Content-Length: 5",
        "Content-Length: 0",
        "content-length:5",
        "CONTENT-LENGTH: 5 ",
        "Content-Length:\t5",
        "Content-Length: +5",
        "Content-Length: 05",
        "Content-Length: 5,5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length : 5",
        " Content-Length: 5",
        "Content-Length: 5\n",
        "Content-Length: 0x5",
        "Content-Length:",
        "Content_Length: 5",
        "X: y\nContent-Length: 5",
        "X: y\rContent-Length: 5",
        "Content-Length: 5\0",
        "Content-Length:\u{b}5",
        "\u{0}Content-Length: 5",
    ];
    let encodings = [
        "Transfer-Encoding: chunked",
        "transfer-encoding:chunked",
        "TRANSFER-ENCODING: CHUNKED",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: chunked ",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding:\nchunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer_Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: chunked\0",
        "Transfer-Encoding:",
        "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked;x=y",
        "\u{0}Transfer-Encoding: chunked",
    ];
    for start in ["GET / HTTP/1.1", "POST / HTTP/1.1", "POST / HTTP/1.0", "OPTIONS * HTTP/1.1"] {
        for length in lengths {
            for encoding in encodings {
                for lines in [[length, encoding], [encoding, length]].map(|lines| lines.join("\r\n")) {
                    for raw in [
                        format!("{start}\r\nHost: a\r\n{lines}\r\n\r\n0\r\n\r\n"),
                        format!("{start}\r\n{lines}\r\nHost: a\r\n\r\n0\r\n\r\n"),
                    ] {
                        assert!(parse(raw.as_bytes()).is_err(), "{}", raw.escape_default());
                    }
                }
            }
        }
    }
}

/// What a line means to a reader that knows nothing but the grammar: its lower-case name and its value.
fn plain_line(line: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let colon = line.iter().position(|&b| b == b':').unwrap_or(line.len());
    let value = line.get(colon + 1..).unwrap_or_default();
    let text = String::from_utf8_lossy(value).into_owned();
    (line[..colon].to_ascii_lowercase(), text.trim_matches([' ', '\t']).as_bytes().to_vec())
}

#[test]
fn h2_h3_a_framing_line_changed_by_one_byte_is_refused_or_means_what_it_says() {
    for line in [&b"Transfer-Encoding: chunked"[..], b"Content-Length: 15"] {
        for mutant in mutants(line) {
            let raw = [b"POST / HTTP/1.1\r\nHost: a\r\n", &mutant[..], b"\r\n\r\n"].concat();
            let Ok(head) = parse(&raw) else { continue };
            let Some(head) = head else { panic!("waits: {}", raw.escape_ascii()) };
            let (name, value) = plain_line(&mutant);
            let expected = match &name[..] {
                b"transfer-encoding" if value.eq_ignore_ascii_case(b"chunked") => BodyLength::Unknown,
                b"content-length" => BodyLength::Length(String::from_utf8_lossy(&value).parse().unwrap_or(u64::MAX)),
                b"transfer-encoding" => panic!("accepted: {}", mutant.escape_ascii()),
                _ => BodyLength::None,
            };
            assert_eq!(head.body, expected, "{}", mutant.escape_ascii());
            assert_eq!(head.fields.len(), usize::from(expected == BodyLength::None), "{}", mutant.escape_ascii());
        }
    }
}

#[test]
fn h4_h11_a_start_changed_by_one_byte_is_refused_or_means_what_it_says() {
    let start = b"GET /a?b HTTP/1.1\r\nHost: a.b:80\r\n";
    for mutant in mutants(start) {
        let raw = [&mutant[..], b"\r\n"].concat();
        let Ok(Some(head)) = parse(&raw) else { continue };
        let text = String::from_utf8(mutant).unwrap_or_default();
        let (line, host) = text.split_once("\r\n").unwrap_or_default();
        let parts: Vec<_> = line.split(' ').collect();
        assert_eq!(parts.len(), 3, "{line}");
        assert_eq!((parts[0], parts[1].as_bytes()), (head.method.as_str(), head.target.as_bytes()), "{line}");
        assert!(matches!(parts[2], "HTTP/1.1" | "HTTP/1.0"), "{line}");
        let (name, value) = plain_line(host.trim_end_matches("\r\n").as_bytes());
        assert_eq!(name, b"host");
        let value = String::from_utf8_lossy(&value).to_ascii_lowercase();
        assert_eq!(head.authority.to_string().replace('.', ""), value.replace('.', ""), "one dot may go");
    }
}

#[test]
fn h4_every_line_break_but_the_right_one_is_refused() {
    let good = "POST /a HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 0\r\n\r\n";
    let breaks: Vec<_> = good.match_indices("\r\n").map(|(at, _)| at).collect();
    assert_eq!(breaks.len(), 5);
    for at in breaks {
        for wrong in ["\n", "\r", "\n\r", "\r\r\n", "\r\n\n", "\n\n", "\r\r", "\u{b}", "\u{c}", "\0", "\r \n"] {
            let raw = format!("{}{wrong}{}\r\n\r\n", &good[..at], &good[at + 2..]);
            let mut input = BytesMut::from(raw.as_str());
            let mut parser = RequestParser::default();
            // What stands behind a complete head is refused as the start of the next.
            let refused = (0..2).any(|_| parser.parse(&mut input, &Limits::DEFAULT).is_err());
            assert!(refused, "{}", raw.escape_default());
        }
    }
}
