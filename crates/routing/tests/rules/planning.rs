//! Filters, rewrites, CORS, answers.

use bailey_routing::ir::{
    Backend, Cors, Filter, HeaderEdit, HeaderValue, Invalid, OriginPattern, PathMatch, PathRewrite, Rewrite, Route,
    RouteKind, Rule, Target,
};
use bailey_routing::{Cause, Forward, HeaderOp, Plan, Respond};

use crate::world::{Request, backend, get, planned, prefix, route, rule, table, with};

fn forward_of(plan: Plan<'_>) -> Forward<'_> {
    match plan {
        Plan::Forward(forward) => forward,
        Plan::Respond(respond) => panic!("{respond:?}"),
    }
}

fn answer_of(plan: Plan<'_>) -> Respond<'_> {
    match plan {
        Plan::Respond(respond) => respond,
        Plan::Forward(forward) => panic!("{forward:?}"),
    }
}

fn edit(name: &str, value: &str) -> HeaderEdit {
    let field = HeaderValue { name: name.into(), value: value.into() };
    HeaderEdit { set: [field.clone()].into(), add: [field].into(), remove: [name.into()].into() }
}

fn status_of(rule: Rule) -> u16 {
    let table = table([route("r", "", [rule])]);
    answer_of(planned(&table, &get("/"), 0)).status
}

fn rewritten(matched: PathMatch, rewrite: PathRewrite, target: &'static str) -> String {
    let filter = Filter::Rewrite(Rewrite { host: None, path: Some(rewrite) });
    let table = table([route("r", "", [with([filter], rule(matched))])]);
    let request = get(target);
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.as_bytes())));
    let mut out = Vec::new();
    forward_of(planned(&table, &request, 0)).path.write_target(path.as_bytes(), query, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_replaced_prefix_follows_the_table_of_the_specification() {
    for (path, matched, with, expected) in [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
        ("/foo", "/", "/xyz", "/xyz/foo"),
        ("/foo?a=/b", "/foo", "", "/?a=/b"),
        ("/foo?", "/foo", "/x", "/x?"),
        ("/foo/bar", "/foo", "x", "/x/bar"),
    ] {
        let got = rewritten(PathMatch::Prefix(matched.into()), PathRewrite::Prefix(with.into()), path);
        assert_eq!(got, expected, "{path} {matched} {with}");
    }
}

#[test]
fn a_replaced_full_path_keeps_the_query() {
    let all = || PathMatch::Prefix("/".into());
    assert_eq!(rewritten(all(), PathRewrite::Full("/one".into()), "/a/b?c=d"), "/one?c=d");
    assert_eq!(rewritten(all(), PathRewrite::Full("".into()), "/a/b"), "/");
}

#[test]
fn the_host_of_the_backends_rewrite_wins_over_the_rules() {
    let host = |host: &str| Filter::Rewrite(Rewrite { host: Some(host.into()), path: None });
    let inner = Backend { filters: [host("inner")].into(), ..backend("app", 1) };
    let table = table([route("r", "", [Rule { backends: [inner].into(), ..with([host("outer")], prefix("/")) }])]);
    assert_eq!(forward_of(planned(&table, &get("/"), 0)).host, Some("inner"));
}

#[test]
fn request_edits_run_rule_first_and_response_edits_backend_first() {
    let filters = |value: &str| [Filter::RequestHeaders(edit("q", value)), Filter::ResponseHeaders(edit("s", value))];
    let near = Backend { filters: filters("backend").into(), ..backend("app", 1) };
    let table = table([route("r", "", [Rule { backends: [near].into(), ..with(filters("rule"), prefix("/")) }])]);
    let forward = forward_of(planned(&table, &get("/"), 0));
    let edits = |name: &'static str, value: &'static str| {
        [HeaderOp::Set(name, value.as_bytes()), HeaderOp::Add(name, value.as_bytes()), HeaderOp::Remove(name)]
    };
    let request: Vec<_> = forward.request_ops().collect();
    assert_eq!(request, [edits("q", "rule"), edits("q", "backend")].concat());
    let response: Vec<_> = forward.response_ops().collect();
    assert_eq!(response, [edits("s", "backend"), edits("s", "rule")].concat());
    assert!(!forward.keeps_response());
}

#[test]
fn what_is_wrong_answers_and_does_not_forward() {
    let invalid = || std::sync::Arc::new(Invalid::internal("no such service"));
    let target = Backend { target: Target::Invalid(invalid()), weight: 1, filters: Box::default() };
    let only = |backend: Backend| Rule { backends: [backend].into(), ..prefix("/") };
    assert_eq!(status_of(Rule { invalid: Some(invalid()), ..prefix("/") }), 500);
    assert_eq!(status_of(with([Filter::Invalid(invalid())], prefix("/"))), 500);
    assert_eq!(status_of(only(target)), 500);
    assert_eq!(status_of(only(backend("nobody", 1))), 500);
    assert_eq!(status_of(only(backend("idle", 1))), 503);
    assert_eq!(status_of(only(backend("app", 0))), 500);
    assert_eq!(status_of(Rule { backends: Box::default(), ..prefix("/") }), 500);
}

#[test]
fn a_suspended_tenant_answers_503_and_a_grpc_route_says_so() {
    let mut late = Route { tenant: Some("late-payer".into()), ..route("r", "", [prefix("/")]) };
    late.id.kind = RouteKind::Grpc;
    let table = table([late]);
    let answer = answer_of(planned(&table, &get("/"), 0));
    assert_eq!((answer.status, answer.cause, answer.grpc), (503, Cause::Suspended, true));
}

fn cors(origins: &[&str], credentials: bool, lists: &[&str]) -> Rule {
    let list = || lists.iter().map(|&item| item.into()).collect();
    let cors = Cors {
        allow_origins: origins.iter().map(|text| OriginPattern::parse(text).unwrap()).collect(),
        allow_credentials: credentials,
        allow_methods: list(),
        allow_headers: list(),
        expose_headers: list(),
        max_age: 5,
    };
    with([Filter::Cors(Box::new(cors))], prefix("/"))
}

fn preflight(origin: &'static str) -> Request {
    let request = get("/").method("OPTIONS").header("origin", origin);
    request.header("access-control-request-method", "PUT").header("access-control-request-headers", "x-a, x-b")
}

fn header(headers: &[(&str, Vec<u8>)], name: &str) -> Option<String> {
    let found = headers.iter().find(|(n, _)| n.strip_prefix("access-control-").unwrap_or(n) == name);
    found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
}

#[test]
fn a_preflight_from_an_allowed_origin_is_answered_with_the_lists() {
    let table = table([route("r", "", [cors(&["https://*.bar.com"], true, &["A", "B"])])]);
    let answer = answer_of(planned(&table, &preflight("https://x.www.bar.com"), 0));
    assert_eq!((answer.status, answer.cause), (204, Cause::Preflight));
    for (name, value) in [
        ("allow-origin", "https://x.www.bar.com"),
        ("allow-methods", "A, B"),
        ("allow-headers", "A, B"),
        ("expose-headers", "A, B"),
        ("allow-credentials", "true"),
        ("max-age", "5"),
        ("vary", "origin"),
    ] {
        assert_eq!(header(&answer.headers, name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn a_preflight_from_another_origin_gets_no_cors_headers() {
    let table = table([route("r", "", [cors(&["https://www.foo.com", "https://*.bar.com"], false, &["A"])])]);
    for origin in
        ["https://foobar.com", "https://bar.com", "http://x.bar.com", "https://x.bar.com:8443", "https://.bar.com.x"]
    {
        let answer = answer_of(planned(&table, &preflight(origin), 0));
        assert_eq!(answer.status, 204);
        assert!(answer.headers.iter().all(|(name, _)| *name == "vary"), "{origin}");
    }
}

#[test]
fn stars_are_never_sent_together_with_credentials() {
    let with_credentials = table([route("r", "", [cors(&["*"], true, &["*"])])]);
    let answer = answer_of(planned(&with_credentials, &preflight("https://a"), 0));
    let get = |name| header(&answer.headers, name);
    assert_eq!(get("allow-origin").as_deref(), Some("https://a"));
    assert_eq!(get("allow-methods").as_deref(), Some("PUT"));
    assert_eq!(get("allow-headers").as_deref(), Some("x-a, x-b"));
    assert_eq!(get("expose-headers"), None);
    let without = table([route("r", "", [cors(&["*"], false, &["*"])])]);
    let answer = answer_of(planned(&without, &preflight("https://a"), 0));
    assert_eq!(header(&answer.headers, "allow-origin").as_deref(), Some("*"));
    assert_eq!(header(&answer.headers, "expose-headers").as_deref(), Some("*"));
    assert_eq!(header(&answer.headers, "vary"), None);
}

#[test]
fn a_plain_request_passes_and_its_answer_gets_the_headers() {
    let table = table([route("r", "", [cors(&["https://www.foo.com"], true, &["X"])])]);
    let forward = forward_of(planned(&table, &get("/").header("origin", "https://www.foo.com"), 0));
    let ops: Vec<_> = forward.response_ops().collect();
    assert!(ops.contains(&HeaderOp::Add("vary", b"origin")));
    assert!(ops.contains(&HeaderOp::Set("access-control-allow-origin", b"https://www.foo.com")));
    let options = planned(&table, &get("/").method("OPTIONS").header("origin", "https://www.foo.com"), 0);
    assert!(matches!(options, Plan::Forward(_)), "OPTIONS that asks for no method is no preflight");
}

#[test]
fn origins_are_read_strictly() {
    assert_eq!(OriginPattern::parse("*"), Some(OriginPattern::Any));
    for good in ["https://a.com", "https://*", "https://*:8443", "http://*.a.com:80", "HTTPS://A.com"] {
        assert!(OriginPattern::parse(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "a.com",
        "https://",
        "https://a*.com",
        "https://*a.com",
        "https://a.com/",
        "https://*.*.com",
        "https://:80",
    ] {
        assert!(OriginPattern::parse(bad).is_none(), "{bad}");
    }
}
