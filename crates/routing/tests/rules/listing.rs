//! A table read aloud: in which order, and what no request reaches.

use bailey_routing::Criterion;
use bailey_routing::ir::{Conditions, HeaderMatch, PathMatch, Route, RouteMatch, Rule, ValueMatch};
use bailey_routing::pattern::Pattern;

use crate::world::{prefix, route, rule, table};

fn with_header(value: &str) -> Rule {
    let headers = [HeaderMatch { name: "x".into(), value: ValueMatch::Exact(value.into()) }].into();
    let conditions = Conditions { headers, ..Conditions::default() };
    Rule { matches: [RouteMatch::new(PathMatch::Prefix("/a".into()), conditions)].into(), ..prefix("/") }
}

fn hidden(routes: Vec<Route>) -> Vec<(usize, String, usize, Criterion)> {
    let table = table(routes);
    let all = table.listing();
    let hidden = all.iter().flat_map(bailey_routing::Listed::hidden);
    hidden.map(|h| (h.behind.rule_index(), h.front.route().id.name.to_string(), h.front.rule_index(), h.why)).collect()
}

#[test]
fn hosts_are_listed_by_domain_the_most_specific_first() {
    let hosts = ["", "*.example.com", "b.example.com", "*.a.example.com", "example.com", "x.a.example.com", "a.org"];
    let routes = hosts.iter().enumerate().map(|(at, host)| route(&format!("r{at}"), host, [prefix("/")]));
    let table = table(routes);
    let listed: Vec<String> = table.listing().iter().map(|listed| listed.pattern.to_string()).collect();
    let expected =
        ["example.com", "x.a.example.com", "*.a.example.com", "b.example.com", "*.example.com", "a.org", "*"];
    assert_eq!(listed, expected);
}

#[test]
fn equal_matches_hide_the_later_one_and_different_values_hide_nothing() {
    let routes =
        vec![route("a", "", [with_header("1"), with_header("2"), with_header("1"), prefix("/a"), prefix("/a/")])];
    assert_eq!(hidden(routes), [(2, "a".to_owned(), 0, Criterion::Rule), (4, "a".to_owned(), 3, Criterion::Rule)]);
}

#[test]
fn an_expression_for_every_path_hides_all_prefixes() {
    let all = rule(PathMatch::Regex(Pattern::new("/.*").unwrap()));
    let routes = vec![route("all", "", [all]), route("some", "", [prefix("/a"), rule(PathMatch::Exact("/b".into()))])];
    assert_eq!(hidden(routes), [(0, "all".to_owned(), 0, Criterion::PathKind)]);
}
