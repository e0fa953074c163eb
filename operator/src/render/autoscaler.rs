//! The number of proxies by their load, where the topology asks for it.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
    ResourceMetricSource,
};

use crate::manifest::{At, Child, Manifests, Rendered};
use crate::tier::Tier;
use crate::validate::ValidTopology;

pub(super) fn add(topology: &ValidTopology, tier: &Tier, out: &mut Manifests<Rendered>) {
    let Some(scaling) = tier.autoscaling else { return };
    let cpu = MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: "cpu".to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(scaling.cpu_percent.into()),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    };
    let autoscaler = HorizontalPodAutoscaler {
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(Child::Deployment.api_version()),
                kind: Child::Deployment.kind().to_owned(),
                name: tier.name.clone(),
            },
            min_replicas: Some(scaling.min_replicas.into()),
            max_replicas: scaling.max_replicas.into(),
            metrics: Some(vec![cpu]),
            ..HorizontalPodAutoscalerSpec::default()
        }),
        ..HorizontalPodAutoscaler::default()
    };
    out.add(
        topology,
        Child::HorizontalPodAutoscaler,
        At::new(&tier.namespace, &tier.name),
        &tier.labels(),
        &autoscaler,
    );
}
