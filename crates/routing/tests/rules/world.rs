//! Short ways to say routes and requests.

use std::sync::Arc;

use bailey_routing::ir::{
    Attachment, Backend, BackendProtocol, Endpoint, Filter, HostPattern, Ir, Listener, ListenerProtocol, PathMatch,
    Route, RouteId, RouteKind, RouteMatch, Rule, Scheme, Target, Tenant, Upstream, UpstreamId, UpstreamKey,
};
use bailey_routing::{Arrival, Found, Matched, Plan, RequestView, RouteTable, compile, plan};

pub(crate) struct Request {
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, &'static str)>,
}

pub(crate) fn get(target: &'static str) -> Request {
    Request { method: "GET", target, headers: Vec::new() }
}

impl Request {
    pub(crate) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl RequestView for Request {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.target.split('?').next().unwrap().as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        self.target.split_once('?').map(|(_, query)| query.as_bytes())
    }

    fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(n, _)| *n == name).map(|(_, value)| value.as_bytes())
    }
}

pub(crate) fn listener(name: &str, port: u16, hostname: &str) -> Listener {
    Listener {
        name: name.into(),
        port,
        protocol: ListenerProtocol::Http,
        hostname: HostPattern::parse(hostname),
        certificates: Box::default(),
        https_redirect: None,
        tenant: None,
    }
}

pub(crate) fn rule(path: PathMatch) -> Rule {
    Rule {
        name: None,
        matches: [RouteMatch::path(path)].into(),
        filters: Box::default(),
        backends: [backend("app", 1)].into(),
        policy: None,
        invalid: None,
    }
}

pub(crate) fn prefix(path: &str) -> Rule {
    rule(PathMatch::Prefix(path.into()))
}

pub(crate) fn with(filters: impl IntoIterator<Item = Filter>, rule: Rule) -> Rule {
    Rule { filters: filters.into_iter().collect(), ..rule }
}

/// On the listener `http`.
pub(crate) fn route(name: &str, host: &str, rules: impl IntoIterator<Item = Rule>) -> Route {
    let attachment = Attachment { listener: "http".into(), hosts: [HostPattern::parse(host)].into() };
    Route {
        id: RouteId { kind: RouteKind::Http, namespace: "apps".into(), name: name.into() },
        created: Some(0),
        tenant: None,
        attachments: [attachment].into(),
        rules: rules.into_iter().collect(),
    }
}

pub(crate) fn service(name: &str) -> UpstreamId {
    let protocol = BackendProtocol::Http1;
    UpstreamId::new(UpstreamKey::Service { namespace: "apps".into(), name: name.into(), port: 80, protocol })
}

pub(crate) fn backend(name: &str, weight: u32) -> Backend {
    Backend { target: Target::Upstream(service(name)), weight, filters: Box::default() }
}

/// Upstreams `app`, `other` (one endpoint each) and `idle` (none).
pub(crate) fn table(routes: impl IntoIterator<Item = Route>) -> RouteTable {
    let endpoint = Endpoint { address: ([127, 0, 0, 1], 8080).into(), weight: 1 };
    let upstream = |name: &str, endpoints: &[Endpoint]| Upstream { id: service(name), endpoints: endpoints.into() };
    let upstreams = [upstream("app", &[endpoint]), upstream("other", &[endpoint]), upstream("idle", &[])];
    let suspended = Tenant {
        name: "late-payer".into(),
        max_connections: None,
        requests_per_second: None,
        max_in_flight: None,
        suspended: true,
    };
    let ir = Ir {
        listeners: vec![listener("http", 80, "")],
        routes: routes.into_iter().map(Arc::new).collect(),
        upstreams: upstreams.into_iter().map(Arc::new).collect(),
        tenants: vec![suspended],
    };
    compile(&ir, None)
}

pub(crate) fn look_up<'t>(table: &'t RouteTable, host: &str, request: &Request) -> Found<'t> {
    table.find(table.listener_named("http").unwrap(), host.as_bytes(), request)
}

pub(crate) fn matched<'t>(table: &'t RouteTable, host: &str, request: &Request) -> Option<Matched<'t>> {
    match look_up(table, host, request) {
        Found::Matched(matched) => Some(matched),
        Found::NoHost | Found::NoRoute => None,
    }
}

/// Name of the route and index of the rule that takes the request.
pub(crate) fn taken(table: &RouteTable, host: &str, request: &Request) -> Option<(String, usize)> {
    matched(table, host, request).map(|found| (found.route().id.name.to_string(), found.rule_index()))
}

pub(crate) fn planned<'t>(table: &'t RouteTable, request: &Request, random: u64) -> Plan<'t> {
    let arrival = Arrival { scheme: Scheme::Http, host: b"example.com", port: 80 };
    plan(table, matched(table, "example.com", request).unwrap(), request, arrival, random)
}
