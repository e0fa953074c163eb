//! A folder, running: its backends, its tiers, and how both follow an edit. Composes; what is valid and what is routed is decided elsewhere.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bailey_crds::{IngressTopology, outer_identity, tenant_identity};
use bailey_kit::telemetry::Store;
use bailey_proxy::acme::Asked;
use bailey_proxy::explain::Site;
use bailey_proxy::page::{Board, Told};
use bailey_proxy::source::file::Problem;
use bailey_proxy::telemetry::{Everything, TracingOptions};
use bailey_proxy::tier::{DrainTimes, LogTarget, Role, StartError, Tier, TierHandle, TierOptions};
use bailey_proxy::tls::public::CertificateIssuer;
use bailey_translate::{Diagnostic, LocalCertificates, Objects, Severity};
use rustls_pki_types::CertificateDer;

use super::authority::{Authority, AuthorityError};
use super::certificates::{CertificatesError, LocalAuthority, LocalOrdering, asked};
use super::issuer::DevelopmentIssuer;
use super::notes;
use super::serve::{Running, start};
use crate::folder::Identity;
use crate::folder::input::{self, Backend, Input};
use crate::folder::plan::{Inner, Tiers};
use crate::folder::stand_in::{LINK_PORT, StandIn};

/// How a folder is run.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The folder.
    pub folder: PathBuf,
    /// Where the development CA is kept.
    pub state: PathBuf,
    /// The address clients connect to.
    pub address: IpAddr,
    /// Declared ports → ports that are bound; 0: a free one.
    pub ports: BTreeMap<u16, u16>,
    /// Port of health and metrics of the tier that faces clients; 0: a free one.
    pub admin_port: u16,
    /// Worker threads of each tier.
    pub workers: usize,
    /// Where access log lines go when the topology asks for them.
    pub access_log: LogTarget,
    /// Write them also where no object asks for them.
    pub log_requests: bool,
    /// The collector that spans are sent to, beside being kept in memory.
    pub collector: Option<String>,
    /// Where certificates are ordered, instead of made by the development CA.
    pub acme: Option<LocalAuthority>,
    /// How long each step of the end takes.
    pub drain: DrainTimes,
}

impl LocalOptions {
    /// Free ports, nothing shared with another run, a quick end.
    pub fn for_tests(folder: &Path, state: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            state: state.to_owned(),
            address: Ipv4Addr::LOCALHOST.into(),
            ports: BTreeMap::from([(80, 0), (443, 0)]),
            admin_port: 0,
            workers: 1,
            access_log: LogTarget::Nowhere,
            log_requests: false,
            collector: None,
            acme: None,
            drain: DrainTimes { accept: Some(Duration::ZERO), finish: Some(Duration::from_secs(2)) },
        }
    }
}

/// Why a folder does not run.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The folder has problems.
    #[error("{} cannot be used:\n{}", folder.display(), listed(problems))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong, with places.
        problems: Vec<Problem>,
    },
    /// The folder asks for no tier.
    #[error("{} has neither an IngressTopology nor a Gateway, so there is nothing to run", .0.display())]
    NoTier(PathBuf),
    /// A certificate authority cannot be made or read.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Certificates cannot be ordered.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// A tier does not start.
    #[error("the {role} tier does not start: {source}")]
    Tier {
        /// Which tier.
        role: String,
        /// Why.
        source: StartError,
    },
    /// A local backend does not start.
    #[error("the local backend {name} does not start: {source}")]
    Backend {
        /// Namespace and name.
        name: String,
        /// What the system answered.
        source: std::io::Error,
    },
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

/// A running folder. Dropping it cuts everything; see [`Local::stop`].
pub struct Local {
    options: LocalOptions,
    development: Arc<Authority>,
    issuer: Arc<DevelopmentIssuer>,
    links: BTreeMap<String, Authority>,
    backends: BTreeMap<Identity, (Backend, Running)>,
    inners: Vec<(Inner, TierHandle)>,
    fronts: Vec<(Role, TierHandle)>,
    orderings: BTreeMap<String, LocalOrdering>,
    objects: Objects,
    diagnostics: Vec<Diagnostic>,
    notes: Vec<Problem>,
    board: Arc<Board>,
    traces: Arc<Store>,
}

impl Local {
    /// Starts everything a folder asks for.
    pub async fn start(options: LocalOptions) -> Result<Self, LocalError> {
        let folder = options.folder.clone();
        let input = input::folder(&folder).map_err(|problems| LocalError::Folder { folder, problems })?;
        let development = Arc::new(Authority::development(&options.state.join("ca"))?);
        let traces = Store::new();
        let mut local = Self {
            issuer: DevelopmentIssuer::new(development.clone()),
            development,
            options,
            links: BTreeMap::new(),
            backends: BTreeMap::new(),
            inners: Vec::new(),
            fronts: Vec::new(),
            orderings: BTreeMap::new(),
            objects: Objects::default(),
            diagnostics: Vec::new(),
            notes: Vec::new(),
            board: Board::local(Some(traces.clone())),
            traces,
        };
        local.apply(input).await?;
        if local.fronts.is_empty() {
            return Err(LocalError::NoTier(local.options.folder));
        }
        Ok(local)
    }

    /// Reads the folder again and takes it over; with problems in it nothing changes.
    pub async fn reload(&mut self) -> Result<(), Vec<Problem>> {
        let reloaded = self.take_over().await;
        if let Err(problems) = &reloaded {
            self.fronts.iter().for_each(|(_, tier)| tier.count_rejected());
            self.board.refuse(problems);
        }
        reloaded
    }

    async fn take_over(&mut self) -> Result<(), Vec<Problem>> {
        let input = input::folder(&self.options.folder)?;
        let file: Arc<str> = self.options.folder.display().to_string().into();
        let whole = |error: LocalError| vec![Problem { file, line: 0, column: 0, message: error.to_string() }];
        self.apply(input).await.map_err(whole)
    }

    /// Backends first, then inner tiers, then the tiers that send to them; what nobody asks for any more goes last.
    async fn apply(&mut self, input: Input) -> Result<(), LocalError> {
        let mut objects = input.objects.clone();
        let orders = self.orders(&objects)?;
        self.start_backends(&input.backends).await?;
        for (identity, (backend, running)) in &self.backends {
            if input.backends.contains_key(identity) {
                StandIn::of_backend(identity, backend, running.address).insert_into(&mut objects);
            }
        }
        let tiers = Tiers::of(&objects);
        self.start_inners(&tiers, &objects).await?;
        for (inner, tier) in &self.inners {
            StandIn::of_link(inner, link_address(tier)).insert_into(&mut objects);
        }
        let mut diagnostics = notes::of(&objects, self.certificates());
        for (_, tier) in &self.inners {
            diagnostics.append(&mut tier.apply(&objects).diagnostics);
        }
        diagnostics.append(&mut self.start_fronts(&tiers, &objects).await?);
        for (topology, asked) in orders {
            if let Some(ordering) = self.orderings.get_mut(&topology) {
                ordering.follow(asked).await?;
            }
        }
        self.retire(&tiers, &input.backends);
        self.diagnostics = input.located(diagnostics);
        (self.objects, self.notes) = (objects, input.notes);
        self.board.tell(Told::live(self.objects.clone(), input.documents, self.diagnostics.clone()));
        Ok(())
    }

    async fn start_backends(&mut self, wanted: &BTreeMap<Identity, Backend>) -> Result<(), LocalError> {
        for (identity, backend) in wanted {
            if self.backends.get(identity).is_some_and(|(running, _)| running == backend) {
                continue;
            }
            let started = start(identity.clone(), backend.behaviour.clone()).await;
            let name = || format!("{}/{}", identity.namespace, identity.name);
            let running = started.map_err(|source| LocalError::Backend { name: name(), source })?;
            self.backends.insert(identity.clone(), (backend.clone(), running));
        }
        Ok(())
    }

    async fn start_inners(&mut self, tiers: &Tiers, objects: &Objects) -> Result<(), LocalError> {
        for inner in &tiers.inners {
            if self.inners.iter().any(|(running, _)| running == inner) {
                continue;
            }
            let identity = tenant_identity(&inner.topology, &inner.tenant);
            let link = self.link(&inner.topology)?.credentials(&identity)?;
            let options = TierOptions {
                link: Some(link),
                link_port: 0,
                address: Ipv4Addr::LOCALHOST.into(),
                ..self.tier(inner.role())
            };
            let tier = run(options, objects).await?;
            self.inners.push((inner.clone(), tier));
        }
        Ok(())
    }

    async fn start_fronts(&mut self, tiers: &Tiers, objects: &Objects) -> Result<Vec<Diagnostic>, LocalError> {
        let mut diagnostics = Vec::new();
        for role in tiers.fronts() {
            if let Some((_, tier)) = self.fronts.iter().find(|(running, _)| *running == role) {
                let applied = tier.apply(objects);
                if let Some(source) = applied.refused.into_iter().next() {
                    return Err(LocalError::Tier { role: name_of(&role), source });
                }
                diagnostics.extend(applied.diagnostics);
                continue;
            }
            let link = match &role {
                Role::Outer { topology } => Some(self.link(topology)?.credentials(&outer_identity(topology))?),
                Role::Inner { .. } | Role::Gateway { .. } => None,
            };
            // One admin port for one folder; a second topology in it gets a free one.
            let port = if self.fronts.is_empty() { self.options.admin_port } else { 0 };
            let ordering = self.ordering(&role)?;
            let hold = ordering.as_ref().map(|ordering| ordering.hold.clone());
            let issuer: Arc<dyn CertificateIssuer> = match &hold {
                Some(hold) => hold.clone(),
                None => self.issuer.clone(),
            };
            let options = TierOptions {
                link,
                address: self.options.address,
                ports: self.options.ports.clone(),
                issuer: Some(issuer),
                acme: hold,
                admin: Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
                ..self.tier(role.clone())
            };
            let (tier, applied) = start_tier(options, objects).await?;
            diagnostics.extend(applied);
            if let (Some(ordering), Role::Outer { topology }) = (ordering, &role) {
                self.orderings.insert(topology.clone(), ordering);
            }
            self.fronts.push((role, tier));
        }
        Ok(diagnostics)
    }

    fn certificates(&self) -> LocalCertificates {
        if self.options.acme.is_some() { LocalCertificates::Ordered } else { LocalCertificates::AtHand }
    }

    /// What the topologies ask of the authority. All of them are read before anything is changed.
    fn orders(&self, objects: &Objects) -> Result<BTreeMap<String, Asked>, CertificatesError> {
        let Some(from) = &self.options.acme else { return Ok(BTreeMap::new()) };
        let topologies = objects.all::<IngressTopology>().map(|(key, _)| &key.name);
        topologies.map(|name| Ok((name.clone(), asked(from, objects, name)?))).collect()
    }

    /// Orders for an outer tier, where there is an authority.
    fn ordering(&self, role: &Role) -> Result<Option<LocalOrdering>, CertificatesError> {
        match (role, &self.options.acme) {
            (Role::Outer { topology }, Some(_)) => LocalOrdering::open(topology, &self.options.state).map(Some),
            (_, _) => Ok(None),
        }
    }

    /// Ends what the folder asks for no more, after the new configuration is live.
    fn retire(&mut self, tiers: &Tiers, backends: &BTreeMap<Identity, Backend>) {
        let (stay, go): (Vec<_>, Vec<_>) = self.inners.drain(..).partition(|(inner, _)| tiers.inners.contains(inner));
        self.inners = stay;
        let fronts: Vec<Role> = tiers.fronts().collect();
        let (stay, gone): (Vec<_>, Vec<_>) = self.fronts.drain(..).partition(|(role, _)| fronts.contains(role));
        self.fronts = stay;
        for tier in go.into_iter().map(|(_, tier)| tier).chain(gone.into_iter().map(|(_, tier)| tier)) {
            tokio::spawn(tier.drain());
        }
        self.orderings.retain(|topology, _| fronts.contains(&Role::Outer { topology: topology.clone() }));
        self.backends.retain(|identity, _| backends.contains_key(identity));
    }

    fn tier(&self, role: Role) -> TierOptions {
        TierOptions {
            workers: self.options.workers,
            local: true,
            access_log: self.options.access_log.clone(),
            tracing: TracingOptions {
                store: Some(self.traces.clone()),
                everything: Some(Everything { endpoint: self.options.collector.clone() }),
            },
            log_requests: self.options.log_requests.then(bailey_proxy::access_log::Options::default),
            drain: self.options.drain,
            board: self.board.clone(),
            ..TierOptions::new(role)
        }
    }

    fn link(&mut self, topology: &str) -> Result<&Authority, AuthorityError> {
        if !self.links.contains_key(topology) {
            self.links.insert(topology.to_owned(), Authority::link(topology)?);
        }
        Ok(&self.links[topology])
    }

    /// Opens the file of the access log anew, in every tier.
    pub fn reopen_logs(&self) {
        let (fronts, inners) = (self.fronts.iter().map(|(_, tier)| tier), self.inners.iter().map(|(_, tier)| tier));
        fronts.chain(inners).for_each(TierHandle::reopen_log);
    }

    /// Ends every tier in good order, those that face clients first.
    pub async fn stop(self) {
        for (_, tier) in self.fronts {
            tier.drain().await;
        }
        for (_, tier) in self.inners {
            tier.drain().await;
        }
    }

    /// The tiers that face clients.
    pub fn fronts(&self) -> impl Iterator<Item = (&Role, &TierHandle)> {
        self.fronts.iter().map(|(role, tier)| (role, tier))
    }

    /// The inner tiers.
    pub fn inners(&self) -> impl Iterator<Item = (&Inner, &TierHandle)> {
        self.inners.iter().map(|(inner, tier)| (inner, tier))
    }

    /// The tiers that face clients and the inner ones, for explanations.
    pub fn sites(&self) -> (Vec<Site>, Vec<Site>) {
        (self.fronts().map(|(_, tier)| tier.site()).collect(), self.inners().map(|(_, tier)| tier.site()).collect())
    }

    /// The local backends and where they listen.
    pub fn backends(&self) -> impl Iterator<Item = (&Identity, SocketAddr)> {
        self.backends.iter().map(|(identity, (_, running))| (identity, running.address))
    }

    fn listener(&self, https: bool) -> Option<SocketAddr> {
        let addresses = self.fronts.iter().flat_map(|(_, tier)| tier.addresses());
        addresses.into_iter().find(|address| address.https == https).map(|address| address.address)
    }

    /// The directory that certificates are ordered from.
    pub fn acme(&self) -> Option<&str> {
        self.options.acme.as_ref().map(|from| from.directory.as_str())
    }

    /// Where the page is.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.fronts.iter().find_map(|(_, tier)| tier.admin_address())
    }

    /// The first plain HTTP listener.
    pub fn http(&self) -> Option<SocketAddr> {
        self.listener(false)
    }

    /// The first HTTPS listener.
    pub fn https(&self) -> Option<SocketAddr> {
        self.listener(true)
    }

    /// Where an inner tier waits for links.
    pub fn inner(&self, topology: &str, tenant: &str) -> Option<SocketAddr> {
        let (_, tier) = self.inners.iter().find(|(inner, _)| inner.topology == topology && inner.tenant == tenant)?;
        link_address(tier)
    }

    /// The development CA's certificate.
    pub fn root(&self) -> &CertificateDer<'static> {
        self.development.root()
    }

    /// The CA of a topology's link.
    pub fn link_authority(&self, topology: &str) -> Option<&Authority> {
        self.links.get(topology)
    }

    /// The objects that are served, with stand-ins.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What is to be said about the folder, with lines.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Objects that were passed over.
    pub fn notes(&self) -> &[Problem] {
        &self.notes
    }

    /// The last traces, of all tiers.
    pub fn traces(&self) -> &Arc<Store> {
        &self.traces
    }

    /// Diagnostics that somebody should do something about.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity() != Severity::Info)
    }
}

fn name_of(role: &Role) -> String {
    match role {
        Role::Outer { topology } => format!("outer ({topology})"),
        Role::Inner { topology, tenant } => format!("inner ({topology}, {tenant})"),
        Role::Gateway { namespace, name } => format!("Gateway ({namespace}/{name})"),
    }
}

async fn run(options: TierOptions, objects: &Objects) -> Result<TierHandle, LocalError> {
    start_tier(options, objects).await.map(|(tier, _)| tier)
}

async fn start_tier(options: TierOptions, objects: &Objects) -> Result<(TierHandle, Vec<Diagnostic>), LocalError> {
    let role = name_of(&options.role);
    let started = Tier::start(options, objects).await;
    started.map(|(tier, applied)| (tier, applied.diagnostics)).map_err(|source| LocalError::Tier { role, source })
}

fn link_address(tier: &TierHandle) -> Option<SocketAddr> {
    tier.addresses().into_iter().find(|address| address.listener == LINK_PORT).map(|address| address.address)
}
