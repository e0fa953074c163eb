//! What Gateways and routes are told in their status. The part between what is known and what is written: it decides whose
//! routes are looked at again, and remembers which routes which tenants have.
//!
//! ```text
//! World ─ translate, as the proxies do ─▶ claims of each tenant ─ route ─▶ status.parents of each route
//!                                                               ─ gateway ─▶ status of each Gateway of ours
//! ```
//!
//! `claim`, `route`, `gateway` and `class` are pure; `write` does I/O. Every list of parents is read and written again under
//! the version that was read, and only the entries with our controller's name are touched.

mod claim;
mod class;
mod gateway;
mod route;
mod status;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bailey_crds::gateway::{Gateway, GrpcRoute, HttpRoute, ParentReference};
use bailey_crds::topology::{AddressStatus, TopologyStatus};
use bailey_translate::{Key, Kind, Objects};
use jiff::Timestamp;
use kube::Client;
use kube::ResourceExt as _;

use crate::manifest::{Child, ChildKey};
use crate::metrics::Metrics;
use crate::observe::{Dirty, World};
use crate::tier::Tier;
use crate::validate::ValidTopology;
use claim::{Claim, RouteKey};
use gateway::Facts;
use write::{Target, Write};

/// One tenant of one topology.
type TenantKey = (String, String);
/// What the routes that mean a tenant's Gateway are told.
type Claims = BTreeMap<RouteKey, Vec<Claim>>;

/// Looks at routes and Gateways, and reports.
pub struct Attachments {
    client: Client,
    metrics: Arc<Metrics>,
    pending: Dirty,
    claims: BTreeMap<TenantKey, Claims>,
    /// What of a topology the statuses of its Gateways and routes follow from, as of the last look.
    seen: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    generation: i64,
    hostnames: Vec<bailey_crds::HostnameBinding>,
    namespaces: Vec<Vec<String>>,
    tiers: Vec<(String, u32, u32)>,
    addresses: Vec<AddressStatus>,
}

impl Seen {
    fn of(world: &World, topology: &ValidTopology) -> Self {
        let status = world.topologies.get(&topology.name).and_then(|object| object.status.clone()).unwrap_or_default();
        let tiers = status.tiers.into_iter().map(|tier| (tier.name, tier.ready, tier.desired));
        Self {
            generation: topology.generation,
            hostnames: topology.bindings.clone(),
            namespaces: topology.inners.iter().map(|tier| tier.config.namespaces.clone()).collect(),
            tiers: tiers.collect(),
            addresses: status.addresses,
        }
    }
}

impl Attachments {
    /// One that writes to this cluster. Everything is to be looked at.
    pub fn new(client: Client, metrics: Arc<Metrics>) -> Self {
        let pending = Dirty { routes: true, ..Dirty::default() };
        Self { client, metrics, pending, claims: BTreeMap::new(), seen: BTreeMap::new() }
    }

    /// Something has changed.
    pub fn mark(&mut self, dirty: &Dirty) {
        self.pending.routes |= dirty.routes;
        self.pending.names.extend(dirty.names.iter().cloned());
        self.pending.all |= dirty.all;
        self.pending.namespaces.extend(dirty.namespaces.iter().cloned());
    }

    /// Whether there is something to look at.
    pub fn is_due(&self) -> bool {
        self.pending != Dirty::default()
    }

    /// Looks at what has changed and writes what differs. Returns whether something is to be tried again.
    pub async fn look(&mut self, world: &World, topologies: &[Arc<ValidTopology>], now: Timestamp) -> bool {
        let pending = std::mem::take(&mut self.pending);
        // A topology that was never understood keeps what its routes were told before.
        let known = topologies.len() == world.topologies.len();
        let writes = self.decide(world, topologies, &pending, known, now);
        let failed = write::carry_out(&self.client, &self.metrics, writes).await;
        self.pending.namespaces.extend(failed.namespaces);
        self.pending.names.extend(failed.names);
        self.is_due()
    }

    fn decide(
        &mut self,
        world: &World,
        topologies: &[Arc<ValidTopology>],
        pending: &Dirty,
        known: bool,
        now: Timestamp,
    ) -> Vec<Write> {
        let mut touched: BTreeSet<RouteKey> = BTreeSet::new();
        let mut writes = Vec::new();
        self.forget(topologies, &mut touched);
        for topology in topologies {
            let seen = Seen::of(world, topology);
            let news = self.seen.get(&topology.name) != Some(&seen);
            let all = pending.routes || news;
            self.seen.insert(topology.name.clone(), seen);
            let dirty = |tier: &&Tier| {
                all || tier.config.namespaces.iter().any(|namespace| pending.namespaces.contains(namespace))
            };
            let tiers: Vec<&Tier> = topology.inners.iter().filter(dirty).collect();
            if !tiers.is_empty() {
                self.tenants(world, topology, &tiers, now, &mut touched, &mut writes);
            }
            if all || pending.names.contains(&topology.name) {
                writes.extend(class_write(world, topology, now));
            }
        }
        writes.extend(self.routes(world, topologies, pending, known, &touched, now));
        writes.extend(gateway::foreign(world, topologies, now));
        writes
    }

    /// Lets go of tenants that are gone. Their routes are told.
    fn forget(&mut self, topologies: &[Arc<ValidTopology>], touched: &mut BTreeSet<RouteKey>) {
        let there = |(topology, tenant): &TenantKey| {
            topologies
                .iter()
                .any(|one| one.name == *topology && one.inners.iter().any(|tier| tier.tenant.as_ref() == Some(tenant)))
        };
        self.seen.retain(|name, _| topologies.iter().any(|one| one.name == *name));
        self.claims.retain(|key, claims| {
            let keep = there(key);
            if !keep {
                touched.extend(claims.keys().cloned());
            }
            keep
        });
    }

    /// Translates for these tenants, as their proxies do.
    fn tenants(
        &mut self,
        world: &World,
        topology: &ValidTopology,
        tiers: &[&Tier],
        now: Timestamp,
        touched: &mut BTreeSet<RouteKey>,
        writes: &mut Vec<Write>,
    ) {
        let objects = claim::objects(world, topology);
        let status = world.topologies.get(&topology.name).and_then(|object| object.status.as_ref());
        for tier in tiers {
            let tenant = tier.tenant.clone().unwrap_or_default();
            let claims = claim::claims(&objects, &topology.name, &tenant);
            writes.extend(gateway_write(world, topology, tier, &claims, status, now));
            let key = (topology.name.clone(), tenant);
            let before = self.claims.insert(key.clone(), claims).unwrap_or_default();
            touched.extend(before.into_keys());
            touched.extend(self.claims[&key].keys().cloned());
        }
    }

    fn routes(
        &self,
        world: &World,
        topologies: &[Arc<ValidTopology>],
        pending: &Dirty,
        known: bool,
        touched: &BTreeSet<RouteKey>,
        now: Timestamp,
    ) -> Vec<Write> {
        let mut writes = Vec::new();
        let context = Routes { claims: &self.claims, topologies, pending, known, touched, now };
        context.of_kind::<HttpRoute>(
            &world.routing,
            |route| &route.spec.parent_refs,
            |route| route.status.as_ref(),
            &mut writes,
        );
        context.of_kind::<GrpcRoute>(
            &world.routing,
            |route| &route.spec.parent_refs,
            |route| route.status.as_ref(),
            &mut writes,
        );
        writes
    }
}

struct Routes<'a> {
    claims: &'a BTreeMap<TenantKey, Claims>,
    topologies: &'a [Arc<ValidTopology>],
    pending: &'a Dirty,
    known: bool,
    touched: &'a BTreeSet<RouteKey>,
    now: Timestamp,
}

impl Routes<'_> {
    fn of_kind<R: Kind>(
        &self,
        objects: &Objects,
        parents: fn(&R) -> &[ParentReference],
        status: fn(&R) -> Option<&serde_json::Value>,
        writes: &mut Vec<Write>,
    ) {
        for (key, entry) in objects.all::<R>() {
            let route = RouteKey { kind: R::KIND, namespace: key.namespace.clone(), name: key.name.clone() };
            let dirty = self.pending.routes || self.pending.namespaces.contains(&key.namespace);
            if !dirty && !self.touched.contains(&route) {
                continue;
            }
            let object = entry.object.as_ref();
            let mut claims: Vec<Claim> =
                self.claims.values().filter_map(|all| all.get(&route)).flatten().cloned().collect();
            claims.extend(claim::strays(parents(object), &key.namespace, &claims, self.topologies, objects));
            claims.sort_by_key(|claim| claim.index);
            let generation = object.meta().generation.unwrap_or_default();
            if let Some(status) = route::status(status(object), &claims, self.known, generation, self.now) {
                let target = Target::Route { kind: R::KIND, key: key.clone() };
                writes.push(Write { target, version: object.resource_version(), status });
            }
        }
    }
}

fn gateway_write(
    world: &World,
    topology: &ValidTopology,
    tier: &Tier,
    claims: &Claims,
    status: Option<&TopologyStatus>,
    now: Timestamp,
) -> Option<Write> {
    let home = tier.config.namespaces.first()?;
    let gateway = world.routing.get::<Gateway>(home, &topology.name)?.object.clone();
    // One that somebody else has made is theirs.
    let ours = ChildKey { child: Child::Gateway, namespace: home.clone(), name: topology.name.clone() };
    world.children.get(&ours).filter(|child| child.uid() == gateway.uid())?;
    let suspended =
        topology.outer.config.tenants.iter().any(|one| Some(&one.name) == tier.tenant.as_ref() && one.suspended);
    let facts = Facts { tenant: tier.title(), suspended, claims, status };
    let status = gateway::status(&gateway, &facts, now)?;
    let target = Target::Gateway { key: Key::new(home, &topology.name) };
    Some(Write { target, version: gateway.resource_version(), status })
}

fn class_write(world: &World, topology: &ValidTopology, now: Timestamp) -> Option<Write> {
    let key = ChildKey { child: Child::GatewayClass, namespace: String::new(), name: topology.name.clone() };
    let object = world.children.get(&key)?;
    let status = class::status(object, now)?;
    let target = Target::Class { name: topology.name.clone() };
    Some(Write { target, version: object.resource_version(), status })
}

#[cfg(test)]
mod tests;
