//! Topologies for tests, as if all the namespaces that they name existed.

use bailey_crds::IngressTopology;
use bailey_translate::Objects;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::hostnames::wishes;
use crate::ledger::{self, Asking, Decision};
use crate::validate::{ValidTopology, validate};

/// The topology that `value` is, and what became of its hostnames.
pub(crate) fn valid(value: Value) -> (ValidTopology, Decision) {
    let topology: IngressTopology = serde_json::from_value(value).unwrap();
    let (name, namespace) = (topology.name_any(), &topology.spec.outer.namespace);
    let asking = Asking { topology: &name, namespace };
    let decision = ledger::decide(asking, &wishes(&topology), &[], Timestamp::UNIX_EPOCH);
    let mut namespaces = Objects::default();
    let named = topology.spec.tenants.iter().flat_map(|tenant| tenant.namespaces.names.iter().flatten());
    for name in named.chain([&topology.spec.outer.namespace]) {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        namespaces.insert(namespace, None);
    }
    (validate(&topology, &namespaces, &decision).unwrap(), decision)
}
