//! The classes by which a Gateway or an Ingress says that it is the topology's: both are named after it.

use bailey_translate::CONTROLLER;
use serde_json::json;

use super::Facts;
use crate::labels::{self, Of};
use crate::manifest::{At, Child, Manifests, Rendered};
use crate::validate::ValidTopology;

/// The controller of Ingress classes, beside that of Gateways.
const INGRESS_CONTROLLER: &str = "bailey.dev/ingress-controller";

pub(super) fn add(topology: &ValidTopology, facts: &Facts, out: &mut Manifests<Rendered>) {
    let labels = labels::all(&topology.name, Of::Topology);
    let at = At::new("", &topology.name);
    let parameters = |group: &str| json!({group: "bailey.dev", "kind": "IngressTopology", "name": topology.name});
    let ingress = json!({"spec": {
        "controller": INGRESS_CONTROLLER,
        "parameters": {"apiGroup": "bailey.dev", "kind": "IngressTopology", "name": topology.name, "scope": "Cluster"},
    }});
    out.add(topology, Child::IngressClass, at, &labels, &ingress);
    if facts.gateway_api {
        let gateway = json!({"spec": {"controllerName": CONTROLLER, "parametersRef": parameters("group")}});
        out.add(topology, Child::GatewayClass, at, &labels, &gateway);
    }
}
