//! From the intermediate representation to a table, and from a table to the next one.
//!
//! There is one way: a set of changes is applied to a table. Compiling from nothing applies everything to an empty one;
//! compiling with a previous table applies the difference.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hash};
use std::sync::Arc;

use crate::hash::{FixedHasher, hash_of};
use crate::host::{depth_bit, labels};
use crate::ir::{HostPattern, Ir, Listener, Route, RouteId, Upstream, UpstreamId};
use crate::table::entry::{HostEntry, Probe};
use crate::table::{ListenerId, RouteTable, Slot, share, specificity};

/// A step from one table to the next.
#[derive(Debug, Clone)]
pub enum Change {
    /// A route that is new or different.
    Route(Arc<Route>),
    /// A route that is gone.
    RemoveRoute(RouteId),
    /// An upstream that is new or whose endpoints are different.
    Upstream(Arc<Upstream>),
    /// An upstream that is gone; references to it answer 500.
    RemoveUpstream(UpstreamId),
}

/// Makes a table of `ir`. With the table before it, all that is equal is taken over, so little is built and the two share
/// memory; the result is the same as without.
pub fn compile(ir: &Ir, previous: Option<&RouteTable>) -> RouteTable {
    let listeners = sorted_by_name(&ir.listeners, |listener| &listener.name);
    let mut table = match previous {
        Some(previous) if same_names(previous, &listeners) => previous.clone(),
        Some(_) | None => RouteTable::default(),
    };
    let depths: Vec<u128> = table.listeners.iter().map(|slot| slot.depths).collect();
    table.listeners = listeners.into_iter().map(Slot::new).collect();
    for (slot, depths) in Arc::make_mut(&mut table.listeners).iter_mut().zip(depths) {
        slot.depths = depths;
    }
    table.ports = Arc::new(by_port(&table.listeners));
    table.tenants = sorted_by_name(&ir.tenants, |tenant| &tenant.name).into();
    table.suspended =
        table.tenants.iter().filter(|tenant| tenant.suspended).map(|tenant| tenant.name.clone()).collect();
    let changes = difference(&table, ir);
    table.apply(changes)
}

impl RouteTable {
    /// The table after `changes`, of which the last for an id counts. Costs what changed; shares the rest with this one.
    #[must_use]
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut next = self.clone();
        let mut routes = BTreeMap::new();
        for change in changes {
            match change {
                Change::Route(route) => drop(routes.insert(route.id.clone(), Some(route))),
                Change::RemoveRoute(id) => drop(routes.insert(id, None)),
                Change::Upstream(upstream) => next.put_upstream(&upstream.id.clone(), Some(upstream)),
                Change::RemoveUpstream(id) => next.put_upstream(&id, None),
            }
        }
        next.put_routes(routes);
        next
    }

    fn put_upstream(&mut self, id: &UpstreamId, upstream: Option<Arc<Upstream>>) {
        self.upstreams_sum = self.upstreams_sum.wrapping_add(upstream.as_deref().map_or(0, share));
        let old = self.upstreams.put(id.hash64(), |u| u.id == *id, upstream);
        self.upstreams_sum = self.upstreams_sum.wrapping_sub(old.as_deref().map_or(0, share));
    }

    fn put_routes(&mut self, routes: BTreeMap<RouteId, Option<Arc<Route>>>) {
        let mut added: BTreeMap<(Arc<str>, HostPattern), Vec<Arc<Route>>> = BTreeMap::new();
        let changed: BTreeSet<RouteId> = routes.keys().cloned().collect();
        for (id, route) in routes {
            self.routes_sum = self.routes_sum.wrapping_add(route.as_deref().map_or(0, share));
            for key in route.iter().flat_map(|route| places(route)) {
                added.entry(key).or_default().extend(route.clone());
            }
            if let Some(old) = self.routes.put(hash_of(&id), |r| r.id == id, route) {
                self.routes_sum = self.routes_sum.wrapping_sub(share(&*old));
                places(&old).for_each(|key| added.entry(key).or_default().extend(None));
            }
        }
        for ((listener, pattern), routes) in added {
            if let Some(id) = self.listener_named(&listener) {
                self.put_host(id, &pattern, routes, &changed);
            }
        }
    }

    /// Rebuilds one entry: what was there and did not change, and `routes`.
    fn put_host(
        &mut self,
        id: ListenerId,
        pattern: &HostPattern,
        mut routes: Vec<Arc<Route>>,
        changed: &BTreeSet<RouteId>,
    ) {
        let listener = self.listeners[id.0 as usize].listener.name.clone();
        self.note_depth(id, pattern);
        let probe = Probe::from(pattern);
        let hash = probe.hash_from(&self.listeners[id.0 as usize].seed);
        if let Some(old) = self.hosts.get(hash, |entry| entry.is(&listener, probe)) {
            routes.extend(old.routes().iter().filter(|route| !changed.contains(&route.id)).cloned());
        }
        let entry = (!routes.is_empty()).then(|| HostEntry::new(listener.clone(), pattern.clone(), routes));
        self.hosts.put(hash, |entry| entry.is(&listener, probe), entry.map(Arc::new));
    }

    fn note_depth(&mut self, id: ListenerId, pattern: &HostPattern) {
        let HostPattern::Wildcard(suffix) = pattern else { return };
        let bit = depth_bit(labels(suffix.as_bytes()));
        if self.listeners[id.0 as usize].depths & bit == 0 {
            Arc::make_mut(&mut self.listeners)[id.0 as usize].depths |= bit;
        }
    }
}

/// Where a route is attached, each place once.
fn places(route: &Route) -> impl Iterator<Item = (Arc<str>, HostPattern)> {
    let all = route.attachments.iter().flat_map(|at| at.hosts.iter().map(|host| (at.listener.clone(), host.clone())));
    all.collect::<BTreeSet<_>>().into_iter()
}

/// Items of the representation by id; no order of it reaches a table.
type ById<'a, K, V> = HashMap<K, &'a Arc<V>, BuildHasherDefault<FixedHasher>>;

fn difference(table: &RouteTable, ir: &Ir) -> Vec<Change> {
    let routes: ById<'_, &RouteId, Route> = ir.routes.iter().map(|route| (&route.id, route)).collect();
    let upstreams: ById<'_, &UpstreamId, Upstream> =
        ir.upstreams.iter().map(|upstream| (&upstream.id, upstream)).collect();
    let gone = table.routes().filter(|route| !routes.contains_key(&route.id));
    let gone = gone.map(|route| Change::RemoveRoute(route.id.clone()));
    let lost = table.upstreams().filter(|upstream| !upstreams.contains_key(&upstream.id));
    let lost = lost.map(|upstream| Change::RemoveUpstream(upstream.id.clone()));
    let new = routes.values().filter(|route| differs(table.route(&route.id), route));
    let moved = upstreams.values().filter(|upstream| differs(table.upstream(&upstream.id), upstream));
    let new = new.map(|&route| Change::Route(route.clone()));
    let moved = moved.map(|&upstream| Change::Upstream(upstream.clone()));
    gone.chain(lost).chain(new).chain(moved).collect()
}

fn differs<T: PartialEq>(old: Option<&Arc<T>>, new: &Arc<T>) -> bool {
    old.is_none_or(|old| !Arc::ptr_eq(old, new) && old != new)
}

fn same_names(previous: &RouteTable, listeners: &[Listener]) -> bool {
    previous.listeners.iter().map(|slot| &slot.listener.name).eq(listeners.iter().map(|listener| &listener.name))
}

fn sorted_by_name<T: Clone + Hash>(items: &[T], name: impl Fn(&T) -> &Arc<str>) -> Vec<T> {
    let by_name: BTreeMap<Arc<str>, &T> = items.iter().map(|item| (name(item).clone(), item)).collect();
    by_name.into_values().cloned().collect()
}

fn by_port(slots: &[Slot]) -> BTreeMap<u16, Box<[ListenerId]>> {
    let mut ports: BTreeMap<u16, Vec<ListenerId>> = BTreeMap::new();
    for (slot, id) in slots.iter().zip((0..).map(ListenerId)) {
        ports.entry(slot.listener.port).or_default().push(id);
    }
    let order = |mut ids: Vec<ListenerId>| {
        ids.sort_by_key(|id| std::cmp::Reverse(specificity(&slots[id.0 as usize].listener.hostname)));
        ids.into()
    };
    ports.into_iter().map(|(port, ids)| (port, order(ids))).collect()
}
