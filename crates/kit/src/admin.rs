//! The admin port: `/healthz`, `/readyz`, `/metrics`, `/served`, and whatever pages its owner hands over, on a listener of its own,
//! away from the data path. Read-only.
//!
//! Decides what is answered by whom and how many may ask at a time. Who may see the pages is decided in [`guard`]; what
//! they show is [`Pages`]' business.

mod body;
mod guard;
mod patience;
pub mod served;
mod token;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::readiness::Readiness;
use body::Body;
use patience::Patience;

pub use token::{AdminToken, TokenError};

#[cfg(test)]
mod tests;

/// Connections at a time; scrapers, probes and a few browsers need no more.
const MAX_CONNECTIONS: usize = 64;
/// Event streams at a time, fewer than the connections, so that open pages never keep a probe or a scraper out.
const MAX_STREAMS: usize = 24;
/// How long a client may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// The text format of `OpenMetrics`, as the registry's own encoder writes it.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// JSON.
pub const JSON: &str = "application/json";
/// Plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Renders the metrics at the moment they are asked for.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Pages beside health and metrics. Asked only for GET and HEAD, by somebody who may see them.
pub trait Pages: Send + Sync {
    /// The answer to a request. Renders from memory; must not block.
    fn answer(&self, request: &Parts) -> Answer;
}

/// What [`Pages`] answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The media type.
    pub content_type: &'static str,
    /// Never changes under its address, so a browser may keep it.
    pub immutable: bool,
    /// The body.
    pub content: Content,
}

/// The body of an [`Answer`].
#[derive(Debug)]
pub enum Content {
    /// All at once.
    Whole(Bytes),
    /// Server-sent events as they happen, each already framed; ends when the sender is dropped. Whoever sends learns from
    /// the channel that the client is gone.
    Events(mpsc::Receiver<Bytes>),
}

impl Answer {
    /// A whole answer that is not to be kept.
    pub fn whole(status: StatusCode, content_type: &'static str, content: impl Into<Bytes>) -> Self {
        Self { status, content_type, immutable: false, content: Content::Whole(content.into()) }
    }

    /// A stream of server-sent events.
    pub fn events(events: mpsc::Receiver<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: "text/event-stream",
            immutable: false,
            content: Content::Events(events),
        }
    }
}

/// What an admin port shows.
pub struct AdminOptions {
    /// Behind `/readyz`.
    pub readiness: Arc<Readiness>,
    /// Behind `/metrics`.
    pub metrics: Metrics,
    /// Behind `/served`; `None`: this program serves nobody.
    pub served: Option<served::Tell>,
    /// Behind every other path; `None`: nothing.
    pub pages: Option<Arc<dyn Pages>>,
    /// What must be shown to see the pages. Without one they are seen over loopback only.
    pub token: Option<AdminToken>,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for the admin port: {source}; choose another port for it (bailey up: --admin-port, bailey-proxy: --admin)"
)]
pub struct AdminError {
    address: SocketAddr,
    source: io::Error,
}

/// A running admin server; dropping it stops it.
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl AdminServer {
    /// Listens, and serves on the current runtime.
    pub async fn start(address: SocketAddr, options: AdminOptions) -> Result<Self, AdminError> {
        let failed = |source| AdminError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let streams = Arc::new(Semaphore::new(MAX_STREAMS));
        let site = Arc::new(Site { options, streams, scrapes: Semaphore::new(1) });
        Ok(Self { address, task: tokio::spawn(accept(listener, site)) })
    }

    /// Where it listens, with the port the system chose if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What all connections of one admin port share.
struct Site {
    options: AdminOptions,
    streams: Arc<Semaphore>,
    /// Taken by the scrape under way.
    scrapes: Semaphore,
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropping the set with the task that owns it ends every connection with the server.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: wait for some to come back instead of spinning.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let site = site.clone();
        connections.spawn(async move {
            serve(socket, &site).await;
            drop(place);
        });
    }
}

async fn serve(socket: TcpStream, site: &Site) {
    let Ok(reached) = socket.local_addr() else { return };
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let (head, _) = request.into_parts();
        async move { Ok::<_, Infallible>(site.respond(&head, reached).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    // A probe that hangs up in the middle is of no interest.
    let _ = server.serve_connection(TokioIo::new(Patience::new(socket, WRITE_TIMEOUT)), service).await;
}

impl Site {
    async fn respond(&self, head: &Parts, reached: SocketAddr) -> Response<Body> {
        if head.method != Method::GET && head.method != Method::HEAD {
            return self.send(head, Answer::whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n"));
        }
        let answer = match (head.uri.path(), &self.options.pages) {
            ("/healthz", _) => Answer::whole(StatusCode::OK, TEXT, "ok\n"),
            ("/readyz", _) => ready(&self.options.readiness, head.uri.query() == Some("verbose")),
            ("/metrics", _) => self.scraped().await,
            (served::PATH, _) => self.options.served.as_ref().map_or_else(unknown, |tell| served(&tell())),
            (_, None) => unknown(),
            (_, Some(pages)) => match guard::check(head, reached, self.options.token.as_ref()) {
                Ok(()) => pages.answer(head),
                Err(refusal) => return guard::refuse(&refusal, self.send(head, refusal.answer())),
            },
        };
        self.send(head, answer)
    }

    /// The metrics, from a thread that may take its time: of many routes they are long, and probes and the rest of the
    /// process must not wait for them. One scrape at a time, so that their texts do not fill the memory.
    async fn scraped(&self) -> Answer {
        let turn = self.scrapes.acquire().await;
        let render = self.options.metrics.clone();
        let text = tokio::task::spawn_blocking(move || render()).await;
        drop(turn);
        match text {
            Ok(text) => Answer::whole(StatusCode::OK, OPENMETRICS, text),
            Err(_) => Answer::whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the metrics cannot be rendered\n"),
        }
    }

    fn send(&self, head: &Parts, answer: Answer) -> Response<Body> {
        let Answer { status, content_type, immutable, content } = answer;
        let body = match content {
            Content::Whole(bytes) => Body::whole(bytes),
            // A stream without a body would never be closed.
            Content::Events(_) if head.method == Method::HEAD => Body::whole(Bytes::new()),
            Content::Events(events) => {
                let Ok(place) = self.streams.clone().try_acquire_owned() else {
                    let text = "too many pages follow this tier; close one of them\n";
                    return self.send(head, Answer::whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, text));
                };
                Body::events(events, place)
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        guard::harden(headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let keep = if immutable { "private, max-age=31536000, immutable" } else { "no-store" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        response
    }
}

fn ready(readiness: &Readiness, verbose: bool) -> Answer {
    let ready = readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = if verbose { readiness.report() } else { String::new() };
    text.push_str(if ready { "ready\n" } else { "not ready\n" });
    Answer::whole(status, TEXT, text)
}

fn served(served: &served::Served) -> Answer {
    match serde_json::to_vec(served) {
        Ok(text) => Answer::whole(StatusCode::OK, JSON, text),
        Err(error) => Answer::whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

fn unknown() -> Answer {
    let text = "there are /healthz, /readyz, /readyz?verbose, /metrics and, of a proxy, /served\n";
    Answer::whole(StatusCode::NOT_FOUND, TEXT, text)
}
