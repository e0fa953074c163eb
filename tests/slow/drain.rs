//! The end of a process: what is in progress finishes, nothing new is taken, clients are told, the exit code is 0.

use std::time::{Duration, Instant};

use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, Connection, Protocol, get, request};
use crate::frames::{self, END_HEADERS, END_STREAM, HEADERS, frame, head};
use crate::origin::{paced, read_slowly};
use crate::process::Process;
use crate::site::{ACCEPT, FINISH, HOST, Site};

const MIB: usize = 1024 * 1024;
const SOON: Duration = Duration::from_secs(5);
/// Of a body of 8 MiB, so that it takes about 4 s.
const PAUSE: Duration = Duration::from_millis(500);

/// A tunnel as a WebSocket opens it.
struct Tunnel(TlsStream<TcpStream>);

impl Tunnel {
    async fn open(client: &Client) -> Self {
        let mut stream = client.tls(Protocol::H1).await.expect("a connection");
        let request = format!(
            "GET /tunnel HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    async fn echoes(&mut self) {
        self.0.write_all(b"still there?").await.expect("sent");
        let mut back = [0; 12];
        self.0.read_exact(&mut back).await.expect("an echo");
        assert_eq!(&back, b"still there?");
    }

    async fn close(mut self) {
        self.0.shutdown().await.expect("a clean end");
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
    }
}

/// Requests in progress, one of each kind that takes time.
struct Busy {
    tunnel: Tunnel,
    down: JoinHandle<usize>,
    up: JoinHandle<Response<Incoming>>,
    frames: frames::Reader,
    /// Kept, for its end would end the connection.
    _writer: frames::Writer,
}

impl Busy {
    async fn start(site: &Site) -> Self {
        let client = site.client();
        let tunnel = Tunnel::open(&client).await;
        let path = format!("/down?bytes={}&pause={}", 8 * MIB, PAUSE.as_millis());
        let mut connection = client.connect(Protocol::H2).await.expect("a connection");
        let asked = get(Protocol::H2, &path);
        let down = tokio::spawn(async move {
            let response = connection.send(asked).await.expect("an answer");
            read_slowly(&mut response.into_body(), Duration::ZERO).await
        });
        let mut connection = client.connect(Protocol::H1).await.expect("a connection");
        let asked = request(Protocol::H1, "POST", "/up", paced(8 * MIB, PAUSE, ()));
        let up = tokio::spawn(async move { connection.send(asked).await.expect("an answer") });
        let (frames, mut writer) = frames::connect(&client).await.expect("a connection");
        writer.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &head(&path))).await.expect("sent");
        site.origin.active(4, SOON).await;
        Self { tunnel, down, up, frames, _writer: writer }
    }

    /// Everything comes to its own end. Gives the head of the answer to the upload, which came last.
    async fn finish(mut self) -> (http::response::Parts, Option<u32>) {
        self.tunnel.echoes().await;
        let goaway = self.goaway_and_body().await;
        assert_eq!(self.down.await.expect("no panic"), 8 * MIB);
        let (head, body) = self.up.await.expect("no panic").into_parts();
        assert_eq!(head.status, 200);
        assert_eq!(body.collect().await.expect("a body").to_bytes(), (8 * MIB).to_string());
        self.tunnel.echoes().await;
        self.tunnel.close().await;
        (head, goaway)
    }

    /// Reads the response over HTTP/2 to its end; gives the error code of the GOAWAY that came meanwhile.
    async fn goaway_and_body(&mut self) -> Option<u32> {
        let (mut bytes, mut goaway) = (0, None);
        while bytes < 8 * MIB {
            let received = self.frames.next().await.expect("a response that is whole");
            assert_ne!(received.kind, frames::RST_STREAM, "stream {}", received.stream);
            match received.kind {
                frames::DATA => bytes += received.payload.len(),
                frames::GOAWAY => goaway = received.payload[4..8].try_into().ok().map(u32::from_be_bytes),
                _ => {}
            }
        }
        goaway
    }
}

async fn ends_well(process: &mut Process) {
    let since = Instant::now();
    let status = process.ended(Duration::from_secs(u64::from(FINISH))).await;
    assert!(status.success(), "{status}:\n{}", process.log());
    assert!(!process.log().contains("the time is over"), "{}", process.log());
    eprintln!("ended {:?} after its last request", since.elapsed());
}

async fn one_request(client: &Client, protocol: Protocol) -> http::StatusCode {
    let mut connection: Connection = client.connect(protocol).await.expect("a connection");
    connection.send(get(protocol, "/")).await.expect("an answer").status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: run by make slow"]
async fn an_outer_tier_finishes_what_is_in_progress_and_takes_nothing_new() {
    let mut site = Site::start().await;
    let client = site.client();
    let busy = Busy::start(&site).await;
    // A client that never gets to its handshake must not keep the port open.
    let silent = client.tcp().await.unwrap();
    site.outer.terminate();
    let since = Instant::now();
    site.outer.says("still accepting", SOON).await;
    assert_eq!(one_request(&client, Protocol::H1).await, 200);
    assert_eq!(one_request(&client, Protocol::H2).await, 200);
    while client.tcp().await.is_ok() {
        assert!(since.elapsed() < Duration::from_secs(u64::from(ACCEPT)) + SOON, "still accepting");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eprintln!("no connections were taken from {:?} after the signal on", since.elapsed());
    drop(silent);
    let (head, goaway) = busy.finish().await;
    assert_eq!(head.headers["connection"], "close");
    assert_eq!(goaway, Some(0), "NO_ERROR");
    ends_well(&mut site.outer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: run by make slow"]
async fn an_inner_tier_finishes_what_is_in_progress_while_another_takes_over() {
    let mut site = Site::start().await;
    let client = site.client();
    let busy = Busy::start(&site).await;
    let new = site.another("inner").await;
    let mut old = std::mem::replace(&mut site.inner, new);
    old.terminate();
    old.says("draining", SOON).await;
    for _ in 0..40 {
        assert_eq!(one_request(&client, Protocol::H2).await, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (head, goaway) = busy.finish().await;
    assert!(!head.headers.contains_key("connection"), "the client's connection has nothing to do with it");
    assert_eq!(goaway, None);
    ends_well(&mut old).await;
    assert_eq!(one_request(&client, Protocol::H1).await, 200);
}

#[tokio::test]
#[ignore = "slow: run by make slow"]
async fn what_does_not_end_is_cut_when_the_time_is_over_and_the_exit_code_is_0_all_the_same() {
    let mut site = Site::start_with(1).await;
    let mut tunnel = Tunnel::open(&site.client()).await;
    site.outer.terminate();
    let status = site.outer.ended(SOON).await;
    assert!(status.success() && site.outer.log().contains("the time is over"), "{status}:\n{}", site.outer.log());
    let mut rest = Vec::new();
    let _ = tunnel.0.read_to_end(&mut rest).await;
    site.origin.active(0, SOON).await;
}
