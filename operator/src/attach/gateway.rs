//! The status of a Gateway: of one that the operator has made for a tenant, and of one that somebody else has made with a
//! class of ours. Pure.

use std::sync::Arc;

use bailey_crds::conditions::{ConditionType, Reason};
use bailey_crds::gateway::{Gateway, GrpcRoute, HttpRoute, Listener, ParentReference};
use bailey_crds::topology::TopologyStatus;
use bailey_translate::Kind;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::Claims;
use super::status::{Verdict, conditions};
use super::write::{Target, Write};
use crate::observe::World;
use crate::validate::ValidTopology;

/// Addresses that the API has room for.
const MOST_ADDRESSES: usize = 16;

/// What the status of a tenant's Gateway follows from.
pub(super) struct Facts<'a> {
    /// The tenant.
    pub(super) tenant: &'a str,
    /// It is switched off.
    pub(super) suspended: bool,
    /// What its routes come to.
    pub(super) claims: &'a Claims,
    /// What is known of the tiers.
    pub(super) status: Option<&'a TopologyStatus>,
}

/// The status, or nothing if the Gateway has it already.
pub(super) fn status(gateway: &Gateway, facts: &Facts<'_>, now: Timestamp) -> Option<Value> {
    let before = gateway.status.as_ref();
    let generation = gateway.metadata.generation.unwrap_or_default();
    let programmed = programmed(facts);
    let of_gateway = [
        Verdict::yes(
            ConditionType::Accepted,
            Reason::Accepted.as_str(),
            "the Gateway is the outer tier, as the tenant's routes see it",
        ),
        programmed.clone(),
    ];
    let kinds = [HttpRoute::KIND, GrpcRoute::KIND].map(|kind| json!({"group": Gateway::GROUP, "kind": kind}));
    let listeners: Vec<Value> = gateway
        .spec
        .listeners
        .iter()
        .map(|listener| {
            let old = before.and_then(|status| {
                status["listeners"].as_array()?.iter().find(|one| one["name"] == listener.name.as_str())
            });
            let of_listener = [
                Verdict::yes(ConditionType::Accepted, Reason::Accepted.as_str(), "the outer tier listens"),
                programmed.clone(),
                Verdict::yes(
                    ConditionType::ResolvedRefs,
                    Reason::ResolvedRefs.as_str(),
                    "certificates are the outer tier's business",
                ),
                Verdict::no(
                    ConditionType::Conflicted,
                    Reason::NoConflicts.as_str(),
                    "no other listener wants the same",
                ),
            ];
            json!({
                "name": listener.name,
                "supportedKinds": kinds,
                "attachedRoutes": attached(listener, facts.claims),
                "conditions": conditions(old.map(|old| &old["conditions"]), &of_listener, generation, now),
            })
        })
        .collect();
    let mut made = json!({
        "conditions": conditions(before.map(|status| &status["conditions"]), &of_gateway, generation, now),
        "listeners": listeners,
    });
    let addresses: Vec<Value> = facts
        .status
        .iter()
        .flat_map(|status| &status.addresses)
        .take(MOST_ADDRESSES)
        .map(|address| json!({"type": address.type_, "value": address.value}))
        .collect();
    let had = before.is_some_and(|status| status["addresses"].as_array().is_some_and(|all| !all.is_empty()));
    if !addresses.is_empty() || had {
        made["addresses"] = addresses.into();
    }
    (!is_within(&made, before)).then_some(made)
}

/// The tier of the tenant and the outer one have proxies that are ready, of all that they should have.
fn programmed(facts: &Facts<'_>) -> Verdict {
    let no = |reason: Reason, message| Verdict::no(ConditionType::Programmed, reason.as_str(), message);
    if facts.suspended {
        return no(Reason::TenantSuspended, "the tenant is suspended: its hostnames are answered with 503".to_owned());
    }
    for name in ["outer", facts.tenant] {
        let tier = facts.status.and_then(|status| status.tiers.iter().find(|tier| tier.name == name));
        match tier {
            None => return no(Reason::Pending, format!("tier {name} has no proxies yet")),
            Some(tier) if tier.ready == 0 => {
                return no(Reason::Pending, format!("tier {name} has no proxy that is ready, of {}", tier.desired));
            }
            Some(_) => {}
        }
    }
    Verdict::yes(ConditionType::Programmed, Reason::Programmed.as_str(), "the proxies of both tiers serve")
}

/// Routes that are served on the listener.
fn attached(listener: &Listener, claims: &Claims) -> usize {
    let selects = |parent: &ParentReference| {
        parent.section_name.as_deref().is_none_or(|name| name == listener.name)
            && parent.port.is_none_or(|port| port == listener.port)
    };
    claims.values().filter(|claims| claims.iter().any(|claim| claim.attached && selects(&claim.parent))).count()
}

/// Whether every field of `made` is in `before` as it stands.
pub(super) fn is_within(made: &Value, before: Option<&Value>) -> bool {
    let fields = made.as_object().into_iter().flatten();
    before.is_some_and(|before| fields.into_iter().all(|(key, value)| &before[key] == value))
}

/// Gateways of a topology's class that the operator has not made: nothing serves them, and it is said.
pub(super) fn foreign(world: &World, topologies: &[Arc<ValidTopology>], now: Timestamp) -> Vec<Write> {
    let mut writes = Vec::new();
    for (key, entry) in world.routing.all::<Gateway>() {
        let gateway = entry.object.as_ref();
        let Some(topology) = topologies.iter().find(|one| one.name == gateway.spec.gateway_class_name) else {
            continue;
        };
        let ours = crate::manifest::ChildKey {
            child: crate::manifest::Child::Gateway,
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        };
        if world.children.contains_key(&ours) || key.name == topology.name {
            continue;
        }
        let message = format!(
            "a Gateway of class {0} is made by the operator for each tenant of IngressTopology {0}, with the name {0}; others are \
             not served: name that one in the routes' parentRefs and delete this",
            topology.name
        );
        let refused = [
            Verdict::no(ConditionType::Accepted, Reason::Invalid.as_str(), message.clone()),
            Verdict::no(ConditionType::Programmed, Reason::Invalid.as_str(), message),
        ];
        let generation = gateway.metadata.generation.unwrap_or_default();
        let before = gateway.status.as_ref();
        let made =
            json!({"conditions": conditions(before.map(|status| &status["conditions"]), &refused, generation, now)});
        if !is_within(&made, before) {
            let target = Target::Gateway { key: key.clone() };
            writes.push(Write { target, version: gateway.resource_version(), status: made });
        }
    }
    writes
}
