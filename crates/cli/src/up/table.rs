//! What `bailey up` prints: where to point a browser, and one line to try. Text only; what runs is decided elsewhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use bailey_proxy::tier::{Role, TierHandle};
use bailey_routing::RouteTable;
use bailey_routing::ir::{Attachment, HostPattern, PathMatch, Route, RouteKind, Rule, Target, UpstreamKey};

use super::local::Local;
use bailey_proxy::describe;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    url: String,
    /// What a request needs besides host and path.
    when: String,
    tenant: String,
    route: String,
    to: String,
}

/// The table of URLs, one line a rule.
pub fn urls(local: &Local) -> String {
    let mut rows = BTreeSet::new();
    for (role, front) in local.fronts() {
        let Some(base) = base(front) else { continue };
        match role {
            Role::Outer { topology } => {
                for (_, tier) in local.inners().filter(|(inner, _)| inner.topology == *topology) {
                    rows.extend(of_table(&tier.snapshot().table, &base));
                }
            }
            Role::Gateway { .. } | Role::Inner { .. } => rows.extend(of_table(&front.snapshot().table, &base)),
        }
    }
    render(&rows)
}

/// Scheme and port clients use, https before http.
fn base(front: &TierHandle) -> Option<(&'static str, SocketAddr)> {
    let addresses = front.addresses();
    let best = addresses.iter().max_by_key(|address| address.https)?;
    Some((if best.https { "https" } else { "http" }, best.address))
}

fn of_table(table: &RouteTable, base: &(&'static str, SocketAddr)) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for route in table.routes().filter(|route| route.id.kind != RouteKind::Binding) {
        let hosts: BTreeSet<&HostPattern> =
            route.attachments.iter().flat_map(|a: &Attachment| a.hosts.iter()).collect();
        for host in hosts {
            rows.extend(route.rules.iter().flat_map(|rule| of_rule(route, rule, host, base)));
        }
    }
    rows
}

fn of_rule(route: &Route, rule: &Rule, host: &HostPattern, (scheme, address): &(&'static str, SocketAddr)) -> Vec<Row> {
    let matches: Vec<(String, String)> = match &rule.matches[..] {
        [] => vec![("/".to_owned(), String::new())],
        matches => matches.iter().map(|one| (path(&one.path), describe::conditions(Some(one)))).collect(),
    };
    let row = |(path, when): (String, String)| Row {
        url: format!("{scheme}://{}:{}{path}", shown(host), address.port()),
        when,
        tenant: route.tenant.as_deref().unwrap_or("-").to_owned(),
        route: format!("{}/{}", route.id.namespace, route.id.name),
        to: targets(rule),
    };
    matches.into_iter().map(row).collect()
}

fn path(path: &PathMatch) -> String {
    match path {
        PathMatch::Exact(path) => path.to_string(),
        PathMatch::Prefix(path) => {
            if path.ends_with('/') {
                path.to_string()
            } else {
                format!("{path}/…")
            }
        }
        PathMatch::Regex(pattern) => format!("~{}", pattern.as_str()),
        PathMatch::GrpcMethod(_) => "/… (gRPC)".to_owned(),
    }
}

/// A wildcard as a name that can be typed.
fn shown(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(host) => host.to_string(),
        HostPattern::Wildcard(suffix) => format!("any.{}", suffix.trim_start_matches('.')),
        HostPattern::Any => "localhost".to_owned(),
    }
}

fn targets(rule: &Rule) -> String {
    let names: Vec<String> = rule
        .backends
        .iter()
        .map(|backend| match &backend.target {
            Target::Upstream(id) => match id.key() {
                UpstreamKey::Service { name, port, .. } => format!("{name}:{port}"),
                UpstreamKey::Link { tenant } => format!("tenant {tenant}"),
            },
            Target::Invalid(_) => "(invalid)".to_owned(),
        })
        .collect();
    if names.is_empty() { "(answered by the route)".to_owned() } else { names.join(", ") }
}

fn render(rows: &BTreeSet<Row>) -> String {
    let head =
        Row { url: "URL".into(), when: "WHEN".into(), tenant: "TENANT".into(), route: "ROUTE".into(), to: "TO".into() };
    let width =
        |cell: fn(&Row) -> &String| rows.iter().chain([&head]).map(|row| cell(row).chars().count()).max().unwrap_or(0);
    let (url, when, tenant, route) = (width(|r| &r.url), width(|r| &r.when), width(|r| &r.tenant), width(|r| &r.route));
    let mut text = String::new();
    for row in [&head].into_iter().chain(rows) {
        let Row { url: u, when: w, tenant: t, route: r, to } = row;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {u:url$}  {w:when$}  {t:tenant$}  {r:route$}  {to}");
    }
    text
}

/// A `curl` line for the first URL, from an address that nothing of Bailey has, with every header that has fooled proxies.
pub fn curl(local: &Local, ca: &Path) -> Option<String> {
    let mut hosts = BTreeSet::new();
    for (_, tier) in local.fronts() {
        let snapshot = tier.snapshot();
        for route in snapshot.table.routes() {
            hosts.extend(route.attachments.iter().flat_map(|a| a.hosts.iter()).map(shown));
        }
    }
    let host = hosts.iter().find(|host| host.starts_with("shop.")).or_else(|| hosts.first())?;
    let (_, front) = local.fronts().next()?;
    let (scheme, address) = base(front)?;
    let trust = if scheme == "https" { format!("--cacert {} ", ca.display()) } else { String::new() };
    // Only loopback has addresses to spare.
    let from = if address.ip().is_loopback() { "--interface 127.0.0.77 " } else { "" };
    let forged = "-H 'X-Forwarded-For: 6.6.6.6' -H 'Forwarded: for=6.6.6.6' -H 'X-Real-IP: 6.6.6.6' -H 'Connection: x-forwarded-for'";
    Some(format!("curl --http1.1 {trust}{from}{forged} {scheme}://{host}:{}/", address.port()))
}
