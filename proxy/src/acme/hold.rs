//! What the workers answer with: certificates by name, and the proofs that the authority asks for. Swapped whole, so that
//! a handshake or a request never waits for the driver.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bailey_acme::challenge::Proofs;
use bailey_acme::names::Owned;
use bailey_routing::ir::{HostPattern, ListenerProtocol};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use crate::snapshot::Snapshot;
use crate::tls::public::CertificateIssuer;

type ByName = HashMap<Arc<str>, Arc<CertifiedKey>>;

/// The names that a snapshot serves over HTTPS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// There is a snapshot. Before the first one nothing is known, which is not the same as no names.
    pub known: bool,
    /// Each with its tenant.
    pub owned: BTreeSet<Owned>,
    /// Those that a given certificate covers.
    pub covered: BTreeSet<Arc<str>>,
}

/// What a driver gives to the workers of a tier, and what it learns from the tier.
pub struct Hold {
    certificates: ArcSwap<ByName>,
    proofs: ArcSwap<Proofs>,
    proof_certificates: ArcSwap<ByName>,
    names: watch::Sender<Arc<Names>>,
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").field("certificates", &self.certificates.load().len()).finish_non_exhaustive()
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            certificates: ArcSwap::default(),
            proofs: ArcSwap::default(),
            proof_certificates: ArcSwap::default(),
            names: watch::Sender::new(Arc::default()),
        }
    }
}

impl Hold {
    /// Learns the names of a new snapshot.
    pub fn follow(&self, snapshot: &Snapshot) {
        let names = names_of(snapshot);
        self.names.send_if_modified(|known| {
            let changed = **known != names;
            if changed {
                *known = Arc::new(names);
            }
            changed
        });
    }

    /// Tells of changed names.
    pub(super) fn names(&self) -> watch::Receiver<Arc<Names>> {
        self.names.subscribe()
    }

    /// Whether a name is still that tenant's, by the snapshot that is served now.
    pub(super) fn owns(&self, tenant: &str, host: &str) -> bool {
        let names = self.names.borrow();
        names.owned.iter().any(|owned| *owned.tenant == *tenant && *owned.host == *host)
    }

    /// The answer for a token of a canonical host (http-01).
    pub fn proof(&self, host: &str, token: &str) -> Option<Arc<str>> {
        self.proofs.load().answer(host, token).cloned()
    }

    /// Puts the answer for a token in place. `false`: no authority may make such a token.
    pub(super) fn prove(&self, host: &str, token: &str, authorization: &str) -> bool {
        let mut proofs = Proofs::clone(&self.proofs.load());
        let good = proofs.put(host, token, authorization);
        self.proofs.store(Arc::new(proofs));
        good
    }

    /// Puts the certificate of tls-alpn-01 in place.
    pub(super) fn prove_by_handshake(&self, host: &str, certificate: Arc<CertifiedKey>) {
        let mut all = ByName::clone(&self.proof_certificates.load());
        all.insert(host.into(), certificate);
        self.proof_certificates.store(Arc::new(all));
    }

    /// Takes the proofs of a host away.
    pub(super) fn withdraw(&self, host: &str) {
        let mut proofs = Proofs::clone(&self.proofs.load());
        proofs.withdraw(host);
        self.proofs.store(Arc::new(proofs));
        let mut all = ByName::clone(&self.proof_certificates.load());
        all.remove(host);
        self.proof_certificates.store(Arc::new(all));
    }

    /// Serves these certificates from now on.
    pub(super) fn serve(&self, certificates: ByName) {
        self.certificates.store(Arc::new(certificates));
    }
}

impl CertificateIssuer for Hold {
    fn issue(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let certificates = self.certificates.load();
        let wildcard = || certificates.get(format!("*.{}", name.split_once('.')?.1).as_str());
        certificates.get(name).or_else(wildcard).cloned()
    }

    fn origin(&self) -> &'static str {
        "ordered from an ACME authority, or standing in until it is"
    }

    fn issued(&self) -> Vec<Arc<CertifiedKey>> {
        self.certificates.load().values().cloned().collect()
    }

    fn challenge(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.proof_certificates.load().get(name).cloned()
    }
}

/// The names of HTTPS listeners with their tenants, and those that a given certificate covers.
fn names_of(snapshot: &Snapshot) -> Names {
    let mut names = Names { known: true, ..Names::default() };
    for (id, listener) in snapshot.table.listeners().filter(|(_, one)| one.protocol == ListenerProtocol::Https) {
        let attachments = snapshot.table.routes().flat_map(|route| route.attachments.iter());
        for host in attachments.filter(|at| at.listener == listener.name).flat_map(|at| at.hosts.iter()) {
            let (host, example): (Arc<str>, String) = match host {
                HostPattern::Exact(name) => (name.to_string().into(), name.to_string()),
                HostPattern::Wildcard(suffix) => (format!("*.{suffix}").into(), format!("any.{suffix}")),
                HostPattern::Any => continue,
            };
            let Some(tenant) = snapshot.table.tenant_of(id, example.as_bytes()) else { continue };
            if snapshot.certificates.choose(listener, &example).is_some() {
                names.covered.insert(host.clone());
            }
            names.owned.insert(Owned { host, tenant: tenant.clone() });
        }
    }
    names
}
