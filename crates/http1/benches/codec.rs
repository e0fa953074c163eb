//! What the codec costs a request: reading and writing heads, framing bodies.
//!
//! Run with `cargo bench -p bailey-http1`.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use bailey_http1::{
    BodyDecoder, BodyLength, BodyPart, ClientConnection, Limits, Next, RequestHead, RequestParser, ResponseContext,
    ResponseHead, ResponseParser, ServerConnection, encode_request,
};
use bytes::BytesMut;
use divan::{Bencher, black_box};

const DATE: &[u8] = b"Sat, 21 Nov 2026 12:00:00 GMT";

/// Two fields, as a load generator sends them.
const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: bench\r\n\r\n";

/// Eight fields, as a browser's script sends them.
const TYPICAL: &[u8] = b"GET /api/v1/items?page=2&sort=name HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\nAccept: application/json, text/plain, */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nReferer: https://app.example.com/items\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: app/1.0\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 2\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\n\r\nok";

/// Counts allocations: at steady state a request needs none.
#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench(args = ["small", "typical"])]
fn request_is_parsed(bencher: Bencher<'_, '_>, which: &str) {
    let raw = if which == "small" { SMALL } else { TYPICAL };
    let mut parser = RequestParser::default();
    let mut input = BytesMut::with_capacity(4096);
    bencher.bench_local(|| {
        input.reserve(raw.len());
        input.extend_from_slice(raw);
        let head = parser.parse(&mut input, &Limits::DEFAULT).unwrap().unwrap();
        parser.recycle(black_box(head).fields);
    });
}

#[divan::bench]
fn request_is_written(bencher: Bencher<'_, '_>) {
    let mut input = BytesMut::from(TYPICAL);
    let mut head: RequestHead = RequestParser::default().parse(&mut input, &Limits::DEFAULT).unwrap().unwrap();
    head.fields.set(b"x-forwarded-for", b"192.0.2.1");
    head.fields.set(b"x-request-id", b"0123456789abcdef");
    let mut out = BytesMut::with_capacity(4096);
    bencher.bench_local(|| {
        out.clear();
        encode_request(black_box(&head), &mut out);
    });
}

#[divan::bench]
fn response_is_parsed(bencher: Bencher<'_, '_>) {
    let mut parser = ResponseParser::default();
    let mut input = BytesMut::with_capacity(4096);
    bencher.bench_local(|| {
        input.clear();
        input.reserve(ANSWER.len());
        input.extend_from_slice(ANSWER);
        let head = parser.parse(&mut input, ResponseContext::default(), &Limits::DEFAULT).unwrap().unwrap();
        parser.recycle(black_box(head).fields);
    });
}

/// A request read, edited, sent on; its answer read and sent back: all the codec does for one request.
#[divan::bench]
fn one_hop(bencher: Bencher<'_, '_>) {
    let mut server = ServerConnection::new(Limits::DEFAULT);
    let mut client = ClientConnection::new(Limits::DEFAULT);
    let mut buffers: [BytesMut; 4] = std::array::from_fn(|_| BytesMut::with_capacity(4096));
    bencher.bench_local(|| {
        let [from_client, to_app, from_app, to_client] = &mut buffers;
        to_app.clear();
        to_client.clear();
        from_client.reserve(TYPICAL.len());
        from_client.extend_from_slice(TYPICAL);
        let mut head = server.read_head(from_client).unwrap().unwrap();
        head.fields.set(b"x-forwarded-for", b"192.0.2.1");
        client.write_head(&head, to_app);
        client.write_end(None, to_app).unwrap();
        server.recycle(head.fields);

        from_app.reserve(ANSWER.len());
        from_app.extend_from_slice(ANSWER);
        let head: ResponseHead = client.read_head(from_app).unwrap().unwrap();
        server.write_head(&head, DATE, to_client);
        client.recycle(head.fields);
        while let Some(BodyPart::Data(data)) = client.read_body(from_app).unwrap() {
            server.append(&data, to_client).unwrap();
        }
        server.write_end(None, to_client).unwrap();
        assert_eq!(server.next(from_client), Next::Request);
        assert!(client.is_reusable(from_app));
    });
}

#[divan::bench(args = [1024, 16_384])]
fn chunks_are_decoded(bencher: Bencher<'_, '_>, chunk: usize) {
    let mut raw = Vec::new();
    for _ in 0..65_536 / chunk {
        raw.extend_from_slice(format!("{chunk:x}\r\n").as_bytes());
        raw.resize(raw.len() + chunk, b'x');
        raw.extend_from_slice(b"\r\n");
    }
    raw.extend_from_slice(b"0\r\n\r\n");
    bencher.with_inputs(|| BytesMut::from(&raw[..])).bench_local_values(|mut input| {
        let mut decoder = BodyDecoder::new(BodyLength::Unknown);
        while let Some(part) = decoder.decode(&mut input, &Limits::DEFAULT).unwrap() {
            black_box(part);
        }
    });
}
