//! The compiled table: listeners, host entries, upstreams. It is immutable; [`RouteTable::apply`] makes the next one.
//!
//! Hosts, routes and upstreams live in maps that share structure between tables, so a changed route costs its own hosts
//! and a changed endpoint costs its upstream, whatever the size of the rest.

pub(crate) mod entry;
pub(crate) mod paths;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::hash::{FixedHasher, digest_of, hash_of};
use crate::host::HostName;
use crate::ir::{HostPattern, Listener, Route, RouteId, Tenant, Upstream, UpstreamId};
use crate::persistent::Map;
use entry::HostEntry;

/// A listener of one table. Get it from the table that is asked with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub(crate) u32);

/// Everything a tier routes by, ready for look-ups. Clones share everything.
#[derive(Clone, Default)]
pub struct RouteTable {
    pub(crate) listeners: Arc<[Slot]>,
    /// Per port, the listeners with the most specific hostname first.
    pub(crate) ports: Arc<BTreeMap<u16, Box<[ListenerId]>>>,
    pub(crate) hosts: Map<Arc<HostEntry>>,
    pub(crate) routes: Map<Arc<Route>>,
    pub(crate) upstreams: Map<Arc<Upstream>>,
    pub(crate) tenants: Arc<[Tenant]>,
    /// Names of tenants that are suspended, sorted; mostly empty, so that asking costs nothing.
    pub(crate) suspended: Arc<[Arc<str>]>,
    /// Wrapping sum of the digests of all routes: any order gives the same.
    pub(crate) routes_sum: u128,
    /// The same of all upstreams with their endpoints.
    pub(crate) upstreams_sum: u128,
}

/// A listener and what is known of the hosts on it.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) listener: Listener,
    /// Has taken in the listener's name; hashes of its hosts go on from here.
    pub(crate) seed: FixedHasher,
    /// Which numbers of labels wildcard suffixes have here; may be too many after removals.
    pub(crate) depths: u128,
}

impl RouteTable {
    /// The listener of this name.
    pub fn listener_named(&self, name: &str) -> Option<ListenerId> {
        let at = self.listeners.binary_search_by(|slot| (*slot.listener.name).cmp(name)).ok()?;
        Some(ListenerId(at as u32))
    }

    /// The one listener on `port` that requests for `host` belong to: the most specific hostname wins, and its routes alone
    /// are asked (listener isolation, Gateway API `GatewayHTTPListenerIsolation`).
    pub fn listener_at(&self, port: u16, host: &[u8]) -> Option<ListenerId> {
        let ids = self.ports.get(&port)?;
        if let [only] = **ids
            && self.listeners[only.0 as usize].listener.hostname == HostPattern::Any
        {
            return Some(only);
        }
        let name = HostName::new(host);
        let host = name.as_ref().and_then(|name| std::str::from_utf8(name.as_bytes()).ok()).unwrap_or_default();
        ids.iter().copied().find(|id| self.listeners[id.0 as usize].listener.hostname.matches(host))
    }

    /// What is known of a listener.
    pub fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(id.0 as usize).map(|slot| &slot.listener)
    }

    /// All listeners, by name.
    pub fn listeners(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        (0..).map(ListenerId).zip(self.listeners.iter().map(|slot| &slot.listener))
    }

    /// The upstream of this id. `None`: the reference leads nowhere.
    pub fn upstream(&self, id: &UpstreamId) -> Option<&Arc<Upstream>> {
        self.upstreams.get(id.hash64(), |upstream| upstream.id == *id)
    }

    /// All upstreams, in no particular order.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values()
    }

    /// The route of this id.
    pub fn route(&self, id: &RouteId) -> Option<&Arc<Route>> {
        self.routes.get(hash_of(id), |route| route.id == *id)
    }

    /// All routes, in no particular order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.values()
    }

    /// How many routes there are.
    pub fn route_count(&self) -> usize {
        self.routes.len()
    }

    /// How many pairs of listener and host pattern have routes.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// The tenant of this name.
    pub fn tenant(&self, name: &str) -> Option<&Tenant> {
        let at = self.tenants.binary_search_by(|tenant| (*tenant.name).cmp(name)).ok()?;
        Some(&self.tenants[at])
    }

    /// All tenants, by name.
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    pub(crate) fn is_suspended(&self, tenant: &Arc<str>) -> bool {
        self.suspended.binary_search(tenant).is_ok()
    }

    /// The same in every process of a release that serves the same content, however it got there.
    pub fn digest(&self) -> u128 {
        digest_of(&(self.configuration(), self.upstreams_sum))
    }

    /// Like [`RouteTable::digest`], but for what people and controllers have written: endpoints, which come and go with Pods, make no difference.
    pub fn configuration(&self) -> u128 {
        let listeners: Vec<&Listener> = self.listeners.iter().map(|slot| &slot.listener).collect();
        digest_of(&(listeners, &self.tenants, self.routes_sum))
    }
}

impl Slot {
    pub(crate) fn new(listener: Listener) -> Self {
        let mut seed = FixedHasher::default();
        seed.write(listener.name.as_bytes());
        Self { listener, seed, depths: 0 }
    }
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTable")
            .field("listeners", &self.listeners.len())
            .field("hosts", &self.host_count())
            .field("routes", &self.route_count())
            .field("upstreams", &self.upstreams.len())
            .field("digest", &format_args!("{:032x}", self.digest()))
            .finish_non_exhaustive()
    }
}

/// The share of one route or upstream in the sum of its kind.
pub(crate) fn share<T: Hash>(value: &T) -> u128 {
    digest_of(value)
}

/// Orders hostnames on one port: exact, then longer suffixes, then any.
pub(crate) fn specificity(pattern: &HostPattern) -> (u8, usize) {
    match pattern {
        HostPattern::Exact(_) => (2, 0),
        HostPattern::Wildcard(suffix) => (1, suffix.len()),
        HostPattern::Any => (0, 0),
    }
}
