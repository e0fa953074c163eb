//! What the page shows: the tiers of this process, and what they are made of. In local mode all tiers of a folder stand on
//! one board; a tier that runs alone has its own.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};

use arc_swap::ArcSwap;
use bailey_kit::telemetry::Store;
use bailey_translate::analysis::{Tabled, analyse};
use bailey_translate::{Diagnostic, Objects, Severity};

use super::graph::of::Part;
use crate::acme::Hold;
use crate::explain::Site;
use crate::metrics::Metrics;
use crate::snapshot::{Current, Snapshot};
use crate::source::file::{Document, Problem};
use crate::tier::{Address, Role};
use crate::tls::public::CertificateIssuer;

/// Everything that is shown.
#[derive(Default)]
pub struct Board {
    members: RwLock<Vec<Weak<Member>>>,
    told: ArcSwap<Told>,
    traces: Option<Arc<Store>>,
    /// All tiers are on this machine, and so on this board.
    local: bool,
}

/// A tier on the board, as long as it lives.
pub struct Member {
    /// Which tier.
    pub role: Role,
    /// What it serves.
    pub current: Arc<Current>,
    /// What it has counted.
    pub metrics: Arc<Metrics>,
    /// Where it listens.
    pub addresses: ArcSwap<Vec<Address>>,
    /// Makes certificates that nobody has given.
    pub issuer: Option<Arc<dyn CertificateIssuer>>,
    /// What it orders.
    pub acme: Option<Arc<Hold>>,
}

/// What the configuration is made of, as whoever reads it tells.
#[derive(Debug, Default)]
pub struct Told {
    /// The objects that are served.
    pub objects: Objects,
    /// The documents that they are from, with lines; none where they are not from files.
    pub documents: Vec<Document>,
    /// What is wrong with them, the grave ones first.
    pub diagnostics: Vec<Diagnostic>,
    /// Why the last edit was refused; empty: it was not.
    pub refused: Vec<Problem>,
    /// What the diagnostics are, with what is probably not meant; made when somebody asks.
    findings: OnceLock<Vec<Diagnostic>>,
}

impl Told {
    /// A configuration that is live.
    pub fn live(objects: Objects, documents: Vec<Document>, diagnostics: Vec<Diagnostic>) -> Self {
        Self { objects, documents, diagnostics, ..Self::default() }
    }

    /// The diagnostics, and what there is to say of the objects as a whole: what no request reaches, what nobody uses.
    pub fn findings(&self, seen: &[Seen]) -> &[Diagnostic] {
        self.findings.get_or_init(|| {
            let tiers: Vec<Tabled<'_>> = seen
                .iter()
                .map(|seen| Tabled { scope: seen.member.role.scope(), table: &seen.snapshot.table })
                .collect();
            let mut all = self.diagnostics.clone();
            all.extend(analyse(&self.objects, &tiers, &self.diagnostics));
            all.sort_by(|a, b| (a.severity() as u8, a).cmp(&(b.severity() as u8, b)));
            all.dedup();
            all
        })
    }
}

/// One tier at one moment.
pub struct Seen {
    /// The tier.
    pub member: Arc<Member>,
    /// What it served then.
    pub snapshot: Arc<Snapshot>,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Board {
    /// The board of a tier that runs alone.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The board of a tier that runs alone, with the traces that it keeps.
    pub fn alone(traces: Arc<Store>) -> Arc<Self> {
        Arc::new(Self { traces: Some(traces), ..Self::default() })
    }

    /// The board of a machine that runs all tiers, with the traces that they keep.
    pub fn local(traces: Option<Arc<Store>>) -> Arc<Self> {
        Arc::new(Self { traces, local: true, ..Self::default() })
    }

    /// Puts a tier on the board. It leaves when it is dropped.
    pub fn join(&self, member: &Arc<Member>) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(member));
    }

    /// Shows a configuration that is live.
    pub fn tell(&self, told: Told) {
        self.told.store(Arc::new(told));
    }

    /// Shows that an edit was refused; what was told before still holds.
    pub fn refuse(&self, problems: &[Problem]) {
        self.told.rcu(|told| Told {
            objects: told.objects.clone(),
            documents: told.documents.clone(),
            diagnostics: told.diagnostics.clone(),
            refused: problems.to_vec(),
            findings: told.findings.clone(),
        });
    }

    /// What was told last.
    pub fn told(&self) -> Arc<Told> {
        self.told.load_full()
    }

    /// The traces that are kept here, if they are.
    pub fn traces(&self) -> Option<&Arc<Store>> {
        self.traces.as_ref()
    }

    /// All tiers of the folder are here.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// The tiers, what faces clients first.
    pub fn seen(&self) -> Vec<Seen> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let mut seen: Vec<Seen> = members
            .iter()
            .filter_map(Weak::upgrade)
            .map(|member| Seen { snapshot: member.current.load_full(), member })
            .collect();
        seen.sort_by_key(|seen| order(&seen.member.role));
        seen
    }

    /// Errors and warnings of the configuration.
    pub fn problems(&self) -> (usize, usize) {
        let told = self.told();
        let count = |severity| told.diagnostics.iter().filter(|d| d.severity() == severity).count();
        (count(Severity::Error) + told.refused.len(), count(Severity::Warning))
    }

    /// Which tiers are here, in a few words.
    pub fn scope(&self, seen: &[Seen]) -> String {
        if !self.local {
            let Some(only) = seen.first() else { return "no tier".to_owned() };
            return format!("{} alone; other tiers have pages of their own", name(&only.member.role));
        }
        let count = |is: fn(&Role) -> bool| seen.iter().filter(|seen| is(&seen.member.role)).count();
        let counts = [
            (count(|role| matches!(role, Role::Outer { .. })), "outer tier"),
            (count(|role| matches!(role, Role::Inner { .. })), "inner tier"),
            (count(|role| matches!(role, Role::Gateway { .. })), "Gateway"),
        ];
        let words = counts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}{}", if *n == 1 { "" } else { "s" }));
        format!("on this machine: {}", words.collect::<Vec<_>>().join(", "))
    }
}

impl Seen {
    /// As the drawing wants it.
    pub fn part(&self) -> Part<'_> {
        Part { role: &self.member.role, snapshot: &self.snapshot }
    }

    /// As the explanation wants it.
    pub fn site(&self) -> Site {
        let ports = |address: &Address| (address.port, address.address.port());
        let ports: BTreeMap<u16, u16> = self.member.addresses.load().iter().map(ports).collect();
        Site { role: self.member.role.clone(), snapshot: self.snapshot.clone(), ports, acme: self.member.acme.clone() }
    }

    /// Where clients reach it, https before http.
    pub fn reached(&self) -> Option<(bool, SocketAddr)> {
        let addresses = self.member.addresses.load();
        addresses.iter().map(|address| (address.https, address.address)).max()
    }
}

/// A tier's name for people.
pub fn name(role: &Role) -> String {
    match role {
        Role::Outer { topology } => format!("outer tier of {topology}"),
        Role::Inner { topology, tenant } => format!("inner tier of {topology}, tenant {tenant}"),
        Role::Gateway { namespace, name } => format!("Gateway {namespace}/{name}"),
    }
}

fn order(role: &Role) -> (u8, String) {
    match role {
        Role::Outer { topology } => (0, topology.clone()),
        Role::Gateway { namespace, name } => (1, format!("{namespace}/{name}")),
        Role::Inner { topology, tenant } => (2, format!("{topology}/{tenant}")),
    }
}
