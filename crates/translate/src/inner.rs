//! The inner tier of a tenant: the Gateway that the topology implies for it.
//!
//! That Gateway is named after the topology, is in the tenant's home namespace, admits routes from the tenant's namespaces,
//! and has the tenant's hostnames. The tier itself has one listener, the link. Requests of all the outer tier's listeners
//! come in by it, so a route cannot be for some of them only.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailey_crds::{IngressTopology, Role, TierProtocol};
use bailey_routing::ir::{HostPattern, Listener, ListenerProtocol, RouteKind};

use crate::diagnostics::{Code, Sink, Subject};
use crate::gateway::Served;
use crate::hosts;
use crate::objects::{Key, Objects};
use crate::parents::{Admission, Grant, Parent, ParentListener};
use crate::tiers::{Tier, Tiers};
use crate::topology::LINK;

/// The implied Gateway of the tenant, or nothing when the topology has no such tenant.
pub(crate) fn translate(topology: &str, tenant: &str, objects: &Objects, sink: &mut Sink) -> Option<Served> {
    // What is wrong with the topology itself is said once, by the outer tier.
    let tiers = Tiers::of(topology, objects, &mut Sink::default());
    let Some(tier) = tiers.find(Role::Inner, Some(tenant)) else {
        let subject = Subject::missing::<IngressTopology>("", topology);
        let (code, message) = if tiers.all.is_empty() {
            (Code::TopologyNotFound, format!("there is no topology {topology}"))
        } else {
            (Code::TenantNotFound, format!("topology {topology} has no tenant {tenant}, or none with a namespace"))
        };
        sink.push(subject.problem(code, "", message));
        return None;
    };
    let home = tier.config.namespaces.first().unwrap_or(&tier.namespace);
    let (name, port) = link_listener(tier);
    let parent = Parent {
        key: Key::new(home, topology),
        listeners: vec![ParentListener {
            name: Arc::clone(&name),
            port,
            hostname: HostPattern::Any,
            from: Admission::All,
            kinds: [RouteKind::Http, RouteKind::Grpc].into(),
        }],
        grant: Some(grant(tenant, tier, &tiers)),
    };
    let listener = Listener {
        name,
        port,
        protocol: ListenerProtocol::Http,
        hostname: HostPattern::Any,
        certificates: Box::default(),
        https_redirect: None,
        tenant: None,
    };
    Some(Served { parent, listeners: vec![listener], statuses: Vec::new() })
}

fn link_listener(tier: &Tier) -> (Arc<str>, u16) {
    let link = tier.config.listeners.iter().find(|listener| listener.protocol == TierProtocol::Link);
    link.map_or_else(|| (LINK.into(), 0), |link| (link.name.as_str().into(), link.port))
}

fn grant(tenant: &str, tier: &Tier, tiers: &Tiers) -> Grant {
    let others = tiers.owners.iter().filter(|owner| owner.binding.tenant != tenant);
    let others = others.map(|owner| (hosts::pattern(&owner.binding.hostname), owner.binding.tenant.clone())).collect();
    Grant {
        tenant: tenant.into(),
        namespaces: tier.config.namespaces.iter().cloned().collect::<BTreeSet<_>>(),
        hosts: tier.config.hostnames.iter().map(hosts::pattern).collect(),
        others,
        fronts: tier.config.outer_listeners.clone(),
        routes: tier.config.routes,
    }
}
