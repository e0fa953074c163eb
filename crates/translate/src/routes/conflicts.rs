//! One hostname, two kinds of route: Gateway API accepts exactly one of an HTTPRoute and a GRPCRoute whose hosts on one
//! listener have something in common, the older one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_routing::ir::{HostPattern, Route, RouteKind};

use super::Found;
use crate::diagnostics::{Code, Reason, Sink};

/// Detaches the routes that lose. Order and age decide, never the order of arrival.
pub(super) fn settle(mut found: Vec<Found>, sink: &mut Sink) -> Vec<Found> {
    found.sort_by(|a, b| age(&a.route).cmp(&age(&b.route)));
    let kinds = |kind| found.iter().any(|one| one.route.id.kind == kind);
    if !(kinds(RouteKind::Http) && kinds(RouteKind::Grpc)) {
        return found;
    }
    let mut taken: Taken = BTreeMap::new();
    for one in &mut found {
        let kind = one.route.id.kind;
        let attachments = std::mem::take(&mut one.route.attachments);
        let mut kept = Vec::new();
        for attachment in attachments {
            let owners = taken.entry(Arc::clone(&attachment.listener)).or_default();
            if let Some((host, by)) = attachment.hosts.iter().find_map(|host| owner(owners, kind, host)) {
                let message = format!("{by} has {host} on listener {}", attachment.listener);
                sink.push(one.subject.problem(Code::RouteConflict, "spec.hostnames", message));
                reject(one.statuses.iter_mut(), &attachment.listener);
                continue;
            }
            let name: Arc<str> = one.route.id.to_string().into();
            for host in &attachment.hosts {
                owners.entry((kind, host.clone())).or_insert_with(|| Arc::clone(&name));
            }
            kept.push(attachment);
        }
        one.route.attachments = kept.into();
    }
    found
}

/// By listener: who has which hosts with routes of which kind.
type Taken = BTreeMap<Arc<str>, Owners>;
type Owners = BTreeMap<(RouteKind, HostPattern), Arc<str>>;

/// Older first; routes without a time (files) last, by name.
fn age(route: &Route) -> (bool, Option<i64>, &str, &str, RouteKind) {
    (route.created.is_none(), route.created, &route.id.namespace, &route.id.name, route.id.kind)
}

/// Who has a host in common with `host` by routes of the other kind.
fn owner(owners: &Owners, kind: RouteKind, host: &HostPattern) -> Option<(HostPattern, Arc<str>)> {
    let other = if kind == RouteKind::Grpc { RouteKind::Http } else { RouteKind::Grpc };
    let around = wider(host).find_map(|wider| {
        let by = owners.get(&(other, wider.clone()))?;
        Some((wider, Arc::clone(by)))
    });
    around.or_else(|| {
        // Only a pattern for many hosts can have others inside it.
        let many = !matches!(host, HostPattern::Exact(_));
        let mut inside = owners.iter().filter(|((of, taken), _)| many && *of == other && host.covers(taken));
        inside.next().map(|((_, taken), by)| (taken.clone(), Arc::clone(by)))
    })
}

/// The pattern itself and every pattern that covers it.
fn wider(host: &HostPattern) -> impl Iterator<Item = HostPattern> + '_ {
    let text = match host {
        HostPattern::Exact(text) | HostPattern::Wildcard(text) => text,
        HostPattern::Any => "",
    };
    let parents = text.match_indices('.').map(|(at, _)| HostPattern::Wildcard(text[at + 1..].into()));
    [host.clone(), HostPattern::Any].into_iter().chain(parents)
}

fn reject<'a>(statuses: impl Iterator<Item = &'a mut super::ParentStatus>, listener: &Arc<str>) {
    for status in statuses {
        let before = status.listeners.len();
        status.listeners.retain(|name| name != listener);
        if status.listeners.is_empty() && before > 0 {
            status.accepted = Reason::RouteConflict;
        }
    }
}
