//! How the world reaches the outer tier.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::string_map;

/// How the world reaches the outer tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.service) != has(self.hostPorts)")
        .message("exactly one of service and hostPorts says how the world reaches the outer tier")
)]
pub struct Exposure {
    /// By a Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceExposure>,
    /// By ports of the nodes themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ports: Option<HostPorts>,
    /// A second Service, for clients inside the cluster or the private network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_service: Option<ServiceExposure>,
}

/// A Service before the outer tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type != 'ClusterIP' || !has(self.nodePorts) || size(self.nodePorts) == 0")
        .message("a ClusterIP Service has no node ports")
        .field_path(".nodePorts"),
    validation = Rule::new("self.type == 'LoadBalancer' || !has(self.loadBalancerClass)")
        .message("only a LoadBalancer Service has a loadBalancerClass")
        .field_path(".loadBalancerClass")
)]
pub struct ServiceExposure {
    /// Type of the Service.
    #[serde(rename = "type", default)]
    pub type_: ServiceType,
    /// Whether nodes pass connections on to other nodes. `Local` keeps the client's address.
    #[serde(default)]
    pub external_traffic_policy: ExternalTrafficPolicy,
    /// Annotations of the Service, for the cloud's load balancer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub annotations: BTreeMap<String, String>,
    /// Class of the load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub load_balancer_class: Option<String>,
    /// Fixed node ports, by name of the listener.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub node_ports: BTreeMap<String, NodePort>,
}

/// A port of every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct NodePort(#[schemars(range(min = 1, max = 65535))] pub u16);

/// Type of a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// The cloud's load balancer.
    #[default]
    LoadBalancer,
    /// A port on every node.
    NodePort,
    /// Inside the cluster only.
    ClusterIP,
}

/// Whether nodes pass connections on to other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExternalTrafficPolicy {
    /// Only nodes with a proxy take connections; the client's address is kept.
    #[default]
    Local,
    /// Every node takes connections; the client's address is lost.
    Cluster,
}

/// The outer tier listens on ports of the nodes themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostPorts {
    /// Labels of the nodes that are chosen.
    #[schemars(schema_with = "string_map")]
    pub node_selector: BTreeMap<String, String>,
}
