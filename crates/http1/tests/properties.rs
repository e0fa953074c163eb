//! The properties of the fuzz targets on generated input: pieces of messages, honest and hostile, in any order.

#[path = "../fuzz/properties.rs"]
mod properties;

use proptest::prelude::*;

/// What messages are made of, and what they should not be made of.
const PIECES: &[&str] = &[
    "GET ",
    "POST ",
    "HEAD ",
    "OPTIONS ",
    "TRACE ",
    "get ",
    "/",
    "/a?b",
    "*",
    "http://a/",
    "http://b",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    " HTTP/2.0\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 204\r\n",
    "HTTP/1.1 101 x\r\n",
    "HTTP/1.1 103 x\r\n",
    "HTTP/1.0 304 \r\n",
    "HTTP/1.1 999 x\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    "\0",
    ",",
    ";",
    "\u{7f}",
    "\u{e4}",
    "Host: a\r\n",
    "Host: B.example.:80\r\n",
    "host:\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: +1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, upgrade\r\n",
    "Connection: x-a\r\n",
    "Upgrade: websocket\r\n",
    "Upgrade: h2c\r\n",
    "Expect: 100-continue\r\n",
    "TE: trailers\r\n",
    "X-A: 1\r\n",
    "X_A: 1\r\n",
    "Cookie: a=b\r\n",
    "hello",
    "5\r\nhello\r\n",
    "5;x=y\r\nhello\r\n",
    "0\r\n",
    "0\r\n\r\n",
    "0\r\nGrpc-Status: 0\r\n\r\n",
    "0x5\r\n",
    "ffffffffffffffff\r\n",
    "a",
    "A",
    ".",
    "..",
    "[::1]",
    ":80",
    "%2f",
    "%41",
    "\\",
    "#",
    "@",
];

/// Whole heads, so that what comes behind them is reached often.
const HEADS: &[&str] = &[
    "",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
];

fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => prop::sample::select(PIECES).prop_map(|p| p.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    let head = prop::sample::select(HEADS);
    (any::<[u8; 2]>(), head, prop::collection::vec(piece, 0..16)).prop_map(|(seed, head, pieces)| {
        let mut data = seed.to_vec();
        data.extend_from_slice(head.as_bytes());
        data.extend(pieces.concat());
        data
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_are_read_alike_however_they_arrive_and_written_as_they_are_read(data in input()) {
        properties::requests(&[&data[..1], &data[2..]].concat());
    }

    #[test]
    fn answers_are_read_alike_however_they_arrive(data in input()) {
        properties::responses(&data);
    }

    #[test]
    fn bodies_are_read_alike_however_they_arrive_and_read_as_they_were_written(data in input()) {
        properties::bodies(&[&data[..1], &data[2..]].concat());
    }

    #[test]
    fn connections_always_come_to_rest(data in input()) {
        properties::connections(&[&data[..1], &data[2..]].concat());
    }

    #[test]
    fn names_have_one_form(data in input(), text in "[a-bA-B./%:@\\[\\]?*0-9-]{0,12}") {
        properties::names(&data[2..]);
        properties::names(text.as_bytes());
    }
}
