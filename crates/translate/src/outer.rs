//! The outer tier: each owned hostname to the link of its tenant.
//!
//! It never looks at a tenant's routes. A hostname without an owner has no route here, so nobody else's application can
//! answer for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailey_crds::gateway::{GrpcRoute, HttpRoute};
use bailey_crds::{IngressTopology, Role, TierListener, TierProtocol, TierTenant};
use bailey_routing::ir::{
    Attachment, Backend, CertificateRef, HostPattern, HttpsRedirect, Ir, Listener, ListenerProtocol, Route, RouteId,
    RouteKind, Rule, Target, Tenant,
};

use crate::claims::Claims;
use crate::diagnostics::{Code, Sink, Subject};
use crate::gateway::check_secret;
use crate::hosts;
use crate::objects::{Key, Objects};
use crate::parents::{Candidate, is_gateway, report_orphan};
use crate::routes::RouteObject;
use crate::tiers::{Owner, Tier, Tiers};
use crate::upstreams::Upstreams;

struct Context<'a, 'b> {
    objects: &'a Objects,
    tiers: &'b Tiers,
    tier: &'b Tier,
    upstreams: Upstreams<'a>,
    sink: &'b mut Sink,
}

/// What the outer tier of a topology routes by.
pub(crate) fn translate(topology: &str, objects: &Objects, local: bool, sink: &mut Sink) -> Ir {
    let tiers = Tiers::of(topology, objects, sink);
    let Some(tier) = tiers.find(Role::Outer, None) else {
        let subject = Subject::missing::<IngressTopology>("", topology);
        let message = format!("there is neither a topology {topology} nor the configuration of its outer tier");
        sink.push(subject.problem(Code::TopologyNotFound, "", message));
        return Ir::default();
    };
    if tiers.derived {
        report_strays::<HttpRoute>(topology, &tiers, objects, sink);
        report_strays::<GrpcRoute>(topology, &tiers, objects, sink);
    }
    let upstreams = Upstreams::new(objects, local);
    let mut context = Context { objects, tiers: &tiers, tier, upstreams, sink };
    let tenants = tier.config.tenants.iter().map(|tenant| context.tenant(tenant)).collect();
    let owners = context.owners();
    let listeners = context.listeners(&owners);
    let routes = owners.iter().map(|(owner, host)| Arc::new(context.route(owner, host, &listeners))).collect();
    Ir { listeners, routes, upstreams: context.upstreams.finish(), tenants }
}

/// Routes in namespaces of no tenant, which no tier sees: those that name the topology, or nothing that exists.
fn report_strays<R: RouteObject>(topology: &str, tiers: &Tiers, objects: &Objects, sink: &mut Sink) {
    let owned: BTreeSet<&String> = tiers.all.iter().flat_map(|tier| &tier.config.namespaces).collect();
    for (key, entry) in objects.all::<R>().filter(|(key, _)| !owned.contains(&key.namespace)) {
        let (subject, parents) = (entry.subject(), entry.object.parents());
        let route = Candidate { subject: &subject, namespace: &key.namespace, kind: R::ROUTE, parents };
        if parents.iter().any(|parent| is_gateway(parent) && parent.name == topology) {
            let message = format!("namespace {} belongs to no tenant of topology {topology}", key.namespace);
            sink.push(subject.problem(Code::NamespaceOfNoTenant, "metadata.namespace", message));
        } else {
            report_orphan(&route, objects, sink);
        }
    }
}

impl<'b> Context<'_, 'b> {
    /// A path of the tier's configuration, as it is in the object that a person wrote.
    fn field(&self, derived: &str, written: &str) -> String {
        if self.tiers.derived { derived.to_owned() } else { written.to_owned() }
    }

    fn tenant(&mut self, tenant: &TierTenant) -> Tenant {
        let TierTenant { name, service, suspended, limits, .. } = tenant;
        let subject = &self.tier.subject;
        let inner = Key::new(&service.namespace, &service.name);
        let (_, ready) = self.upstreams.link(name, &inner, service.port, self.sink);
        if *suspended {
            let message = format!("tenant {name} is suspended");
            self.sink.push(subject.problem(Code::TenantSuspended, "spec.tenants", message));
        } else if !ready {
            let message = format!(
                "the inner tier of tenant {name}, Service {}/{}, has no ready endpoint",
                service.namespace, service.name
            );
            self.sink.push(subject.problem(Code::InnerNotReady, "spec.tenants", message));
        }
        Tenant {
            name: name.as_str().into(),
            max_connections: limits.connections,
            requests_per_second: limits.requests_per_second,
            max_in_flight: limits.in_flight,
            suspended: *suspended,
        }
    }

    /// The owners whose hostname is nobody else's, with the pattern of it.
    fn owners(&mut self) -> Vec<(&'b Owner, HostPattern)> {
        let mut claims = Claims::default();
        let mut found = Vec::new();
        let tenants: BTreeSet<&str> = self.tier.config.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        for owner in &self.tiers.owners {
            let (tenant, host) = (&owner.binding.tenant, hosts::pattern(&owner.binding.hostname));
            if !tenants.contains(tenant.as_str()) {
                let message = format!("the topology has no tenant {tenant}");
                self.sink.push(owner.subject.problem(Code::TenantNotFound, "spec.tenant", message));
            } else if let Some(claim) = claims.of_another(&host, tenant) {
                let message =
                    format!("tenant {} owns {}, so {host} cannot be tenant {tenant}'s", claim.holder, claim.host);
                self.sink.push(owner.subject.problem(Code::HostClaimedTwice, "spec.hostname", message));
            } else {
                claims.take(&host, &tenant.as_str().into());
                found.push((owner, host));
            }
        }
        found
    }

    fn listeners(&mut self, owners: &[(&Owner, HostPattern)]) -> Vec<Listener> {
        let config = &self.tier.config;
        let certificates = self.certificates(owners);
        let https = config.listeners.iter().find(|listener| listener.protocol == TierProtocol::Https);
        let redirect = https.filter(|_| config.https_redirect).map(|https| HttpsRedirect { port: https.port });
        let mut found = Vec::new();
        for (index, listener) in config.listeners.iter().enumerate() {
            let (protocol, certificates, https_redirect) = match listener.protocol {
                TierProtocol::Http => (ListenerProtocol::Http, Box::default(), redirect),
                TierProtocol::Https => (ListenerProtocol::Https, certificates.as_slice().into(), None),
                TierProtocol::Tls | TierProtocol::Tcp | TierProtocol::Udp | TierProtocol::Link => {
                    self.refuse(index, listener);
                    continue;
                }
            };
            found.push(Listener {
                name: listener.name.as_str().into(),
                port: listener.port,
                protocol,
                hostname: HostPattern::Any,
                certificates,
                https_redirect,
                tenant: None,
            });
        }
        found
    }

    fn refuse(&mut self, index: usize, listener: &TierListener) {
        let field = self.field("spec.outer.listeners", "spec.listeners");
        let message = format!("listener {} is neither HTTP nor HTTPS and is not served", listener.name);
        let problem = self.tier.subject.problem(Code::ListenerProtocol, format!("{field}[{index}].protocol"), message);
        self.sink.push(problem);
    }

    /// Certificates that are given, then those of the hostnames. One of a hostname may still have to be ordered, so its
    /// absence is nothing to report.
    fn certificates(&mut self, owners: &[(&Owner, HostPattern)]) -> Vec<CertificateRef> {
        let field = self.field("spec.outer.certificates.secrets", "spec.certificates");
        let mut found = Vec::new();
        for (index, name) in self.tier.config.certificates.iter().enumerate() {
            match check_secret(self.objects, &self.tier.namespace, name) {
                Ok(certificate) => found.push(certificate),
                Err((code, message)) => {
                    self.sink.push(self.tier.subject.problem(code, format!("{field}[{index}]"), message));
                }
            }
        }
        for owner in owners.iter().map(|(owner, _)| owner) {
            found.extend(owner.binding.certificate.as_ref().map(|secret| CertificateRef {
                namespace: owner.namespace.as_str().into(),
                name: secret.name.as_str().into(),
            }));
        }
        let mut seen = BTreeSet::new();
        found.retain(|certificate| seen.insert(certificate.clone()));
        found
    }

    fn route(&mut self, owner: &Owner, host: &HostPattern, listeners: &[Listener]) -> Route {
        let tenant = &owner.binding.tenant;
        let service = &owner.binding.service;
        let inner = Key::new(&service.namespace, &service.name);
        let (upstream, _) = self.upstreams.link(tenant, &inner, service.port, self.sink);
        let backend = Backend { target: Target::Upstream(upstream), weight: 1, filters: Box::default() };
        let attachment =
            |listener: &Listener| Attachment { listener: Arc::clone(&listener.name), hosts: [host.clone()].into() };
        Route {
            id: RouteId {
                kind: RouteKind::Binding,
                namespace: owner.namespace.as_str().into(),
                name: owner.name.as_str().into(),
            },
            created: owner.created,
            tenant: Some(tenant.as_str().into()),
            attachments: listeners.iter().map(attachment).collect(),
            rules: [Rule {
                name: None,
                matches: Box::default(),
                filters: Box::default(),
                backends: [backend].into(),
                policy: None,
                invalid: None,
            }]
            .into(),
        }
    }
}
