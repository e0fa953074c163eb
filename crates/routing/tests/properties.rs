//! Properties of tables: equal to a naive reading of the specification, whatever the order and the way they came to be.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "properties/generate.rs"]
mod generate;
#[path = "properties/naive.rs"]
mod naive;

use std::sync::Arc;

use bailey_routing::ir::{Ir, Route, RouteId};
use bailey_routing::{Change, Found, Matched, Overlap, RouteTable, compile, overlap};
use generate::Request;
use proptest::prelude::*;

fn answer(table: &RouteTable, listener: &str, host: &str, request: &Request) -> naive::Answer {
    let Some(id) = table.listener_named(listener) else { return naive::Answer::NoHost };
    match table.find(id, host.as_bytes(), request) {
        Found::Matched(matched) => {
            let index = matched.route_match().map(|m| matched.rule().matches.iter().position(|other| other == m));
            naive::Answer::Rule(matched.route().id.clone(), matched.rule_index(), index.map(Option::unwrap))
        }
        Found::NoHost => naive::Answer::NoHost,
        Found::NoRoute => naive::Answer::NoRoute,
    }
}

fn assert_same(a: &RouteTable, b: &RouteTable, requests: &[(String, String, Request)]) {
    assert_eq!(a.digest(), b.digest());
    assert_eq!((a.host_count(), a.route_count()), (b.host_count(), b.route_count()));
    for (listener, host, request) in requests {
        assert_eq!(answer(a, listener, host, request), answer(b, listener, host, request));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(generate::cases()))]

    #[test]
    fn a_table_answers_as_the_naive_reading_does(ir in generate::ir(), requests in generate::requests()) {
        let table = compile(&ir, None);
        for (listener, host, request) in &requests {
            prop_assert_eq!(answer(&table, listener, host, request), naive::find(&ir, listener, host, request));
        }
    }

    #[test]
    fn the_account_of_a_look_up_agrees_with_it(ir in generate::ir(), requests in generate::requests()) {
        let table = compile(&ir, None);
        for (listener, host, request) in &requests {
            let Some(id) = table.listener_named(listener) else { continue };
            let layers = table.candidates(id, host.as_bytes(), request);
            let asked = layers.iter().filter(|layer| layer.asked).flat_map(|layer| &layer.candidates);
            let first = asked.clone().find(|candidate| candidate.failed.is_none()).map(|candidate| {
                let matched = candidate.matched;
                naive::Answer::Rule(matched.route().id.clone(), matched.rule_index(), matched.match_index())
            });
            let nothing = if layers.is_empty() { naive::Answer::NoHost } else { naive::Answer::NoRoute };
            prop_assert_eq!(first.unwrap_or(nothing), naive::find(&ir, listener, host, request));
        }
    }

    #[test]
    fn a_match_overlaps_with_another_as_requests_show(ir in generate::ir(), requests in generate::requests()) {
        let table = compile(&ir, None);
        for (listener, host, request) in &requests {
            let Some(id) = table.listener_named(listener) else { continue };
            let layers = table.candidates(id, host.as_bytes(), request);
            let all: Vec<_> = layers.iter().flat_map(|layer| &layer.candidates).collect();
            for behind in all.iter().filter(|behind| behind.failed.is_none()) {
                for front in &all {
                    let said = overlap(front.matched.route_match(), behind.matched.route_match());
                    let takes = front.failed.is_none();
                    prop_assert!(said != Overlap::All || takes, "{:?} {:?}", front.matched, behind.matched);
                    prop_assert!(said != Overlap::None || !takes, "{:?} {:?}", front.matched, behind.matched);
                }
            }
        }
    }

    #[test]
    fn the_order_of_routes_does_not_matter(
        ir in generate::ir(), requests in generate::requests(), keys in prop::collection::vec(any::<u32>(), 12),
    ) {
        let mut keyed: Vec<(u32, Arc<Route>)> = keys.into_iter().chain(0..).zip(ir.routes.iter().cloned()).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let shuffled = Ir { routes: keyed.into_iter().map(|(_, route)| route).collect(), ..ir.clone() };
        assert_same(&compile(&ir, None), &compile(&shuffled, None), &requests);
    }

    #[test]
    fn changes_lead_to_the_table_compiled_from_scratch(
        before in generate::ir(), after in generate::ir(), requests in generate::requests(),
    ) {
        let scratch = compile(&after, None);
        let old = compile(&before, None);
        assert_same(&compile(&after, Some(&old)), &scratch, &requests);
        let gone = before.routes.iter().map(|route| Change::RemoveRoute(route.id.clone()));
        let new = after.routes.iter().map(|route| Change::Route(route.clone()));
        assert_same(&old.apply(gone.chain(new)), &scratch, &requests);
    }

    #[test]
    fn one_changed_route_at_a_time_ends_at_the_same_table(ir in generate::ir(), requests in generate::requests()) {
        let mut table = compile(&Ir { routes: Vec::new(), ..ir.clone() }, None);
        for route in &ir.routes {
            table = table.apply([Change::Route(route.clone())]);
        }
        assert_same(&table, &compile(&ir, None), &requests);
        let ids: Vec<RouteId> = ir.routes.iter().map(|route| route.id.clone()).collect();
        let empty = ids.into_iter().fold(table, |table, id| table.apply([Change::RemoveRoute(id)]));
        prop_assert_eq!(empty.host_count(), 0);
        prop_assert_eq!(empty.digest(), compile(&Ir { routes: Vec::new(), ..ir }, None).digest());
    }

    #[test]
    fn what_is_said_to_be_hidden_is_all_that_is_and_answers_nothing(ir in generate::ir(), requests in generate::requests()) {
        let table = compile(&ir, None);
        let key = |one: &Matched<'_>| (one.route().id.clone(), one.rule_index(), one.match_index());
        let mut hidden = Vec::new();
        for listed in table.listing() {
            let found: Vec<_> = listed.hidden().iter().map(|one| key(&one.behind)).collect();
            let taken = |at: usize| {
                let behind = listed.matches[at].route_match();
                listed.matches[..at].iter().any(|front| overlap(front.route_match(), behind) == Overlap::All)
            };
            let expected: Vec<_> =
                (0..listed.matches.len()).filter(|at| taken(*at)).map(|at| key(&listed.matches[at])).collect();
            prop_assert_eq!(&found, &expected);
            hidden.extend(found.into_iter().map(|one| (listed.pattern.clone(), listed.listener.to_owned(), one)));
        }
        for (listener, host, request) in &requests {
            let Some(id) = table.listener_named(listener) else { continue };
            if let Found::Matched(found) = table.find(id, host.as_bytes(), request) {
                prop_assert!(!hidden.contains(&(found.host().clone(), listener.clone(), key(&found))));
            }
        }
    }

    #[test]
    fn different_content_has_a_different_digest(a in generate::ir(), b in generate::ir()) {
        let set = |ir: &Ir| {
            let mut routes: Vec<Route> = ir.routes.iter().map(|route| Route::clone(route)).collect();
            routes.sort_by(|a, b| a.id.cmp(&b.id));
            routes
        };
        let (one, other) = (compile(&a, None), compile(&b, None));
        prop_assert_eq!(set(&a) == set(&b), one.digest() == other.digest());
        prop_assert_eq!(set(&a) == set(&b), one.configuration() == other.configuration());
    }
}
