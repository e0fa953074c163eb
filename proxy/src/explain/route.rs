//! One route: where it is attached, what each rule does, which requests reach it, and which rules come first for them.

use bailey_crds::gateway::{GrpcRoute, HttpRoute};
use bailey_routing::ir::{
    Filter, HostPattern, Listener, ListenerProtocol, PathMatch, Route, RouteId, RouteKind, RouteMatch, Rule, Scheme,
    Target, ValueMatch,
};
use bailey_routing::{Overlap, Shadow as Hides};
use bailey_translate::{Entry, Kind, Severity};

use crate::tier::Role;

use super::{AttachmentView, MatchAccount, RouteAccount, RuleAccount, Shadow, Site, World, say};

/// Explains a route. `None`: neither an object nor a table has one of this name.
pub fn route(world: &World<'_>, id: &RouteId) -> Option<RouteAccount> {
    let serving: Vec<(&Site, &Route)> = sites(world)
        .filter_map(|site| Some((site, &**site.snapshot.table.route(id)?)))
        .filter(|(_, route)| !route.attachments.is_empty())
        .collect();
    let (exists, location) = match id.kind {
        RouteKind::Http => written::<HttpRoute>(world, id),
        RouteKind::Grpc => written::<GrpcRoute>(world, id),
        RouteKind::Ingress | RouteKind::Binding => (false, None),
    };
    if serving.is_empty() && !exists {
        return None;
    }
    let mut told = RouteAccount {
        route: id.to_string(),
        location,
        served: !serving.is_empty(),
        sentence: String::new(),
        attachments: serving.iter().flat_map(|(site, route)| attachments(site, route)).collect(),
        rules: Vec::new(),
        related: Vec::new(),
    };
    if let Some((site, route)) = serving.first() {
        told.rules = rules(world, site, route);
    }
    let mut about: Vec<_> = world.diagnostics.iter().filter(|one| one.object.to_string() == told.route).collect();
    about.sort_by_key(|one| one.severity());
    told.related = about.into_iter().map(say::related).collect();
    told.sentence = sentence(&told);
    Some(told)
}

fn sites<'w>(world: &World<'w>) -> impl Iterator<Item = &'w Site> {
    world.fronts.iter().chain(world.inners)
}

/// Whether there is such an object, and where it is written.
fn written<T: Kind>(world: &World<'_>, id: &RouteId) -> (bool, Option<String>) {
    let entry: Option<&Entry<T>> = world.objects.get(&id.namespace, &id.name);
    (entry.is_some(), entry.and_then(|entry| entry.location.as_ref()).map(ToString::to_string))
}

fn attachments(site: &Site, route: &Route) -> Vec<AttachmentView> {
    let one = |at: &bailey_routing::ir::Attachment| AttachmentView {
        tier: say::tier(&site.role),
        listener: at.listener.to_string(),
        hosts: at.hosts.iter().map(say::host).collect(),
    };
    route.attachments.iter().map(one).collect()
}

fn rules(world: &World<'_>, site: &Site, route: &Route) -> Vec<RuleAccount> {
    let table = &site.snapshot.table;
    let listeners = route.attachments.iter().filter_map(|at| table.listener_named(&at.listener));
    let shadows: Vec<Hides<'_>> = listeners.flat_map(|listener| table.shadows(listener, &route.id)).collect();
    let host = route.attachments.iter().flat_map(|at| at.hosts.iter()).next();
    let origin = origin(world, site, route);
    let account = |(index, rule): (usize, &Rule)| {
        let every = rule.matches.is_empty().then_some(None);
        let matches = every.into_iter().chain(rule.matches.iter().map(Some)).enumerate();
        let matches = matches.map(|(at, matched)| {
            let of_this = |hides: &&Hides<'_>| {
                hides.behind.rule_index() == index && hides.behind.match_index().unwrap_or_default() == at
            };
            MatchAccount {
                wants: say::wants(matched),
                example: example(origin, host, matched),
                shadows: shadows.iter().filter(of_this).map(shadow).collect(),
            }
        });
        RuleAccount {
            rule: index,
            name: rule.name.as_deref().map(str::to_owned),
            does: does(rule),
            matches: matches.collect(),
        }
    };
    route.rules.iter().enumerate().map(account).collect()
}

fn shadow(hides: &Hides<'_>) -> Shadow {
    Shadow { fully: hides.overlap == Overlap::All, by: say::rule(&hides.front), why: say::before(hides.why).to_owned() }
}

/// What becomes of the requests of a rule.
fn does(rule: &Rule) -> Vec<String> {
    if let Some(invalid) = &rule.invalid {
        return vec![format!("answers {}: {}", invalid.status, invalid.reason)];
    }
    let mut told: Vec<String> = rule.filters.iter().map(filter).collect();
    let total: f64 = rule.backends.iter().map(|backend| f64::from(backend.weight)).sum();
    for backend in rule.backends.iter().filter(|backend| backend.weight > 0) {
        let share = format!("{:.0} %", f64::from(backend.weight) * 100.0 / total);
        told.push(match &backend.target {
            Target::Upstream(id) => format!("forwards {share} to {}", say::upstream(id).0),
            Target::Invalid(invalid) => format!("answers {share} with {}: {}", invalid.status, invalid.reason),
        });
    }
    if told.is_empty() {
        told.push("answers 500: it has no backend with a weight".to_owned());
    }
    told
}

fn filter(filter: &Filter) -> String {
    match filter {
        Filter::RequestHeaders(_) => "changes request fields".to_owned(),
        Filter::ResponseHeaders(_) => "changes response fields".to_owned(),
        Filter::Redirect(redirect) => format!("redirects with {}", redirect.status.code()),
        Filter::Rewrite(_) => "rewrites host or path".to_owned(),
        Filter::Mirror(_) => "sends copies".to_owned(),
        Filter::Cors(_) => "answers for other origins (CORS)".to_owned(),
        Filter::Invalid(invalid) => format!("answers {}: {}", invalid.status, invalid.reason),
    }
}

/// The scheme, and the port where it is not the scheme's own, by which clients come to a route.
type Origin = (Scheme, Option<u16>);

/// From the listener that the route is attached to or, behind a link, from one of the tier in front, with TLS rather than without.
fn origin(world: &World<'_>, site: &Site, route: &Route) -> Origin {
    let attached = |listener: &Listener| route.attachments.iter().any(|at| *at.listener == *listener.name);
    let in_front = match &site.role {
        Role::Inner { topology, .. } => {
            let outer = Role::Outer { topology: topology.clone() };
            world.fronts.iter().find(|front| front.role == outer)
        }
        Role::Outer { .. } | Role::Gateway { .. } => None,
    };
    let at = in_front.unwrap_or(site);
    let listeners = at.snapshot.table.listeners().map(|(_, listener)| listener);
    let listeners = listeners.filter(|listener| in_front.is_some() || attached(listener));
    let spoken = listeners.filter_map(|listener| {
        let scheme = match listener.protocol {
            ListenerProtocol::Https => Scheme::Https,
            ListenerProtocol::Http => Scheme::Http,
            ListenerProtocol::Tls | ListenerProtocol::Tcp | ListenerProtocol::Udp => return None,
        };
        Some((scheme, at.visible(listener.port)))
    });
    let best = spoken.min_by_key(|(scheme, port)| (*scheme == Scheme::Http, *port));
    best.map_or((Scheme::Https, None), |(scheme, port)| {
        (scheme, Some(port).filter(|port| *port != scheme.default_port()))
    })
}

/// A request that it would take, as one would type it.
fn example((scheme, port): Origin, host: Option<&HostPattern>, matched: Option<&RouteMatch>) -> String {
    let host = match host {
        Some(HostPattern::Exact(host)) => host.to_string(),
        Some(HostPattern::Wildcard(suffix)) => format!("any.{suffix}"),
        Some(HostPattern::Any) | None => "any.example".to_owned(),
    };
    let path = match matched.map(|matched| &matched.path) {
        Some(PathMatch::Exact(path) | PathMatch::Prefix(path)) => path.to_string(),
        Some(PathMatch::GrpcMethod(method)) => format!("/any.Service/{method}"),
        Some(PathMatch::Regex(pattern)) => pattern.as_str().to_owned(),
        None => "/".to_owned(),
    };
    let value = |value: &ValueMatch| match value {
        ValueMatch::Exact(text) => text.to_string(),
        ValueMatch::Regex(pattern) => pattern.as_str().to_owned(),
    };
    let conditions = matched.and_then(|matched| matched.conditions.as_deref());
    let query = conditions.into_iter().flat_map(|conditions| conditions.query.iter());
    let query: Vec<_> = query.map(|one| format!("{}={}", one.name, value(&one.value))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let mut text = format!("{}://{host}{port}{path}{query}", scheme.as_str());
    if let Some(method) = conditions.and_then(|conditions| conditions.method) {
        text.extend([" -X ", method.as_str()]);
    }
    for header in conditions.into_iter().flat_map(|conditions| conditions.headers.iter()) {
        text.extend([" -H '", &header.name, ": ", &value(&header.value), "'"]);
    }
    text
}

fn sentence(told: &RouteAccount) -> String {
    if !told.served {
        let why = told.related.iter().find(|one| one.severity != Severity::Info.as_str());
        let why = why.map_or_else(|| "no tier here has it".to_owned(), |one| one.message.clone());
        return format!("{} is not served: {why}", told.route);
    }
    let hosts: Vec<&str> = told.attachments.iter().flat_map(|at| at.hosts.iter().map(String::as_str)).collect();
    let matches = || told.rules.iter().flat_map(|rule| &rule.matches);
    let hidden = matches().filter(|one| one.shadows.iter().any(|shadow| shadow.fully)).count();
    let begin = format!("{} is served on {}", told.route, hosts.join(", "));
    match (hidden, matches().count()) {
        (_, 0) => format!("{begin}, and has no rule that could match"),
        (0, _) => begin,
        (hidden, all) if hidden == all => {
            format!("{begin}, and no request reaches it: other rules come first for all of them")
        }
        (hidden, all) => format!("{begin}, and {hidden} of its {all} matches are never reached"),
    }
}
