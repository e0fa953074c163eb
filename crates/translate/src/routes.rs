//! Route objects to the routes of a tier.
//!
//! `HTTPRoute` and `GRPCRoute` go through the same code; [`RouteObject`] is all they may differ in.

mod backends;
mod conflicts;
mod filters;
mod matches;
mod policy;
mod rule;
mod surplus;

use std::collections::BTreeSet;
use std::sync::Arc;

use bailey_crds::gateway::{GrpcRoute, HttpRoute, ParentReference, UnknownFields};
use bailey_routing::ir::{BackendProtocol, Route, RouteId, RouteKind, Rule};

use crate::diagnostics::{Code, ObjectRef, Reason, Sink, Subject};
use crate::objects::{Entry, Key, Kind, Objects};
use crate::parents::{self, Attached, Candidate, Parent};
use crate::unknown;
use crate::upstreams::Upstreams;
use backends::References;
use rule::{Matches, Problems, RuleParts};

/// What becomes of one parentRef of a route: the facts that its status is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentStatus {
    /// The route.
    pub route: ObjectRef,
    /// Index of the parentRef.
    pub parent_ref: usize,
    /// [`Reason::Accepted`], or why the route is not attached.
    pub accepted: Reason,
    /// [`Reason::ResolvedRefs`], or what is wrong with the first reference that leads nowhere.
    pub resolved_refs: Reason,
    /// Some rules answer 500 or can never match, others work.
    pub partially_invalid: bool,
    /// The listeners on which the route is served.
    pub listeners: Vec<Arc<str>>,
}

/// A kind of route.
pub(crate) trait RouteObject: Kind + UnknownFields {
    const ROUTE: RouteKind;
    /// What its backends speak unless the Service says otherwise.
    const PROTOCOL: BackendProtocol;

    fn parents(&self) -> &[ParentReference];
    fn hostnames(&self) -> &[String];
    fn rules(&self) -> Vec<RuleParts<'_>>;
}

impl RouteObject for HttpRoute {
    const ROUTE: RouteKind = RouteKind::Http;
    const PROTOCOL: BackendProtocol = BackendProtocol::Http1;

    fn parents(&self) -> &[ParentReference] {
        &self.spec.parent_refs
    }

    fn hostnames(&self) -> &[String] {
        &self.spec.hostnames
    }

    fn rules(&self) -> Vec<RuleParts<'_>> {
        let rules = self.spec.rules.iter().map(|rule| RuleParts {
            name: rule.name.as_deref(),
            matches: Matches::Http(&rule.matches),
            filters: &rule.filters,
            backends: &rule.backend_refs,
            timeouts: rule.timeouts.as_ref(),
            retry: rule.retry.as_ref(),
        });
        rules.collect()
    }
}

impl RouteObject for GrpcRoute {
    const ROUTE: RouteKind = RouteKind::Grpc;
    const PROTOCOL: BackendProtocol = BackendProtocol::H2c;

    fn parents(&self) -> &[ParentReference] {
        &self.spec.parent_refs
    }

    fn hostnames(&self) -> &[String] {
        &self.spec.hostnames
    }

    fn rules(&self) -> Vec<RuleParts<'_>> {
        let rules = self.spec.rules.iter().map(|rule| RuleParts {
            name: rule.name.as_deref(),
            matches: Matches::Grpc(&rule.matches),
            filters: &rule.filters,
            backends: &rule.backend_refs,
            timeouts: None,
            retry: None,
        });
        rules.collect()
    }
}

/// Everything that the routes of one parent are translated with.
pub(crate) struct Router<'a, 'b> {
    pub(crate) objects: &'a Objects,
    pub(crate) parent: &'b Parent,
    pub(crate) upstreams: &'b mut Upstreams<'a>,
    pub(crate) sink: &'b mut Sink,
    /// Routes, so far.
    pub(crate) found: Vec<Found>,
}

/// A route that means the parent, attached or not.
pub(crate) struct Found {
    pub(crate) subject: Subject,
    pub(crate) route: Route,
    pub(crate) statuses: Vec<ParentStatus>,
}

impl Router<'_, '_> {
    /// Translates all routes of the kind `R` that the parent can see.
    pub(crate) fn translate_all<R: RouteObject>(&mut self) {
        let objects = self.objects;
        for (key, entry) in objects.all::<R>() {
            if self.parent.sees(&key.namespace) {
                self.translate(key, entry);
            }
        }
    }

    fn translate<R: RouteObject>(&mut self, key: &Key, entry: &Entry<R>) {
        let subject = entry.subject();
        let object = entry.object.as_ref();
        let candidate =
            Candidate { subject: &subject, namespace: &key.namespace, kind: R::ROUTE, parents: object.parents() };
        if !candidate.parents.iter().any(|wanted| self.parent.is_meant(wanted, &key.namespace)) {
            parents::report_orphan(&candidate, self.objects, self.sink);
            return;
        }
        unknown::report(entry, self.sink);
        let hosts = parents::route_hosts(object.hostnames(), &subject, self.parent, self.sink);
        let attached = self.parent.attach(&candidate, &hosts, self.objects, self.sink);
        let rules = self.rules(object, key, &subject);
        let statuses = attached.iter().map(|one| rules.status(one, &subject.object)).collect();
        let route = Route {
            id: RouteId { kind: R::ROUTE, namespace: key.namespace.as_str().into(), name: key.name.as_str().into() },
            created: object.meta().creation_timestamp.as_ref().map(|time| time.0.as_second()),
            tenant: self.parent.grant.as_ref().map(|grant| Arc::clone(&grant.tenant)),
            attachments: parents::merge(&attached),
            rules: rules.kept.into(),
        };
        self.found.push(Found { subject, route, statuses });
    }

    fn rules<R: RouteObject>(&mut self, object: &R, key: &Key, subject: &Subject) -> Rules {
        let mut references = References {
            objects: self.objects,
            upstreams: self.upstreams,
            visible: self.parent.grant.as_ref().map(|grant| &grant.namespaces),
            kind: R::ROUTE,
            group: R::GROUP,
            namespace: &key.namespace,
            protocol: R::PROTOCOL,
        };
        let mut rules = Rules::default();
        let mut names = BTreeSet::new();
        for (index, parts) in object.rules().iter().enumerate() {
            let at = format!("spec.rules[{index}]");
            let mut problems = Problems::new(R::ROUTE, subject, self.sink);
            if let Some(name) = parts.name.filter(|name| !names.insert(*name)) {
                problems.found(Code::DuplicateRuleName, &format!("{at}.name"), format!("{name} is taken"));
            }
            let rule = rule::translate(parts, &at, &mut references, &mut problems);
            rules.add(rule, &problems);
        }
        rules
    }

    /// The routes that are attached somewhere, and what became of each parentRef.
    pub(crate) fn finish(self) -> (Vec<Arc<Route>>, Vec<ParentStatus>) {
        let mut found = conflicts::settle(self.found, self.sink);
        if let Some(grant) = &self.parent.grant {
            surplus::detach(&mut found, grant, self.sink);
        }
        let mut routes = Vec::new();
        let mut statuses = Vec::new();
        for one in found {
            statuses.extend(one.statuses);
            if !one.route.attachments.is_empty() {
                routes.push(Arc::new(one.route));
            }
        }
        statuses.sort_by(|a, b| (&a.route, a.parent_ref).cmp(&(&b.route, b.parent_ref)));
        (routes, statuses)
    }
}

/// The rules of one route, and what is wrong among them.
#[derive(Default)]
struct Rules {
    kept: Vec<Rule>,
    sound: usize,
    invalid: Option<Reason>,
    unresolved: Option<Reason>,
}

impl Rules {
    fn add(&mut self, rule: Option<Rule>, problems: &Problems<'_>) {
        self.unresolved = self.unresolved.or(problems.unresolved);
        let invalid = problems.invalid_reason();
        self.sound += usize::from(rule.is_some() && invalid.is_none());
        self.invalid = self.invalid.or(invalid);
        self.kept.extend(rule);
    }

    fn status(&self, attached: &Attached, route: &ObjectRef) -> ParentStatus {
        let all_invalid = self.sound == 0;
        let rules = self.invalid.filter(|_| all_invalid);
        let accepted =
            if attached.reason == Reason::Accepted { rules.unwrap_or(Reason::Accepted) } else { attached.reason };
        ParentStatus {
            route: route.clone(),
            parent_ref: attached.index,
            accepted,
            resolved_refs: self.unresolved.unwrap_or(Reason::ResolvedRefs),
            partially_invalid: self.invalid.is_some() && !all_invalid,
            listeners: attached.attachments.iter().map(|one| Arc::clone(&one.listener)).collect(),
        }
    }
}
