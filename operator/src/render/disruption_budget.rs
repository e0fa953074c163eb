//! How many proxies of a tier may be away at once when nodes are emptied: one. With a single proxy there is no budget,
//! since it would keep its node from ever being emptied.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::manifest::{At, Child, Manifests, Rendered};
use crate::tier::Tier;
use crate::validate::{Reached, ValidTopology};

pub(super) fn add(topology: &ValidTopology, tier: &Tier, out: &mut Manifests<Rendered>) {
    let on_nodes = tier.tenant.is_none() && matches!(topology.reached(), Reached::HostPorts(_));
    if on_nodes || tier.most_replicas() < 2 {
        return;
    }
    let budget = PodDisruptionBudget {
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector { match_labels: Some(tier.selector()), ..LabelSelector::default() }),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    };
    out.add(topology, Child::PodDisruptionBudget, At::new(&tier.namespace, &tier.name), &tier.labels(), &budget);
}
