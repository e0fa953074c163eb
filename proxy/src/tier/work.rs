//! What a worker's thread runs: its forwarder, its listeners, its links, and the commands of the tier's handle.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bailey_kit::telemetry::Sink;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

use super::{StartError, TierHandle, WorkerThread};
use crate::forward::{Forwarder, Identity, Listener, LogFile, Outlets};
use crate::io::{Io, Session};
use crate::limits::{Tenants, WorkerTenants};
use crate::link::{LinkSecurity, Seats, serve_link};
use crate::listen::{Admission, Listening};
use crate::metrics::Limit;
use crate::snapshot::Current;
use crate::telemetry::SpanOrigin;
use crate::tls::link::check_alpn;
use crate::tls::public::PublicTls;
use crate::upstream::balance::Balance;
use crate::upstream::{BackendOptions, Backends};
use crate::worker::{DrainPhase, Seed, Worker, spawn};

/// Commands on their way to a worker. More than a handful at a time means that it hangs.
const COMMANDS: usize = 1024;
/// How long lines of the log may wait for more, and how often a draining worker looks whether it may end.
const LOOK: Duration = Duration::from_millis(100);

/// What a worker is asked to do.
pub(super) enum Command {
    /// Accept on a socket.
    Listen {
        /// The port's listener.
        listener: Arc<Listener>,
        /// The socket, bound.
        socket: TcpListener,
        /// TLS of the port.
        tls: Option<Arc<PublicTls>>,
        /// The port as clients see it.
        port: u16,
    },
    /// Accept links on a socket.
    Links(TcpListener),
    /// Stop accepting on a port.
    Close(u16),
    /// There is a new snapshot.
    Follow,
}

/// What crosses to a worker's thread.
pub(super) struct Work {
    identity: Identity,
    current: Arc<Current>,
    tenants: Arc<Tenants>,
    admission: Arc<Admission>,
    link: Option<LinkSecurity>,
    log: Option<LogFile>,
    origin: SpanOrigin,
    spans: Sink,
    acme: Option<Arc<crate::acme::Hold>>,
    commands: mpsc::Receiver<Command>,
}

impl TierHandle {
    pub(super) fn start_workers(
        &mut self,
        phase: &watch::Receiver<DrainPhase>,
        log: Option<&LogFile>,
        spans: &Sink,
    ) -> Result<(), StartError> {
        for id in 0..self.options.workers.max(1) {
            let (sender, commands) = mpsc::channel(COMMANDS);
            let work = Work {
                identity: self.options.identity(),
                current: self.current.clone(),
                tenants: self.tenants.clone(),
                admission: self.admission.clone(),
                link: self.link.clone(),
                log: log.cloned(),
                origin: self.options.role.span_origin(),
                spans: spans.clone(),
                acme: self.options.acme.clone(),
                commands,
            };
            let seed = Seed { id, drain: phase.clone(), shard: self.metrics.shard() };
            let thread = spawn(seed, move |worker| work.run(worker)).map_err(StartError::Thread)?;
            self.workers.push(WorkerThread { commands: sender, thread });
        }
        Ok(())
    }

    /// Opens the port of an inner tier's links.
    pub(super) fn listen_for_links(&self) -> Result<(), StartError> {
        if !matches!(self.options.role, super::Role::Inner { .. }) {
            return Ok(());
        }
        let mut ports = self.ports.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let listener = || "link".to_owned();
        let port = self.options.link_port;
        let (address, sockets) = ports.bind(port).map_err(|(address, source)| StartError::Listen {
            address,
            listener: listener(),
            source,
        })?;
        ports.link = Some(super::Address { listener: listener(), port, address, https: false });
        for (worker, socket) in sockets.into_iter().enumerate() {
            self.tell(worker, Command::Links(socket));
        }
        Ok(())
    }
}

/// What a worker has while it runs.
struct Running {
    worker: Rc<Worker>,
    forwarder: Rc<Forwarder>,
    seats: Rc<Seats<Rc<Forwarder>>>,
    current: Arc<Current>,
    admission: Arc<Admission>,
    link: Option<LinkSecurity>,
    links: Rc<Cell<usize>>,
    listening: HashMap<u16, JoinHandle<()>>,
}

impl Work {
    async fn run(self, worker: Rc<Worker>) {
        let mut commands = self.commands;
        let link_settings = bailey_link::Settings { name: self.identity.name.to_owned(), ..Default::default() };
        let options = BackendOptions {
            link: self.link.clone(),
            link_settings,
            balance: Balance::default(),
            counter: worker.counter.clone(),
        };
        let backends = Backends::new(options, worker.wheel.clone());
        spawn_local(backends.clone().housekeep());
        let forwarder = Rc::new(Forwarder::new(
            self.identity,
            worker.clone(),
            backends,
            self.current.clone(),
            WorkerTenants::new(self.tenants),
            Outlets {
                counter: worker.counter.clone(),
                log: self.log,
                origin: self.origin,
                spans: self.spans,
                acme: self.acme,
            },
        ));
        let mut running = Running {
            worker,
            seats: Seats::new(forwarder.clone()),
            forwarder,
            current: self.current,
            admission: self.admission,
            link: self.link,
            links: Rc::default(),
            listening: HashMap::new(),
        };
        let mut flush = None;
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => running.carry_out(command),
                    // The tier was dropped.
                    None => return,
                },
                () = running.forwarder.something_waits(), if flush.is_none() => {
                    flush = Some(Box::pin(tokio::time::sleep(LOOK)));
                }
                () = settled(flush.as_mut()) => {
                    flush = None;
                    running.forwarder.flush();
                }
                () = running.look() => if running.may_end() {
                    return;
                },
            }
        }
    }
}

impl Running {
    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Follow => self.forwarder.follow(),
            Command::Close(port) => {
                if let Some(task) = self.listening.remove(&port) {
                    task.abort();
                }
            }
            Command::Links(socket) => drop(spawn_local(self.accept_links(socket))),
            Command::Listen { listener, socket, tls, port } => {
                let declared = listener.port;
                self.forwarder.show(declared, port);
                let listening =
                    Listening { listener, tls, admission: self.admission.clone(), serve: self.forwarder.clone() };
                let worker = self.worker.clone();
                let task = spawn_local(async move {
                    if let Err(error) = listening.run(socket, worker).await {
                        tracing::error!(%error, port, "a listener has ended");
                    }
                });
                self.listening.insert(declared, task);
            }
        }
    }

    /// Waits until it is time to see whether the worker may end: not before it drains.
    async fn look(&self) {
        let deadline = self.worker.wheel.deadline();
        // Never armed: it is how the task is woken when draining begins.
        poll_fn(|cx| match self.worker.drain_phase() {
            DrainPhase::Serving => deadline.poll_expired(cx),
            DrainPhase::Draining | DrainPhase::Cut => std::task::Poll::Ready(()),
        })
        .await;
        if self.worker.drain_phase() == DrainPhase::Draining && !self.may_end() {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn may_end(&self) -> bool {
        match self.worker.drain_phase() {
            DrainPhase::Serving => false,
            DrainPhase::Draining => self.admission.connections() == 0 && self.links.get() == 0,
            DrainPhase::Cut => true,
        }
    }

    /// Accepts links until the worker drains. Who may come in is decided in the handshake.
    fn accept_links(&self, socket: TcpListener) -> impl Future<Output = ()> + use<> {
        let (worker, seats, links) = (self.worker.clone(), self.seats.clone(), self.links.clone());
        let (security, current) = (self.link.clone(), self.current.clone());
        async move {
            let Some(security) = security else { return };
            let socket = match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => socket,
                Err(error) => return tracing::error!(%error, "links cannot be accepted"),
            };
            let deadline = worker.wheel.deadline();
            loop {
                let accepted = poll_fn(|cx| match socket.poll_accept(cx) {
                    std::task::Poll::Ready(accepted) => std::task::Poll::Ready(Some(accepted)),
                    std::task::Poll::Pending if worker.drain_phase() != DrainPhase::Serving => {
                        std::task::Poll::Ready(None)
                    }
                    std::task::Poll::Pending => deadline.poll_expired(cx).map(|()| None),
                });
                let stream = match accepted.await {
                    None => return,
                    Some(Ok((stream, _))) => stream,
                    Some(Err(error)) => {
                        tracing::warn!(%error, "accepting links pauses");
                        tokio::time::sleep(LOOK).await;
                        continue;
                    }
                };
                let (worker, seats, links, security) = (worker.clone(), seats.clone(), links.clone(), security.clone());
                let limit = Duration::from_secs(current.load().settings.limits.accept.handshake_seconds.into());
                let counter = worker.counter.clone();
                spawn_local(async move {
                    links.set(links.get() + 1);
                    match tokio::time::timeout(limit, let_in(stream, &security)).await {
                        Ok(Ok(io)) => serve_link(io, seats, worker, bailey_link::Settings::default()).await,
                        Ok(Err(error)) => {
                            counter.shard().link.refused.add(1);
                            tracing::warn!(%error, "a link was refused");
                        }
                        Err(_) => {
                            counter.shard().link.too_slow.add(1);
                            counter.limit(Limit::Handshake);
                            tracing::warn!("a link took too long for its handshake");
                        }
                    }
                    links.set(links.get() - 1);
                });
            }
        }
    }
}

/// The end of a pause, if there is one.
async fn settled(pause: Option<&mut Pin<Box<tokio::time::Sleep>>>) {
    match pause {
        Some(pause) => pause.await,
        None => std::future::pending().await,
    }
}

/// The server's side of a link's handshake.
async fn let_in(stream: TcpStream, security: &LinkSecurity) -> io::Result<Io> {
    stream.set_nodelay(true)?;
    match security {
        LinkSecurity::Tls(tls) => {
            let session = Session::server(tls.server()).map_err(io::Error::other)?;
            let mut io = Io::tls(stream, session);
            poll_fn(|cx| io.poll_handshake(cx)).await?;
            io.connection().map_or(Ok(()), check_alpn)?;
            Ok(io)
        }
        #[cfg(any(test, feature = "plaintext-link"))]
        LinkSecurity::Plain => Ok(Io::plain(stream)),
    }
}
