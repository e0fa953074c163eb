//! The Gateway of a tenant, in its home namespace and named after the topology: what its routes name as their parent.
//!
//! Its listeners are those of the outer tier that carry HTTP. The outer tier ends TLS with certificates of its own, which
//! the Gateway says by an option, since the Gateway API wants either a certificate or an option there.

use bailey_crds::{TierListener, TierProtocol};
use serde_json::{Value, json};

use super::Facts;
use crate::manifest::{At, Child, Manifests, Rendered};
use crate::tier::Tier;
use crate::validate::ValidTopology;

/// Says that the certificates of a listener are the outer tier's business.
const CERTIFICATES_OPTION: &str = "bailey.dev/certificates";

pub(super) fn add(topology: &ValidTopology, tier: &Tier, facts: &Facts, out: &mut Manifests<Rendered>) {
    let Some(home) = tier.config.namespaces.first().filter(|home| facts.namespaces.contains(*home)) else { return };
    if !facts.gateway_api {
        return;
    }
    let listeners: Vec<Value> =
        topology.outer.config.listeners.iter().filter_map(|listener| gateway_listener(listener, tier)).collect();
    if listeners.is_empty() {
        return;
    }
    let gateway = json!({"spec": {"gatewayClassName": topology.name, "listeners": listeners}});
    out.add(topology, Child::Gateway, At::new(home, &topology.name), &tier.labels(), &gateway);
}

fn gateway_listener(listener: &TierListener, tier: &Tier) -> Option<Value> {
    let mut made = json!({
        "name": listener.name,
        "port": listener.port,
        "allowedRoutes": {"namespaces": {
            "from": "Selector",
            "selector": {"matchExpressions": [{
                "key": "kubernetes.io/metadata.name",
                "operator": "In",
                "values": tier.config.namespaces,
            }]},
        }},
    });
    match listener.protocol {
        TierProtocol::Http => made["protocol"] = "HTTP".into(),
        TierProtocol::Https => {
            made["protocol"] = "HTTPS".into();
            made["tls"] = json!({"mode": "Terminate", "options": {CERTIFICATES_OPTION: "outer"}});
        }
        TierProtocol::Tls | TierProtocol::Tcp | TierProtocol::Udp | TierProtocol::Link => return None,
    }
    Some(made)
}
