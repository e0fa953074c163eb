//! One look at one topology, from what is known to what is reported. Remembers nothing that could not be read again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bailey_crds::IngressTopology;
use bailey_crds::conditions::Reason;
use bailey_crds::topology::TopologyStatus;
use bailey_kit::kube::Denied;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use kube::api::DynamicObject;

use crate::apply::{self, Cluster, apply};
use crate::certificates::{self, certify};
use crate::hostnames;
use crate::ledger::{self, Asking};
use crate::manifest::{Child, ChildKey, Manifests, Rendered};
use crate::observe::World;
use crate::permissions;
use crate::problem::Problem;
use crate::proxies::Proxies;
use crate::render::{Facts, render};
use crate::report::Reporter;
use crate::status::{self, Known};
use crate::validate::{Reached, ValidTopology, validate};
use crate::workload::{self, Workload};

/// What the operator was told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's own namespace.
    pub namespace: String,
    /// The proxy's image.
    pub proxy_image: String,
}

/// What is remembered between two looks at one topology.
#[derive(Debug, Default)]
pub struct Memory {
    apply: apply::Memory,
    certificates: certificates::Memory,
    /// The topology as it was understood last: what was made of it goes on when a later edit is refused.
    valid: Option<Arc<ValidTopology>>,
    failures: u32,
}

/// Looks at topologies.
pub struct Reconciler {
    cluster: Cluster,
    settings: Settings,
    reporter: Reporter,
    memories: BTreeMap<String, Memory>,
}

/// The shortest wait after a failure; doubled up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

impl Reconciler {
    /// One that writes to this cluster.
    pub fn new(cluster: Cluster, settings: Settings, reporter: Reporter) -> Self {
        Self { cluster, settings, reporter, memories: BTreeMap::new() }
    }

    /// Forgets topologies that are gone.
    pub fn retain(&mut self, world: &World) {
        let metrics = self.cluster.metrics.clone();
        self.memories.retain(|name, _| {
            let there = world.topologies.contains_key(name);
            if !there {
                metrics.forget(name);
            }
            there
        });
        metrics.set_topologies(world.topologies.len());
    }

    /// Looks at one topology, does what is to be done, reports, and says when to look again at the latest.
    pub async fn look(&mut self, world: &World, topology: &IngressTopology, now: Timestamp) -> Duration {
        let (name, started) = (topology.name_any(), Instant::now());
        // What it owns goes with it; there is nothing else to do.
        if topology.metadata.deletion_timestamp.is_some() {
            return LONGEST;
        }
        let memory = self.memories.entry(name.clone()).or_default();
        let previous = topology.status.clone().unwrap_or_default();
        let round = round(&self.cluster, &self.settings, world, topology, &previous, now, memory).await;
        let mut again = round.again;
        if let Err(error) = self.reporter.report(topology, &previous, &round.status).await {
            tracing::warn!(topology = name, "the status cannot be written: {error}");
            again = true;
        }
        let ready = round.status.conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
        self.cluster.metrics.round(&name, ready, again, started.elapsed().as_secs_f64());
        if again {
            memory.failures += 1;
            let doubled = SHORTEST.saturating_mul(1 << memory.failures.min(6));
            doubled.min(LONGEST)
        } else {
            memory.failures = 0;
            round.next.map_or(certificates::LOOK_EVERY, |next| next.min(certificates::LOOK_EVERY))
        }
    }
}

impl Reconciler {
    /// The topologies that have been looked at and were understood.
    pub fn valid(&self) -> Vec<Arc<ValidTopology>> {
        self.memories.values().filter_map(|memory| memory.valid.clone()).collect()
    }

    /// Everything that is needed can be read.
    pub fn unblocked(&self) {
        self.cluster.metrics.set_missing("", std::iter::empty());
    }

    /// Says of every topology that permissions are missing without which nothing can be done.
    pub async fn blocked(&self, world: &World, now: Timestamp) {
        let problems = denied(world, &[]);
        self.cluster.metrics.set_missing("", world.denied.iter());
        if problems.is_empty() {
            return;
        }
        for topology in world.topologies.values() {
            let previous = topology.status.clone().unwrap_or_default();
            let generation = topology.metadata.generation.unwrap_or_default();
            let status = status::blocked(&previous, generation, &problems, now);
            if let Err(error) = self.reporter.report(topology, &previous, &status).await {
                tracing::warn!(topology = topology.name_any(), "the status cannot be written: {error}");
            }
        }
    }
}

struct Round {
    status: TopologyStatus,
    again: bool,
    next: Option<Duration>,
}

async fn round(
    cluster: &Cluster,
    settings: &Settings,
    world: &World,
    topology: &IngressTopology,
    previous: &TopologyStatus,
    now: Timestamp,
    memory: &mut Memory,
) -> Round {
    let generation = topology.metadata.generation.unwrap_or_default();
    let refuse = |refusals: &[String]| Round {
        status: status::refused(previous, generation, refusals, now),
        again: false,
        next: None,
    };
    let name = topology.name_any();
    let asking = Asking { topology: &name, namespace: &topology.spec.outer.namespace };
    let hostnames = ledger::decide(asking, &hostnames::wishes(topology), &hostnames::held(world), now);
    let valid = match validate(topology, &world.namespaces, &hostnames) {
        Ok(valid) => Arc::new(valid),
        Err(refused) => return refuse(&refused),
    };
    memory.valid = Some(valid.clone());
    let mut problems: Vec<Problem> = Vec::new();
    if world.namespaces.get::<Namespace>("", &valid.outer.namespace).is_some() {
        problems.extend(hostnames::carry_out(cluster, world, &valid, &hostnames, now).await);
    }
    let certified = certify(cluster, world, &settings.namespace, &valid, now, &mut memory.certificates).await;
    problems.extend(certified.problems);
    let workloads = |now: &World| -> Vec<Option<Workload>> {
        let found = |tier| latest(now, world, &workload::key(&valid, tier)).map(|object| Workload::of(&object));
        valid.tiers().map(found).collect()
    };
    let before = workloads(world);
    let facts = facts(world, &settings.proxy_image, &before);
    let rendering = render(&valid, &facts);
    problems.extend(rendering.problems);
    let proxies = Proxies::of(&valid.name, world.proxies.values());
    let lacking = lacking(world, &rendering.manifests, &proxies);
    cluster.metrics.set_missing(&valid.name, world.denied.iter().chain(&lacking));
    problems.extend(denied(world, &lacking));
    let outcome = apply(cluster, world, &valid.uid, &valid.name, rendering.manifests, &mut memory.apply).await;
    problems.extend(outcome.problems);
    problems.sort_by(|a, b| a.reason.cmp(&b.reason).then_with(|| a.message.cmp(&b.message)));
    problems.dedup();
    // The answers to our writes are part of the world by now.
    let after = cluster.observed.world();
    let transient =
        problems.iter().any(|problem| matches!(problem.reason, Reason::ClusterFailing | Reason::Progressing));
    let service = first_service(&valid).and_then(|key| latest(&after, world, &key));
    let known = Known {
        topology: &valid,
        hostnames: &hostnames,
        problems: &problems,
        applied: outcome.applied.is_some(),
        workloads: &workloads(&after),
        service: service.as_deref(),
        link_until: certified.until,
        proxies: &proxies,
    };
    let next =
        hostnames::next_look(&hostnames).map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
    Round {
        status: status::status(previous, &known, now),
        again: outcome.again || transient || certified.until.is_none(),
        next: next.map(|next| next + Duration::from_secs(1)),
    }
}

/// Permissions that tiers lack: what their fixed roles do not say any more, and what their proxies meet.
fn lacking(world: &World, manifests: &Manifests<Rendered>, proxies: &Proxies) -> Vec<Denied> {
    let mut all = permissions::missing(manifests, &world.roles);
    all.extend(proxies.denied());
    all.sort();
    all.dedup();
    all
}

/// What is known of the cluster, for rendering.
fn facts(world: &World, image: &str, workloads: &[Option<Workload>]) -> Facts {
    let (outer, inners) = workloads.split_first().map_or((None, workloads), |(outer, inners)| (outer.as_ref(), inners));
    Facts {
        inner_image: image.to_owned(),
        outer_image: workload::outer_image(image, outer, inners),
        namespaces: world.namespaces.all::<Namespace>().map(|(key, _)| key.name.clone()).collect(),
        gateway_api: !world.absent.contains(&Child::Gateway),
    }
}

/// Missing permissions as problems: the operator's own and the tiers'.
fn denied(world: &World, tiers: &[Denied]) -> Vec<Problem> {
    // One problem for all verbs of a kind in a namespace.
    let mut verbs: BTreeMap<Denied, Vec<&str>> = BTreeMap::new();
    for one in world.denied.iter().chain(tiers) {
        let group = Denied { verb: String::new(), ..one.clone() };
        verbs.entry(group).or_default().push(&one.verb);
    }
    let problem = |(group, mut verbs): (Denied, Vec<&str>)| {
        verbs.sort_unstable();
        verbs.dedup();
        let denied = Denied { verb: verbs.join(", "), ..group };
        Problem::new(Reason::PermissionMissing, format!("{denied}; apply Bailey's installation again"))
    };
    verbs.into_iter().map(problem).collect()
}

/// The Service by which the world reaches the outer tier, if it does so by one.
fn first_service(topology: &ValidTopology) -> Option<ChildKey> {
    let tier = &topology.outer;
    match topology.reached() {
        Reached::Service(_) => {
            Some(ChildKey { child: Child::Service, namespace: tier.namespace.clone(), name: tier.name.clone() })
        }
        Reached::HostPorts(_) => None,
    }
}

/// An object as an answer to a write has just shown it, or else as it was when the look began.
fn latest(now: &World, before: &World, key: &ChildKey) -> Option<Arc<DynamicObject>> {
    now.children.get(key).or_else(|| before.children.get(key)).cloned()
}
