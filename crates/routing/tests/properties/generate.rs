//! Small worlds in which hosts, paths and conditions meet often.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_routing::RequestView;
use bailey_routing::ir::{
    Attachment, Conditions, HeaderMatch, HostPattern, Ir, Listener, ListenerProtocol, Method, PathMatch, QueryMatch,
    Route, RouteId, RouteKind, RouteMatch, Rule, ValueMatch,
};
use bailey_routing::pattern::Pattern;
use proptest::prelude::*;
use proptest::sample::select;

/// Cases per property; more with `BAILEY_PROPERTY_CASES`.
pub(crate) fn cases() -> u32 {
    std::env::var("BAILEY_PROPERTY_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(128)
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

impl RequestView for Request {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        self.query.map(str::as_bytes)
    }

    fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(n, _)| *n == name).map(|(_, value)| value.as_bytes())
    }
}

const HOSTS: [&str; 8] = [
    "a.example.com",
    "b.example.com",
    "x.a.example.com",
    "example.com",
    "*.example.com",
    "*.a.example.com",
    "*.com",
    "",
];
const LISTENERS: [&str; 2] = ["http", "other"];

fn path_text() -> impl Strategy<Value = String> {
    prop::collection::vec(select(vec!["a", "ab", "b", "", "abc"]), 0..4)
        .prop_map(|parts| format!("/{}", parts.join("/")))
}

fn path_match() -> impl Strategy<Value = PathMatch> {
    let pattern = |text: &str| Pattern::new(text).unwrap();
    prop_oneof![
        3 => path_text().prop_map(|text| PathMatch::Exact(text.into())),
        5 => path_text().prop_map(|text| PathMatch::Prefix(text.into())),
        1 => select(vec!["/a.*", "/[ab]+", ".*c", "/a|/b", "/.*", "^.*$"]).prop_map(move |text| PathMatch::Regex(pattern(text))),
        1 => select(vec!["a", "b"]).prop_map(|text| PathMatch::GrpcMethod(text.into())),
    ]
}

fn value() -> impl Strategy<Value = ValueMatch> {
    prop_oneof![
        3 => select(vec!["1", "2", "1, 2"]).prop_map(|text| ValueMatch::Exact(text.into())),
        1 => select(vec!["[12]", "1.*"]).prop_map(|text| ValueMatch::Regex(Pattern::new(text).unwrap())),
    ]
}

fn named() -> impl Strategy<Value = BTreeMap<&'static str, ValueMatch>> {
    prop::collection::btree_map(select(vec!["x", "y"]), value(), 0..2)
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let method = prop_oneof![3 => Just(None), 1 => Just(Some(Method::Get)), 1 => Just(Some(Method::Post))];
    (method, named(), named()).prop_map(|(method, headers, query)| Conditions {
        method,
        headers: headers.into_iter().map(|(name, value)| HeaderMatch { name: name.into(), value }).collect(),
        query: query.into_iter().map(|(name, value)| QueryMatch { name: name.into(), value }).collect(),
    })
}

fn route_match() -> impl Strategy<Value = RouteMatch> {
    (path_match(), prop_oneof![2 => Just(Conditions::default()), 1 => conditions()])
        .prop_map(|(path, conditions)| RouteMatch::new(path, conditions))
}

fn rule() -> impl Strategy<Value = Rule> {
    prop::collection::vec(route_match(), 0..3).prop_map(|mut matches| {
        // The tests tell matches of a rule apart by their content.
        matches.dedup();
        Rule {
            name: None,
            matches: matches.into(),
            filters: Box::default(),
            backends: Box::default(),
            policy: None,
            invalid: None,
        }
    })
}

fn attachment() -> impl Strategy<Value = Attachment> {
    let hosts = prop::collection::vec(select(HOSTS.to_vec()).prop_map(HostPattern::parse), 0..3);
    (select(LISTENERS.to_vec()), hosts)
        .prop_map(|(listener, hosts)| Attachment { listener: listener.into(), hosts: hosts.into() })
}

fn route() -> impl Strategy<Value = Route> {
    let id =
        (select(vec![RouteKind::Http, RouteKind::Grpc]), select(vec!["n", "m", "m-"]), select(vec!["r", "s", "t"]));
    let created = prop::option::of(0i64..3);
    let tenant = prop_oneof![4 => Just("a"), 1 => Just("b")];
    let rules = prop::collection::vec(rule(), 0..4);
    (id, created, tenant, attachment(), rules).prop_map(|((kind, namespace, name), created, tenant, at, rules)| Route {
        id: RouteId { kind, namespace: namespace.into(), name: name.into() },
        created,
        tenant: Some(tenant.into()),
        attachments: [at].into(),
        rules: rules.into(),
    })
}

pub(crate) fn ir() -> impl Strategy<Value = Ir> {
    let listener = |name: &str| Listener {
        name: name.into(),
        port: 80,
        protocol: ListenerProtocol::Http,
        hostname: HostPattern::Any,
        certificates: Box::default(),
        https_redirect: None,
        tenant: None,
    };
    prop::collection::vec(route(), 0..8).prop_map(move |routes| {
        let unique: BTreeMap<RouteId, Arc<Route>> =
            routes.into_iter().map(|route| (route.id.clone(), Arc::new(route))).collect();
        let listeners = LISTENERS.map(listener).into();
        Ir { listeners, routes: unique.into_values().collect(), upstreams: Vec::new(), tenants: Vec::new() }
    })
}

fn request() -> impl Strategy<Value = Request> {
    let headers = prop::collection::vec((select(vec!["x", "y"]), select(vec!["1", "2"])), 0..3);
    let query = select(vec![None, Some("x=1"), Some("y=2&x=%31"), Some("x=1,+2"), Some("x"), Some("x=3&x=1")]);
    (select(vec!["GET", "POST", "PUT"]), path_text(), query, headers)
        .prop_map(|(method, path, query, headers)| Request { method, path, query, headers })
}

/// Listener, host and request.
pub(crate) fn requests() -> impl Strategy<Value = Vec<(String, String, Request)>> {
    let hosts = vec![
        "a.example.com",
        "A.Example.Com.",
        "b.example.com",
        "x.a.example.com",
        "y.x.a.example.com",
        "example.com",
        "c.com",
        "com",
        "localhost",
        "",
        ".example.com",
    ];
    let one = (select(LISTENERS.to_vec()), select(hosts), request());
    prop::collection::vec(one.prop_map(|(listener, host, request)| (listener.into(), host.into(), request)), 24)
}
