//! One tier as a thing to start, feed with objects, and stop. A process may run several (local mode does).
//!
//! Decides which ports are open and when workers start and end. What a tier serves is in its [`Snapshot`]; a change of
//! configuration swaps that and touches no connection.

mod credentials;
mod drain;
mod options;
mod ports;
mod work;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use bailey_kit::admin::{AdminError, AdminOptions, AdminServer};
use bailey_kit::kube::Denied;
use bailey_kit::readiness::Readiness;
use bailey_kit::telemetry::{Destinations, Pipeline, Sink};
use bailey_translate::{Diagnostic, Objects, Options};
use tokio::sync::{mpsc, watch};

use crate::access_log::{Reopen, Writer};
use crate::explain;
use crate::forward::{Identity, LogFile};
use crate::limits::Tenants;
use crate::link::LinkSecurity;
use crate::listen::Admission;
use crate::metrics::{Metrics, Scrape, Sources};
use crate::page::{Member, Site};
use crate::served::Teller;
use crate::snapshot::{Current, Snapshot, build};
use crate::worker::DrainPhase;
use ports::Ports;
use work::Command;

pub use credentials::{CredentialsError, LinkCredentials};
pub use options::{DrainTimes, LogTarget, Role, TierOptions};
pub use ports::Address;

#[cfg(test)]
mod tests;

/// Why a tier does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be had.
    #[error("cannot listen on {address} for listener {listener}: {source}{}", ports::hint(.source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The listener.
        listener: String,
        /// What the system said.
        source: io::Error,
    },
    /// The tier has links, and no certificates for them.
    #[error(
        "a tier of a topology needs the certificates of its link; give the folder with ca.crt, tls.crt and tls.key (--link)"
    )]
    NoLink,
    /// The certificates of the link cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The admin port cannot be had.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The system has no thread to give.
    #[error("a worker cannot be started")]
    Thread(#[source] io::Error),
}

/// What became of new objects.
#[derive(Debug, Default)]
pub struct Applied {
    /// What is wrong with them.
    pub diagnostics: Vec<Diagnostic>,
    /// Something else is served now than before.
    pub changed: bool,
    /// Ports that the objects ask for and that cannot be had. The rest serves.
    pub refused: Vec<StartError>,
}

/// A running tier. Dropping it cuts everything; see [`TierHandle::drain`].
pub struct TierHandle {
    options: TierOptions,
    current: Arc<Current>,
    tenants: Arc<Tenants>,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    admission: Arc<Admission>,
    ports: Mutex<Ports>,
    link: Option<LinkSecurity>,
    workers: Vec<WorkerThread>,
    phase: watch::Sender<DrainPhase>,
    admin: Option<AdminServer>,
    log: Option<Writer>,
    reopen: Reopen,
    /// The tier as the page shows it; gone from there with this.
    shown: Arc<Member>,
    spans: Option<Pipeline>,
}

struct WorkerThread {
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<io::Result<()>>,
}

/// A tier, before it runs.
pub struct Tier;

impl Tier {
    /// Starts a tier with a first set of objects. Everything is bound when this returns. Call within a tokio runtime, which
    /// serves the admin port; the workers have threads and runtimes of their own.
    pub async fn start(options: TierOptions, objects: &Objects) -> Result<(TierHandle, Applied), StartError> {
        let (mut handle, pending) = prepare(options)?;
        let mut applied = handle.apply(objects);
        if let Some(refused) = applied.refused.pop() {
            return Err(refused);
        }
        handle.listen_for_links()?;
        pending.done();
        handle.join_board();
        handle.start_admin().await?;
        Ok((handle, applied))
    }

    /// Starts a tier whose objects are still on their way. Until the first [`TierHandle::apply`] it answers every request
    /// with 503; it is ready when [`Pending::done`] says so.
    pub async fn start_waiting(options: TierOptions) -> Result<(TierHandle, Pending), StartError> {
        let (mut handle, pending) = prepare(options)?;
        handle.listen_for_links()?;
        handle.join_board();
        handle.start_admin().await?;
        Ok((handle, pending))
    }
}

/// What a tier is still waiting for.
#[derive(Debug)]
pub struct Pending([bailey_kit::readiness::Guard; 3]);

impl Pending {
    /// A whole set of objects was read and is served, and every port is bound.
    pub fn done(self) {
        self.0.into_iter().for_each(bailey_kit::readiness::Guard::done);
    }
}

/// A tier with workers that have nothing to serve yet.
fn prepare(options: TierOptions) -> Result<(TierHandle, Pending), StartError> {
    let readiness = Readiness::new();
    let pending =
        Pending(["objects are read", "first table is live", "listeners are bound"].map(|task| readiness.task(task)));
    let link = options.link_security()?;
    let current: Arc<Current> = Arc::new(Current::from_pointee(Snapshot::default()));
    let ports = Ports::new(&options, current.clone());
    let reopen = Reopen::default();
    let (log, sink) = options.start_log(&reopen)?;
    let (spans, span_sink) = options.start_spans();
    let (phase, follow) = watch::channel(DrainPhase::Serving);
    let metrics = Metrics::new();
    let shown = Arc::new(Member {
        role: options.role.clone(),
        current: current.clone(),
        metrics: metrics.clone(),
        addresses: ArcSwap::default(),
        issuer: options.issuer.clone(),
        acme: options.acme.clone(),
    });
    let mut handle = TierHandle {
        current,
        tenants: Tenants::new(options.workers),
        metrics,
        readiness,
        admission: Admission::with_defaults(),
        ports: Mutex::new(ports),
        link,
        workers: Vec::new(),
        phase,
        admin: None,
        log,
        reopen,
        shown,
        spans: Some(spans),
        options,
    };
    handle.start_workers(&follow, sink.as_ref(), &span_sink)?;
    drop(span_sink);
    Ok((handle, pending))
}

impl TierHandle {
    /// Serves these objects from now on. What cannot be used is reported, and the rest serves; equal objects change
    /// nothing. No connection is touched, no socket bound anew.
    pub fn apply(&self, objects: &Objects) -> Applied {
        let built = build(objects, &self.options.role.scope(), self.options.translation(), &self.current.load());
        self.install(built)
    }

    fn install(&self, built: crate::snapshot::Built) -> Applied {
        self.metrics.loaded(built.diagnostics.len());
        let Some(mut snapshot) = built.snapshot else {
            return Applied { diagnostics: built.diagnostics, ..Applied::default() };
        };
        self.options.tracing.settle(&mut snapshot.settings);
        if let Some(spans) = &self.spans {
            spans.export_to(snapshot.settings.tracing.as_ref().and_then(|tracing| tracing.endpoint.as_deref()));
        }
        self.tenants.configure(snapshot.table.tenants(), &snapshot.settings.limits);
        self.admission.configure(&snapshot.settings.limits.connection);
        self.metrics.follow(&snapshot);
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        // A new port is bound before the table that tells of it is live, and accepts after.
        let change = ports.plan(&snapshot.table);
        if let Some(acme) = &self.options.acme {
            acme.follow(&snapshot);
        }
        self.current.store(Arc::new(snapshot));
        self.metrics.went_live();
        let refused = ports.carry_out(change, |worker, command| self.tell(worker, command));
        self.shown.addresses.store(Arc::new(ports.addresses()));
        drop(ports);
        (0..self.workers.len()).for_each(|worker| self.tell(worker, Command::Follow));
        Applied { diagnostics: built.diagnostics, changed: true, refused }
    }

    /// A worker that does not listen is ending; it needs no more commands.
    fn tell(&self, worker: usize, command: Command) {
        if let Some(worker) = self.workers.get(worker)
            && worker.commands.try_send(command).is_err()
        {
            tracing::debug!("a worker takes no more commands");
        }
    }

    /// Opens the file of the access log anew, so that it can be rotated.
    pub fn reopen_log(&self) {
        self.reopen.ask();
    }

    /// Notes whether the configuration is an old one from disk because its source cannot be read.
    pub fn set_stale(&self, stale: bool) {
        self.metrics.process.stale.store(u64::from(stale), Ordering::Relaxed);
    }

    /// Notes what keeps the source of objects from being complete, for metrics and `/readyz?verbose`.
    pub fn note_troubles(&self, denied: BTreeSet<Denied>, notes: Vec<String>) {
        *self.metrics.process.denied.lock().unwrap_or_else(PoisonError::into_inner) = denied;
        self.readiness.note(notes);
    }

    /// Notes what keeps the tier from ordering certificates.
    pub fn note_orders_trouble(&self, trouble: Option<String>) {
        *self.metrics.process.orders_trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Counts a configuration that could not be used at all.
    pub fn count_rejected(&self) {
        self.metrics.process.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes new certificates for the link; connections that exist go on.
    pub fn reload_link(&self, credentials: &LinkCredentials) -> Result<(), CredentialsError> {
        match &self.link {
            Some(LinkSecurity::Tls(tls)) => credentials.reload(tls),
            #[cfg(any(test, feature = "plaintext-link"))]
            Some(LinkSecurity::Plain) => Ok(()),
            None => Ok(()),
        }
    }

    /// Where clients, or the outer tier, reach this tier.
    pub fn addresses(&self) -> Vec<Address> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).addresses()
    }

    /// Where the admin port is.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(AdminServer::address)
    }

    /// Everything is bound and a table is live, and the tier is not draining.
    pub fn is_ready(&self) -> bool {
        self.readiness.is_ready()
    }

    /// What is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// What explanations are made of.
    pub fn site(&self) -> explain::Site {
        let ports = self.addresses().into_iter().map(|at| (at.port, at.address.port())).collect();
        explain::Site {
            role: self.options.role.clone(),
            snapshot: self.snapshot(),
            ports,
            acme: self.options.acme.clone(),
        }
    }

    /// Client connections that are open.
    pub fn connections(&self) -> usize {
        self.admission.connections()
    }

    /// What a scrape of the admin port would get now.
    pub fn scrape(&self) -> String {
        self.scraper().render()
    }

    fn teller(&self) -> Teller {
        Teller { shown: self.shown.clone(), readiness: self.readiness.clone() }
    }

    fn scraper(&self) -> Scrape {
        let sources = Sources {
            current: self.current.clone(),
            log: self.log.as_ref().map(|log| log.counts().clone()),
            spans: self.spans.as_ref().map(|spans| spans.counts().clone()),
            acme: self.options.acme.clone(),
            link: match &self.link {
                Some(LinkSecurity::Tls(tls)) => Some(tls.clone()),
                #[cfg(any(test, feature = "plaintext-link"))]
                Some(LinkSecurity::Plain) => None,
                None => None,
            },
        };
        self.metrics.scrape(self.options.role.labels(), sources)
    }

    /// Shows the tier on the page of its process.
    fn join_board(&self) {
        self.shown.addresses.store(Arc::new(self.addresses()));
        self.options.board.join(&self.shown);
    }

    async fn start_admin(&mut self) -> Result<(), AdminError> {
        let Some(address) = self.options.admin else { return Ok(()) };
        let scrape = self.scraper();
        let teller = self.teller();
        let options = AdminOptions {
            readiness: self.readiness.clone(),
            metrics: Arc::new(move || scrape.render()),
            served: Some(Arc::new(move || teller.tell())),
            pages: Some(Site::new(self.options.board.clone())),
            token: self.options.admin_token.clone(),
        };
        self.admin = Some(AdminServer::start(address, options).await?);
        Ok(())
    }
}

impl TierOptions {
    fn translation(&self) -> Options {
        Options { local: self.local }
    }

    fn identity(&self) -> Identity {
        self.role.identity()
    }

    fn start_log(&self, reopen: &Reopen) -> Result<(Option<Writer>, Option<LogFile>), StartError> {
        let Some(to) = self.access_log.open(reopen) else { return Ok((None, None)) };
        let (writer, sink) = Writer::start(to).map_err(StartError::Thread)?;
        Ok((Some(writer), Some(LogFile { sink, unless_told: self.log_requests.clone() })))
    }

    fn start_spans(&self) -> (Pipeline, Sink) {
        Pipeline::start(Destinations {
            resource: self.role.span_resource(self.identity().name),
            store: self.tracing.store.clone(),
        })
    }
}
