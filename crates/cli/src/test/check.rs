//! Expectations held against what was seen. Decides what passes, what fails, and what could not be seen; who saw it does not
//! matter.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::cases::{Expected, RuleName};

/// Something that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen<T> {
    /// It is this.
    Is(T),
    /// It is not there.
    Absent,
    /// Nobody could tell, for this reason.
    Unknown(&'static str),
}

/// What was seen of one request.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub(super) status: Seen<u16>,
    pub(super) tier: Seen<String>,
    pub(super) cause: Seen<String>,
    pub(super) tenant: Seen<String>,
    /// With its kind.
    pub(super) route: Seen<String>,
    /// Place and name.
    pub(super) rule: Seen<(usize, Option<String>)>,
    /// All that are possible.
    pub(super) backends: Seen<BTreeSet<String>>,
    /// `backends` holds one of those that are possible, not all, and without its port.
    pub(super) one_backend_of_several: bool,
    pub(super) location: Seen<String>,
    pub(super) client_address: Seen<String>,
    /// Per field: what every way that the request can take agrees on.
    pub(super) request_headers: Fields,
    pub(super) response_headers: Fields,
}

/// Header fields by lower-case name.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) known: BTreeMap<String, Seen<String>>,
    /// What is to be thought of all others.
    pub(super) others: Seen<String>,
}

/// One expectation, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) what: String,
    pub(super) wanted: String,
    pub(super) got: String,
    pub(super) result: CheckResult,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CheckResult {
    Passed,
    Failed,
    Unseen,
}

/// All expectations of a test.
pub(super) fn check(expected: &Expected, sight: &Sight) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut text = |what: &str, wanted: Option<&String>, seen: &Seen<String>| {
        checks.extend(wanted.map(|wanted| compare(what, wanted, seen, |got| got == wanted)));
    };
    text("tier", expected.tier.as_ref(), &sight.tier);
    text("cause", expected.cause.as_ref(), &sight.cause);
    text("tenant", expected.tenant.as_ref(), &sight.tenant);
    text("location", expected.location.as_ref(), &sight.location);
    let status =
        expected.status.map(|wanted| compare("status", &wanted.to_string(), &sight.status, |got| *got == wanted));
    let is_route =
        |wanted: &str, got: &str| got == wanted || got.split_once(' ').is_some_and(|(_, name)| name == wanted);
    let route =
        expected.route.as_ref().map(|wanted| compare("route", wanted, &sight.route, |got| is_route(wanted, got)));
    let client = expected.client_address.as_ref();
    let client =
        client.map(|wanted| compare("clientAddress", wanted, &sight.client_address, |got| same_address(wanted, got)));
    checks.extend(
        status.into_iter().chain(route).chain(rule(expected, sight)).chain(backends(expected, sight)).chain(client),
    );
    for (kind, wanted, seen) in [
        ("requestHeaders", &expected.request_headers, &sight.request_headers),
        ("responseHeaders", &expected.response_headers, &sight.response_headers),
    ] {
        checks.extend(wanted.iter().map(|(name, value)| field(kind, name, value.as_deref(), seen)));
    }
    checks
}

fn rule(expected: &Expected, sight: &Sight) -> Option<Check> {
    let wanted = match expected.rule.as_ref()? {
        RuleName::Place(place) => place.to_string(),
        RuleName::Name(name) => name.clone(),
    };
    let seen = match &sight.rule {
        Seen::Is((place, name)) => Seen::Is(match (expected.rule.as_ref()?, name) {
            (RuleName::Name(_), Some(name)) => name.clone(),
            (RuleName::Name(_) | RuleName::Place(_), _) => place.to_string(),
        }),
        Seen::Absent => Seen::Absent,
        Seen::Unknown(why) => Seen::Unknown(why),
    };
    Some(compare("rule", &wanted, &seen, |got| *got == wanted))
}

fn backends(expected: &Expected, sight: &Sight) -> Option<Check> {
    let wanted: BTreeSet<String> = expected.backend.as_ref()?.all().iter().cloned().collect();
    let listed = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(", ");
    let one = sight.one_backend_of_several;
    // An answer does not tell the Service's port.
    let bare = |name: &String| name.split(':').next().unwrap_or_default().to_owned();
    let holds = |got: &BTreeSet<String>| {
        if one { got.is_subset(&wanted.iter().map(bare).collect()) } else { *got == wanted }
    };
    let seen = match &sight.backends {
        Seen::Is(got) => {
            let result = if holds(got) { CheckResult::Passed } else { CheckResult::Failed };
            return Some(Check { what: "backend".to_owned(), wanted: listed(&wanted), got: listed(got), result });
        }
        Seen::Absent => Seen::Absent,
        Seen::Unknown(why) => Seen::Unknown(why),
    };
    Some(compare::<String>("backend", &listed(&wanted), &seen, |_| false))
}

fn field(kind: &str, name: &str, wanted: Option<&str>, fields: &Fields) -> Check {
    let what = format!("{kind}.{name}");
    let seen = fields.known.get(&name.to_ascii_lowercase()).unwrap_or(&fields.others);
    let shown = wanted.unwrap_or(NOTHING);
    match (wanted, seen) {
        (None, Seen::Absent) => {
            Check { what, wanted: shown.to_owned(), got: shown.to_owned(), result: CheckResult::Passed }
        }
        _ => compare(&what, shown, seen, |got| wanted == Some(got.as_str())),
    }
}

/// Stands for a field that is not there.
const NOTHING: &str = "(nothing)";

fn compare<T: ToString>(what: &str, wanted: &str, seen: &Seen<T>, holds: impl Fn(&T) -> bool) -> Check {
    let (got, result) = match seen {
        Seen::Is(got) if holds(got) => (got.to_string(), CheckResult::Passed),
        Seen::Is(got) => (got.to_string(), CheckResult::Failed),
        Seen::Absent => (NOTHING.to_owned(), CheckResult::Failed),
        Seen::Unknown(why) => ((*why).to_owned(), CheckResult::Unseen),
    };
    Check { what: what.to_owned(), wanted: wanted.to_owned(), got, result }
}

/// An address with or without a port.
fn same_address(wanted: &str, got: &str) -> bool {
    let address =
        |text: &str| text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse::<IpAddr>());
    matches!((address(wanted), address(got)), (Ok(wanted), Ok(got)) if wanted == got)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_neither_passes_nor_fails() {
        let seen = |seen: Seen<u16>| compare("status", "200", &seen, |got| *got == 200).result;
        assert_eq!(seen(Seen::Is(200)), CheckResult::Passed);
        assert_eq!(seen(Seen::Is(404)), CheckResult::Failed);
        assert_eq!(seen(Seen::Absent), CheckResult::Failed);
        assert_eq!(seen(Seen::Unknown("why")), CheckResult::Unseen);
    }

    #[test]
    fn a_field_that_must_not_be_there_fails_when_it_is() {
        let fields =
            Fields { known: BTreeMap::from([("x".to_owned(), Seen::Is("1".to_owned()))]), others: Seen::Absent };
        assert_eq!(field("h", "X", None, &fields).result, CheckResult::Failed);
        assert_eq!(field("h", "X", Some("1"), &fields).result, CheckResult::Passed);
        assert_eq!(field("h", "y", None, &fields).result, CheckResult::Passed);
        assert_eq!(field("h", "y", Some("1"), &fields).result, CheckResult::Failed);
    }

    #[test]
    fn addresses_are_compared_without_ports() {
        assert!(same_address("203.0.113.9", "203.0.113.9:5000") && same_address("2001:db8::1", "2001:0db8::1"));
        assert!(!same_address("203.0.113.9", "203.0.113.8") && !same_address("x", "x"));
    }
}
