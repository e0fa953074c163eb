//! Rules that no request reaches, because others come first for all that they match.

use std::collections::{BTreeMap, BTreeSet};

use bailey_routing::ir::{HostPattern, RouteId};
use bailey_routing::{Criterion, Hidden, Listed, Matched, RouteTable};

use super::source::Sources;
use crate::diagnostics::{Code, Sink};

/// One match of one rule: the rule's place, the match's; both from 0.
type Place = (usize, Option<usize>);

/// What is known of one match on all hosts.
#[derive(Default)]
struct Account<'t> {
    hosts: usize,
    hidden: Vec<(&'t HostPattern, Hidden<'t>)>,
}

pub(super) fn analyse(table: &RouteTable, sources: &Sources<'_>, sink: &mut Sink) {
    let listing = table.listing();
    let mut routes: BTreeMap<&RouteId, BTreeMap<Place, Account<'_>>> = BTreeMap::new();
    for listed in &listing {
        note(listed, &mut routes);
    }
    for (route, places) in routes.iter().filter(|(_, places)| places.values().any(|one| !one.hidden.is_empty())) {
        let by_rule = places.iter().fold(BTreeMap::<usize, Vec<_>>::new(), |mut rules, ((rule, matched), account)| {
            rules.entry(*rule).or_default().push((*matched, account));
            rules
        });
        for (rule, matches) in &by_rule {
            report(route, *rule, matches, sources, sink);
        }
    }
}

fn note<'t>(listed: &Listed<'t>, routes: &mut BTreeMap<&'t RouteId, BTreeMap<Place, Account<'t>>>) {
    let mut account = |one: &Matched<'t>, hidden: Option<Hidden<'t>>| {
        let places = routes.entry(&one.route().id).or_default();
        let account = places.entry((one.rule_index(), one.match_index())).or_default();
        match hidden {
            Some(hidden) => account.hidden.push((listed.pattern, hidden)),
            None => account.hosts += 1,
        }
    };
    listed.matches.iter().for_each(|one| account(one, None));
    listed.hidden().into_iter().for_each(|hidden| account(&hidden.behind, Some(hidden)));
}

fn report(
    route: &RouteId,
    rule: usize,
    matches: &[(Option<usize>, &Account<'_>)],
    sources: &Sources<'_>,
    sink: &mut Sink,
) {
    let gone = |account: &Account<'_>| account.hidden.len() == account.hosts;
    let Some(source) = sources.of(route) else { return };
    if matches.iter().all(|(_, account)| gone(account)) {
        let message = format!("no request reaches the rule: {}", reason(matches[0].1, sources));
        sink.push(source.subject.problem(Code::RuleUnreachable, source.rule(rule), message));
        return;
    }
    for (matched, account) in matches.iter().filter(|(_, account)| !account.hidden.is_empty()) {
        let field = source.matched(rule, *matched);
        if gone(account) {
            let message = format!("no request reaches the rule by this match: {}", reason(account, sources));
            sink.push(source.subject.problem(Code::MatchUnreachable, field, message));
        } else {
            // One host may be on several listeners.
            let hosts: BTreeSet<_> = account.hidden.iter().map(|(host, _)| host.to_string()).collect();
            let hosts: Vec<_> = hosts.into_iter().collect();
            let hosts = match &hosts[..] {
                [first, second, third, rest @ ..] if !rest.is_empty() => {
                    format!("{first}, {second}, {third} and {} more of its hosts", rest.len())
                }
                all => all.join(", "),
            };
            let message = format!("on {hosts}, {}", reason(account, sources));
            sink.push(source.subject.problem(Code::MatchShadowed, field, message));
        }
    }
}

/// Who takes the requests, and why.
fn reason(account: &Account<'_>, sources: &Sources<'_>) -> String {
    let Some((_, Hidden { behind, front, why })) = account.hidden.first() else { return String::new() };
    let place = sources.of(&front.route().id).map_or_else(String::new, |source| match front.match_index() {
        matched @ Some(_) => source.matched(front.rule_index(), matched),
        None => source.rule(front.rule_index()),
    });
    let own = front.route().id == behind.route().id;
    let whose = if own { format!("{place} of the same route") } else { format!("{place} of {}", front.route().id) };
    let undated = front.route().created.is_none() && behind.route().created.is_none();
    format!("{whose} takes all of them, {}", because(*why, undated))
}

fn because(why: Criterion, undated: bool) -> &'static str {
    match why {
        Criterion::Host => "because its host is more specific",
        Criterion::PathKind => "because an expression for every path comes before all prefixes",
        Criterion::PathLength => "because its path is longer",
        Criterion::Method | Criterion::Headers | Criterion::Query => "because it asks for more",
        Criterion::Age => "because its route is older",
        Criterion::Name if undated => {
            "because its route comes first by namespace and name (in a cluster the older route would)"
        }
        Criterion::Name => "because its route comes first by namespace and name, and both are equally old",
        Criterion::Kind => "because an HTTPRoute comes before a GRPCRoute of its name",
        Criterion::Rule => "because its rule stands before this one",
        Criterion::Match => "because it stands before this match",
    }
}
