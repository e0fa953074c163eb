//! What the workers answer with: certificates by name, and the proofs that the authority asks for. Swapped whole, so that
//! a handshake or a request never waits for the driver.

mod listing;
mod names;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bailey_acme::Time;
use bailey_acme::budget::Budget;
use bailey_acme::challenge::Proofs;
use bailey_acme::names::Owned;
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::keys;
use crate::snapshot::Snapshot;
use crate::tls::public::CertificateIssuer;

pub use listing::{Listed, Listing, Orders, Served, Step};
pub use names::Names;

type ByName = HashMap<Arc<str>, Arc<CertifiedKey>>;

/// What a driver gives to the workers of a tier, and what it learns from the tier.
pub struct Hold {
    certificates: ArcSwap<ByName>,
    proofs: ArcSwap<Proofs>,
    proof_certificates: ArcSwap<ByName>,
    names: watch::Sender<Arc<Names>>,
    reader: Mutex<names::Reader>,
    listing: ArcSwap<Listing>,
    budget: ArcSwap<Budget>,
    orders: Mutex<Orders>,
    renewals: watch::Sender<Arc<Renewals>>,
}

/// The hosts whose certificates somebody wants renewed before it is time, and since when.
pub type Renewals = BTreeMap<Arc<str>, Time>;

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
            reader: Mutex::default(),
            listing: ArcSwap::default(),
            budget: ArcSwap::default(),
            orders: Mutex::default(),
            renewals: watch::Sender::new(Arc::default()),
        }
    }
}

impl Hold {
    /// Learns the names of a new snapshot.
    pub fn follow(&self, snapshot: &Snapshot) {
        // Only whoever configures the tier comes here, never a worker.
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(names) = reader.read(snapshot) else { return };
        self.names.send_if_modified(|known| {
            let changed = **known != names;
            if changed {
                *known = Arc::new(names);
            }
            changed
        });
    }

    /// These renewals are asked for, and no others. Each is done once: by a certificate that came later.
    pub fn request_renewals(&self, renewals: Renewals) {
        self.renewals.send_if_modified(|known| {
            let changed = **known != renewals;
            if changed {
                *known = Arc::new(renewals);
            }
            changed
        });
    }

    /// Tells of renewals that are asked for.
    pub(super) fn renewals(&self) -> watch::Receiver<Arc<Renewals>> {
        self.renewals.subscribe()
    }

    /// Answers with nothing any more: no certificate is ordered, and those that were are not shown.
    pub(super) fn clear(&self) {
        self.certificates.store(Arc::default());
        self.proofs.store(Arc::default());
        self.proof_certificates.store(Arc::default());
        self.listing.store(Arc::default());
        self.budget.store(Arc::default());
    }

    /// These names are owned, with their tenants.
    #[cfg(test)]
    pub(super) fn own(&self, names: &[(&str, &str)]) {
        let owned = names.iter().map(|(host, tenant)| Owned { host: (*host).into(), tenant: (*tenant).into() });
        self.names.send_replace(Arc::new(Names { known: true, owned: owned.collect(), ..Names::default() }));
    }

    /// Tells of changed names.
    pub(super) fn names(&self) -> watch::Receiver<Arc<Names>> {
        self.names.subscribe()
    }

    /// Whether a name is still that tenant's, by the snapshot that is served now.
    pub(super) fn owns(&self, tenant: &str, host: &str) -> bool {
        self.names.borrow().owned.contains(&Owned { host: host.into(), tenant: tenant.into() })
    }

    /// The answer for a token of a canonical host (http-01).
    pub fn proof(&self, host: &str, token: &str) -> Option<Arc<str>> {
        self.proofs.load().answer(host, token).cloned()
    }

    /// Puts the answer for a token in place. `false`: no authority may make such a token.
    pub(super) fn prove(&self, host: &str, token: &str, authorization: &str) -> bool {
        let mut good = false;
        self.proofs.rcu(|all| {
            let mut all = Proofs::clone(all);
            good = all.put(host, token, authorization);
            all
        });
        good
    }

    /// Puts the certificate of tls-alpn-01 in place.
    pub(super) fn prove_by_handshake(&self, host: &str, certificate: &Arc<CertifiedKey>) {
        self.proof_certificates.rcu(|all| {
            let mut all = ByName::clone(all);
            all.insert(host.into(), certificate.clone());
            all
        });
    }

    /// Takes the proofs of a host away. `false`: there were none.
    pub(super) fn withdraw(&self, host: &str) -> bool {
        let had = self.proofs.load().entries().any(|(of, ..)| **of == *host);
        self.keep_proofs(|other| other != host);
        had
    }

    /// Takes the proofs of all other hosts away.
    pub(super) fn keep_proofs(&self, keep: impl Fn(&str) -> bool) {
        self.proofs.rcu(|all| {
            let mut all = Proofs::clone(all);
            all.retain(&keep);
            all
        });
        self.proof_certificates.rcu(|all| {
            let mut all = ByName::clone(all);
            all.retain(|host, _| keep(host));
            all
        });
    }

    /// The proofs that are in place.
    pub(super) fn proofs(&self) -> Arc<Proofs> {
        self.proofs.load_full()
    }

    /// Answers with the proofs of the process that orders, and no others; by handshake too where `by_handshake`.
    pub(super) fn take_proofs(&self, proofs: &Arc<Proofs>, by_handshake: bool) {
        let mut certificates = ByName::new();
        for (host, _, authorization) in proofs.entries().filter(|_| by_handshake) {
            match keys::proof(host, authorization) {
                Ok(certificate) => drop(certificates.insert(host.clone(), certificate)),
                Err(error) => tracing::error!(%host, "another replica's proof cannot be shown: {error}"),
            }
        }
        self.proof_certificates.store(Arc::new(certificates));
        self.proofs.store(proofs.clone());
    }

    /// How each certificate stands.
    pub fn listing(&self) -> Arc<Listing> {
        self.listing.load_full()
    }

    /// What was spent, as this process last kept it; empty in one that only follows.
    pub fn budget(&self) -> Arc<Budget> {
        self.budget.load_full()
    }

    pub(super) fn spend(&self, budget: Arc<Budget>) {
        self.budget.store(budget);
    }

    /// How orders have ended in this process.
    pub fn orders(&self) -> Orders {
        *self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Orders)) {
        count(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn list(&self, listing: Listing) {
        self.listing.store(Arc::new(listing));
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
