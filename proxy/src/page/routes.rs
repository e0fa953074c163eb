//! All routes: which are served, which are not and why, and which rules another one hides.

use std::collections::{BTreeMap, BTreeSet};

use bailey_crds::gateway::{GrpcRoute, HttpRoute};
use bailey_routing::ir::{HostPattern, Route, RouteKind, Target, UpstreamKey};
use bailey_translate::{Code, Diagnostic, Kind, Location, Objects, Severity};
use k8s_openapi::api::networking::v1::Ingress;
use maud::{Markup, html};
use serde::Serialize;

use super::board::{Board, Seen};
use super::filter::Filter;
use super::frame::{badge, empty, heading, link, shown, table};
use super::graph::of::name_of;
use super::query::encode;

/// Rows that are shown; more are counted.
const SHOWN: usize = 500;

/// How a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is not served.
    Rejected,
    /// It is served, and something about it is wrong.
    Problems,
    /// It is served, and another one takes requests that it asks for.
    Shadowed,
    /// It is served.
    Accepted,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// As `HTTPRoute/namespace/name`.
    pub route: String,
    /// How it is.
    pub standing: Standing,
    /// The tenant.
    pub tenant: Option<String>,
    /// The hosts it answers for.
    pub hosts: Vec<String>,
    /// How many rules it has.
    pub rules: usize,
    /// Where its requests go.
    pub backends: Vec<String>,
    /// What is said about it.
    pub diagnostics: Vec<Said>,
    /// Where it is written.
    pub location: Option<String>,
}

/// A diagnostic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// `error`, `warning` or `info`.
    pub severity: &'static str,
    /// Its code.
    pub code: &'static str,
    /// The field.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Where.
    pub location: Option<String>,
}

impl Said {
    /// A diagnostic as it is shown.
    pub fn of(diagnostic: &Diagnostic) -> Self {
        Self {
            severity: diagnostic.severity().as_str(),
            code: diagnostic.code.id(),
            field: diagnostic.field.clone(),
            message: diagnostic.message.clone(),
            remedy: diagnostic.remedy.clone(),
            location: diagnostic.location.as_ref().map(Location::to_string),
        }
    }
}

/// The routes of the filter, those that need somebody first.
pub fn lines(board: &Board, seen: &[Seen], filter: &Filter) -> Vec<Line> {
    let told = board.told();
    let mut said: BTreeMap<String, Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in told.findings(seen) {
        let object = &diagnostic.object;
        said.entry(format!("{}/{}/{}", object.kind, object.namespace, object.name)).or_default().push(diagnostic);
    }
    let mut written = written(&told.objects);
    let mut lines = Vec::new();
    for route in seen.iter().flat_map(|seen| seen.snapshot.table.routes()) {
        if route.id.kind == RouteKind::Binding {
            continue;
        }
        let name = name_of(route);
        let location = written.remove(&name).flatten();
        if lines.iter().any(|line: &Line| line.route == name) {
            continue;
        }
        lines.push(served(route, name, &said, location));
    }
    // What no table has is not served.
    for (name, location) in written {
        let diagnostics = said.get(&name).into_iter().flatten().map(|one| Said::of(one)).collect();
        let empty = (None, Vec::new(), Vec::new());
        lines.push(Line {
            route: name,
            standing: Standing::Rejected,
            tenant: empty.0,
            hosts: empty.1,
            rules: 0,
            backends: empty.2,
            diagnostics,
            location,
        });
    }
    lines.retain(|line| fits(line, filter));
    lines.sort_by(|a, b| (a.standing, &a.route).cmp(&(b.standing, &b.route)));
    lines
}

fn fits(line: &Line, filter: &Filter) -> bool {
    let tenant = filter.tenant.is_none() || filter.tenant == line.tenant;
    let route = filter.route.as_ref().is_none_or(|route| *route == line.route);
    tenant && route && filter.backend.as_ref().is_none_or(|backend| line.backends.contains(backend))
}

/// All route objects, and where they are written. Of tiers that read no files, none.
fn written(objects: &Objects) -> BTreeMap<String, Option<String>> {
    let mut all = BTreeMap::new();
    each::<HttpRoute>(objects, "HTTPRoute", &mut all);
    each::<GrpcRoute>(objects, "GRPCRoute", &mut all);
    each::<Ingress>(objects, "Ingress", &mut all);
    all
}

fn each<T: Kind>(objects: &Objects, kind: &str, all: &mut BTreeMap<String, Option<String>>) {
    for (key, entry) in objects.all::<T>() {
        let location = entry.location.as_ref().map(Location::to_string);
        all.insert(format!("{kind}/{}/{}", key.namespace, key.name), location);
    }
}

fn served(route: &Route, name: String, said: &BTreeMap<String, Vec<&Diagnostic>>, location: Option<String>) -> Line {
    let hosts: BTreeSet<String> =
        route.attachments.iter().flat_map(|a| a.hosts.iter()).map(HostPattern::to_string).collect();
    let mut backends: Vec<String> = Vec::new();
    for backend in route.rules.iter().flat_map(|rule| rule.backends.iter()) {
        let text = match &backend.target {
            Target::Invalid(why) => format!("invalid: {}", why.reason),
            Target::Upstream(id) => match id.key() {
                UpstreamKey::Service { namespace, name, port, .. } => format!("{namespace}/{name}:{port}"),
                UpstreamKey::Link { tenant } => format!("tenant {tenant}"),
            },
        };
        if !backends.contains(&text) {
            backends.push(text);
        }
    }
    let own = said.get(&name).map(Vec::as_slice).unwrap_or_default();
    let hides =
        |one: &&Diagnostic| matches!(one.code, Code::RuleUnreachable | Code::MatchUnreachable | Code::MatchShadowed);
    let shadowed = own.iter().any(hides);
    let grave = own.iter().any(|one| one.severity() != Severity::Info && !hides(one));
    Line {
        standing: match (hosts.is_empty(), grave, shadowed) {
            (true, _, _) => Standing::Rejected,
            (false, true, _) => Standing::Problems,
            (false, false, true) => Standing::Shadowed,
            (false, false, false) => Standing::Accepted,
        },
        route: name,
        tenant: route.tenant.as_deref().map(str::to_owned),
        hosts: hosts.into_iter().collect(),
        rules: route.rules.len(),
        backends,
        diagnostics: own.iter().map(|one| Said::of(one)).collect(),
        location,
    }
}

/// The screen.
pub fn screen(board: &Board, seen: &[Seen], filter: &Filter) -> Markup {
    let lines = lines(board, seen, filter);
    let count = |standing| lines.iter().filter(|line| line.standing == standing).count();
    html! {
        (heading("Routes", "Every route that somebody has written, whether it is served, and what is wrong where it is not. Select one to see what reaches it."))
        @if lines.is_empty() {
            (empty("There is no route that fits."))
        } @else {
            p.facts {
                span { strong { (count(Standing::Accepted)) } " accepted" }
                span { strong { (count(Standing::Shadowed)) } " shadowed in part" }
                span { strong { (count(Standing::Problems)) } " with problems" }
                span { strong { (count(Standing::Rejected)) } " rejected" }
            }
            (table("Routes", &["", "Route", "Tenant", "Hosts", "Rules", "Backends", "Written in"], &html! {
                @for line in lines.iter().take(SHOWN) { (row(line)) }
            }))
            @if lines.len() > SHOWN { p.hint { (lines.len() - SHOWN) " more; filter by tenant on the topology to see them." } }
        }
    }
}

fn row(line: &Line) -> Markup {
    let (kind, word) = match line.standing {
        Standing::Accepted => ("fine", "accepted"),
        Standing::Problems => ("warning", "problems"),
        Standing::Shadowed => ("info", "shadowed"),
        Standing::Rejected => ("error", "rejected"),
    };
    html! {
        tr data-route=(line.route) {
            td { (badge(kind, word)) }
            td.route {
                a href=(link("/explain", &format!("route={}", encode(&line.route)))) { (shown(&line.route)) }
                @if !line.diagnostics.is_empty() { ul.related { @for one in &line.diagnostics { (said(one)) } } }
            }
            td { (line.tenant.as_deref().unwrap_or("–")) }
            td.list { @for host in &line.hosts { div { (shown(host)) } } }
            td.number { (line.rules) }
            td.list { @for backend in &line.backends { div { (shown(backend)) } } }
            td { @match &line.location { Some(location) => code.origin { (shown(location)) }, None => "–" } }
        }
    }
}

/// A diagnostic, within the row of its object.
fn said(one: &Said) -> Markup {
    html! {
        li {
            (badge(one.severity, one.code)) " " @if !one.field.is_empty() { code { (shown(&one.field)) } ": " }
            (shown(&one.message)) @if !one.remedy.is_empty() { span.remedy { " " (shown(&one.remedy)) } }
        }
    }
}
