//! How things are called in explanations: rules, matches, backends, tiers, fields. The one place for such words.

use std::time::Duration;

use bailey_http1::Fields;
use bailey_routing::ir::{HostPattern, ListenerProtocol, PathMatch, RouteMatch, UpstreamId, UpstreamKey, ValueMatch};
use bailey_routing::{Condition, Criterion, Matched, Mismatch};
use bailey_translate::Diagnostic;

use super::question::shown;
use super::{Change, FieldChange, Related, RuleRef};
use crate::describe;
use crate::forward::headers::id_text;
use crate::tier::Role;

/// The id of a request that exists only here.
pub(super) const NEW_ID: [u8; 16] = [0; 16];
/// What stands for a value that is another one for each request.
pub(super) const MADE: &str = "(made for each request)";

/// `outer tier of main`.
pub(super) fn tier(role: &Role) -> String {
    match role {
        Role::Outer { topology } => format!("outer tier of {topology}"),
        Role::Inner { topology, tenant } => format!("inner tier of {topology} for tenant {tenant}"),
        Role::Gateway { namespace, name } => format!("Gateway {namespace}/{name}"),
    }
}

/// What follows the kind of a tier: `main`, `main, tenant a`, `a/web`.
pub(super) fn of(role: &Role) -> String {
    match role {
        Role::Outer { topology } => topology.clone(),
        Role::Inner { topology, tenant } => format!("{topology}, tenant {tenant}"),
        Role::Gateway { namespace, name } => format!("{namespace}/{name}"),
    }
}

pub(super) fn protocol(protocol: ListenerProtocol) -> &'static str {
    match protocol {
        ListenerProtocol::Http => "HTTP",
        ListenerProtocol::Https => "HTTPS",
        ListenerProtocol::Tls => "TLS",
        ListenerProtocol::Tcp => "TCP",
        ListenerProtocol::Udp => "UDP",
    }
}

pub(super) fn upstream(id: &UpstreamId) -> (String, &'static str) {
    match id.key() {
        UpstreamKey::Service { namespace, name, port, protocol } => {
            (format!("Service {namespace}/{name} port {port}"), describe::protocol(*protocol))
        }
        UpstreamKey::Link { tenant } => (format!("inner tier of tenant {tenant}"), "link"),
    }
}

pub(super) fn path(path: &PathMatch) -> String {
    match path {
        PathMatch::Exact(text) => format!("exactly {text}"),
        PathMatch::Prefix(text) => format!("prefix {text}"),
        PathMatch::Regex(pattern) => format!("pattern {}", pattern.as_str()),
        PathMatch::GrpcMethod(method) => format!("gRPC method {method} of any service"),
    }
}

pub(super) fn value(value: &ValueMatch) -> String {
    match value {
        ValueMatch::Exact(text) => text.to_string(),
        ValueMatch::Regex(pattern) => format!("pattern {}", pattern.as_str()),
    }
}

/// Everything that a match asks for.
pub(super) fn wants(matched: Option<&RouteMatch>) -> String {
    let Some(matched) = matched else { return "every request".to_owned() };
    let mut parts = vec![path(&matched.path)];
    if let Some(conditions) = matched.conditions.as_deref() {
        parts.extend(conditions.method.map(|method| method.as_str().to_owned()));
        let headers = conditions.headers.iter();
        parts.extend(headers.map(|header| format!("header {}: {}", header.name, value(&header.value))));
        let query = conditions.query.iter();
        parts.extend(query.map(|parameter| format!("query {}={}", parameter.name, value(&parameter.value))));
    }
    parts.join(" · ")
}

/// Where a match is written.
pub(super) fn rule(matched: &Matched<'_>) -> RuleRef {
    RuleRef {
        route: matched.route().id.to_string(),
        rule: matched.rule_index(),
        name: matched.rule().name.as_deref().map(str::to_owned),
        matched: matched.match_index(),
        host: host(matched.host()),
        wants: wants(matched.route_match()),
    }
}

/// A host pattern.
pub(super) fn host(pattern: &HostPattern) -> String {
    pattern.to_string()
}

/// Why one match comes before another.
pub(super) fn before(criterion: Criterion) -> &'static str {
    match criterion {
        Criterion::Host => "its host is more specific",
        Criterion::PathKind => "an exact path comes before a pattern, a pattern before a prefix",
        Criterion::PathLength => "its path is longer",
        Criterion::Method => "it asks for a method",
        Criterion::Headers => "it asks for more header fields",
        Criterion::Query => "it asks for more query parameters",
        Criterion::Age => "its route is older",
        Criterion::Name => "its route comes first by namespace and name",
        Criterion::Kind => "its kind of route comes first",
        Criterion::Rule => "its rule is written first",
        Criterion::Match => "its match is written first in the rule",
    }
}

/// The word for what a mismatch is about, as it is ranked: the nearest to a match last.
pub(super) fn depth(mismatch: &Mismatch<'_>) -> u8 {
    match mismatch {
        Mismatch::Path(_) => 0,
        Mismatch::Condition(Condition::Method(_)) => 1,
        Mismatch::Condition(Condition::Header(_)) => 2,
        Mismatch::Condition(Condition::Query(_)) => 3,
    }
}

pub(super) fn related(diagnostic: &Diagnostic) -> Related {
    Related {
        code: diagnostic.code.id(),
        severity: diagnostic.severity().as_str(),
        object: diagnostic.object.to_string(),
        field: diagnostic.field.clone(),
        message: diagnostic.message.clone(),
        remedy: diagnostic.remedy.clone(),
        location: diagnostic.location.as_ref().map(ToString::to_string),
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes that should be text.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A field's value as it is shown.
pub(super) fn field(name: &[u8], value: &[u8]) -> String {
    let unmade = || value.iter().all(|byte| matches!(byte, b'0' | b'f' | b'-'));
    let of_trace = name == b"traceparent" || name.starts_with(b"x-b3-") || (name == b"b3" && value.len() > 1);
    if (name == b"x-request-id" && value == id_text(&NEW_ID)) || (of_trace && unmade()) {
        return MADE.to_owned();
    }
    shown(&text(name), &text(value))
}

/// What changed between two states of a head, in the order in which the names occur.
pub(super) fn difference(before: &Fields, after: &Fields, by: &str) -> Vec<FieldChange> {
    let mut names: Vec<&[u8]> = Vec::new();
    for (name, _) in before.iter().chain(after.iter()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let changes = names.into_iter().filter_map(|name| {
        let values = |fields: &Fields| fields.get_all(name).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (old, new) = (values(before), values(after));
        let change = match (old.is_empty(), new.is_empty()) {
            _ if old == new => return None,
            (_, true) => Change::Deleted,
            (false, false) if new.starts_with(&old) => Change::Added,
            (_, false) => Change::Set,
        };
        let shown = |values: Vec<Vec<u8>>| values.iter().map(|value| field(name, value)).collect();
        Some(FieldChange { name: text(name), change, before: shown(old), after: shown(new), by: by.to_owned() })
    });
    changes.collect()
}
