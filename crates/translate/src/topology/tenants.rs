//! Who the tenants of a topology are: their namespaces, and the hostnames that are theirs and nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bailey_crds::topology::{Placement, Tenant};
use bailey_crds::{Hostname, IngressTopology};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;

use crate::claims::Claims;
use crate::diagnostics::{Code, Sink, Subject};
use crate::hosts;
use crate::names;
use crate::objects::{Entry, Objects};
use crate::selectors;

/// A tenant after arbitration.
pub(super) struct Settled<'a> {
    pub(super) tenant: &'a Tenant,
    /// The home namespace first.
    pub(super) namespaces: Vec<String>,
    /// Where its inner tier runs.
    pub(super) runs_in: String,
    pub(super) hostnames: Vec<Hostname>,
}

/// What earlier tenants have.
struct Arbiter<'a> {
    objects: &'a Objects,
    topology: &'a IngressTopology,
    subject: Subject,
    names: BTreeSet<&'a str>,
    namespaces: BTreeMap<String, &'a str>,
    hosts: Claims,
}

/// The tenants in the order of the topology. The first to name a namespace or hostname has it.
pub(super) fn settle<'a>(
    topology: &'a Entry<IngressTopology>,
    objects: &'a Objects,
    sink: &mut Sink,
) -> Vec<Settled<'a>> {
    let mut arbiter = Arbiter {
        objects,
        topology: &topology.object,
        subject: topology.subject(),
        names: BTreeSet::new(),
        namespaces: BTreeMap::new(),
        hosts: Claims::default(),
    };
    let tenants = topology.object.spec.tenants.iter().enumerate();
    tenants.filter_map(|(index, tenant)| arbiter.settle(index, tenant, sink)).collect()
}

impl<'a> Arbiter<'a> {
    fn settle(&mut self, index: usize, tenant: &'a Tenant, sink: &mut Sink) -> Option<Settled<'a>> {
        let at = format!("spec.tenants[{index}]");
        if !self.names.insert(&tenant.name) {
            let message = format!("there is a tenant {} already", tenant.name);
            sink.push(self.subject.problem(Code::TenantNameRepeated, format!("{at}.name"), message));
            return None;
        }
        let namespaces = self.namespaces(tenant, &at, sink);
        let hostnames = self.hostnames(tenant, &at, sink);
        let Some(home) = namespaces.first() else {
            let message = format!("no namespace belongs to tenant {}", tenant.name);
            sink.push(self.subject.problem(Code::NoNamespaces, format!("{at}.namespaces"), message));
            return None;
        };
        let placement = tenant.inner.as_ref().and_then(|inner| inner.placement);
        let runs_in = match placement.unwrap_or(self.topology.spec.inner.placement) {
            Placement::TenantNamespace => home.clone(),
            Placement::Managed => names::inner(&self.topology.name_any(), &tenant.name),
        };
        Some(Settled { tenant, namespaces, runs_in, hostnames })
    }

    fn namespaces(&mut self, tenant: &'a Tenant, at: &str, sink: &mut Sink) -> Vec<String> {
        let mut found = Vec::new();
        for (field, namespace) in self.wanted_namespaces(tenant, at, sink) {
            let outer = &self.topology.spec.outer.namespace;
            if namespace == *outer {
                let message = format!("{outer} is the outer tier's namespace and can be no tenant's");
                sink.push(self.subject.problem(Code::InvalidTopology, field, message));
                continue;
            }
            let owner = *self.namespaces.entry(namespace.clone()).or_insert(&tenant.name);
            if owner != tenant.name {
                let message = format!("namespace {namespace} belongs to tenant {owner}");
                sink.push(self.subject.problem(Code::NamespaceShared, field, message));
            } else if !found.contains(&namespace) {
                found.push(namespace);
            }
        }
        found
    }

    /// The namespaces a tenant names or selects, each with the field that does so.
    fn wanted_namespaces(&self, tenant: &Tenant, at: &str, sink: &mut Sink) -> Vec<(String, String)> {
        let names = tenant.namespaces.names.iter().flatten().enumerate();
        let mut wanted: Vec<_> =
            names.map(|(index, name)| (format!("{at}.namespaces.names[{index}]"), name.clone())).collect();
        if let Some(selector) = &tenant.namespaces.selector {
            let field = format!("{at}.namespaces.selector");
            if let Some(problem) = selectors::problem(selector) {
                let message = format!("the requirement on {problem}");
                sink.push(self.subject.problem(Code::InvalidSelector, field, message));
                return wanted;
            }
            let namespaces = self.objects.all::<Namespace>().map(|(key, _)| &key.name);
            let selected = namespaces
                .filter(|name| selectors::selects(selector, &selectors::namespace_labels(self.objects, name)));
            wanted.extend(selected.map(|name| (field.clone(), name.clone())));
        }
        wanted
    }

    fn hostnames(&mut self, tenant: &Tenant, at: &str, sink: &mut Sink) -> Vec<Hostname> {
        let holder: Arc<str> = tenant.name.as_str().into();
        let mut found: Vec<Hostname> = Vec::new();
        for (index, host) in tenant.hostnames.iter().enumerate() {
            let pattern = hosts::pattern(host);
            if let Some(claim) = self.hosts.of_another(&pattern, &tenant.name) {
                let message = format!(
                    "tenant {} owns {}, so {host} cannot be tenant {}'s",
                    claim.holder, claim.host, tenant.name
                );
                let field = format!("{at}.hostnames[{index}]");
                sink.push(self.subject.problem(Code::HostClaimedTwice, field, message));
            } else if !found.contains(host) {
                self.hosts.take(&pattern, &holder);
                found.push(host.clone());
            }
        }
        found
    }
}
