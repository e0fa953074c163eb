//! What the operator counts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bailey_kit::kube::Denied;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// The operator's metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    leader: Gauge,
    topologies: Gauge,
    rounds: Family<RoundLabels, Counter>,
    seconds: Histogram,
    writes: Family<WriteLabels, Counter>,
    permissions: Family<PermissionLabels, Gauge>,
    missing: Mutex<BTreeMap<String, Vec<Denied>>>,
    ready: Family<TopologyLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoundLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PermissionLabels {
    verb: String,
    resource: String,
    namespace: String,
    subject: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TopologyLabels {
    topology: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let (leader, topologies) = (Gauge::default(), Gauge::default());
        let seconds = Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0]);
        let (rounds, writes, permissions, ready) =
            (Family::default(), Family::default(), Family::default(), Family::default());
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("bailey_build", "The release that is running", version);
        registry.register("bailey_leader", "Whether this replica is the one that writes", leader.clone());
        registry.register("bailey_topologies", "Topologies that exist", topologies.clone());
        registry.register("bailey_reconcile", "Looks at a topology, by what came of them", Family::clone(&rounds));
        let help = "How long a look at a topology took";
        registry.register_with_unit("bailey_reconcile_duration", help, Unit::Seconds, seconds.clone());
        registry.register("bailey_writes", "Writes to the API server, by kind", Family::clone(&writes));
        let help = "A permission that the operator or a tier needs and does not have";
        registry.register("bailey_permission_missing", help, Family::clone(&permissions));
        registry.register("bailey_topology_ready", "Whether everything of a topology serves", Family::clone(&ready));
        Self { registry, leader, topologies, rounds, seconds, writes, permissions, missing: Mutex::default(), ready }
    }
}

impl Metrics {
    /// The text that a scrape gets.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    /// Whether this replica leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// How many topologies there are.
    pub fn set_topologies(&self, count: usize) {
        self.topologies.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A look at a topology is over.
    pub fn round(&self, topology: &str, ready: bool, problems: bool, seconds: f64) {
        let result = if problems { "problems" } else { "done" };
        self.rounds.get_or_create(&RoundLabels { result }).inc();
        self.seconds.observe(seconds);
        self.ready.get_or_create(&TopologyLabels { topology: topology.to_owned() }).set(ready.into());
    }

    /// A topology is gone.
    pub fn forget(&self, topology: &str) {
        self.ready.remove(&TopologyLabels { topology: topology.to_owned() });
        self.set_missing(topology, std::iter::empty());
    }

    /// A write was answered.
    pub fn wrote(&self, kind: &'static str, accepted: bool) {
        let result = if accepted { "accepted" } else { "failed" };
        self.writes.get_or_create(&WriteLabels { kind, result }).inc();
    }

    /// These permissions are missing for a topology, and no others.
    pub fn set_missing<'a>(&self, topology: &str, denied: impl Iterator<Item = &'a Denied>) {
        let mut all = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(topology.to_owned(), denied.cloned().collect());
        self.permissions.clear();
        for one in all.values().flatten() {
            let labels = PermissionLabels {
                verb: one.verb.clone(),
                resource: one.resource.clone(),
                namespace: one.namespace.clone(),
                subject: one.subject.clone(),
            };
            self.permissions.get_or_create(&labels).set(1);
        }
    }
}
