//! The proxies of a tier: a Deployment, or a `DaemonSet` where they use the nodes' own ports.
//!
//! A roll never takes a proxy away before another is ready, except where a volume with one writer, or the nodes' ports,
//! do not let two run at once.

use k8s_openapi::api::apps::v1::{
    DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, Deployment, DeploymentSpec, DeploymentStrategy,
    RollingUpdateDaemonSet, RollingUpdateDeployment,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Facts, pod};
use crate::manifest::{At, Child, Manifests, Rendered};
use crate::tier::Tier;
use crate::validate::{Reached, ValidTopology};

/// Seconds a roll may take before it counts as stuck.
const PROGRESS_SECONDS: i32 = 300;

pub(super) fn add(topology: &ValidTopology, tier: &Tier, facts: &Facts, out: &mut Manifests<Rendered>) {
    let at = At::new(&tier.namespace, &tier.name);
    let selector = LabelSelector { match_labels: Some(tier.selector()), ..LabelSelector::default() };
    let template = pod::template(topology, tier, facts);
    if let (None, Reached::HostPorts(_)) = (&tier.tenant, topology.reached()) {
        let update = DaemonSetUpdateStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDaemonSet {
                max_surge: Some(IntOrString::Int(0)),
                max_unavailable: Some(IntOrString::Int(1)),
            }),
        };
        let set = DaemonSet {
            spec: Some(DaemonSetSpec { selector, template, update_strategy: Some(update), ..DaemonSetSpec::default() }),
            ..DaemonSet::default()
        };
        return out.add(topology, Child::DaemonSet, at, &tier.labels(), &set);
    }
    let single_writer = tier.tenant.is_none() && topology.volume().is_some();
    let deployment = Deployment {
        spec: Some(DeploymentSpec {
            // Absent under an autoscaler, which would otherwise be fought.
            replicas: tier.autoscaling.is_none().then(|| tier.replicas.into()),
            selector,
            template,
            strategy: Some(if single_writer { recreate() } else { rolling() }),
            progress_deadline_seconds: Some(PROGRESS_SECONDS),
            revision_history_limit: Some(3),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    out.add(topology, Child::Deployment, at, &tier.labels(), &deployment);
}

fn recreate() -> DeploymentStrategy {
    DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None }
}

fn rolling() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}
