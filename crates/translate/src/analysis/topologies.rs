//! Topologies beside each other, and before the internet.

use bailey_crds::IngressTopology;
use bailey_crds::topology::{ExternalTrafficPolicy, ServiceType};

use crate::claims::Claims;
use crate::diagnostics::{Code, Sink};
use crate::hosts;
use crate::objects::{Entry, Objects};

pub(super) fn analyse(objects: &Objects, sink: &mut Sink) {
    let mut claims = Claims::default();
    for (key, entry) in objects.all::<IngressTopology>() {
        exposure(entry, sink);
        for (index, tenant) in entry.object.spec.tenants.iter().enumerate() {
            for (at, host) in tenant.hostnames.iter().enumerate() {
                let host = hosts::pattern(host);
                if let Some(claim) = claims.of_another(&host, &key.name) {
                    let message = format!(
                        "topology {} grants {}, which has names in common with {host}",
                        claim.holder, claim.host
                    );
                    let field = format!("spec.tenants[{index}].hostnames[{at}]");
                    sink.push(entry.subject().problem(Code::HostOfTwoTopologies, field, message));
                }
                claims.take(&host, &key.name.as_str().into());
            }
        }
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
