//! Hosts, paths, conditions, precedence.

use bailey_routing::ir::{
    Attachment, Conditions, HeaderMatch, HostPattern, Ir, Method, PathMatch, QueryMatch, Route, RouteKind, RouteMatch,
    Rule, ValueMatch,
};
use bailey_routing::pattern::{Pattern, PatternError};
use bailey_routing::{Found, compile, host_of};

use crate::world::{get, listener, look_up, prefix, route, rule, table, taken};

fn name_of(taken: Option<(String, usize)>) -> String {
    taken.map_or_else(|| "nothing".into(), |(name, _)| name)
}

fn rule_of(taken: Option<(String, usize)>) -> Option<usize> {
    taken.map(|(_, rule)| rule)
}

fn exact(path: &str) -> Rule {
    rule(PathMatch::Exact(path.into()))
}

fn on(conditions: Conditions) -> Rule {
    let matches = [RouteMatch::new(PathMatch::Prefix("/".into()), conditions)].into();
    Rule { matches, ..prefix("/") }
}

fn header(name: &str, value: ValueMatch) -> HeaderMatch {
    HeaderMatch { name: name.into(), value }
}

fn parameter(name: &str, value: &str) -> QueryMatch {
    QueryMatch { name: name.into(), value: ValueMatch::Exact(value.into()) }
}

#[test]
fn exact_host_beats_wildcard_beats_any_host() {
    let hosts = [("any", ""), ("wide", "*.com"), ("wildcard", "*.example.com"), ("exact", "a.example.com")];
    let table = table(hosts.map(|(name, host)| route(name, host, [prefix("/")])));
    for (host, expected) in [
        ("a.example.com", "exact"),
        ("A.EXAMPLE.COM", "exact"),
        ("a.example.com.", "exact"),
        ("b.example.com", "wildcard"),
        ("x.y.example.com", "wildcard"),
        ("example.com", "wide"),
        ("example.org", "any"),
        ("", "any"),
    ] {
        assert_eq!(name_of(taken(&table, host, &get("/"))), expected, "{host}");
    }
}

#[test]
fn an_unknown_host_is_not_an_unmatched_path() {
    let table = table([route("r", "a.example.com", [prefix("/api")])]);
    assert!(matches!(look_up(&table, "b.example.com", &get("/api")), Found::NoHost));
    assert!(matches!(look_up(&table, "a.example.com", &get("/")), Found::NoRoute));
}

#[test]
fn a_request_no_rule_of_the_exact_host_matches_goes_to_the_wildcard() {
    let routes = [route("exact", "a.example.com", [prefix("/api")]), route("wildcard", "*.example.com", [prefix("/")])];
    assert_eq!(name_of(taken(&table(routes), "a.example.com", &get("/"))), "wildcard");
}

#[test]
fn a_request_never_goes_on_to_the_wildcard_of_another_tenant() {
    let of = |tenant: &str, route: Route| Route { tenant: Some(tenant.into()), ..route };
    let table = table([
        of("a", route("exact", "a.example.com", [prefix("/api")])),
        of("b", route("wildcard", "*.example.com", [prefix("/")])),
    ]);
    assert!(matches!(look_up(&table, "a.example.com", &get("/")), Found::NoRoute));
    let listener = table.listener_named("http").unwrap();
    assert_eq!(table.tenant_of(listener, b"a.example.com").map(|t| &**t), Some("a"));
    assert_eq!(table.tenant_of(listener, b"c.example.com").map(|t| &**t), Some("b"));
    assert_eq!(table.tenant_of(listener, b"c.example.org"), None);
}

#[test]
fn a_prefix_matches_whole_elements_and_its_trailing_slash_means_nothing() {
    for text in ["/abc", "/abc/"] {
        let table = table([route("r", "", [prefix(text)])]);
        for (path, matches) in [("/abc", true), ("/abc/", true), ("/abc/def", true), ("/abcd", false), ("/ab", false)] {
            assert_eq!(taken(&table, "", &get(path)).is_some(), matches, "{text} {path}");
        }
    }
}

#[test]
fn exact_beats_pattern_beats_longest_prefix() {
    let pattern = rule(PathMatch::Regex(Pattern::new("/users/[0-9]+").unwrap()));
    let table = table([route("r", "", [prefix("/"), prefix("/users"), pattern, exact("/users/1")])]);
    for (path, expected) in [("/users/1", 3), ("/users/2", 2), ("/users/x", 1), ("/usersx", 0)] {
        assert_eq!(rule_of(taken(&table, "", &get(path))), Some(expected), "{path}");
    }
}

#[test]
fn a_shorter_prefix_is_asked_only_if_it_ends_at_an_element() {
    let get_only = Conditions { method: Some(Method::Get), ..Conditions::default() };
    let long = Rule { matches: [RouteMatch::new(PathMatch::Prefix("/ab".into()), get_only)].into(), ..prefix("/") };
    let table = table([route("r", "", [prefix("/a"), long])]);
    assert_eq!(rule_of(taken(&table, "", &get("/ab"))), Some(1));
    assert_eq!(taken(&table, "", &get("/ab").method("PUT")), None);
}

#[test]
fn method_beats_headers_beats_query_parameters() {
    let one_header = [header("x", ValueMatch::Exact("1".into()))];
    let queries = [parameter("q", "1"), parameter("p", "1")];
    let table = table([route(
        "r",
        "",
        [
            prefix("/"),
            on(Conditions { query: queries.into(), ..Conditions::default() }),
            on(Conditions { headers: one_header.into(), ..Conditions::default() }),
            on(Conditions { method: Some(Method::Get), ..Conditions::default() }),
        ],
    )]);
    let target = "/?p=1&q=1";
    assert_eq!(rule_of(taken(&table, "", &get(target).header("x", "1"))), Some(3));
    assert_eq!(rule_of(taken(&table, "", &get(target).header("x", "1").method("PUT"))), Some(2));
    assert_eq!(rule_of(taken(&table, "", &get(target).method("PUT"))), Some(1));
    assert_eq!(rule_of(taken(&table, "", &get("/?p=1").method("PUT"))), Some(0));
}

#[test]
fn the_older_route_wins_then_the_name_then_the_earlier_rule() {
    let at = |created, route: Route| Route { created, ..route };
    let both = || [prefix("/"), prefix("/")];
    let names = |a, b| table([at(a, route("b", "", both())), at(b, route("a", "", both()))]);
    assert_eq!(taken(&names(Some(1), Some(2)), "", &get("/")), Some(("b".into(), 0)));
    assert_eq!(taken(&names(Some(2), Some(2)), "", &get("/")), Some(("a".into(), 0)));
    assert_eq!(taken(&names(Some(2), None), "", &get("/")), Some(("b".into(), 0)));
}

#[test]
fn a_grpc_service_beats_a_method_beats_everything() {
    let method = rule(PathMatch::GrpcMethod("Get".into()));
    let mut grpc = route("r", "", [prefix("/"), method, prefix("/shop.Cart"), exact("/shop.Cart/Get")]);
    grpc.id.kind = RouteKind::Grpc;
    let table = table([grpc]);
    for (path, expected) in
        [("/shop.Cart/Get", 3), ("/shop.Cart/Put", 2), ("/x.Y/Get", 1), ("/x.Y/Put", 0), ("/Get", 0)]
    {
        assert_eq!(rule_of(taken(&table, "", &get(path))), Some(expected), "{path}");
    }
}

#[test]
fn fields_of_one_name_are_compared_joined() {
    let both = header("x", ValueMatch::Exact("a, b".into()));
    let like = header("y", ValueMatch::Regex(Pattern::new("[ab], c").unwrap()));
    let table = table([route(
        "r",
        "",
        [
            on(Conditions { headers: [both].into(), ..Conditions::default() }),
            on(Conditions { headers: [like].into(), ..Conditions::default() }),
        ],
    )]);
    assert_eq!(rule_of(taken(&table, "", &get("/").header("x", "a").header("x", "b"))), Some(0));
    assert_eq!(rule_of(taken(&table, "", &get("/").header("y", "b").header("y", "c"))), Some(1));
    assert_eq!(taken(&table, "", &get("/").header("x", "a")), None);
}

#[test]
fn query_parameters_are_decoded_and_the_first_of_a_name_counts() {
    let wanted = [parameter("full name", "a&b")];
    let table = table([route("r", "", [on(Conditions { query: wanted.into(), ..Conditions::default() })])]);
    for (target, matches) in [
        ("/?full+name=a%26b", true),
        ("/?x&full%20name=a%26b&full+name=c", true),
        ("/?full+name=c&full+name=a%26b", false),
        ("/?full+name=a&b", false),
        ("/?full+name=a%2", false),
        ("/", false),
    ] {
        assert_eq!(taken(&table, "", &get(target)).is_some(), matches, "{target}");
    }
}

#[test]
fn a_rule_without_matches_takes_everything_and_a_route_without_rules_nothing() {
    let all = Rule { matches: Box::default(), ..prefix("/") };
    assert!(taken(&table([route("r", "", [all])]), "", &get("*").method("OPTIONS")).is_some());
    assert!(matches!(look_up(&table([route("r", "a", [])]), "a", &get("/")), Found::NoRoute));
}

#[test]
fn the_listener_with_the_most_specific_hostname_gets_the_request_alone() {
    let mut ir = Ir::default();
    let hosts = [("any", ""), ("wide", "*.com"), ("narrow", "*.example.com"), ("one", "a.example.com")];
    ir.listeners.extend(hosts.map(|(name, host)| listener(name, 80, host)));
    ir.listeners.push(listener("elsewhere", 81, "b.example.com"));
    let table = compile(&ir, None);
    let at =
        |port, host: &str| table.listener_at(port, host.as_bytes()).and_then(|id| table.listener(id)).map(|l| &*l.name);
    assert_eq!(at(80, "A.example.com"), Some("one"));
    assert_eq!(at(80, "b.example.com"), Some("narrow"));
    assert_eq!(at(80, "example.com"), Some("wide"));
    assert_eq!(at(80, "localhost"), Some("any"));
    assert_eq!(at(81, "a.example.com"), None);
    assert_eq!(at(82, "a.example.com"), None);
}

#[test]
fn a_route_on_a_listener_that_is_not_there_harms_nothing() {
    let mut lost = route("lost", "", [prefix("/")]);
    lost.attachments = [Attachment { listener: "nowhere".into(), hosts: [HostPattern::Any].into() }].into();
    assert!(matches!(look_up(&table([lost]), "a", &get("/")), Found::NoHost));
}

#[test]
fn intersections_of_hostnames_are_the_narrower_pattern() {
    for (a, b, both) in [
        ("", "a.com", Some("a.com")),
        ("*.com", "a.com", Some("a.com")),
        ("*.com", "*.a.com", Some("*.a.com")),
        ("*.a.com", "x.y.a.com", Some("x.y.a.com")),
        ("*.a.com", "a.com", None),
        ("*.a.com", "*.b.com", None),
        ("*.a.com", "ba.com", None),
        ("a.com", "b.com", None),
    ] {
        let (a, b) = (HostPattern::parse(a), HostPattern::parse(b));
        let expected = both.map(HostPattern::parse);
        assert_eq!((a.intersect(&b), b.intersect(&a)), (expected.clone(), expected), "{a} {b}");
    }
}

#[test]
fn patterns_match_whole_values_and_their_cost_is_bounded() {
    let pattern = Pattern::new("a|b").unwrap();
    assert!(pattern.is_match(b"a") && pattern.is_match(b"b") && !pattern.is_match(b"ab") && !pattern.is_match(b"xa"));
    assert!(matches!(Pattern::new("a)(b"), Err(PatternError::Syntax { .. })));
    assert!(matches!(Pattern::new("(a+)\\1"), Err(PatternError::Syntax { .. })));
    assert_eq!(Pattern::new("((a{100}){100}){100}"), Err(PatternError::TooBig));
    assert_eq!(Pattern::new(&"a".repeat(1025)), Err(PatternError::TooLong { length: 1025 }));
}

#[test]
fn the_port_is_cut_from_names_and_addresses() {
    for (authority, host) in
        [("a.com:80", "a.com"), ("a.com", "a.com"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", ""), (":80", "")]
    {
        assert_eq!(host_of(authority.as_bytes()), host.as_bytes(), "{authority}");
    }
}
