//! Settings of a tier's pods: the part of a pod that a platform team wants to choose, and who chooses their number.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{embedded, string_map};

/// Settings of a tier's pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodSettings {
    /// CPU and memory of the proxy's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "embedded::<ResourceRequirements>")]
    pub resources: Option<ResourceRequirements>,
    /// Labels of the nodes that the pods may run on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "embedded::<Vec<Toleration>>")]
    pub tolerations: Vec<Toleration>,
    /// Where the pods should run, in relation to nodes and other pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "embedded::<Affinity>")]
    pub affinity: Option<Affinity>,
    /// Priority class of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// More labels for the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub pod_labels: BTreeMap<String, String>,
}

/// The number of proxies follows their load (a HorizontalPodAutoscaler).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.minReplicas <= self.maxReplicas")
        .message("minReplicas must not be above maxReplicas")
        .field_path(".minReplicas")
)]
pub struct Autoscaling {
    /// The fewest proxies.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub min_replicas: u16,
    /// The most proxies.
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: u16,
    /// The share of the requested CPU that proxies should use on average, in percent.
    #[serde(default = "three_quarters")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu_percent: u16,
}

fn one() -> u16 {
    1
}

fn three_quarters() -> u16 {
    75
}
