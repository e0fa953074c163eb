//! Topologies beside each other, and before the internet.

use bailey_crds::IngressTopology;
use bailey_crds::topology::{ExternalTrafficPolicy, ServiceType};

use crate::claims::Claims;
use crate::diagnostics::{Code, Sink};
use crate::hosts;
use crate::objects::{Entry, Objects};

/// The same name means the same tenant in all topologies, so it is other tenants' hosts that are in the way.
pub(super) fn analyse(objects: &Objects, sink: &mut Sink) {
    let mut before: Vec<(&str, Claims)> = Vec::new();
    for (key, entry) in objects.all::<IngressTopology>() {
        exposure(entry, sink);
        let mut own = Claims::default();
        for (index, tenant) in entry.object.spec.tenants.iter().enumerate() {
            for (at, host) in tenant.hostnames.iter().enumerate() {
                let host = hosts::pattern(host);
                let of_another = |(topology, claims): &(&str, Claims)| {
                    let claim = claims.of_another(&host, &tenant.name)?;
                    Some(format!("tenant {} of topology {topology} has {}", claim.holder, claim.host))
                };
                if let Some(who) = before.iter().find_map(of_another) {
                    let message = format!("{who}, which has names in common with {host} of tenant {}", tenant.name);
                    let field = format!("spec.tenants[{index}].hostnames[{at}]");
                    sink.push(entry.subject().problem(Code::HostOfTwoTopologies, field, message));
                }
                own.take(&host, &tenant.name.as_str().into());
            }
        }
        before.push((&key.name, own));
    }
}

/// Where nodes pass connections on, the peer of the outer tier's sockets is a node.
fn exposure(entry: &Entry<IngressTopology>, sink: &mut Sink) {
    let outer = &entry.object.spec.outer;
    let service = outer.exposure.as_ref().and_then(|exposure| exposure.service.as_ref());
    let Some(service) = service.filter(|_| outer.client_address.is_none()) else { return };
    let faces_nodes = matches!(service.type_, ServiceType::LoadBalancer | ServiceType::NodePort);
    if faces_nodes && service.external_traffic_policy == ExternalTrafficPolicy::Cluster {
        let message =
            "with the policy Cluster a connection comes from the node that took it, not from the client".to_owned();
        let field = "spec.outer.exposure.service.externalTrafficPolicy";
        sink.push(entry.subject().problem(Code::ClientAddressHidden, field, message));
    }
}
