//! The examples in `docs/link.md` are what the code writes, and what it reads.

use std::collections::BTreeMap;
use std::iter::empty;

use bailey_link::{
    BodyLength, ClientTls, ClientVersion, CloseReason, Connection, Event, RequestMeta, ResetReason, ResponseMeta,
    Scheme, Settings, StreamId, StreamType, Times, Trace,
};
use bytes::Bytes;

use crate::support::{feed, hello, written};

fn blocks() -> BTreeMap<String, Vec<u8>> {
    let document = include_str!("../../../../docs/link.md");
    let mut blocks = BTreeMap::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("```hex ") else { continue };
        let body = lines.by_ref().take_while(|line| *line != "```");
        let bytes = body.flat_map(|line| {
            let code = line.split('#').next().unwrap_or_default();
            code.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("hex")).collect::<Vec<_>>()
        });
        blocks.insert(name.to_owned(), bytes.collect());
    }
    blocks
}

const REQUEST: RequestMeta<'static> = RequestMeta {
    stream_type: StreamType::Http,
    client: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)), 4711),
    listener: b"https",
    scheme: Scheme::Https,
    version: ClientVersion::Http2,
    tls: Some(ClientTls { version: 0x0304, sni: b"shop.test", certificate_digest: None, certificate_subject: b"" }),
    request_id: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    trace: Trace { parent: b"", state: b"", sampling: b"\x01" },
    deadline_ms: Some(15_000),
    hops: 1,
    method: b"GET",
    host: b"shop.test",
    port: Some(8443),
    target: b"/cart?x=1",
    body: BodyLength::None,
};

/// A pair that has opened its first stream; what both have written so far is thrown away.
fn opened(stream_type: StreamType) -> (Connection, Connection, StreamId) {
    let mut client = Connection::client(Settings::default());
    let mut server = Connection::server(Settings::default());
    feed(&mut client, &[written(&mut server)]).expect("HELLO");
    let stream = client.open(&RequestMeta { stream_type, ..REQUEST }, empty(), false).expect("there is room");
    feed(&mut server, &[written(&mut client)]).expect("the request");
    (client, server, stream)
}

fn from_server(act: impl FnOnce(&mut Connection, StreamId)) -> Vec<u8> {
    let (_, mut server, stream) = opened(StreamType::Http);
    act(&mut server, stream);
    written(&mut server)
}

fn from_client(stream_type: StreamType, act: impl FnOnce(&mut Connection, StreamId)) -> Vec<u8> {
    let (mut client, _, stream) = opened(stream_type);
    act(&mut client, stream);
    written(&mut client)
}

fn after_head(act: impl FnOnce(&mut Connection, StreamId)) -> Vec<u8> {
    let (_, mut server, stream) = opened(StreamType::Http);
    server
        .send_head(stream, &ResponseMeta { status: 200, body: BodyLength::Unknown, times: None }, empty(), false)
        .expect("once");
    written(&mut server);
    act(&mut server, stream);
    written(&mut server)
}

fn credit() -> Vec<u8> {
    let (mut client, mut server, stream) = opened(StreamType::Http);
    client.send_data(stream, &vec![0; 131_072], false).expect("open");
    feed(&mut server, &[written(&mut client)]).expect("data");
    server.consumed(stream, 131_072);
    written(&mut server)
}

fn pong() -> Vec<u8> {
    let (mut client, mut server, _) = opened(StreamType::Http);
    client.ping(*b"alive? 1");
    feed(&mut server, &[written(&mut client)]).expect("ping");
    written(&mut server)
}

fn request() -> Vec<u8> {
    let mut client = Connection::client(Settings::default());
    feed(&mut client, &[hello()]).expect("HELLO");
    written(&mut client);
    client.open(&REQUEST, [(&b"accept"[..], &b"*/*"[..])].into_iter(), true).expect("there is room");
    written(&mut client)
}

#[test]
fn every_example_in_the_document_is_what_the_code_writes() {
    let field = |name: &'static [u8], value: &'static [u8]| [(name, value)].into_iter();
    let known = ResponseMeta { status: 200, body: BodyLength::Known(5), times: None };
    let times = Some(Times { head_us: 1500, upstream_us: Some(1200) });
    let timed = ResponseMeta { status: 204, body: BodyLength::None, times };
    let code: BTreeMap<String, Vec<u8>> = [
        ("hello", written(&mut Connection::client(Settings { name: "outer-1".into(), ..Settings::default() }))),
        ("request", request()),
        (
            "informational",
            from_server(|it, id| it.send_informational(id, 103, field(b"link", b"</a.css>")).expect("once")),
        ),
        (
            "response",
            from_server(|it, id| it.send_head(id, &known, field(b"content-type", b"text/plain"), false).expect("once")),
        ),
        ("timed", from_server(|it, id| it.send_head(id, &timed, empty(), true).expect("once"))),
        ("data", after_head(|it, id| assert_eq!(it.send_data(id, b"hello", true), Ok(5)))),
        ("trailers", after_head(|it, id| it.send_trailers(id, field(b"grpc-status", b"0")).expect("once"))),
        ("reset", from_client(StreamType::Http, |it, id| it.release(id, ResetReason::Cancelled))),
        ("credit", credit()),
        ("goaway", from_server(|it, _| it.goaway(CloseReason::Shutdown, "draining"))),
        ("ping", from_client(StreamType::Http, |it, _| assert!(it.ping(*b"alive? 1")))),
        ("pong", pong()),
        (
            "datagram",
            from_client(StreamType::Udp, |it, id| it.send_datagram(id, Bytes::from_static(b"hi")).expect("open")),
        ),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into();
    let document = blocks();
    for (name, bytes) in &code {
        assert_eq!(document.get(name), Some(bytes), "{name}");
    }
    assert_eq!(document.len(), code.len());
}

#[test]
fn the_request_in_the_document_is_read_as_it_is_described() {
    let mut server = Connection::server(Settings::default());
    let document = blocks();
    let events = feed(&mut server, &[document["hello"].clone(), document["request"].clone()]).unwrap();
    let [Event::Ready(hello), Event::Request { head, end: true, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((hello.version, hello.settings.name.as_str()), (1, "outer-1"));
    assert_eq!(head.meta(), REQUEST);
    assert!(head.fields().eq([(&b"accept"[..], &b"*/*"[..])]));
}
