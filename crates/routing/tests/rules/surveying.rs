//! Accounts of look-ups: what fails first, what wins why, what is hidden behind what, which draw chooses which backend.

use bailey_routing::ir::{Conditions, HeaderMatch, Method, PathMatch, QueryMatch, Route, RouteMatch, Rule, ValueMatch};
use bailey_routing::{Condition, Criterion, Layer, Mismatch, Overlap, Plan, RouteTable, draws};

use crate::world::{Request, backend, get, planned, prefix, route, rule, table};

fn layers<'t>(table: &'t RouteTable, host: &str, request: &Request) -> Vec<Layer<'t>> {
    table.candidates(table.listener_named("http").unwrap(), host.as_bytes(), request)
}

fn demanding() -> Rule {
    let exact = |text: &str| ValueMatch::Exact(text.into());
    let conditions = Conditions {
        method: Some(Method::Post),
        headers: [HeaderMatch { name: "x-beta".into(), value: exact("yes") }].into(),
        query: [QueryMatch { name: "q".into(), value: exact("1") }].into(),
    };
    let matched = RouteMatch::new(PathMatch::Prefix("/a".into()), conditions);
    Rule { matches: [matched].into(), ..prefix("/a") }
}

#[test]
fn the_first_thing_that_fails_is_told() {
    let table = table([route("r", "", [demanding()])]);
    let failed = |request: Request| {
        let layers = layers(&table, "example.com", &request);
        match layers[0].candidates[0].failed {
            None => "nothing",
            Some(Mismatch::Path(_)) => "path",
            Some(Mismatch::Condition(Condition::Method(_))) => "method",
            Some(Mismatch::Condition(Condition::Header(_))) => "header",
            Some(Mismatch::Condition(Condition::Query(_))) => "query",
        }
    };
    assert_eq!(failed(get("/ab")), "path");
    assert_eq!(failed(get("/a").header("x-beta", "yes")), "method");
    assert_eq!(failed(get("/a?q=1").method("POST")), "header");
    assert_eq!(failed(get("/a?q=2&q=1").method("POST").header("x-beta", "yes")), "query");
    assert_eq!(failed(get("/a/b?q=%31").method("POST").header("x-beta", "yes")), "nothing");
}

#[test]
fn every_criterion_of_precedence_is_told_where_it_decides() {
    let at = |created, rules: Vec<Rule>, name: &str| Route { created: Some(created), ..route(name, "", rules) };
    let plain = RouteMatch::path(PathMatch::Prefix("/a".into()));
    let twice = Rule { matches: [plain.clone(), plain].into(), ..prefix("/a") };
    let exact = rule(PathMatch::Exact("/a".into()));
    let decided = |routes: Vec<Route>, request: Request| {
        let table = table(routes);
        let layers = layers(&table, "example.com", &request);
        let all: Vec<_> = layers.iter().flat_map(|layer| &layer.candidates).map(|one| one.matched).collect();
        all[0].before(&all[1])
    };
    let one = |rules: Vec<Rule>| vec![at(0, rules, "r")];
    let a = || get("/a");
    assert_eq!(decided(one(vec![exact, prefix("/a")]), a()), Criterion::PathKind);
    assert_eq!(decided(one(vec![prefix("/a"), prefix("/a/b")]), a()), Criterion::PathLength);
    assert_eq!(decided(one(vec![prefix("/a"), demanding()]), a()), Criterion::Method);
    assert_eq!(decided(vec![at(1, vec![prefix("/a")], "a"), at(0, vec![prefix("/a")], "b")], a()), Criterion::Age);
    assert_eq!(decided(vec![at(0, vec![prefix("/a")], "a"), at(0, vec![prefix("/a")], "b")], a()), Criterion::Name);
    assert_eq!(decided(one(vec![prefix("/a"), prefix("/a")]), a()), Criterion::Rule);
    assert_eq!(decided(one(vec![twice]), a()), Criterion::Match);
    let hosts = vec![route("wide", "*.com", [prefix("/a")]), route("near", "example.com", [prefix("/")])];
    assert_eq!(decided(hosts, a()), Criterion::Host);
}

#[test]
fn a_rule_behind_another_is_hidden_wholly_or_in_part() {
    let old = Route { created: Some(0), ..route("old", "", [prefix("/a")]) };
    let new = Route { created: Some(1), ..route("new", "", [prefix("/a"), prefix("/")]) };
    let table = table([old, new]);
    let id = table.routes().find(|route| &*route.id.name == "new").unwrap().id.clone();
    let shadows = table.shadows(table.listener_named("http").unwrap(), &id);
    let told: Vec<_> = shadows
        .iter()
        .map(|s| (s.behind.rule_index(), &*s.front.route().id.name, s.front.rule_index(), s.overlap, s.why))
        .collect();
    assert_eq!(
        told,
        [
            (0, "old", 0, Overlap::All, Criterion::Age),
            (1, "old", 0, Overlap::Some, Criterion::PathLength),
            (1, "new", 0, Overlap::Some, Criterion::PathLength),
        ]
    );
}

#[test]
fn a_draw_chooses_the_backend_it_is_given_for() {
    let backends = [backend("app", 3), backend("other", 0), backend("app", 1), backend("other", 1_000_000)];
    let table = table([route("r", "", [Rule { backends: backends.into(), ..prefix("/") }])]);
    let rule = &table.routes().next().unwrap().rules[0];
    let chosen: Vec<_> = draws(rule)
        .map(|(index, draw)| match planned(&table, &get("/"), draw) {
            Plan::Forward(forward) => (index, forward.backend),
            Plan::Respond(respond) => panic!("{respond:?}"),
        })
        .collect();
    assert_eq!(chosen, [(0, 0), (2, 2), (3, 3)]);
}
