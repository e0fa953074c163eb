//! Which tiers a folder asks for. Pure: objects in, a list out.

use std::collections::BTreeSet;

use bailey_crds::IngressTopology;
use bailey_crds::gateway::Gateway;
use bailey_proxy::Role;
use bailey_translate::{Entry, Objects, resolve};

use super::Identity;

/// An inner tier, and the Service by which the outer tier finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inner {
    /// The topology.
    pub topology: String,
    /// The tenant.
    pub tenant: String,
    /// The Service of its link.
    pub service: Identity,
    /// The port of that Service.
    pub port: u16,
}

/// All tiers of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tiers {
    /// Topologies; each has one outer tier.
    pub topologies: Vec<String>,
    /// Their inner tiers.
    pub inners: Vec<Inner>,
    /// Gateways that belong to no topology.
    pub gateways: Vec<Identity>,
}

impl Tiers {
    /// The tiers that these objects ask for.
    pub fn of(objects: &Objects) -> Self {
        let mut tiers = Self::default();
        for (key, entry) in objects.all::<IngressTopology>() {
            tiers.topologies.push(key.name.clone());
            tiers.inners.append(&mut inners(&key.name, entry, objects));
        }
        let names: BTreeSet<&String> = tiers.topologies.iter().collect();
        let alone = objects.all::<Gateway>().filter(|(key, _)| !names.contains(&key.name));
        tiers.gateways =
            alone.map(|(key, _)| Identity { namespace: key.namespace.clone(), name: key.name.clone() }).collect();
        tiers
    }

    /// The roles that face clients.
    pub fn fronts(&self) -> impl Iterator<Item = Role> {
        let outers = self.topologies.iter().map(|topology| Role::Outer { topology: topology.clone() });
        let gateways =
            self.gateways.iter().map(|g| Role::Gateway { namespace: g.namespace.clone(), name: g.name.clone() });
        outers.chain(gateways)
    }
}

impl Inner {
    /// Its role.
    pub fn role(&self) -> Role {
        Role::Inner { topology: self.topology.clone(), tenant: self.tenant.clone() }
    }
}

fn inners(topology: &str, entry: &Entry<IngressTopology>, objects: &Objects) -> Vec<Inner> {
    let outer = resolve(entry, objects).tiers.into_iter().next();
    let tenants = outer.map(|outer| outer.spec.tenants).unwrap_or_default();
    let inner = |tenant: bailey_crds::TierTenant| Inner {
        topology: topology.to_owned(),
        tenant: tenant.name,
        service: Identity { namespace: tenant.service.namespace, name: tenant.service.name },
        port: tenant.service.port,
    };
    tenants.into_iter().map(inner).collect()
}
