//! The clients that hit limits, one for each.

use std::any::Any;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::Case;
use crate::client::{Client, request};
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    block, frame,
};

const HOST: &str = "a.localhost";
/// Names for more fields than a limit allows.
const NAMES: [&str; 12] = ["x-a", "x-b", "x-c", "x-d", "x-e", "x-f", "x-g", "x-h", "x-i", "x-j", "x-k", "x-l"];
/// Tries, where the limit has a second or a reserve before it counts.
const TRIES: usize = 40;

/// What came of it.
#[derive(Default)]
pub struct Provoked {
    pub proxy_status: Option<String>,
    /// Connections that must not end before the limit does it.
    _open: Vec<Box<dyn Any + Send>>,
}

impl Provoked {
    fn answered(proxy_status: Option<String>) -> Self {
        Self { proxy_status, _open: Vec::new() }
    }

    fn keeping(open: impl Any + Send) -> Self {
        Self { proxy_status: None, _open: vec![Box::new(open)] }
    }
}

pub type Hit = fn(Client) -> Pin<Box<dyn Future<Output = Provoked> + Send>>;

/// An application whose connections are never accepted, and that has no room for another.
pub struct Crowded {
    pub address: SocketAddr,
    _open: Vec<TcpStream>,
    _listener: tokio::net::TcpListener,
}

impl Crowded {
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut open = Vec::new();
        // Until one more gets no answer.
        while let Ok(connected) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            open.push(connected.unwrap());
        }
        Self { address, _open: open, _listener: listener }
    }
}

const fn case(limit: &'static str, value: u32, reason: Option<&'static str>, hit: Hit) -> Case {
    Case { limit, value, also: "", outer: "", reason, hit }
}

pub const CASES: &[Case] = &[
    case("accept.handshakeSeconds", 1, None, |client| Box::pin(says_nothing(client.https))),
    Case {
        outer: "    clientAddress: {proxyProtocol: {from: [127.0.0.0/8]}}\n",
        ..case("accept.proxyHeaderSeconds", 1, None, |client| Box::pin(says_nothing(client.http)))
    },
    case("http1.headerSeconds", 1, Some("head_timeout"), |client| {
        Box::pin(writes(client, "GET / HTTP/1.1\r\nHost: a.loc".to_owned()))
    }),
    case("http1.headerBytes", 1024, Some("head_too_large"), |client| {
        Box::pin(writes(client, get("/", &format!("x-long: {}\r\n", "x".repeat(2000)))))
    }),
    case("http1.headerFields", 10, Some("head_too_large"), |client| {
        Box::pin(writes(client, get("/", &NAMES.map(|name| format!("{name}: 1\r\n")).concat())))
    }),
    case("http1.targetBytes", 256, Some("target_too_long"), |client| {
        Box::pin(writes(client, get(&format!("/{}", "x".repeat(300)), "")))
    }),
    case("http2.headerFields", 10, Some("head_too_large"), |client| {
        Box::pin(async move {
            let mut connection = client.connect(HOST, "h2").await.unwrap();
            let fields = NAMES.map(|name| (name, "1"));
            let answer = connection.send(request("GET", HOST, "/", &fields, "")).await.unwrap();
            assert_eq!(answer.status(), 431);
            Provoked::answered(proxy_status(answer.headers().get("proxy-status")))
        })
    }),
    case("http2.earlyResetsPerSecond", 1, None, |client| Box::pin(frames(client, given_up(20)))),
    case("http2.earlyResets", 1, None, |client| Box::pin(frames(client, given_up(4)))),
    case("http2.ownResets", 1, None, |client| {
        let wrong = |n: u32| frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &head(&[("connection", "close")]));
        Box::pin(frames(client, (0..6).flat_map(wrong).collect()))
    }),
    case("http2.pingsPerSecond", 1, None, |client| Box::pin(frames(client, frame(PING, 0, 0, &[0; 8]).repeat(20)))),
    case("http2.settingsPerSecond", 1, None, |client| Box::pin(frames(client, frame(SETTINGS, 0, 0, &[]).repeat(20)))),
    case("http2.emptyDataPerSecond", 1, None, |client| {
        let open = frame(HEADERS, END_HEADERS, 1, &head(&[]));
        Box::pin(frames(client, [open, frame(DATA, 0, 1, &[]).repeat(20)].concat()))
    }),
    case("http2.windowUpdatesPerSecond", 1, None, |client| {
        Box::pin(frames(client, frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(200)))
    }),
    case("http2.prioritiesPerSecond", 1, None, |client| {
        Box::pin(frames(client, frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1]).repeat(20)))
    }),
    case("http2.continuations", 1, None, |client| {
        let more = frame(CONTINUATION, 0, 1, &block(&[("x-a", "1")])).repeat(6);
        Box::pin(frames(client, [frame(HEADERS, 0, 1, &head(&[])), more].concat()))
    }),
    case("body.stallSeconds", 1, Some("body_timeout"), |client| {
        Box::pin(writes(client, "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 10\r\n\r\nfirst".to_owned()))
    }),
    Case {
        also: ", graceSeconds: 1",
        ..case("body.minimumBytesPerSecond", 1_000_000, Some("body_timeout"), |client| Box::pin(dribbles(client)))
    },
    case("body.writeStallSeconds", 1, Some("client_stalled"), |client| {
        Box::pin(async move {
            let mut tls = client.tls(HOST, "http/1.1").await.unwrap();
            tls.write_all(get("/big", "").as_bytes()).await.unwrap();
            Provoked::keeping(tls)
        })
    }),
    case("connection.idleSeconds", 1, None, |client| {
        Box::pin(async move { Provoked::keeping(client.tls(HOST, "http/1.1").await.unwrap()) })
    }),
    case("connection.requests", 1, None, |client| {
        Box::pin(async move {
            assert_eq!(client.get(HOST, "/", &[]).await.status(), 200);
            Provoked::default()
        })
    }),
    case("connection.ageSeconds", 10, None, |client| {
        Box::pin(async move {
            let mut connection = client.connect(HOST, "http/1.1").await.unwrap();
            // Until it is closed after an answer.
            while connection.send(request("GET", HOST, "/", &[], "")).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Provoked::default()
        })
    }),
    case("connection.total", 1, None, |client| Box::pin(connects(client))),
    case("connection.perSource", 1, None, |client| Box::pin(connects(client))),
    Case {
        also: ", total: 2",
        ..case("connection.tenantPercent", 50, Some("tenant_connections"), |client| Box::pin(second_connection(client)))
    },
    case("upstream.connectSeconds", 1, Some("connect_timeout"), |client| Box::pin(asks(client, "/crowded", 504))),
    case("upstream.firstByteSeconds", 1, Some("backend_timeout"), |client| Box::pin(asks(client, "/silent", 504))),
    case("upstream.inFlight", 1, Some("tenant_busy"), |client| Box::pin(second_request(client))),
    case("upstream.retryBudgetPercent", 1, Some("upstream_closed"), |client| {
        Box::pin(async move {
            let mut last = Provoked::default();
            for _ in 0..TRIES {
                last = asks(client.clone(), "/closing", 502).await;
            }
            last
        })
    }),
    case("tenants.limits.connections", 1, Some("tenant_connections"), |client| Box::pin(second_connection(client))),
    case("tenants.limits.requestsPerSecond", 1, Some("rate_limited"), |client| Box::pin(requests_at_once(client))),
    case("tenants.limits.inFlight", 1, Some("tenant_busy"), |client| Box::pin(second_request(client))),
];

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")
}

fn head(more: &[(&str, &str)]) -> Vec<u8> {
    let own = [(":method", "POST"), (":scheme", "https"), (":path", "/silent"), (":authority", HOST)];
    block(&[&own[..], more].concat())
}

/// Requests that are given up at once.
fn given_up(count: u32) -> Vec<u8> {
    let one = |n: u32| {
        let stream = 2 * n + 1;
        [frame(HEADERS, END_HEADERS, stream, &head(&[])), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    };
    (0..count).flat_map(one).collect()
}

fn proxy_status(value: Option<&http::HeaderValue>) -> Option<String> {
    value.and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The head of an answer; empty where the connection ends first.
async fn answer(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&text).to_ascii_lowercase()
}

fn told(head: &str) -> Option<String> {
    head.lines().find_map(|line| line.strip_prefix("proxy-status: ")).map(str::to_owned)
}

async fn says_nothing(to: SocketAddr) -> Provoked {
    Provoked::keeping(TcpStream::connect(to).await.unwrap())
}

/// Writes this over TLS and reads the answer.
async fn writes(client: Client, text: String) -> Provoked {
    let mut tls = client.tls(HOST, "http/1.1").await.unwrap();
    tls.write_all(text.as_bytes()).await.unwrap();
    let head = answer(&mut tls).await;
    assert!(head.starts_with("http/1.1 4"), "{head}");
    Provoked::answered(told(&head))
}

/// Sends a body byte by byte until there is an answer.
async fn dribbles(client: Client) -> Provoked {
    let tls = client.tls(HOST, "http/1.1").await.unwrap();
    let (mut read, mut write) = tokio::io::split(tls);
    write
        .write_all(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100000\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let dribble = async move {
        while write_one(&mut write).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        head = answer(&mut read) => {
            assert!(head.starts_with("http/1.1 408"), "{head}");
            Provoked::answered(told(&head))
        }
        () = dribble => unreachable!("it waits for the answer"),
    }
}

async fn write_one(to: &mut (impl AsyncWrite + Unpin)) -> bool {
    to.write_all(b"x").await.is_ok() && to.flush().await.is_ok()
}

/// Writes frames, and keeps reading until the other end has had enough.
async fn frames(client: Client, frames: Vec<u8>) -> Provoked {
    let mut tls = client.tls(HOST, "h2").await.unwrap();
    let bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frames].concat();
    tls.write_all(&bytes).await.unwrap();
    let reading = tokio::spawn(async move { while tls.read_u8().await.is_ok() {} });
    Provoked::keeping(reading)
}

/// Opens connections until one is turned away.
async fn connects(client: Client) -> Provoked {
    let mut open = Vec::new();
    while let Ok(connection) = client.tls(HOST, "http/1.1").await {
        open.push(connection);
        assert!(open.len() < TRIES, "all are let in");
    }
    Provoked::keeping(open)
}

/// Asks on plain connections, one after the other and all kept open, until one is refused.
async fn second_connection(client: Client) -> Provoked {
    let mut first = TcpStream::connect(client.http).await.unwrap();
    first.write_all(get("/", "").as_bytes()).await.unwrap();
    let head = answer(&mut first).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let mut second = TcpStream::connect(client.http).await.unwrap();
    second.write_all(get("/", "").as_bytes()).await.unwrap();
    let head = answer(&mut second).await;
    assert!(head.starts_with("http/1.1 503"), "{head}");
    Provoked { _open: vec![Box::new((first, second))], ..Provoked::answered(told(&head)) }
}

async fn asks(client: Client, path: &str, status: u16) -> Provoked {
    let answer = client.get(HOST, path, &[]).await;
    assert_eq!(answer.status(), status, "{path}");
    Provoked::answered(proxy_status(answer.headers().get("proxy-status")))
}

/// Asks several times at once, until a request is refused: on a busy machine a second may pass between two, and then both may pass.
async fn requests_at_once(client: Client) -> Provoked {
    for _ in 0..TRIES {
        let answers = join_all((0..4).map(|_| client.get(HOST, "/", &[]))).await;
        if let Some(refused) = answers.iter().find(|answer| answer.status() != 200) {
            assert_eq!(refused.status(), 429);
            return Provoked::answered(proxy_status(refused.headers().get("proxy-status")));
        }
    }
    panic!("all requests pass");
}

/// Asks while another request waits for its answer.
async fn second_request(client: Client) -> Provoked {
    let mut waiting = client.tls(HOST, "http/1.1").await.unwrap();
    waiting.write_all(get("/silent", "").as_bytes()).await.unwrap();
    for _ in 0..TRIES {
        let answer = client.get(HOST, "/", &[]).await;
        if answer.status() == 503 {
            let told = proxy_status(answer.headers().get("proxy-status"));
            return Provoked { _open: vec![Box::new(waiting)], ..Provoked::answered(told) };
        }
    }
    panic!("all requests find room");
}
