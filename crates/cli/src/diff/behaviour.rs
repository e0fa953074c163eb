//! What a set of objects does, by what can be asked of it: the units that are compared.

use std::collections::{BTreeMap, BTreeSet};

use bailey_proxy::Role;
use bailey_proxy::explain::{Explanation, Question};
use bailey_routing::ir::{HostPattern, ListenerProtocol};
use bailey_routing::{Listed, Matched};
use serde_json::{Value, json};

use super::sample::{self, Door};
use crate::folder::{Folder, OfflineTier};
use bailey_proxy::describe;

/// Something that can be asked for: tier, host, path, conditions.
pub(super) type Key = (String, String, String, String);

/// What becomes of it.
#[derive(Clone, Debug)]
pub(super) struct Does {
    /// Where it goes.
    pub(super) to: String,
    /// What else happens.
    pub(super) effects: Vec<String>,
    /// A request that asks for it.
    pub(super) example: Option<Question>,
}

/// All that a folder does.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    pub(super) rules: BTreeMap<Key, Does>,
    /// By tier and name: port, protocol, redirect.
    pub(super) listeners: BTreeMap<String, String>,
    pub(super) tenants: BTreeSet<String>,
    /// By name: the tenant that owns it.
    pub(super) hostnames: BTreeMap<String, String>,
}

impl Behaviour {
    pub(super) fn of(folder: &Folder) -> Self {
        let mut found = Self::default();
        for tier in &folder.tiers {
            found.note_listeners(tier);
            match &tier.role {
                Role::Outer { topology } => found.note_owners(topology, tier),
                Role::Inner { topology, tenant } => {
                    found.tenants.insert(format!("{tenant} of {topology}"));
                    found.note_rules(folder, tier);
                }
                Role::Gateway { .. } => found.note_rules(folder, tier),
            }
        }
        found
    }

    fn note_listeners(&mut self, tier: &OfflineTier) {
        if matches!(tier.role, Role::Inner { .. }) {
            return;
        }
        for (_, listener) in tier.snapshot.table.listeners() {
            let redirect = if listener.https_redirect.is_some() { ", redirects to https" } else { "" };
            let host = match &listener.hostname {
                HostPattern::Any => String::new(),
                host @ (HostPattern::Exact(_) | HostPattern::Wildcard(_)) => format!(" for {host}"),
            };
            let text = format!("{:?} on port {}{host}{redirect}", listener.protocol, listener.port);
            self.listeners.insert(format!("{} {}", describe::tier(&tier.role), listener.name), text);
        }
    }

    fn note_owners(&mut self, topology: &str, tier: &OfflineTier) {
        for listed in tier.snapshot.table.listing() {
            let owner = format!("tenant {} of {topology}", listed.tenant.unwrap_or("-"));
            self.hostnames.insert(listed.pattern.to_string(), owner);
        }
    }

    fn note_rules(&mut self, folder: &Folder, tier: &OfflineTier) {
        for listed in tier.snapshot.table.listing() {
            let door = door(folder, tier, &listed);
            let id = |one: &Matched<'_>| (one.route().id.clone(), one.rule_index(), one.match_index());
            let hidden: BTreeSet<_> = listed.hidden().iter().map(|one| id(&one.behind)).collect();
            for one in listed.matches.iter().filter(|one| !hidden.contains(&id(one))) {
                let (path, when) = (describe::path(one.route_match()), describe::conditions(one.route_match()));
                let key = (describe::tier(&tier.role), listed.pattern.to_string(), path, when);
                let does = Does {
                    to: describe::targets(one.rule()),
                    effects: describe::effects(one.rule()),
                    example: door.and_then(|door| sample::question(door, listed.pattern, one.route_match())),
                };
                // The first of a host counts; the other listeners of a tier have it too, or their own is said there.
                self.rules.entry(key).or_insert(does);
            }
        }
    }
}

/// Where requests for these routes come in: a listener that serves them, https before http.
fn door(folder: &Folder, tier: &OfflineTier, listed: &Listed<'_>) -> Option<Door> {
    let front = match &tier.role {
        Role::Inner { topology, .. } => {
            let outer = Role::Outer { topology: topology.clone() };
            folder.fronts().find(|front| front.role == outer)?
        }
        Role::Outer { .. } | Role::Gateway { .. } => tier,
    };
    let alone = matches!(tier.role, Role::Gateway { .. });
    let listeners = front.snapshot.table.listeners().map(|(_, listener)| listener);
    let serving = listeners.filter(|one| one.https_redirect.is_none() && (!alone || *one.name == *listed.listener));
    let doors = serving.map(|one| Door { https: one.protocol == ListenerProtocol::Https, port: one.port });
    doors.max_by_key(|door| (door.https, std::cmp::Reverse(door.port)))
}

/// All that a client or an application could tell of an answer; where it is written is not part of it.
pub(super) fn signature(told: &Explanation) -> Value {
    let last = told.tiers.last();
    let ways = last.into_iter().flat_map(|tier| &tier.ways).map(|way| {
        json!({
            "percent": way.percent,
            "backend": way.backend.as_ref().map(|backend| (&backend.target, backend.protocol)),
            "answer": way.answer.as_ref().map(|answer| (answer.status, &answer.location)),
            "sent": way.sent.as_ref().map(|head| (&head.method, &head.target, &head.host, &head.fields)),
            "response": way.response.iter().map(|change| (&change.name, &change.after)).collect::<Vec<_>>(),
            "mirrors": way.mirrors.iter().map(|mirror| (&mirror.target, &mirror.fraction)).collect::<Vec<_>>(),
            "timeouts": way.timeouts,
            "retries": way.retries,
        })
    });
    let owner = told.entry.owner.as_ref().and_then(|owner| owner.tenant.as_ref());
    json!({
        "status": told.verdict.status, "tier": told.verdict.tier, "cause": told.verdict.cause, "owner": owner,
        "ways": ways.collect::<Vec<_>>(),
    })
}
