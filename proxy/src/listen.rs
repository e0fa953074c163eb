//! Listening sockets: one per worker and port, who may connect, and how a connection reaches its front.
//!
//! Decides how many connections there may be, in all and from one source, and whose PROXY header is believed. Knows
//! nothing of requests.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bailey_crds::ConnectionLimits;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::forward::{ConnectionInfo, Listener, Places, TlsInfo};
use crate::front::proxy_protocol::{self, Header, Step};
use crate::front::{FrontLimits, Intake, Serve, h1, h2};
use crate::io::Io;
use crate::metrics::Limit;
use crate::timer::Deadline;
use crate::tls::public::{HandshakeError, Handshaken, PublicTls};
use crate::worker::{DrainPhase, Worker};

#[cfg(test)]
mod tests;

/// Connections that may wait to be accepted, for each socket.
const BACKLOG: i32 = 4096;
/// How long accepting pauses when there are no file descriptors or no memory left.
const PAUSE: Duration = Duration::from_millis(200);

/// Binds one socket that shares its port with those of the other workers (`SO_REUSEPORT`).
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // A dual-stack socket would show IPv4 clients as mapped addresses.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// How many connections there may be. Shared by all workers of a process.
#[derive(Debug)]
pub struct Admission {
    max: AtomicUsize,
    per_source: AtomicU32,
    total: AtomicUsize,
    sources: Mutex<HashMap<IpAddr, u32>>,
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    source: Option<IpAddr>,
}

impl Admission {
    /// At most `max` connections, and `per_source` from one IPv4 address or IPv6 /64.
    pub fn new(max: usize, per_source: u32) -> Arc<Self> {
        Arc::new(Self {
            max: AtomicUsize::new(max),
            per_source: AtomicU32::new(per_source),
            total: AtomicUsize::new(0),
            sources: Mutex::default(),
        })
    }

    /// Changes the bounds. Connections that exist stay, also where they are more than there may be now.
    pub fn configure(&self, limits: &ConnectionLimits) {
        self.max.store(limits.total as usize, Ordering::Relaxed);
        self.per_source.store(limits.per_source, Ordering::Relaxed);
    }

    /// The limits that hold when nothing is configured.
    pub fn with_defaults() -> Arc<Self> {
        let limits = ConnectionLimits::default();
        Self::new(limits.total as usize, limits.per_source)
    }

    /// Connections now.
    pub fn connections(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts a connection; `None`: there are too many.
    pub fn admit(self: &Arc<Self>) -> Option<Admitted> {
        let admitted = Admitted { admission: self.clone(), source: None };
        (self.total.fetch_add(1, Ordering::Relaxed) < self.max.load(Ordering::Relaxed)).then_some(admitted)
    }

    fn sources(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted {
    /// Counts the connection for its source too; `false`: the source has too many.
    pub fn from_source(&mut self, address: IpAddr) -> bool {
        let source = source(address);
        let mut sources = self.admission.sources();
        let count = sources.entry(source).or_insert(0);
        if *count >= self.admission.per_source.load(Ordering::Relaxed) {
            return false;
        }
        *count += 1;
        self.source = Some(source);
        true
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.total.fetch_sub(1, Ordering::Relaxed);
        if let Some(source) = self.source {
            let mut sources = self.admission.sources();
            if let Some(count) = sources.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    sources.remove(&source);
                }
            }
        }
    }
}

/// What counts as one source: an IPv4 address, or the /64 an IPv6 host chooses its addresses from.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 64)).into(),
    }
}

/// What the connections of one listening socket of one worker get.
pub struct Listening<S> {
    /// What requests are told of the listener.
    pub listener: Arc<Listener>,
    /// TLS, on an HTTPS listener.
    pub tls: Option<Arc<PublicTls>>,
    /// How many connections there may be.
    pub admission: Arc<Admission>,
    /// Who answers.
    pub serve: Rc<S>,
}

impl<S: Serve> Listening<S> {
    /// Accepts connections on a socket from [`bind`], each in a local task of its own, until the worker drains. What had
    /// been queued for this socket by then is still accepted, for closing it would reset them; then it is closed at once,
    /// or the system would go on giving it connections that belong to whoever shares the port.
    pub async fn run(self, socket: std::net::TcpListener, worker: Rc<Worker>) -> io::Result<()> {
        let socket = TcpListener::from_std(socket)?;
        let (this, deadline) = (Rc::new(self), worker.wheel.deadline());
        let streams = h2::Streams::new();
        loop {
            let accepted = poll_fn(|cx| match socket.poll_accept(cx) {
                Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
                Poll::Pending if worker.drain_phase() != DrainPhase::Serving => Poll::Ready(None),
                // Never armed: it is how the task is woken when draining begins.
                Poll::Pending => deadline.poll_expired(cx).map(|()| None),
            })
            .await;
            match accepted {
                None => return Ok(()),
                Some(Ok((stream, peer))) => this.clone().admit(stream, peer, &worker, &streams),
                Some(Err(error)) if is_exhaustion(&error) => {
                    tracing::warn!(%error, "accepting pauses");
                    tokio::time::sleep(PAUSE).await;
                }
                // The client was gone before it was accepted.
                Some(Err(_)) => {}
            }
        }
    }

    fn admit(self: Rc<Self>, stream: TcpStream, peer: SocketAddr, worker: &Rc<Worker>, streams: &h2::Streams<S>) {
        let Some(mut admitted) = self.admission.admit() else { return worker.counter.limit(Limit::Connections) };
        let intake = self.serve.intake(peer.ip());
        // Behind a balancer the source is the client that the balancer names.
        if intake == Intake::Client && !admitted.from_source(peer.ip()) {
            return worker.counter.limit(Limit::ConnectionsOfSource);
        }
        tokio::task::spawn_local(self.connection(stream, peer, intake, admitted, worker.clone(), streams.clone()));
    }

    async fn connection(
        self: Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        intake: Intake,
        mut admitted: Admitted,
        worker: Rc<Worker>,
        streams: h2::Streams<S>,
    ) {
        let (limits, serve) = (self.serve.limits(), self.serve.clone());
        // Boxed: what happens once must not enlarge what waits between requests.
        let opened = Box::pin(self.open(stream, peer, intake, &mut admitted, &worker, &limits)).await;
        let Some(Opened { io, info, h2 }) = opened else { return };
        let Some(open) = serve.open(&info) else { return };
        drop(self);
        if h2 {
            Box::pin(h2::serve(io, info, worker, limits, serve, streams)).await;
        } else {
            h1::serve(io, info, worker, limits, serve).await;
        }
        drop((open, admitted));
    }

    /// All that comes before the first request.
    async fn open(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        intake: Intake,
        admitted: &mut Admitted,
        worker: &Worker,
        limits: &FrontLimits,
    ) -> Option<Opened> {
        stream.set_nodelay(true).ok()?;
        let local = stream.local_addr().ok()?;
        let deadline = worker.wheel.deadline();
        let proxied = match intake {
            Intake::ProxyProtocol => read_proxy_header(&mut stream, worker, &deadline, limits).await?,
            Intake::Client | Intake::Forwarder => None,
        };
        if let Some(client) = proxied
            && !admitted.from_source(client.ip())
        {
            worker.counter.limit(Limit::ConnectionsOfSource);
            return None;
        }
        let (io, tls, h2) = match &self.tls {
            None => (Io::plain(stream), None, false),
            Some(tls) => {
                let Handshaken { io, name, h2, tls13 } = match tls.accept(stream, &deadline, limits.handshake).await {
                    Ok(handshaken) => handshaken,
                    Err(error) => {
                        if matches!(error, HandshakeError::Timeout) {
                            worker.counter.limit(Limit::Handshake);
                        }
                        tracing::debug!(%peer, error = &error as &dyn std::error::Error, "no TLS session");
                        return None;
                    }
                };
                (io, Some(TlsInfo { sni: name.into(), tls13 }), h2)
            }
        };
        let places = Places::default();
        let info = ConnectionInfo { listener: self.listener.clone(), peer, local, proxied, tls, places };
        Some(Opened { io, info: Rc::new(info), h2 })
    }
}

/// A connection that is ready for requests.
struct Opened {
    io: Io,
    info: Rc<ConnectionInfo>,
    h2: bool,
}

/// Reads the header that must come first. The outer `None`: there was none, or a wrong one, or it came too late; the
/// inner: the balancer speaks for itself.
async fn read_proxy_header(
    stream: &mut TcpStream,
    worker: &Worker,
    deadline: &Deadline,
    limits: &FrontLimits,
) -> Option<Option<SocketAddr>> {
    let mut bytes = vec![0; limits.proxy_header_bytes];
    let mut have = 0;
    deadline.set(limits.proxy_header);
    loop {
        match proxy_protocol::step(&bytes[..have], limits.proxy_header_bytes).ok()? {
            Step::Done(Header::Proxied { source, .. }) => return Some(Some(source)),
            Step::Done(Header::Local) => return Some(None),
            Step::Read(more) => {
                let into = bytes.get_mut(have..have + more)?;
                let mut read = std::pin::pin!(stream.read_exact(into));
                poll_fn(|cx| match read.as_mut().poll(cx) {
                    Poll::Ready(read) => Poll::Ready(read.ok()),
                    Poll::Pending => deadline.poll_expired(cx).map(|()| {
                        worker.counter.limit(Limit::ProxyHeaderTime);
                        None
                    }),
                })
                .await?;
                have += more;
            }
        }
    }
}

/// Whether an error of accept means that this process or machine has run out of something.
fn is_exhaustion(error: &io::Error) -> bool {
    /// EMFILE, ENFILE, ENOBUFS, ENOMEM.
    const EXHAUSTED: [i32; 4] = [24, 23, 105, 12];
    error.raw_os_error().is_some_and(|code| EXHAUSTED.contains(&code))
}
