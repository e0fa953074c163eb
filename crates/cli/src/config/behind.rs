//! By what a proxy is behind: what it serves and should not, and what it should and does not. Pure.

use std::collections::BTreeSet;

use bailey_proxy::page::effective::{Effective, EffectiveRoute};
use serde::Serialize;

/// How what is served stands to what the cluster says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub(super) enum Standing {
    /// It is the same.
    Current,
    /// It is not.
    Behind(Differences),
    /// That cannot be said.
    Unknown {
        /// What could not be read, in sentences.
        because: Vec<String>,
    },
}

/// What differs, a line each.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Differences {
    /// Served, and not what the cluster says.
    pub(super) served: Vec<String>,
    /// What the cluster says, and not served.
    pub(super) missing: Vec<String>,
}

impl Differences {
    /// Compares part by part; certificates only where they could be read.
    pub(super) fn between(served: &Effective, should: &Effective, certificates: bool) -> Self {
        let mut found = Self::default();
        let lines = |of: &Effective| lines(of, certificates);
        let (now, then) = (lines(should), lines(served));
        found.served.extend(then.difference(&now).cloned());
        found.missing.extend(now.difference(&then).cloned());
        // The order of routes decides too.
        let order = |of: &Effective| of.routes.iter().map(route).collect::<Vec<_>>();
        if found.is_empty() && order(served) != order(should) {
            found.missing.push("the order in which routes are tried".to_owned());
        }
        found
    }

    pub(super) fn is_empty(&self) -> bool {
        self.served.is_empty() && self.missing.is_empty()
    }
}

fn lines(of: &Effective, certificates: bool) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for one in &of.listeners {
        let redirect = one.redirects_to.map(|port| format!(", redirects to port {port}")).unwrap_or_default();
        let shown =
            if one.certificates.is_empty() { String::new() } else { format!(", {}", one.certificates.join(", ")) };
        all.insert(format!(
            "listener {} {} port {} at {}{redirect}{shown}",
            one.name, one.protocol, one.port, one.bind_port
        ));
    }
    all.extend(of.routes.iter().map(route));
    all.extend(
        of.backends.iter().map(|one| format!("backend {} {}: {}", one.name, one.protocol, one.endpoints.join(", "))),
    );
    for one in &of.tenants {
        let limit = |name: &str, value: Option<u32>| value.map(|value| format!(", {value} {name}")).unwrap_or_default();
        let suspended = if one.suspended { ", suspended" } else { "" };
        let limits = [
            limit("connections", one.connections),
            limit("requests per second", one.requests_per_second),
            limit("in flight", one.in_flight),
        ];
        all.insert(format!("tenant {}{suspended}{}", one.name, limits.concat()));
    }
    if certificates {
        let certificate = |one: &bailey_proxy::page::effective::EffectiveCertificate| {
            format!("certificate for {} from {}, until {}", one.names.join(", "), one.source, one.not_after)
        };
        all.extend(of.certificates.iter().map(certificate));
    }
    let settings = &of.settings;
    all.insert(format!("client address: {}", settings.client_address));
    all.insert(format!("Forwarded field: {}, access log: {}", settings.forwarded, settings.access_log));
    all.insert(format!("traces to: {}", settings.tracing.as_deref().unwrap_or("nowhere")));
    // Values of limits by their path, so that one that differs is named.
    if let Ok(limits) = serde_json::to_value(settings.limits) {
        flatten("limits", &limits, &mut all);
    }
    all
}

fn route(one: &EffectiveRoute) -> String {
    let conditions = if one.conditions.is_empty() { String::new() } else { format!(" {}", one.conditions) };
    let effects = if one.effects.is_empty() { String::new() } else { format!(" ({})", one.effects.join("; ")) };
    format!(
        "{}{}{conditions} on {}: {} rule {} to {}{effects}",
        one.host, one.path, one.listener, one.route, one.rule, one.to
    )
}

fn flatten(path: &str, value: &serde_json::Value, all: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(fields) => fields.iter().for_each(|(name, value)| flatten(&format!("{path}.{name}"), value, all)),
        None => drop(all.insert(format!("{path}: {value}"))),
    }
}

#[cfg(test)]
mod tests {
    use bailey_proxy::Role;
    use bailey_proxy::page::effective::{EffectiveBackend, EffectiveCertificate};
    use bailey_proxy::snapshot::Snapshot;

    use super::*;

    fn effective() -> Effective {
        let role = Role::Inner { topology: "main".to_owned(), tenant: "a".to_owned() };
        let mut effective = Effective::of(&role, &Snapshot::default());
        for path in ["/a/*", "/b/*"] {
            effective.routes.push(EffectiveRoute {
                listener: "link".to_owned(),
                host: "a.example.com".to_owned(),
                tenant: None,
                path: path.to_owned(),
                conditions: String::new(),
                route: "HTTPRoute/a/web".to_owned(),
                rule: 0,
                to: "a/app:80".to_owned(),
                effects: Vec::new(),
            });
        }
        effective
    }

    #[test]
    fn a_difference_is_named_on_both_sides() {
        let (served, mut should) = (effective(), effective());
        assert!(Differences::between(&served, &should, true).is_empty());
        should.routes[0].to = "a/new:80".to_owned();
        should.settings.limits.connection.total = 7;
        let found = Differences::between(&served, &should, true);
        assert!(
            found.served.contains(&"a.example.com/a/* on link: HTTPRoute/a/web rule 0 to a/app:80".to_owned()),
            "{found:?}"
        );
        assert!(found.missing.contains(&"limits.connection.total: 7".to_owned()), "{found:?}");
        assert_eq!((found.served.len(), found.missing.len()), (2, 2));
    }

    #[test]
    fn the_order_of_routes_and_the_endpoints_count() {
        let (served, mut should) = (effective(), effective());
        should.routes.reverse();
        assert_eq!(Differences::between(&served, &should, true).missing, ["the order in which routes are tried"]);
        let mut should = effective();
        let endpoints = vec!["10.0.0.1:80".to_owned()];
        should.backends.push(EffectiveBackend {
            name: "a/app:80".to_owned(),
            protocol: "HTTP/1.1".to_owned(),
            endpoints,
        });
        assert_eq!(Differences::between(&served, &should, true).missing, ["backend a/app:80 HTTP/1.1: 10.0.0.1:80"]);
    }

    #[test]
    fn certificates_that_could_not_be_read_are_not_compared() {
        let (mut served, should) = (effective(), effective());
        served.certificates.push(EffectiveCertificate {
            names: vec!["a.example.com".to_owned()],
            source: "Secret out/site".to_owned(),
            issuer: "CA".to_owned(),
            not_after: "2026-01-01T00:00:00Z".to_owned(),
        });
        assert!(Differences::between(&served, &should, false).is_empty());
        assert_eq!(Differences::between(&served, &should, true).served.len(), 1);
    }
}
