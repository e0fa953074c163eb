//! Whether a topology can be acted on, and what its tiers are. Pure.
//!
//! What the API server would refuse is refused here too, all at once: an object may have been stored before a rule
//! existed. Everything else that is wrong is a diagnostic, and the rest of the topology is made.

use std::collections::BTreeMap;

use bailey_crds::topology::{HostPorts, Placement, PodSettings, ServiceExposure, Tenant};
use bailey_crds::{Hostname, IngressTopology, Role, TierConfig};
use bailey_translate::{Diagnostic, Objects, names, resolve};
use kube::ResourceExt as _;

use crate::ledger::Decision;
use crate::tier::Tier;

/// The port of health and metrics of every proxy.
pub const ADMIN_PORT: u16 = 15000;

/// A topology that can be acted on.
#[derive(Clone, Debug)]
pub struct ValidTopology {
    /// Its name.
    pub name: String,
    /// Its UID: the owner of all children.
    pub uid: String,
    /// The generation that this is about.
    pub generation: i64,
    /// The object, with the hostnames that were granted.
    pub object: IngressTopology,
    /// The tier that faces the internet.
    pub outer: Tier,
    /// The tiers of the tenants, in the order of the topology.
    pub inners: Vec<Tier>,
    /// The owner of each hostname.
    pub bindings: Vec<bailey_crds::HostnameBinding>,
    /// What is wrong with the rest.
    pub diagnostics: Vec<Diagnostic>,
}

/// How the outer tier is reached.
pub enum Reached<'a> {
    /// By a Service.
    Service(ServiceExposure),
    /// By ports of nodes.
    HostPorts(&'a HostPorts),
}

/// What an API server would refuse of the object; empty for one that can be acted on.
pub fn refusals(topology: &IngressTopology) -> Vec<String> {
    let Ok(value) = serde_json::to_value(topology) else { return vec!["it cannot be written as JSON".to_owned()] };
    bailey_crds::validate("IngressTopology", &value).iter().map(ToString::to_string).collect()
}

/// The tiers of a topology whose hostnames are settled. `namespaces` are those of the cluster, for selectors.
pub fn validate(
    topology: &IngressTopology,
    namespaces: &Objects,
    hostnames: &Decision,
) -> Result<ValidTopology, Vec<String>> {
    let refused = refusals(topology);
    if !refused.is_empty() {
        return Err(refused);
    }
    let mut object = topology.clone();
    for tenant in &mut object.spec.tenants {
        tenant.hostnames = granted(&tenant.name, hostnames);
    }
    let mut objects = namespaces.clone();
    objects.insert(object.clone(), None);
    let name = topology.name_any();
    let entry = objects.get::<IngressTopology>("", &name).ok_or_else(|| vec!["it has no name".to_owned()])?;
    let resolved = resolve(entry, &objects);
    let (mut outer, mut inners) = (None, Vec::new());
    for config in resolved.tiers {
        match config.spec.role {
            Role::Outer | Role::Gateway => outer = Some(outer_tier(&object, config)),
            Role::Inner => inners.push(inner_tier(&object, config)),
        }
    }
    Ok(ValidTopology {
        uid: topology.uid().unwrap_or_default(),
        generation: topology.metadata.generation.unwrap_or_default(),
        outer: outer.ok_or_else(|| vec!["it has no outer tier".to_owned()])?,
        inners,
        bindings: resolved.bindings,
        diagnostics: resolved.diagnostics,
        object,
        name,
    })
}

fn granted(tenant: &str, hostnames: &Decision) -> Vec<Hostname> {
    hostnames.granted.get(tenant).cloned().unwrap_or_default()
}

fn outer_tier(topology: &IngressTopology, config: TierConfig) -> Tier {
    let outer = &topology.spec.outer;
    let mut tier = Tier {
        name: config.name_any(),
        namespace: outer.namespace.clone(),
        topology: topology.name_any(),
        tenant: None,
        config: config.spec,
        replicas: outer.replicas,
        autoscaling: outer.autoscaling,
        pod: outer.pod.clone().unwrap_or_default(),
        managed_namespace: false,
    };
    let bound = bind_ports(tier.config.listeners.iter().map(|listener| listener.port));
    for listener in &mut tier.config.listeners {
        listener.bind_port = bound.get(&listener.port).copied().filter(|bound| *bound != listener.port);
    }
    tier
}

fn inner_tier(topology: &IngressTopology, config: TierConfig) -> Tier {
    let tenant = config.spec.tenant.clone().unwrap_or_default();
    let of = |tenant: &&Tenant| Some(&tenant.name) == config.spec.tenant.as_ref();
    let own = topology.spec.tenants.iter().find(of).and_then(|tenant| tenant.inner.clone()).unwrap_or_default();
    let defaults = &topology.spec.inner;
    Tier {
        name: names::inner(&topology.name_any(), &tenant),
        namespace: config.namespace().unwrap_or_default(),
        topology: topology.name_any(),
        replicas: own.replicas.unwrap_or(defaults.replicas),
        // A number of one's own stands against the default autoscaler.
        autoscaling: own.autoscaling.or(defaults.autoscaling.filter(|_| own.replicas.is_none())),
        pod: own.pod.or_else(|| defaults.pod.clone()).unwrap_or_else(PodSettings::default),
        managed_namespace: own.placement.unwrap_or(defaults.placement) == Placement::Managed,
        tenant: Some(tenant),
        config: config.spec,
    }
}

/// Ports that a process without rights can bind, for the ports that clients use: 80 becomes 8080, 443 becomes 8443, and
/// what is high enough stays, but for the admin port. No two become one.
pub fn bind_ports(declared: impl Iterator<Item = u16>) -> BTreeMap<u16, u16> {
    let fits = |port: u16| port >= 1024 && port != ADMIN_PORT;
    let declared: std::collections::BTreeSet<u16> = declared.collect();
    let mut bound: BTreeMap<u16, u16> = declared.iter().filter(|p| fits(**p)).map(|p| (*p, *p)).collect();
    for port in declared.iter().filter(|port| !fits(**port)) {
        let mut candidate = if *port < 1024 { port + 8000 } else { port + 1000 };
        while bound.values().any(|taken| *taken == candidate) {
            candidate += 1000;
        }
        bound.insert(*port, candidate);
    }
    bound
}

impl ValidTopology {
    /// All tiers, the outer one first.
    pub fn tiers(&self) -> impl Iterator<Item = &Tier> {
        std::iter::once(&self.outer).chain(&self.inners)
    }

    /// How the world reaches the outer tier.
    pub fn reached(&self) -> Reached<'_> {
        let exposure = self.object.spec.outer.exposure.as_ref();
        match exposure.and_then(|exposure| exposure.host_ports.as_ref()) {
            Some(ports) => Reached::HostPorts(ports),
            None => Reached::Service(exposure.and_then(|exposure| exposure.service.clone()).unwrap_or_default()),
        }
    }

    /// The second Service, if one is asked for.
    pub fn internal_service(&self) -> Option<&ServiceExposure> {
        self.object.spec.outer.exposure.as_ref()?.internal_service.as_ref()
    }

    /// Whether the outer tier orders certificates and keeps them in Secrets.
    pub fn keeps_secrets(&self) -> bool {
        let outer = &self.object.spec.outer;
        let store = outer.certificates.as_ref().map(|certificates| &certificates.store);
        outer.acme.is_some() && store.is_some_and(|store| store.secrets.is_some())
    }

    /// The volume that keeps certificates, if they are kept in one.
    pub fn volume(&self) -> Option<&bailey_crds::topology::VolumeStore> {
        self.object.spec.outer.certificates.as_ref()?.store.volume.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_ports_move_up_and_never_meet() {
        let bound = bind_ports([80, 443, 8080, ADMIN_PORT].into_iter());
        assert_eq!(bound, BTreeMap::from([(80, 9080), (443, 8443), (8080, 8080), (ADMIN_PORT, 16000)]));
    }
}
