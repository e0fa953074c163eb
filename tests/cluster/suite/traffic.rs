//! What the client sends: single requests, and an open load that counts what became of each request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::bed::{Place, bed};

/// An answer, read whole.
pub(crate) type Answer = Response<Bytes>;
type Sender = SendRequest<Empty<Bytes>>;

/// How long anything may take that a peer does.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is asked, where.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) to: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) fields: Vec<(String, String)>,
    /// Whom to trust, for https.
    pub(crate) root: Option<CertificateDer<'static>>,
}

impl Ask {
    /// A GET of `http://host/path` from the server at `to`.
    pub(crate) fn http(to: SocketAddr, host: &str, path: &str) -> Self {
        Self { to, host: host.to_owned(), path: path.to_owned(), fields: Vec::new(), root: None }
    }

    /// The same over TLS.
    pub(crate) fn https(to: SocketAddr, host: &str, path: &str, root: CertificateDer<'static>) -> Self {
        Self { root: Some(root), ..Self::http(to, host, path) }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it once from `place`, on a connection of its own.
    pub(crate) async fn from(self, place: Place) -> Result<Answer, String> {
        let there = tokio::task::spawn_blocking(move || bed().at(place, || async move { self.once().await }));
        there.await.expect("no panic")
    }

    async fn once(&self) -> Result<Answer, String> {
        let mut sender = self.connect().await?;
        self.send(&mut sender).await.map_err(|lost| lost.why)
    }

    /// The certificate that the server shows to a client at `place`, which trusts `root` alone.
    pub(crate) async fn shown(self, place: Place) -> Result<CertificateDer<'static>, String> {
        let there = tokio::task::spawn_blocking(move || {
            bed().at(place, || async move {
                let stream = in_time(async { self.secured(TcpStream::connect(self.to).await?).await }).await?;
                let (_, session) = stream.get_ref();
                let chain = session.peer_certificates().ok_or("no certificate")?;
                Ok(chain.first().ok_or("an empty chain")?.clone().into_owned())
            })
        });
        there.await.expect("no panic")
    }

    async fn connect(&self) -> Result<Sender, String> {
        in_time(async {
            let stream = TcpStream::connect(self.to).await?;
            stream.set_nodelay(true)?;
            if self.root.is_none() {
                let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
                tokio::spawn(connection);
                return Ok(sender);
            }
            let stream = self.secured(stream).await?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            Ok(sender)
        })
        .await
    }

    /// TLS with whoever is at the other end, if `root` has signed its certificate for the host.
    async fn secured(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(self.root.clone());
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(self.host.clone()).map_err(std::io::Error::other)?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    async fn send(&self, sender: &mut Sender) -> Result<Answer, Lost> {
        let mut request = Request::builder().uri(&self.path).header("host", &self.host);
        for (name, value) in &self.fields {
            request = request.header(name, value);
        }
        let request = request.body(Empty::new()).expect("a request");
        let exchange = async {
            sender.ready().await?;
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok::<_, hyper::Error>(Response::from_parts(head, body.collect().await?.to_bytes()))
        };
        match tokio::time::timeout(DEADLINE, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Lost { unsent: error.is_canceled() || error.is_closed(), why: format!("{error:?}") }),
            Err(_) => Err(Lost { unsent: false, why: "no answer in time".to_owned() }),
        }
    }
}

/// What a connection comes to, or why there is none.
async fn in_time<T>(connecting: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(DEADLINE, connecting).await {
        Ok(connected) => connected.map_err(|error| format!("connect: {error}")),
        Err(_) => Err("connect: no answer in time".to_owned()),
    }
}

/// A request without an answer.
struct Lost {
    /// Not a byte of it was written, so it may go over another connection.
    unsent: bool,
    why: String,
}

/// The body as JSON: what the echo application saw.
pub(crate) fn seen(answer: &Answer) -> serde_json::Value {
    serde_json::from_slice(answer.body())
        .unwrap_or_else(|error| panic!("{error}: {} {:?}", answer.status(), answer.body()))
}

/// What became of the requests of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    /// How many had each status, or each error.
    pub(crate) fates: BTreeMap<String, u64>,
    /// The fates in their order, each as often as another was before it. Means something for one connection only.
    pub(crate) turns: Vec<String>,
    pub(crate) slowest: Duration,
}

/// A load that runs at the client until it is stopped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    thread: std::thread::JoinHandle<()>,
}

struct Shared {
    ask: Ask,
    /// Requests a second.
    rate: u32,
    started: Instant,
    next: AtomicU64,
    stopped: AtomicBool,
    tally: Mutex<Tally>,
}

impl Load {
    /// Sends `rate` requests a second over `connections` connections. Requests are due at fixed times, whatever becomes of those before.
    pub(crate) fn start(ask: Ask, rate: u32, connections: usize) -> Self {
        let (next, stopped, tally) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { ask, rate, started: Instant::now(), next, stopped, tally });
        let worker = shared.clone();
        let thread = std::thread::spawn(move || {
            bed().at(Place::Client, || async move {
                let mut tasks = JoinSet::new();
                for _ in 0..connections {
                    let worker = worker.clone();
                    tasks.spawn(async move { worker.work().await });
                }
                while let Some(ended) = tasks.join_next().await {
                    ended.expect("no panic");
                }
            });
        });
        Self { shared, thread }
    }

    /// Ends the load and gives what became of all its requests.
    pub(crate) fn stop(self) -> Tally {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
        self.shared.tally.lock().expect("no panic").clone()
    }
}

impl Shared {
    async fn work(&self) {
        let mut kept = None;
        while !self.stopped.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = self.started + Duration::from_secs(1) * u32::try_from(number).expect("small") / self.rate;
            tokio::time::sleep_until(due.into()).await;
            let fate =
                exchange(&self.ask, &mut kept).await.map_or_else(|why| why, |status| status.as_u16().to_string());
            let mut tally = self.tally.lock().expect("no panic");
            tally.sent += 1;
            if tally.turns.last() != Some(&fate) && tally.turns.len() < 100 {
                tally.turns.push(fate.clone());
            }
            *tally.fates.entry(fate).or_default() += 1;
            tally.slowest = tally.slowest.max(due.elapsed());
        }
    }
}

/// Waits at the client, over one connection, for paths to be answered with 200.
pub(crate) struct Waiter {
    paths: std::sync::mpsc::SyncSender<(String, oneshot::Sender<Instant>)>,
}

impl Waiter {
    /// Asks as `ask` does, but for the path.
    pub(crate) fn start(ask: Ask) -> Self {
        let (paths, waiting) = std::sync::mpsc::sync_channel::<(String, oneshot::Sender<Instant>)>(1);
        std::thread::spawn(move || {
            bed().at(Place::Client, || async move {
                let mut kept = None;
                while let Ok((path, answered)) = waiting.recv() {
                    let ask = Ask { path, ..ask.clone() };
                    while !answered.is_closed() && exchange(&ask, &mut kept).await != Ok(http::StatusCode::OK) {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    // Whoever asked may have given up.
                    let _ = answered.send(Instant::now());
                }
            });
        });
        Self { paths }
    }

    /// Begins to ask for the path.
    pub(crate) fn ask(&self, path: String) -> Awaited {
        let (answered, first) = oneshot::channel();
        self.paths.send((path, answered)).expect("the waiter runs");
        Awaited(first)
    }
}

/// A path that is being asked for.
pub(crate) struct Awaited(oneshot::Receiver<Instant>);

impl Awaited {
    /// When it had its first 200.
    pub(crate) async fn first_200(self) -> Instant {
        let within = tokio::time::timeout(crate::kubernetes::SOON, self.0).await;
        within.unwrap_or_else(|_| panic!("no 200 in time\n{}", bed().describe())).expect("the waiter runs")
    }
}

/// One request to its end, over a new connection if the one that is kept takes no more.
async fn exchange(ask: &Ask, kept: &mut Option<Sender>) -> Result<http::StatusCode, String> {
    for _ in 0..10 {
        let mut sender = match kept.take() {
            Some(sender) if !sender.is_closed() => sender,
            Some(_) | None => ask.connect().await?,
        };
        match ask.send(&mut sender).await {
            Ok(answer) => {
                let closes = answer.headers().get("connection").is_some_and(|value| value == "close");
                *kept = (!closes).then_some(sender);
                return Ok(answer.status());
            }
            Err(lost) if lost.unsent => {}
            Err(lost) => return Err(lost.why),
        }
    }
    Err("no connection takes requests".to_owned())
}
