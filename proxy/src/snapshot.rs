//! What a tier serves from: routes, upstreams, certificates and settings of one moment. Immutable, made in one piece from
//! a set of objects, and swapped whole; a request keeps the one it began with, so that nothing it meets contradicts
//! anything else.

pub mod certificates;
pub mod settings;
pub mod uncovered;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bailey_routing::{RouteTable, compile};
use bailey_translate::{Diagnostic, Objects, Options, Scope, translate};

use crate::tls::public::{CertificateIndex, OwnedName};
use certificates::Certificates;
pub use settings::Settings;

#[cfg(test)]
mod tests;

/// Everything a tier serves from.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Counts the snapshots of this process, from 1; 0 is the empty one before the first.
    pub generation: u64,
    /// Equal configuration has an equal digest, in every process of a release. Endpoints make no difference: they come and go with Pods.
    pub digest: u128,
    /// Listeners, hosts, routes, upstreams, tenants.
    pub table: RouteTable,
    /// Certificates of clients' TLS connections.
    pub certificates: Certificates,
    /// What holds for the whole tier.
    pub settings: Settings,
}

/// The one place a process holds its snapshot in.
pub type Current = ArcSwap<Snapshot>;

/// What became of a set of objects.
#[derive(Debug)]
pub struct Built {
    /// The new snapshot; `None` when it would serve the same as the one before.
    pub snapshot: Option<Snapshot>,
    /// What is wrong with the objects.
    pub diagnostics: Vec<Diagnostic>,
}

/// Makes the snapshot that follows `previous`, taking over all that is equal. Total: what is wrong with an object is a
/// diagnostic, and the rest serves.
pub fn build(objects: &Objects, scope: &Scope, options: Options, previous: &Snapshot) -> Built {
    let translation = translate(objects, scope, options);
    let mut diagnostics = translation.diagnostics;
    let table = compile(&translation.ir, Some(&previous.table));
    let certificates = Certificates::load(objects, &table, &previous.certificates, &mut diagnostics);
    let settings = Settings::read(objects, scope);
    let digest = digest_of(&table, &certificates, &settings);
    let same = previous.digest == digest && previous.table.digest() == table.digest();
    if previous.generation > 0 && same {
        return Built { snapshot: None, diagnostics };
    }
    let generation = previous.generation + 1;
    Built { snapshot: Some(Snapshot { generation, digest, table, certificates, settings }), diagnostics }
}

fn digest_of(table: &RouteTable, certificates: &Certificates, settings: &Settings) -> u128 {
    // Fixed keys, so that every process gets the same.
    let mut hasher = DefaultHasher::new();
    (certificates.digest(), settings).hash(&mut hasher);
    table.configuration() ^ u128::from(hasher.finish())
}

/// The names that may be asked for on one port, for the TLS handshake.
pub struct PortNames {
    current: Arc<Current>,
    port: u16,
}

impl std::fmt::Debug for PortNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortNames").field("port", &self.port).finish_non_exhaustive()
    }
}

impl PortNames {
    /// The names of `port`, always those of the current snapshot.
    pub fn new(current: Arc<Current>, port: u16) -> Self {
        Self { current, port }
    }
}

impl CertificateIndex for PortNames {
    fn find(&self, name: &str) -> Option<OwnedName> {
        self.current.load().server_name(self.port, name)
    }
}

impl Snapshot {
    /// Who owns a canonical server name on a declared port, and its certificate. `None`: nobody does.
    pub fn server_name(&self, port: u16, name: &str) -> Option<OwnedName> {
        let id = self.table.listener_at(port, name.as_bytes())?;
        let listener = self.table.listener(id)?;
        let tenant = match self.table.tenant_of(id, name.as_bytes()) {
            Some(tenant) => tenant.clone(),
            // In a topology every name has an owner or is unknown; on a plain Gateway the listener owns its names.
            None if self.settings.tenants => return None,
            None => listener.name.clone(),
        };
        Some(OwnedName { tenant, certificate: self.certificates.choose(listener, name) })
    }
}
