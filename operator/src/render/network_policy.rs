//! Who may reach a tier, and whom it may reach. A second wall behind the certificates of the link, since a cluster's
//! network may ignore policies.
//!
//! Namespaces are named by `kubernetes.io/metadata.name`, which nobody but the API server can set.

use std::collections::BTreeSet;

use bailey_crds::topology::Acme;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod;
use crate::manifest::{At, Child, Manifests, Rendered};
use crate::tier::Tier;
use crate::validate::{ADMIN_PORT, ValidTopology};

/// Ports of the API server, which is not a pod and can be named only so; the outer tier reaches ACME authorities and DNS providers too.
const API_SERVER: [u16; 2] = [443, 6443];
const DNS: u16 = 53;

pub(super) fn add(topology: &ValidTopology, tier: &Tier, out: &mut Manifests<Rendered>) {
    let listeners = tier.config.listeners.iter().filter(|listener| pod::is_served(listener));
    let bound = listeners.map(|listener| tcp(listener.bind_port.unwrap_or(listener.port))).collect();
    let clients = tier.tenant.is_some().then(|| vec![pods_of(&topology.outer)]);
    let ingress = vec![
        NetworkPolicyIngressRule { from: clients, ports: Some(bound) },
        NetworkPolicyIngressRule { from: Some(vec![every_pod()]), ports: Some(vec![tcp(ADMIN_PORT)]) },
    ];
    let policy = NetworkPolicy {
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector { match_labels: Some(tier.selector()), ..LabelSelector::default() }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(egress(topology, tier)),
        }),
        ..NetworkPolicy::default()
    };
    out.add(topology, Child::NetworkPolicy, At::new(&tier.namespace, &tier.name), &tier.labels(), &policy);
}

fn egress(topology: &ValidTopology, tier: &Tier) -> Vec<NetworkPolicyEgressRule> {
    let to = |to: Option<Vec<NetworkPolicyPeer>>, ports: Option<Vec<NetworkPolicyPort>>| NetworkPolicyEgressRule {
        to,
        ports,
    };
    let udp = NetworkPolicyPort { protocol: Some("UDP".to_owned()), ..tcp(DNS) };
    let mut rules = vec![to(None, Some(vec![tcp(DNS), udp])), to(None, Some(API_SERVER.map(tcp).into()))];
    if tier.tenant.is_some() {
        rules.push(to(Some(vec![namespaces(&tier.config.namespaces)]), None));
    } else {
        for inner in &topology.inners {
            let links = inner.config.listeners.iter().map(|listener| tcp(listener.port)).collect();
            rules.push(to(Some(vec![pods_of(inner)]), Some(links)));
        }
    }
    let acme = topology.object.spec.outer.acme.as_ref().filter(|_| tier.tenant.is_none());
    for port in acme.into_iter().flat_map(authorities).filter(|port| !API_SERVER.contains(port)) {
        rules.push(to(None, Some(vec![tcp(port)])));
    }
    if let Some(port) = tier.config.tracing.as_ref().and_then(|tracing| port_of(&tracing.endpoint)) {
        rules.push(to(None, Some(vec![tcp(port)])));
    }
    rules
}

/// The ports of what certificates are ordered from, and of the service that sets DNS records for them. DNS providers answer on 443.
fn authorities(acme: &Acme) -> BTreeSet<u16> {
    let webhook = acme.challenge.dns01.as_ref().and_then(|dns| dns.webhook.as_ref());
    [Some(&acme.directory), webhook.map(|webhook| &webhook.url)]
        .into_iter()
        .flatten()
        .filter_map(|url| port_of(url))
        .collect()
}

/// The port of an `http` or `https` address.
fn port_of(endpoint: &str) -> Option<u16> {
    let (scheme, rest) = endpoint.split_once("://")?;
    let authority = rest.split('/').next()?;
    match authority.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port.parse().ok(),
        _ => Some(if scheme == "https" { 443 } else { 80 }),
    }
}

fn tcp(port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(port.into())), protocol: Some("TCP".to_owned()), end_port: None }
}

fn every_pod() -> NetworkPolicyPeer {
    NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() }
}

fn pods_of(tier: &Tier) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(LabelSelector { match_labels: Some(tier.selector()), ..LabelSelector::default() }),
        ..namespaces(std::slice::from_ref(&tier.namespace))
    }
}

fn namespaces(names: &[String]) -> NetworkPolicyPeer {
    let name = LabelSelectorRequirement {
        key: "kubernetes.io/metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(names.to_vec()),
    };
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector { match_expressions: Some(vec![name]), ..LabelSelector::default() }),
        ..NetworkPolicyPeer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::port_of;

    #[test]
    fn the_port_of_a_collector_is_found() {
        for (endpoint, port) in [
            ("http://collector.observability:4318", 4318),
            ("https://collector/v1", 443),
            ("http://[::1]:4318/x", 4318),
            ("http://[::1]", 80),
        ] {
            assert_eq!(port_of(endpoint), Some(port), "{endpoint}");
        }
    }
}
