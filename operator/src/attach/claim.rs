//! What each parentRef of a route that means a tenant comes to, from the same translation that the tenant's proxies serve
//! by. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_crds::TierConfig;
use bailey_crds::conditions::ConditionType;
use bailey_crds::gateway::{Gateway, GrpcRoute, HttpRoute, ParentReference};
use bailey_translate::{
    Diagnostic, Kind, ObjectRef, Objects, Options, ParentStatus, Reason, Scope, Severity, translate,
};
use kube::core::ObjectMeta;

use super::Claims;
use super::status::Verdict;
use crate::observe::World;
use crate::tier::Tier;
use crate::validate::ValidTopology;

/// Diagnostics that one message tells of.
const TOLD: usize = 3;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RouteKey {
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What one parentRef of a route comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    /// Index of the parentRef in the route.
    pub(super) index: usize,
    /// The parentRef as it stands in the route.
    pub(super) parent: ParentReference,
    /// What its conditions say.
    pub(super) verdicts: Vec<Verdict>,
    /// The route is served for it.
    pub(super) attached: bool,
}

/// The objects that a topology's inner tiers are translated from: those of the cluster, and the configuration of its tiers.
pub(super) fn objects(world: &World, topology: &ValidTopology) -> Objects {
    let mut objects = Objects::clone(&world.routing);
    for tier in topology.tiers() {
        objects.insert(config(tier), None);
    }
    for binding in &topology.bindings {
        objects.insert(binding.clone(), None);
    }
    objects
}

fn config(tier: &Tier) -> TierConfig {
    let metadata =
        ObjectMeta { name: Some(tier.name.clone()), namespace: Some(tier.namespace.clone()), ..ObjectMeta::default() };
    TierConfig { metadata, spec: tier.config.clone() }
}

/// What the routes that mean the tenant are told.
pub(super) fn claims(objects: &Objects, topology: &str, tenant: &str) -> Claims {
    let scope = Scope::Inner { topology: topology.to_owned(), tenant: tenant.to_owned() };
    let translation = translate(objects, &scope, Options::default());
    let mut by_route: BTreeMap<&ObjectRef, Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in &translation.diagnostics {
        by_route.entry(&diagnostic.object).or_default().push(diagnostic);
    }
    let mut claims = Claims::new();
    for status in &translation.parents {
        let Some(parent) = parents(objects, &status.route).get(status.parent_ref) else { continue };
        let diagnostics = by_route.get(&status.route).map(Vec::as_slice).unwrap_or_default();
        let key = RouteKey {
            kind: status.route.kind,
            namespace: status.route.namespace.clone(),
            name: status.route.name.clone(),
        };
        claims.entry(key).or_default().push(Claim {
            index: status.parent_ref,
            parent: parent.clone(),
            verdicts: verdicts(status, diagnostics),
            attached: status.accepted == Reason::Accepted,
        });
    }
    claims
}

fn parents<'a>(objects: &'a Objects, route: &ObjectRef) -> &'a [ParentReference] {
    let http = || Some(objects.get::<HttpRoute>(&route.namespace, &route.name)?.object.spec.parent_refs.as_slice());
    let grpc = || Some(objects.get::<GrpcRoute>(&route.namespace, &route.name)?.object.spec.parent_refs.as_slice());
    if route.kind == HttpRoute::KIND { http() } else { grpc() }.unwrap_or_default()
}

fn verdicts(status: &ParentStatus, diagnostics: &[&Diagnostic]) -> Vec<Verdict> {
    let own = format!("spec.parentRefs[{}]", status.parent_ref);
    let of_another = |one: &Diagnostic| one.field.starts_with("spec.parentRefs[") && !one.field.starts_with(&own);
    let mut rest: Vec<&Diagnostic> =
        diagnostics.iter().copied().filter(|one| one.severity() != Severity::Info && !of_another(one)).collect();
    let mut about = |reason: Reason| {
        let (of, others): (Vec<&Diagnostic>, Vec<&Diagnostic>) = rest.iter().partition(|one| one.reason() == reason);
        rest = others;
        told(&of)
    };
    let refs = (status.resolved_refs != Reason::ResolvedRefs).then(|| about(status.resolved_refs));
    let refused = (status.accepted != Reason::Accepted).then(|| about(status.accepted));
    let (of_rules, others): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
        rest.iter().partition(|one| one.field.starts_with("spec.rules") && one.severity() == Severity::Error);
    let accepted = match refused {
        Some(why) => Verdict::no(ConditionType::Accepted, status.accepted.as_str(), why),
        None if others.is_empty() => {
            Verdict::yes(ConditionType::Accepted, Reason::Accepted.as_str(), "the route is served")
        }
        None => Verdict::yes(
            ConditionType::Accepted,
            Reason::Accepted.as_str(),
            format!("the route is served, but: {}", told(&others)),
        ),
    };
    let resolved = match refs {
        Some(why) => Verdict::no(ConditionType::ResolvedRefs, status.resolved_refs.as_str(), why),
        None => {
            Verdict::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs.as_str(), "every reference leads somewhere")
        }
    };
    let mut found = vec![accepted, resolved];
    if status.partially_invalid {
        // The Gateway API has the message begin so.
        let why = format!("Dropped Rule: {}", told(&of_rules));
        found.push(Verdict::yes(ConditionType::PartiallyInvalid, Reason::UnsupportedValue.as_str(), why));
    }
    found
}

/// The first few as sentences with their remedies.
fn told(diagnostics: &[&Diagnostic]) -> String {
    let sentence = |one: &&Diagnostic| {
        let at = if one.field.is_empty() { String::new() } else { format!("{}: ", one.field) };
        let remedy = if one.remedy.is_empty() { String::new() } else { format!(" ({})", one.remedy) };
        format!("{at}{}{remedy}", one.message)
    };
    let mut words: Vec<String> = diagnostics.iter().take(TOLD).map(sentence).collect();
    if diagnostics.len() > TOLD {
        words.push(format!("and {} more", diagnostics.len() - TOLD));
    }
    words.join("; ")
}

/// The parentRefs that mean a topology from a namespace that is none of its tenants': by a Gateway that the operator has
/// made, or by the topology's name where no Gateway of that name is.
pub(super) fn strays(
    parents: &[ParentReference],
    namespace: &str,
    claimed: &[Claim],
    topologies: &[Arc<ValidTopology>],
    objects: &Objects,
) -> Vec<Claim> {
    let mut found = Vec::new();
    for (index, parent) in parents.iter().enumerate() {
        if claimed.iter().any(|claim| claim.index == index) {
            continue;
        }
        let of = parent.namespace.as_deref().unwrap_or(namespace);
        let is_gateway = parent.group == Gateway::GROUP && parent.kind == Gateway::KIND;
        let Some(topology) = topologies.iter().find(|one| is_gateway && one.name == parent.name) else { continue };
        let homes = topology.inners.iter().any(|tier| tier.config.namespaces.first().is_some_and(|home| home == of));
        let nobodys = objects.get::<Gateway>(of, &parent.name).is_none();
        if !homes && !nobodys {
            continue;
        }
        let message = if homes {
            format!(
                "Gateway {of}/{0} is a tenant's, and namespace {namespace} is none of its: name the Gateway of your own tenant, or \
                 have the namespace added to the tenant's in IngressTopology {0}",
                topology.name
            )
        } else {
            format!(
                "namespace {namespace} belongs to no tenant of IngressTopology {}; have it added to tenants[].namespaces",
                topology.name
            )
        };
        let reason = if homes { Reason::NotAllowedByListeners } else { Reason::NoMatchingParent };
        let verdicts = vec![
            Verdict::no(ConditionType::Accepted, reason.as_str(), message),
            Verdict::yes(
                ConditionType::ResolvedRefs,
                Reason::ResolvedRefs.as_str(),
                "the references of a route that is not served are not followed",
            ),
        ];
        found.push(Claim { index, parent: parent.clone(), verdicts, attached: false });
    }
    found
}
