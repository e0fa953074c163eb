//! How a tier is reached: the Services of the outer tier by its exposure, and the one by which the outer tier finds an
//! inner tier.

use bailey_crds::TierListener;
use bailey_crds::topology::{ExternalTrafficPolicy, ServiceExposure, ServiceType};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod;
use crate::manifest::{At, Child, Manifests, Rendered};
use crate::names;
use crate::tier::Tier;
use crate::validate::{Reached, ValidTopology};

/// Name of the second Service of an outer tier.
fn internal(tier: &str) -> String {
    names::child(tier, "internal")
}

pub(super) fn add(topology: &ValidTopology, tier: &Tier, out: &mut Manifests<Rendered>) {
    let mut put = |name: &str, service: &Service| {
        out.add(topology, Child::Service, At::new(&tier.namespace, name), &tier.labels(), service);
    };
    if tier.tenant.is_some() {
        // The outer tier balances over the endpoints itself and needs no address of the Service.
        let exposure = ServiceExposure { type_: ServiceType::ClusterIP, ..ServiceExposure::default() };
        return put(&tier.name, &service(tier, &exposure));
    }
    if let Reached::Service(exposure) = topology.reached() {
        put(&tier.name, &service(tier, &exposure));
    }
    if let Some(exposure) = topology.internal_service() {
        put(&internal(&tier.name), &service(tier, exposure));
    }
}

fn service(tier: &Tier, exposure: &ServiceExposure) -> Service {
    let outside = exposure.type_ != ServiceType::ClusterIP;
    let ports = tier.config.listeners.iter().filter(|listener| pod::is_served(listener));
    Service {
        metadata: ObjectMeta {
            annotations: Some(exposure.annotations.clone()).filter(|annotations| !annotations.is_empty()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            type_: Some(type_name(exposure.type_).to_owned()),
            selector: Some(tier.selector()),
            ports: Some(ports.map(|listener| port(listener, exposure)).collect()),
            external_traffic_policy: outside.then(|| policy(exposure.external_traffic_policy).to_owned()),
            load_balancer_class: exposure.load_balancer_class.clone(),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn port(listener: &TierListener, exposure: &ServiceExposure) -> ServicePort {
    ServicePort {
        name: Some(pod::port_name(listener)),
        port: listener.port.into(),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(pod::port_name(listener))),
        node_port: exposure.node_ports.get(&listener.name).map(|port| port.0.into()),
        // Some clouds choose their health checks by it, and would ask for a page that no tenant has.
        app_protocol: None,
    }
}

fn type_name(type_: ServiceType) -> &'static str {
    match type_ {
        ServiceType::LoadBalancer => "LoadBalancer",
        ServiceType::NodePort => "NodePort",
        ServiceType::ClusterIP => "ClusterIP",
    }
}

fn policy(policy: ExternalTrafficPolicy) -> &'static str {
    match policy {
        ExternalTrafficPolicy::Local => "Local",
        ExternalTrafficPolicy::Cluster => "Cluster",
    }
}
