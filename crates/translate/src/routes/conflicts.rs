//! One hostname, two kinds of route: Gateway API accepts exactly one of an HTTPRoute and a GRPCRoute whose hosts on one
//! listener have something in common, the older one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_routing::ir::{Attachment, Route, RouteKind};

use super::{Found, ParentStatus};
use crate::claims::{Claim, Claims};
use crate::diagnostics::{Code, Reason, Sink};

/// Who has which hosts, by listener and kind of route.
type Taken = BTreeMap<(Arc<str>, RouteKind), Claims>;

/// Detaches the routes that lose. Age and name decide, never the order of arrival.
pub(super) fn settle(mut found: Vec<Found>, sink: &mut Sink) -> Vec<Found> {
    found.sort_by(|a, b| age(&a.route).cmp(&age(&b.route)));
    let has = |kind| found.iter().any(|one| one.route.id.kind == kind);
    if !(has(RouteKind::Http) && has(RouteKind::Grpc)) {
        return found;
    }
    let mut taken = Taken::new();
    for one in &mut found {
        let (attachments, kind) = (std::mem::take(&mut one.route.attachments), one.route.id.kind);
        let name: Arc<str> = one.route.id.to_string().into();
        let mut kept = Vec::new();
        for attachment in attachments {
            let other = (Arc::clone(&attachment.listener), other(kind));
            if let Some(Claim { host, holder }) = taken.get(&other).and_then(|claims| claim(claims, &attachment)) {
                let message = format!("{holder} has {host} on listener {}", attachment.listener);
                sink.push(one.subject.problem(Code::RouteConflict, "spec.hostnames", message));
                reject(&mut one.statuses, &attachment.listener);
                continue;
            }
            let claims = taken.entry((Arc::clone(&attachment.listener), kind)).or_default();
            attachment.hosts.iter().for_each(|host| claims.take(host, &name));
            kept.push(attachment);
        }
        one.route.attachments = kept.into();
    }
    found
}

fn claim<'a>(claims: &'a Claims, attachment: &Attachment) -> Option<&'a Claim> {
    attachment.hosts.iter().find_map(|host| claims.overlapping(host).next())
}

fn other(kind: RouteKind) -> RouteKind {
    if kind == RouteKind::Grpc { RouteKind::Http } else { RouteKind::Grpc }
}

/// Older first; routes without a time (files) last, by name.
fn age(route: &Route) -> (bool, Option<i64>, &str, &str, RouteKind) {
    (route.created.is_none(), route.created, &route.id.namespace, &route.id.name, route.id.kind)
}

fn reject(statuses: &mut [ParentStatus], listener: &Arc<str>) {
    for status in statuses {
        let before = status.listeners.len();
        status.listeners.retain(|name| name != listener);
        if status.listeners.is_empty() && before > 0 {
            status.accepted = Reason::RouteConflict;
        }
    }
}
