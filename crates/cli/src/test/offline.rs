//! What an explanation shows of a request.

use std::collections::{BTreeMap, BTreeSet};

use bailey_proxy::explain::{Explanation, TierAccount, Way};
use serde::Serialize;

use super::check::{Fields, Seen, Sight};

const APPLICATION: &str = "the application's own answer is not known offline";
const NOT_SENT: &str = "the request does not reach an application";

pub(super) fn sight(told: &Explanation) -> Sight {
    let last = told.tiers.last();
    let won = last.and_then(|tier| tier.won.as_ref());
    let ways: &[Way] = last.map_or(&[], |tier| &tier.ways);
    let forwarded = told.verdict.tier == Some("application");
    let owner = told.entry.owner.as_ref();
    Sight {
        status: match told.verdict.status {
            Some(status) => Seen::Is(status),
            None if forwarded => Seen::Unknown(APPLICATION),
            None => Seen::Absent,
        },
        tier: known(told.verdict.tier.map(str::to_owned)),
        cause: known(word(&told.verdict.cause)),
        tenant: known(owner.and_then(|owner| owner.tenant.clone())),
        route: known(won.map(|won| won.rule.route.clone())),
        rule: known(won.map(|won| (won.rule.rule, won.rule.name.clone()))),
        backends: known(backends(last)),
        one_backend_of_several: false,
        location: known(ways.iter().filter_map(|way| way.answer.as_ref()).find_map(|answer| answer.location.clone())),
        client_address: if forwarded {
            known(told.address.last().map(|step| step.client.clone()))
        } else {
            Seen::Unknown(NOT_SENT)
        },
        request_headers: requests(ways, forwarded),
        response_headers: responses(ways, forwarded),
    }
}

fn known<T>(value: Option<T>) -> Seen<T> {
    value.map_or(Seen::Absent, Seen::Is)
}

/// The word by which a value is serialised.
fn word(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// `Service a/app port 80` as `a/app:80`.
fn backends(last: Option<&TierAccount>) -> Option<BTreeSet<String>> {
    let targets = last?.ways.iter().filter_map(|way| way.backend.as_ref()).map(|backend| {
        let service = backend.target.strip_prefix("Service ").and_then(|rest| rest.split_once(" port "));
        service.map_or_else(|| backend.target.clone(), |(name, port)| format!("{name}:{port}"))
    });
    let targets: BTreeSet<String> = targets.collect();
    (!targets.is_empty()).then_some(targets)
}

/// The fields that applications get. With several ways, only what all agree on is known.
fn requests(ways: &[Way], forwarded: bool) -> Fields {
    if !forwarded {
        return Fields { known: BTreeMap::new(), others: Seen::Unknown(NOT_SENT) };
    }
    let heads = ways.iter().filter_map(|way| way.sent.as_ref());
    let heads: Vec<BTreeMap<String, String>> = heads.map(|head| joined(&head.fields)).collect();
    let names: BTreeSet<&String> = heads.iter().flat_map(BTreeMap::keys).collect();
    let value = |name: &String| {
        let mut values = heads.iter().map(|head| head.get(name));
        let first = values.next().flatten();
        match first {
            Some(first) if values.all(|other| other == Some(first)) => Seen::Is(first.clone()),
            Some(_) | None => Seen::Unknown("it depends on the backend that is chosen"),
        }
    };
    Fields { known: names.into_iter().map(|name| (name.clone(), value(name))).collect(), others: Seen::Absent }
}

fn joined(fields: &[(String, String)]) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in fields {
        let entry = all.entry(name.to_ascii_lowercase());
        entry.and_modify(|known| *known = format!("{known}, {value}")).or_insert_with(|| value.clone());
    }
    all
}

/// The fields that routes set or delete. All others are the application's.
fn responses(ways: &[Way], forwarded: bool) -> Fields {
    let mut known: BTreeMap<String, Seen<String>> = BTreeMap::new();
    for change in ways.iter().flat_map(|way| &way.response) {
        let after = if change.after.is_empty() { Seen::Absent } else { Seen::Is(change.after.join(", ")) };
        let differs = known.get(&change.name).is_some_and(|other| *other != after);
        let after = if differs { Seen::Unknown("it depends on the backend that is chosen") } else { after };
        known.insert(change.name.clone(), after);
    }
    Fields { known, others: if forwarded { Seen::Unknown(APPLICATION) } else { Seen::Absent } }
}
