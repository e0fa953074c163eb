//! Large bodies with slow readers, and clients that leave: bounded on the way, and heard at the application.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::scripted;
use crate::client::eventually;
use crate::folder::{client, route, tenant_a};

const HOST: &str = "s.a.localhost";
const MIB: usize = 1 << 20;
const SIZE: usize = 50 * MIB;
/// What sockets, windows and buffers of the whole path may hold of a body that nobody reads.
const HELD: usize = 36 * MIB;

fn rule() -> String {
    route("s", HOST, "    - backendRefs: [{name: app, port: 80}]")
}

#[tokio::test]
async fn fifty_mebibytes_down_wait_for_a_slow_reader_and_arrive_whole() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    let app = scripted(move |mut connection| {
        let count = count.clone();
        async move {
            while connection.head().await.is_some() {
                connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
                let piece = vec![b'd'; 64 * 1024];
                for _ in 0..SIZE / piece.len() {
                    connection.write(&piece).await;
                    count.fetch_add(piece.len(), Ordering::SeqCst);
                }
            }
        }
    })
    .await;
    let running = tenant_a(&(rule() + &app.object("a", "app"))).await;
    let client = client(&running.local);

    let mut tls = client.tls(HOST, "http/1.1").await.unwrap();
    tls.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut read = tls.read(&mut buffer).await.unwrap();
    stands_still(&written).await;
    assert!(written.load(Ordering::SeqCst) < HELD, "{} were taken in", written.load(Ordering::SeqCst));
    while let Ok(more @ 1..) = tls.read(&mut buffer).await {
        read += more;
    }
    assert!(read > SIZE, "{read}");

    written.store(0, Ordering::SeqCst);
    let (mut sender, connection) = h2::client::handshake(client.tls(HOST, "h2").await.unwrap()).await.unwrap();
    tokio::spawn(connection);
    let get = Request::get(format!("https://{HOST}/")).body(()).unwrap();
    let mut body = sender.send_request(get, true).unwrap().0.await.unwrap().into_body();
    stands_still(&written).await;
    assert!(written.load(Ordering::SeqCst) < HELD, "{} were taken in", written.load(Ordering::SeqCst));
    let mut read = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        read += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(read, SIZE);
}

/// Until the number does not move any more.
async fn stands_still(number: &AtomicUsize) {
    let mut before = usize::MAX;
    while before != number.load(Ordering::SeqCst) {
        before = number.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn fifty_mebibytes_up_wait_for_a_slow_application_and_arrive_whole() {
    let (go, waits) = tokio::sync::watch::channel(false);
    let app = scripted(move |mut connection| {
        let mut waits = waits.clone();
        async move {
            while connection.head().await.is_some() {
                waits.wait_for(|go| *go).await.unwrap();
                let mut left = SIZE - connection.taken().len();
                let mut buffer = vec![0; 256 * 1024];
                while left > 0 {
                    left -= connection.tcp.read(&mut buffer).await.unwrap();
                }
                connection.clear();
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    })
    .await;
    let running = tenant_a(&(rule() + &app.object("a", "app"))).await;
    let client = client(&running.local);
    for protocol in crate::client::PROTOCOLS {
        go.send(false).unwrap();
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let task = if protocol == "h2" {
            let (mut sender, connection) = h2::client::handshake(client.tls(HOST, "h2").await.unwrap()).await.unwrap();
            tokio::spawn(connection);
            let post = Request::post(format!("https://{HOST}/")).header("content-length", SIZE).body(()).unwrap();
            let (response, mut body) = sender.send_request(post, false).unwrap();
            tokio::spawn(async move {
                let mut left = SIZE;
                while left > 0 {
                    body.reserve_capacity(left.min(64 * 1024));
                    let room = poll_fn(|cx| body.poll_capacity(cx)).await.unwrap().unwrap().min(left);
                    left -= room;
                    body.send_data(Bytes::from(vec![b'u'; room]), left == 0).unwrap();
                    count.fetch_add(room, Ordering::SeqCst);
                }
                assert_eq!(response.await.unwrap().status(), 200);
            })
        } else {
            let mut tls = client.tls(HOST, "http/1.1").await.unwrap();
            tokio::spawn(async move {
                tls.write_all(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
                    .await
                    .unwrap();
                let piece = vec![b'u'; 64 * 1024];
                for _ in 0..SIZE / piece.len() {
                    tls.write_all(&piece).await.unwrap();
                    count.fetch_add(piece.len(), Ordering::SeqCst);
                }
                let mut answer = vec![0; 12];
                tls.read_exact(&mut answer).await.unwrap();
                assert_eq!(answer, b"HTTP/1.1 200");
            })
        };
        stands_still(&sent).await;
        assert!(sent.load(Ordering::SeqCst) < HELD, "{protocol}: {} were taken in", sent.load(Ordering::SeqCst));
        go.send(true).unwrap();
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_heard_at_the_application_while_it_waits_and_while_it_reads() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    let app = scripted(move |mut connection| {
        let count = count.clone();
        async move {
            let head = connection.head().await.unwrap();
            if head.starts_with("GET /streaming") {
                connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
            }
            while connection.more().await {}
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let running = tenant_a(&(rule() + &app.object("a", "app"))).await;
    let client = client(&running.local);
    let mut wanted = 0;
    for path in ["/waiting", "/streaming"] {
        let begun = app.heads.all().len();
        let mut tls = client.tls(HOST, "http/1.1").await.unwrap();
        tls.write_all(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
        eventually(|| app.heads.all().len() > begun).await;
        if path == "/streaming" {
            let mut some = [0; 8];
            tls.read_exact(&mut some).await.unwrap();
        }
        drop(tls);
        wanted += 1;
        eventually(|| ended.load(Ordering::SeqCst) == wanted).await;

        let begun = app.heads.all().len();
        let (mut sender, connection) = h2::client::handshake(client.tls(HOST, "h2").await.unwrap()).await.unwrap();
        tokio::spawn(connection);
        let get = Request::get(format!("https://{HOST}{path}")).body(()).unwrap();
        let (response, mut stream) = sender.send_request(get, true).unwrap();
        eventually(|| app.heads.all().len() > begun).await;
        let kept = if path == "/streaming" { Some(response.await.unwrap()) } else { None };
        stream.send_reset(h2::Reason::CANCEL);
        wanted += 1;
        eventually(|| ended.load(Ordering::SeqCst) == wanted).await;
        drop((kept, sender));
    }
}
