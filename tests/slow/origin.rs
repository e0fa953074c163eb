//! The application behind both tiers: quick answers, large and endless bodies, requests that are never answered, raw tunnels.
//! Tells what became of each request.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::copy;
use tokio::net::TcpListener;

/// A body of either direction.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// Bytes of one piece of a large body.
pub(crate) const PIECE: usize = 64 * 1024;
/// After how many bytes a slow reader or writer rests.
pub(crate) const STRETCH: usize = 1024 * 1024;

/// What the application knows.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    active: AtomicUsize,
}

pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

/// A request in progress, until it is dropped, whatever the reason.
struct Active(Arc<Seen>);

impl Active {
    fn new(seen: &Arc<Seen>) -> Self {
        seen.active.fetch_add(1, Ordering::Relaxed);
        Self(seen.clone())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let (address, seen) = (listener.local_addr().expect("an address"), Arc::<Seen>::default());
        let task = tokio::spawn(accept(listener, seen.clone()));
        Self { address, seen, task }
    }

    /// Requests it has got.
    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::Relaxed)
    }

    /// Waits until exactly so many requests are in progress, and says how long that took.
    pub(crate) async fn active(&self, count: usize, within: Duration) -> Duration {
        let since = Instant::now();
        while self.seen.active.load(Ordering::Relaxed) != count {
            let now = self.seen.active.load(Ordering::Relaxed);
            assert!(since.elapsed() < within, "{now} requests are in progress, not {count}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        since.elapsed()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, seen: Arc<Seen>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let seen = seen.clone();
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            let service = service_fn(move |request| respond(seen.clone(), request));
            // A proxy that goes away in the middle is what some tests are about.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).with_upgrades().await;
        });
    }
}

/// A number in the query.
fn number(request: &Request<Incoming>, name: &str) -> usize {
    let query = request.uri().query().unwrap_or_default();
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.map_or(0, |value| value.parse().expect("a number"))
}

async fn respond(seen: Arc<Seen>, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    seen.requests.fetch_add(1, Ordering::Relaxed);
    let active = Active::new(&seen);
    let pause = Duration::from_millis(number(&request, "pause") as u64);
    Ok(match request.uri().path() {
        "/down" => Response::new(paced(number(&request, "bytes"), pause, active)),
        "/up" => Response::new(full(read_slowly(request.body_mut(), pause).await.to_string())),
        "/hang" => {
            // A request that breaks off in its body is not whole, so its end is the end of it.
            if request.body_mut().collect().await.is_ok() {
                std::future::pending::<()>().await;
            }
            drop(active);
            Response::new(full("never"))
        }
        "/tunnel" => tunnel(request, active),
        _ => Response::new(full("ok\n")),
    })
}

pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::from(text.into()).boxed()
}

/// So many bytes, with a rest after each stretch. Keeps the request active until it is dropped.
pub(crate) fn paced(bytes: usize, pause: Duration, active: impl Send + Sync + 'static) -> Body {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let next = move |(sent, piece, active): (usize, Bytes, _)| async move {
        if sent >= bytes {
            return None;
        }
        if !pause.is_zero() && sent % STRETCH == 0 {
            tokio::time::sleep(pause).await;
        }
        let data = piece.slice(..PIECE.min(bytes - sent));
        Some((Ok(Frame::data(data)), (sent + PIECE, piece, active)))
    };
    BodyExt::boxed(StreamBody::new(stream::unfold((0, piece, active), next)))
}

/// Counts a body, with a rest after each stretch.
pub(crate) async fn read_slowly(body: &mut Incoming, pause: Duration) -> usize {
    let (mut bytes, mut rested) = (0, 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame.inspect_err(|error| eprintln!("a body broke off: {error:?}")) else { break };
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if !pause.is_zero() && bytes - rested >= STRETCH {
            rested = bytes;
            tokio::time::sleep(pause).await;
        }
    }
    bytes
}

/// Answers 101 and repeats every byte. The tests need no WebSocket frames, only that bytes go through.
fn tunnel(mut request: Request<Incoming>, active: Active) -> Response<Body> {
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        let _ = copy(&mut read, &mut write).await;
        drop(active);
    });
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let response = response.header(header::UPGRADE, "websocket").header(header::CONNECTION, "upgrade");
    let response = response.header(header::SEC_WEBSOCKET_ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    response.body(full("")).expect("a response")
}
