//! The graph of route tables: which boxes and lines there are.

use std::collections::BTreeMap;

use bailey_routing::RouteTable;
use bailey_routing::ir::{Backend, Filter, HostPattern, Route, RouteKind, Target, UpstreamKey};

use super::{Edge, Graph, Node, Rank, State};
use crate::snapshot::Snapshot;
use crate::tier::Role;

/// Routes that are drawn of one tier; the rest is one box, so that the drawing stays one.
const MAX_ROUTES: usize = 40;

/// A tier to draw.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Which tier.
    pub role: &'a Role,
    /// What it serves.
    pub snapshot: &'a Snapshot,
}

/// What is drawn of the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Only {
    /// Routes of this tenant.
    pub tenant: Option<String>,
    /// This route, as `HTTPRoute/namespace/name`.
    pub route: Option<String>,
}

impl Only {
    fn tenant(&self, name: &str) -> bool {
        self.tenant.as_deref().is_none_or(|wanted| wanted == name)
    }

    fn route(&self, name: &str) -> bool {
        self.route.as_deref().is_none_or(|wanted| wanted == name)
    }
}

/// The graph of these tiers. Inner tiers hang on the outer tier of their topology, or stand alone when that is not among
/// the parts.
pub fn graph(parts: &[Part<'_>], only: &Only) -> Graph {
    let mut graph = Graph::default();
    let mut backends = BTreeMap::new();
    for part in parts {
        match part.role {
            Role::Outer { topology } => {
                let front = graph.node(outer(topology, part.snapshot));
                tenants(&mut graph, &mut backends, front, topology, part, parts, only);
            }
            Role::Gateway { namespace, name } if only.tenant.is_none() => {
                let subtitle = format!("Gateway, {}", ports(&part.snapshot.table));
                let node = fine(Rank::Front, format!("{namespace}/{name}"), subtitle, String::new());
                let front = graph.node(node);
                routes(&mut graph, &mut backends, front, &part.snapshot.table, only);
            }
            Role::Inner { topology, tenant } if !has_outer(parts, topology) && only.tenant(tenant) => {
                let inner = graph.node(inner(tenant, part.snapshot.table.route_count(), false, true));
                routes(&mut graph, &mut backends, inner, &part.snapshot.table, only);
            }
            Role::Gateway { .. } | Role::Inner { .. } => {}
        }
    }
    graph
}

fn has_outer(parts: &[Part<'_>], wanted: &str) -> bool {
    parts.iter().any(|part| matches!(part.role, Role::Outer { topology } if topology == wanted))
}

fn outer(topology: &str, snapshot: &Snapshot) -> Node {
    let subtitle = format!("outer tier, {}", ports(&snapshot.table));
    fine(Rank::Front, topology.to_owned(), subtitle, String::new())
}

fn ports(table: &RouteTable) -> String {
    let mut ports: Vec<u16> = table.listeners().map(|(_, listener)| listener.port).collect();
    ports.sort_unstable();
    ports.dedup();
    let words: Vec<String> = ports.iter().map(u16::to_string).collect();
    match &words[..] {
        [] => "no port".to_owned(),
        [one] => format!("port {one}"),
        many => format!("ports {}", many.join(", ")),
    }
}

/// The tenants of an outer tier, with the routes of the inner tiers that are known here.
fn tenants(
    graph: &mut Graph,
    backends: &mut BTreeMap<String, usize>,
    front: usize,
    topology: &str,
    outer: &Part<'_>,
    parts: &[Part<'_>],
    only: &Only,
) {
    for tenant in outer.snapshot.table.tenants().iter().filter(|tenant| only.tenant(&tenant.name)) {
        let own = parts.iter().find(
            |part| matches!(part.role, Role::Inner { topology: t, tenant: n } if t == topology && **n == *tenant.name),
        );
        let count = own.map(|part| part.snapshot.table.route_count());
        let shown = count.unwrap_or_else(|| hosts_of(&outer.snapshot.table, &tenant.name));
        let node = graph.node(inner(&tenant.name, shown, tenant.suspended, count.is_some()));
        let flow = format!("tenant:{topology}/{}", tenant.name);
        graph.edges.push(Edge { from: front, to: node, label: String::new(), flow });
        if let Some(part) = own {
            routes(graph, backends, node, &part.snapshot.table, only);
        }
    }
}

fn hosts_of(table: &RouteTable, tenant: &str) -> usize {
    table.routes().filter(|route| route.tenant.as_deref() == Some(tenant)).count()
}

fn inner(tenant: &str, count: usize, suspended: bool, known: bool) -> Node {
    let thing = match (known, count) {
        (true, 1) => "route",
        (true, _) => "routes",
        (false, 1) => "hostname",
        (false, _) => "hostnames",
    };
    let words = if suspended { "suspended: answers 503".to_owned() } else { format!("inner tier, {count} {thing}") };
    Node {
        state: if suspended { State::Warning } else { State::Fine },
        ..fine(Rank::Inner, tenant.to_owned(), words, format!("tenant={}", super::super::query::encode(tenant)))
    }
}

fn routes(graph: &mut Graph, backends: &mut BTreeMap<String, usize>, parent: usize, table: &RouteTable, only: &Only) {
    let mut all: Vec<_> = table.routes().filter(|route| route.id.kind != RouteKind::Binding).collect();
    all.retain(|route| only.route(&name_of(route)));
    all.sort_by(|a, b| a.id.cmp(&b.id));
    for route in all.iter().take(MAX_ROUTES) {
        let name = name_of(route);
        let select = format!("route={}", super::super::query::encode(&name));
        let title = format!("{}/{}", route.id.namespace, route.id.name);
        let node = graph.node(Node { state: state(route, table), ..fine(Rank::Route, title, hosts(route), select) });
        graph.edges.push(Edge { from: parent, to: node, label: String::new(), flow: format!("route:{name}") });
        targets(graph, backends, node, route, table);
    }
    if all.len() > MAX_ROUTES {
        let rest = format!("{} more routes", all.len() - MAX_ROUTES);
        let node = graph.node(fine(Rank::Route, rest, "see Routes for all of them".to_owned(), String::new()));
        graph.edges.push(Edge { from: parent, to: node, label: String::new(), flow: String::new() });
    }
}

/// Names what flows from a route to a Service (`namespace/name:port`).
pub fn flow_to(route: &str, service: &str) -> String {
    format!("backend:{route}>{service}")
}

/// A route as metrics and spans name it.
pub fn name_of(route: &Route) -> String {
    format!("{}/{}/{}", route.id.kind.as_str(), route.id.namespace, route.id.name)
}

fn hosts(route: &Route) -> String {
    let mut hosts: Vec<String> =
        route.attachments.iter().flat_map(|a| a.hosts.iter()).map(HostPattern::to_string).collect();
    hosts.sort();
    hosts.dedup();
    if hosts.is_empty() { "no host".to_owned() } else { hosts.join(", ") }
}

/// A route with a broken rule or backend answers some requests with errors; with nothing else it is broken.
fn state(route: &Route, table: &RouteTable) -> State {
    let broken = |backend: &Backend| match &backend.target {
        Target::Invalid(_) => true,
        Target::Upstream(id) => table.upstream(id).is_none_or(|upstream| upstream.endpoints.is_empty()),
    };
    let answers = |filters: &[Filter]| filters.iter().any(|filter| matches!(filter, Filter::Redirect(_)));
    let bad = route.rules.iter().filter(|rule| {
        let none = rule.backends.is_empty() && !answers(&rule.filters);
        rule.invalid.is_some() || none || rule.backends.iter().any(|backend| backend.weight > 0 && broken(backend))
    });
    match bad.count() {
        0 => State::Fine,
        all if all == route.rules.len() => State::Broken,
        _ => State::Warning,
    }
}

/// One line for each backend of a route, with its share where a rule splits.
fn targets(graph: &mut Graph, known: &mut BTreeMap<String, usize>, from: usize, route: &Route, table: &RouteTable) {
    let mut joined: BTreeMap<usize, Edge> = BTreeMap::new();
    let name = name_of(route);
    for rule in &route.rules {
        let sum: u32 = rule.backends.iter().map(|backend| backend.weight).sum();
        for backend in &rule.backends {
            let node = backend_node(&backend.target, table);
            let key = format!("{}\n{}", node.title, node.subtitle);
            let to = *known.entry(key).or_insert_with(|| {
                graph.nodes.push(node);
                graph.nodes.len() - 1
            });
            let share = if backend.weight == sum { String::new() } else { share(backend.weight, sum) };
            let flow = || service(&backend.target).map(|service| flow_to(&name, &service)).unwrap_or_default();
            let edge = joined.entry(to).or_insert_with(|| Edge { from, to, label: String::new(), flow: flow() });
            if edge.label.is_empty() {
                edge.label = share;
            }
        }
    }
    graph.edges.extend(joined.into_values());
}

fn share(weight: u32, sum: u32) -> String {
    let percent = f64::from(weight) * 100.0 / f64::from(sum.max(1));
    if percent.fract() < 0.05 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// The Service's port that a backend is, as metrics name it.
fn service(target: &Target) -> Option<String> {
    match target {
        Target::Upstream(id) => match id.key() {
            UpstreamKey::Service { namespace, name, port, .. } => Some(format!("{namespace}/{name}:{port}")),
            UpstreamKey::Link { .. } => None,
        },
        Target::Invalid(_) => None,
    }
}

fn backend_node(target: &Target, table: &RouteTable) -> Node {
    let id = match target {
        Target::Invalid(why) => {
            let node = fine(Rank::Backend, "invalid".to_owned(), why.reason.to_string(), String::new());
            return Node { state: State::Broken, ..node };
        }
        Target::Upstream(id) => id,
    };
    let count = table.upstream(id).map_or(0, |upstream| upstream.endpoints.len());
    let endpoints = match count {
        0 => "no ready endpoint".to_owned(),
        1 => "1 endpoint".to_owned(),
        count => format!("{count} endpoints"),
    };
    let node = match id.key() {
        UpstreamKey::Service { namespace, name, port, .. } => {
            let select = format!("backend={}", super::super::query::encode(&service(target).unwrap_or_default()));
            fine(Rank::Backend, format!("{name}:{port}"), format!("{namespace}, {endpoints}"), select)
        }
        UpstreamKey::Link { tenant } => fine(Rank::Backend, format!("tenant {tenant}"), endpoints, String::new()),
    };
    Node { state: if count == 0 { State::Broken } else { State::Fine }, ..node }
}

fn fine(rank: Rank, title: String, subtitle: String, select: String) -> Node {
    Node { rank, title, subtitle, state: State::Fine, select }
}
