//! Attachment: which listeners a route's parentRefs select, and the hosts it answers for there.
//!
//! The rules are Gateway API's, with one more in a topology: no host beyond those granted to the tenant. A parent is
//! either a Gateway object or the Gateway that a topology implies for a tenant; routes cannot tell the difference.

mod grant;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bailey_crds::gateway::{Gateway, ParentReference};
use bailey_crds::{IngressTopology, OuterListener};
use bailey_routing::ir::{Attachment, HostPattern, RouteKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::diagnostics::{Code, Diagnostic, Reason, Sink, Subject};
use crate::hosts;
use crate::objects::{Key, Kind, Objects};
use crate::selectors::{namespace_labels, selects};

pub(crate) use grant::Grant;

/// A Gateway as routes see it.
#[derive(Debug)]
pub(crate) struct Parent {
    pub(crate) key: Key,
    pub(crate) listeners: Vec<ParentListener>,
    /// Present in a topology.
    pub(crate) grant: Option<Grant>,
}

/// A listener as routes see it.
#[derive(Debug)]
pub(crate) struct ParentListener {
    pub(crate) name: Arc<str>,
    pub(crate) port: u16,
    pub(crate) hostname: HostPattern,
    pub(crate) from: Admission,
    pub(crate) kinds: BTreeSet<RouteKind>,
}

/// From which namespaces a listener admits routes.
#[derive(Debug)]
pub(crate) enum Admission {
    All,
    Same,
    None,
    Selector(LabelSelector),
}

/// The hosts a route names; `None` is every host of its listeners.
pub(crate) type RouteHosts = Option<Vec<HostPattern>>;

/// One parentRef after its evaluation.
pub(crate) struct Attached {
    pub(crate) index: usize,
    pub(crate) reason: Reason,
    pub(crate) attachments: Vec<Attachment>,
}

type Refusal = (Code, String);

/// The route that wants to attach.
pub(crate) struct Candidate<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) namespace: &'a str,
    pub(crate) kind: RouteKind,
    pub(crate) parents: &'a [ParentReference],
}

impl Parent {
    /// Whether objects of that namespace are any of this parent's business.
    pub(crate) fn sees(&self, namespace: &str) -> bool {
        self.grant.as_ref().is_none_or(|grant| grant.namespaces.contains(namespace))
    }

    /// Whether a parentRef of a route in `namespace` means this parent. In a topology the name alone is enough from any
    /// namespace of the tenant.
    pub(crate) fn is_meant(&self, wanted: &ParentReference, namespace: &str) -> bool {
        let of = wanted.namespace.as_deref().unwrap_or(namespace);
        let home = of == self.key.namespace;
        let own = self.grant.as_ref().is_some_and(|grant| of == namespace && grant.namespaces.contains(of));
        is_gateway(wanted) && wanted.name == self.key.name && (home || own)
    }

    /// Evaluates the parentRefs that mean this parent.
    pub(crate) fn attach(
        &self,
        route: &Candidate<'_>,
        hosts: &RouteHosts,
        objects: &Objects,
        sink: &mut Sink,
    ) -> Vec<Attached> {
        let mut found = Vec::new();
        for (index, wanted) in route.parents.iter().enumerate() {
            if self.is_meant(wanted, route.namespace) {
                sink.extend(self.narrowed(wanted, index, route.subject));
                let result = self.attach_one(wanted, route, hosts, objects);
                let (attachments, reason) = match result {
                    Ok(attachments) => (attachments, Reason::Accepted),
                    Err((code, message)) => {
                        sink.push(route.subject.problem(code, format!("spec.parentRefs[{index}]"), message));
                        (Vec::new(), code.reason())
                    }
                };
                found.push(Attached { index, reason, attachments });
            }
        }
        found
    }

    fn attach_one(
        &self,
        wanted: &ParentReference,
        route: &Candidate<'_>,
        hosts: &RouteHosts,
        objects: &Objects,
    ) -> Result<Vec<Attachment>, Refusal> {
        let refuse = |code, message| Err((code, message));
        let selected = self.selected(wanted);
        if selected.is_empty() {
            return refuse(Code::NoMatchingListener, self.no_listener(wanted));
        }
        let admits = |listener: &&ParentListener| self.admits(listener, route, objects);
        let admitted: Vec<_> = selected.into_iter().filter(admits).collect();
        if admitted.is_empty() {
            let message = format!(
                "no listener that the parentRef selects admits {}s of namespace {}",
                route.kind.as_str(),
                route.namespace
            );
            return refuse(Code::NotAllowedByListeners, message);
        }
        let attachments: Vec<_> = admitted.iter().filter_map(|listener| self.attachment(listener, hosts)).collect();
        if attachments.is_empty() {
            return refuse(Code::NoMatchingHostname, self.no_host(&admitted, hosts));
        }
        Ok(attachments)
    }

    /// In a topology a parentRef names listeners of the outer tier, and requests of all of them come by the link.
    fn selected(&self, wanted: &ParentReference) -> Vec<&ParentListener> {
        let found = |name: &str, port| is_selected(wanted, name, port);
        match &self.grant {
            None => self.listeners.iter().filter(|listener| found(&listener.name, listener.port)).collect(),
            Some(Grant { fronts: Some(fronts), .. }) if !fronts.iter().any(|front| found(&front.name, front.port)) => {
                Vec::new()
            }
            Some(_) => self.listeners.iter().collect(),
        }
    }

    /// The problem of a parentRef that would narrow a route to some of the outer tier's listeners.
    fn narrowed(&self, wanted: &ParentReference, index: usize, subject: &Subject) -> Option<Diagnostic> {
        let fronts = self.grant.as_ref()?.fronts.as_ref()?;
        let selects = |front: &OuterListener| is_selected(wanted, &front.name, front.port);
        let served = fronts.iter().filter(|front| front.serves && !selects(front));
        let served: Vec<_> = served.map(|front| front.name.as_str()).collect();
        if served.is_empty() || !fronts.iter().any(selects) {
            return None;
        }
        let field = if wanted.section_name.is_some() { "sectionName" } else { "port" };
        let message =
            format!("a route of a tenant cannot be for some listeners only; it is served on {} too", served.join(", "));
        Some(subject.problem(Code::UnsupportedField, format!("spec.parentRefs[{index}].{field}"), message))
    }

    fn admits(&self, listener: &ParentListener, route: &Candidate<'_>, objects: &Objects) -> bool {
        let namespace = match &listener.from {
            Admission::All => true,
            Admission::None => false,
            Admission::Same => route.namespace == self.key.namespace,
            Admission::Selector(selector) => selects(selector, &namespace_labels(objects, route.namespace)),
        };
        namespace && listener.kinds.contains(&route.kind)
    }

    /// The route on one listener: what listener, grant and route have in common.
    fn attachment(&self, listener: &ParentListener, hosts: &RouteHosts) -> Option<Attachment> {
        let any = [HostPattern::Any];
        let granted: &[HostPattern] = self.grant.as_ref().map_or(&any, |grant| &grant.hosts);
        let wanted: &[HostPattern] = hosts.as_deref().unwrap_or(&any);
        let mut common = BTreeSet::new();
        for host in wanted.iter().filter_map(|host| host.intersect(&listener.hostname)) {
            common.extend(granted.iter().filter_map(|granted| granted.intersect(&host)));
        }
        let hosts = common.into_iter().collect::<Box<[_]>>();
        (!hosts.is_empty()).then(|| Attachment { listener: Arc::clone(&listener.name), hosts })
    }

    fn no_listener(&self, wanted: &ParentReference) -> String {
        let fronts = self.grant.as_ref().and_then(|grant| grant.fronts.as_ref());
        let known: Vec<(&str, u16)> = match fronts {
            Some(fronts) => fronts.iter().map(|front| (front.name.as_str(), front.port)).collect(),
            None => self.listeners.iter().map(|listener| (&*listener.name, listener.port)).collect(),
        };
        let known: Vec<_> = known.into_iter().map(|(name, port)| format!("{name} (port {port})")).collect();
        let known = known.join(", ");
        let mut asked = Vec::new();
        asked.extend(wanted.section_name.as_ref().map(|name| format!("name {name}")));
        asked.extend(wanted.port.map(|port| format!("port {port}")));
        let asked = if asked.is_empty() { "any name".to_owned() } else { asked.join(" and ") };
        let known = if known.is_empty() { "none" } else { &known };
        format!("no listener of Gateway {} has {asked}; it has {known}", self.key.name)
    }

    fn no_host(&self, listeners: &[&ParentListener], hosts: &RouteHosts) -> String {
        let wanted = hosts.as_deref().map_or_else(|| "every host".to_owned(), list);
        if let Some(grant) = &self.grant {
            return format!("the route asks for {wanted}; tenant {} has {}", grant.tenant, list(&grant.hosts));
        }
        let known: Vec<_> = listeners.iter().map(|listener| listener.hostname.clone()).collect();
        format!("the route asks for {wanted}; the listeners have {}", list(&known))
    }
}

fn is_selected(wanted: &ParentReference, name: &str, port: u16) -> bool {
    wanted.section_name.as_deref().is_none_or(|wanted| wanted == name)
        && wanted.port.is_none_or(|wanted| wanted == port)
}

/// The hosts that a route names, each problem reported.
pub(crate) fn route_hosts(hostnames: &[String], subject: &Subject, parent: &Parent, sink: &mut Sink) -> RouteHosts {
    if hostnames.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    for (index, text) in hostnames.iter().enumerate() {
        let field = format!("spec.hostnames[{index}]");
        match hosts::parse(text) {
            Ok(host) => {
                let refusal = parent.grant.as_ref().and_then(|grant| grant.refuse(subject, &field, &host));
                sink.extend(refusal);
                found.push(host);
            }
            Err(why) => {
                sink.push(subject.problem(Code::InvalidHostname, field, format!("{text:?} is not valid: {why}")));
            }
        }
    }
    Some(found)
}

/// One attachment a listener, with the hosts of all parentRefs that select it.
pub(crate) fn merge(attached: &[Attached]) -> Box<[Attachment]> {
    let mut merged: BTreeMap<&Arc<str>, BTreeSet<HostPattern>> = BTreeMap::new();
    for attachment in attached.iter().flat_map(|one| &one.attachments) {
        merged.entry(&attachment.listener).or_default().extend(attachment.hosts.iter().cloned());
    }
    let one = |(listener, hosts): (&Arc<str>, BTreeSet<_>)| Attachment {
        listener: Arc::clone(listener),
        hosts: hosts.into_iter().collect(),
    };
    merged.into_iter().map(one).collect()
}

pub(crate) fn is_gateway(wanted: &ParentReference) -> bool {
    wanted.group == Gateway::GROUP && wanted.kind == Gateway::KIND
}

/// Reports the parentRefs of a route that means no parent at all.
pub(crate) fn report_orphan(route: &Candidate<'_>, objects: &Objects, sink: &mut Sink) {
    if route.parents.is_empty() {
        let message = "the route names no parent, so nothing serves it".to_owned();
        sink.push(route.subject.problem(Code::ParentNotFound, "spec.parentRefs", message));
    }
    for (index, wanted) in route.parents.iter().enumerate() {
        let field = format!("spec.parentRefs[{index}]");
        let namespace = wanted.namespace.as_deref().unwrap_or(route.namespace);
        if !is_gateway(wanted) {
            let message = format!("the parent is a {}, which is not Bailey's", wanted.kind);
            sink.push(route.subject.problem(Code::ParentKind, field, message));
        } else if objects.get::<Gateway>(namespace, &wanted.name).is_none() {
            let topologies: Vec<&str> = objects.all::<IngressTopology>().map(|(key, _)| key.name.as_str()).collect();
            let known = if topologies.is_empty() {
                String::new()
            } else {
                format!("; there is the topology {}", topologies.join(", "))
            };
            let message = format!("there is no Gateway {} in namespace {namespace}{known}", wanted.name);
            sink.push(route.subject.problem(Code::ParentNotFound, field, message));
        }
    }
}

/// The patterns as a person would list them.
pub(crate) fn list(hosts: &[HostPattern]) -> String {
    if hosts.is_empty() {
        return "no hostnames".to_owned();
    }
    let texts = hosts.iter().map(|host| match host {
        HostPattern::Any => "every host".to_owned(),
        HostPattern::Exact(_) | HostPattern::Wildcard(_) => host.to_string(),
    });
    texts.collect::<Vec<_>>().join(", ")
}
