//! An `IngressTopology` to what its tiers read: one `TierConfig` for each, and a `HostnameBinding` for each hostname.
//!
//! The operator writes these objects into a cluster; without one they are made and read in the same moment. Pure: it is
//! given the namespaces, and it arbitrates hostnames within the one topology by the order of its tenants. What has no
//! effect on one machine is said by [`local_notes`], not here.

pub(crate) mod log_fields;
mod notes;
mod tenants;

use bailey_crds::topology::{Listener, Outer, Protocol, Tenant};
use bailey_crds::{
    HostnameBinding, HostnameBindingSpec, IngressTopology, LINK_SECRET, LinkTrust, NameReference, OuterListener, Role,
    TierAcme, TierConfig, TierConfigSpec, TierListener, TierProtocol, TierStore, TierTenant, Tracing, outer_identity,
    tenant_identity,
};
use kube::ResourceExt;

use crate::diagnostics::{Diagnostic, Sink, Subject};
use crate::names;
use crate::objects::{Entry, Objects};
use tenants::Settled;

pub use notes::{LocalCertificates, local_notes};

/// Port of the link on every inner tier.
const LINK_PORT: u16 = 8443;
/// Name of the link's listener and of the port of an inner tier's Service.
pub(crate) const LINK: &str = "link";

/// What a topology comes to.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The configuration of the outer tier, then of each tenant's inner tier.
    pub tiers: Vec<TierConfig>,
    /// The owner of each hostname.
    pub bindings: Vec<HostnameBinding>,
    /// What is wrong with the topology; the rest of it works.
    pub diagnostics: Vec<Diagnostic>,
}

/// Makes the objects that a topology's tiers read. `objects` supplies the namespaces for selectors.
pub fn resolve(topology: &Entry<IngressTopology>, objects: &Objects) -> Resolved {
    let mut sink = Sink::default();
    let name = topology.object.name_any();
    let tenants = tenants::settle(topology, objects, &mut sink);
    let mut tiers = vec![outer_tier(&topology.object, &name, &tenants)];
    tiers.extend(tenants.iter().map(|tenant| inner_tier(&topology.object, &name, tenant)));
    let namespace = &topology.object.spec.outer.namespace;
    let bindings = tenants.iter().flat_map(|tenant| tenant.bindings(&name, namespace)).collect();
    Resolved { tiers, bindings, diagnostics: sink.finish() }
}

fn outer_tier(topology: &IngressTopology, name: &str, tenants: &[Settled<'_>]) -> TierConfig {
    let spec = &topology.spec;
    let certificates = spec.outer.certificates.as_ref().map(|certificates| certificates.secrets.clone());
    let config = TierConfigSpec {
        listeners: spec.outer.listeners.iter().map(tier_listener).collect(),
        tenants: tenants.iter().map(|tenant| tenant.as_seen_from_outside(name)).collect(),
        certificates: certificates.unwrap_or_default(),
        acme: orders(&spec.outer),
        client_address: spec.outer.client_address.clone(),
        limits: spec.outer.limits.unwrap_or_default(),
        ..tier(topology, Role::Outer, name, outer_identity(name))
    };
    in_namespace(TierConfig::new(&names::outer(name), config), &spec.outer.namespace)
}

/// How the outer tier gets certificates. One that keeps them nowhere would order them again at every start, so it orders none; its kind
/// says so too.
fn orders(outer: &Outer) -> Option<TierAcme> {
    let store = &outer.certificates.as_ref()?.store;
    let store = if store.secrets.is_some() { TierStore::Secrets } else { TierStore::Volume };
    Some(TierAcme { acme: outer.acme.clone()?, store })
}

fn inner_tier(topology: &IngressTopology, name: &str, settled: &Settled<'_>) -> TierConfig {
    let tenant = &settled.tenant.name;
    let mut config = TierConfigSpec {
        tenant: Some(tenant.clone()),
        listeners: vec![TierListener {
            name: LINK.to_owned(),
            port: LINK_PORT,
            bind_port: None,
            protocol: TierProtocol::Link,
            tenant: None,
        }],
        namespaces: settled.namespaces.clone(),
        hostnames: settled.hostnames.clone(),
        outer_listeners: Some(outer_listeners(topology)),
        forwarded: topology.spec.inner.forwarded,
        routes: settled.tenant.limits.and_then(|limits| limits.routes),
        limits: topology.spec.inner.limits.unwrap_or_default(),
        tracing: tracing_of(topology, settled.tenant),
        ..tier(topology, Role::Inner, name, tenant_identity(name, tenant))
    };
    config.link = config.link.map(|link| LinkTrust { peer: Some(outer_identity(name)), ..link });
    in_namespace(TierConfig::new(&names::inner(name, tenant), config), &settled.runs_in)
}

/// What the tiers of a topology have in common.
fn tier(topology: &IngressTopology, role: Role, name: &str, identity: String) -> TierConfigSpec {
    let secret_ref = NameReference { name: LINK_SECRET.to_owned() };
    TierConfigSpec {
        role,
        topology: Some(name.to_owned()),
        tenant: None,
        listeners: Vec::new(),
        link: Some(LinkTrust { identity, peer: None, secret_ref }),
        namespaces: Vec::new(),
        hostnames: Vec::new(),
        outer_listeners: None,
        tenants: Vec::new(),
        certificates: Vec::new(),
        acme: None,
        client_address: None,
        https_redirect: topology.spec.https_redirect,
        forwarded: false,
        routes: None,
        limits: bailey_crds::TierLimits::default(),
        tracing: topology.spec.tracing.clone(),
        access_log: topology.spec.access_log.clone(),
    }
}

/// The tracing of a tenant's inner tier. It follows the outer tier, so its own share counts only for what comes without a decision.
fn tracing_of(topology: &IngressTopology, tenant: &Tenant) -> Option<Tracing> {
    let mut tracing = topology.spec.tracing.clone()?;
    if let Some(own) = tenant.tracing {
        tracing.sampling = own.sampling;
    }
    Some(tracing)
}

/// The listeners that clients see and routes can name.
fn outer_listeners(topology: &IngressTopology) -> Vec<OuterListener> {
    let spec = &topology.spec;
    let https = spec.outer.listeners.iter().any(|listener| listener.protocol == Protocol::Https);
    let one = |listener: &Listener| {
        let serves = match listener.protocol {
            Protocol::Https => true,
            Protocol::Http => !(spec.https_redirect && https),
            Protocol::Tls | Protocol::Tcp | Protocol::Udp => return None,
        };
        Some(OuterListener { name: listener.name.clone(), port: listener.port, serves })
    };
    spec.outer.listeners.iter().filter_map(one).collect()
}

fn tier_listener(listener: &Listener) -> TierListener {
    let protocol = match listener.protocol {
        Protocol::Http => TierProtocol::Http,
        Protocol::Https => TierProtocol::Https,
        Protocol::Tls => TierProtocol::Tls,
        Protocol::Tcp => TierProtocol::Tcp,
        Protocol::Udp => TierProtocol::Udp,
    };
    TierListener {
        name: listener.name.clone(),
        port: listener.port,
        bind_port: None,
        protocol,
        tenant: listener.tenant.clone(),
    }
}

fn in_namespace<T: ResourceExt>(mut object: T, namespace: &str) -> T {
    object.meta_mut().namespace = Some(namespace.to_owned());
    object
}

impl Settled<'_> {
    fn as_seen_from_outside(&self, topology: &str) -> TierTenant {
        TierTenant {
            name: self.tenant.name.clone(),
            identity: tenant_identity(topology, &self.tenant.name),
            service: self.service(topology),
            suspended: self.tenant.suspended,
            limits: self.tenant.limits.unwrap_or_default(),
            tracing: self.tenant.tracing,
        }
    }

    fn service(&self, topology: &str) -> bailey_crds::InnerService {
        let name = names::inner(topology, &self.tenant.name);
        bailey_crds::InnerService { namespace: self.runs_in.clone(), name, port: LINK_PORT }
    }

    fn bindings(&self, topology: &str, namespace: &str) -> Vec<HostnameBinding> {
        let binding = |host: &bailey_crds::Hostname| {
            let spec = HostnameBindingSpec {
                hostname: host.clone(),
                tenant: self.tenant.name.clone(),
                service: self.service(topology),
                certificate: None,
            };
            in_namespace(HostnameBinding::new(&host.binding_name(), spec), namespace)
        };
        self.hostnames.iter().map(binding).collect()
    }
}

/// The subject of diagnostics about a topology.
fn subject(topology: &Entry<IngressTopology>) -> Subject {
    topology.subject()
}

#[cfg(test)]
mod tests;
