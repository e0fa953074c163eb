//! What the framing itself costs: one exchange, and large bodies, over two connections that hand each other their bytes.

use std::iter::empty;

use bailey_link::{
    BodyLength, Connection, Event, RequestMeta, ResetReason, ResponseMeta, Scheme, Settings, StreamType,
};
use bytes::{Buf, Bytes, BytesMut};
use divan::Bencher;
use divan::counter::BytesCount;

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

const REQUEST_FIELDS: [(&[u8], &[u8]); 8] = [
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-GB,en;q=0.5"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"cookie", b"session=0123456789abcdef0123456789abcdef; theme=dark"),
    (b"cache-control", b"no-cache"),
    (b"referer", b"https://shop.test/"),
    (b"x-correlation", b"0123456789"),
];
const RESPONSE_FIELDS: [(&[u8], &[u8]); 4] = [
    (b"content-type", b"application/json"),
    (b"date", b"Sat, 21 Nov 2026 12:00:00 GMT"),
    (b"server", b"app"),
    (b"vary", b"accept-encoding"),
];

/// A client and a server, and the bytes on their way to each.
struct Link {
    client: Connection,
    server: Connection,
    to_client: BytesMut,
    to_server: BytesMut,
}

impl Link {
    fn new() -> Self {
        let (client, server) = (Connection::client(Settings::default()), Connection::server(Settings::default()));
        let mut link = Self { client, server, to_client: BytesMut::new(), to_server: BytesMut::new() };
        link.up(|_, _| {});
        link.down(|_, _| {});
        link
    }

    fn up(&mut self, then: impl FnMut(&mut Connection, Event)) {
        carry(&mut self.client, &mut self.server, &mut self.to_server, then);
    }

    fn down(&mut self, then: impl FnMut(&mut Connection, Event)) {
        carry(&mut self.server, &mut self.client, &mut self.to_client, then);
    }

    fn exchange(&mut self, body: &Bytes, copy: bool) {
        let meta = RequestMeta {
            stream_type: StreamType::Http,
            scheme: Scheme::Https,
            listener: b"https",
            method: b"GET",
            host: b"shop.test",
            target: b"/cart?x=1",
            deadline_ms: Some(15_000),
            ..RequestMeta::default()
        };
        let stream = self.client.open(&meta, REQUEST_FIELDS.into_iter(), true).expect("there is room");
        self.up(|server, event| {
            if let Event::Request { head, .. } = event {
                divan::black_box(head.meta());
                divan::black_box(head.field_ranges().count());
            }
            divan::black_box(server);
        });
        let head = ResponseMeta { status: 200, body: BodyLength::Known(body.len() as u64), times: None };
        self.server.send_head(stream, &head, RESPONSE_FIELDS.into_iter(), false).expect("once");
        let mut rest = body.clone();
        loop {
            if copy {
                let accepted = self.server.send_data(stream, &rest, true).expect("open");
                rest.advance(accepted);
            } else {
                self.server.send_bytes(stream, &mut rest, true).expect("open");
            }
            self.down(|client, event| {
                if let Event::Data { stream, data, .. } = event {
                    client.consumed(stream, data.len());
                }
            });
            if rest.is_empty() {
                break;
            }
            self.up(|_, _| {});
        }
        self.client.release(stream, ResetReason::Done);
    }
}

/// As a socket does it: one copy into a read buffer of 64 KiB.
fn carry(
    from: &mut Connection,
    to: &mut Connection,
    wire: &mut BytesMut,
    mut then: impl FnMut(&mut Connection, Event),
) {
    let output = from.output();
    while output.has_remaining() {
        if wire.capacity() - wire.len() < 4096 {
            wire.reserve(65_536);
        }
        let step = output.chunk().len().min(wire.capacity() - wire.len());
        wire.extend_from_slice(&output.chunk()[..step]);
        output.advance(step);
        while let Some(event) = to.read(wire).expect("our own bytes") {
            then(to, event);
        }
    }
}

#[divan::bench]
fn request_and_small_response(bencher: Bencher<'_, '_>) {
    let mut link = Link::new();
    let body = Bytes::from_static(&[b'x'; 128]);
    bencher.bench_local(|| link.exchange(&body, true));
}

#[divan::bench(args = [65_536, 1_048_576])]
fn response_body_copied(bencher: Bencher<'_, '_>, bytes: usize) {
    body(bencher, bytes, true);
}

#[divan::bench(args = [65_536, 1_048_576])]
fn response_body_queued(bencher: Bencher<'_, '_>, bytes: usize) {
    body(bencher, bytes, false);
}

fn body(bencher: Bencher<'_, '_>, bytes: usize, copy: bool) {
    let mut link = Link::new();
    let body = Bytes::from(vec![b'x'; bytes]);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| link.exchange(&body, copy));
}

#[divan::bench]
fn exchange_without_fields(bencher: Bencher<'_, '_>) {
    let mut link = Link::new();
    let meta = RequestMeta { method: b"GET", host: b"shop.test", target: b"/", ..RequestMeta::default() };
    bencher.bench_local(|| {
        let stream = link.client.open(&meta, empty(), true).expect("there is room");
        link.up(|_, _| {});
        let head = ResponseMeta { status: 204, body: BodyLength::None, times: None };
        link.server.send_head(stream, &head, empty(), true).expect("once");
        link.down(|_, _| {});
        link.client.release(stream, ResetReason::Done);
    });
}
