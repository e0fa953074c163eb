//! The names that a snapshot serves over HTTPS, read again only as far as something has changed.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bailey_acme::names::Owned;
use bailey_routing::ListenerId;
use bailey_routing::ir::{HostPattern, ListenerProtocol, Route};

use crate::snapshot::Snapshot;

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

/// Reads names. Routes are shared between tables, so one that is still the same is known by its address.
#[derive(Default)]
pub(super) struct Reader {
    /// Of the last snapshot, without its endpoints.
    seen: Option<u128>,
    /// Of what the names of an unchanged route depend on: listeners, tenants, certificates.
    frame: u64,
    routes: HashMap<usize, Known>,
}

/// What was read of a route.
struct Known {
    /// Keeps the address from being used again.
    _route: Arc<Route>,
    names: Vec<Name>,
}

/// A name that a route answers for.
struct Name {
    listener: ListenerId,
    host: Arc<str>,
    /// A host that it stands for; `None`: itself.
    example: Option<Box<str>>,
    covered: bool,
}

impl Reader {
    /// The names of a snapshot; `None`: nothing they depend on has changed since the last one.
    pub(super) fn read(&mut self, snapshot: &Snapshot) -> Option<Names> {
        // The digest leaves endpoints out, and takes in certificates.
        if self.seen.replace(snapshot.digest) == Some(snapshot.digest) && snapshot.generation > 0 {
            return None;
        }
        let frame = frame_of(snapshot);
        if self.frame != frame {
            self.routes.clear();
            self.frame = frame;
        }
        let mut routes = HashMap::with_capacity(snapshot.table.route_count());
        let mut names = Names { known: true, ..Names::default() };
        for route in snapshot.table.routes() {
            let address = Arc::as_ptr(route) as usize;
            let known = self.routes.remove(&address);
            let known = known.unwrap_or_else(|| Known { _route: route.clone(), names: names_of(snapshot, route) });
            for name in &known.names {
                // Whose a host is depends on all its routes.
                let example = name.example.as_deref().unwrap_or(&name.host);
                let Some(tenant) = snapshot.table.tenant_of(name.listener, example.as_bytes()) else { continue };
                if name.covered {
                    names.covered.insert(name.host.clone());
                }
                names.owned.insert(Owned { host: name.host.clone(), tenant: tenant.clone() });
            }
            routes.insert(address, known);
        }
        self.routes = routes;
        Some(names)
    }
}

fn frame_of(snapshot: &Snapshot) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (_, listener) in snapshot.table.listeners() {
        listener.hash(&mut hasher);
    }
    snapshot.table.tenants().hash(&mut hasher);
    snapshot.certificates.digest().hash(&mut hasher);
    hasher.finish()
}

/// The names of a route on HTTPS listeners, and whether a given certificate covers them.
fn names_of(snapshot: &Snapshot, route: &Route) -> Vec<Name> {
    let mut names = Vec::new();
    for at in &route.attachments {
        let Some(id) = snapshot.table.listener_named(&at.listener) else { continue };
        let Some(listener) = snapshot.table.listener(id).filter(|one| one.protocol == ListenerProtocol::Https) else {
            continue;
        };
        for host in &at.hosts {
            let (host, example): (Arc<str>, Option<Box<str>>) = match host {
                HostPattern::Exact(name) => (name.clone(), None),
                HostPattern::Wildcard(suffix) => (format!("*.{suffix}").into(), Some(format!("any.{suffix}").into())),
                HostPattern::Any => continue,
            };
            let covered = snapshot.certificates.choose(listener, example.as_deref().unwrap_or(&host)).is_some();
            names.push(Name { listener: id, host, example, covered });
        }
    }
    names
}
