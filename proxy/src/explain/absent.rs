//! Routes that no table has, or not for this host: found among the objects, with what the translation says of them. Hosts and
//! paths are compared by the routing's own types.

use bailey_crds::gateway::{GrpcRoute, HttpRoute, PathMatchType};
use bailey_routing::ir::{HostPattern, PathMatch, RouteId, RouteKind, RouteMatch};
use bailey_routing::{Overlap, overlap};
use bailey_translate::{Code, Diagnostic, Key, ObjectRef, Severity};

use super::World;

/// A route, or a part of one, that is not served and would take the request.
pub(super) struct Absent<'w> {
    /// What the translation says of it, the cause first.
    pub(super) diagnostics: Vec<&'w Diagnostic>,
}

/// Problems for which a route is not attached, or not for some host.
const UNATTACHED: [Code; 12] = [
    Code::InvalidHostname,
    Code::HostNotGranted,
    Code::HostOfOtherTenant,
    Code::NoMatchingHostname,
    Code::HostClaimedTwice,
    Code::ParentNotFound,
    Code::NotAllowedByListeners,
    Code::NoMatchingListener,
    Code::RouteConflict,
    Code::NamespaceOfNoTenant,
    Code::TooManyRoutes,
    Code::ListenerHostnameConflict,
];

/// Problems for which a match is left out.
const LEFT_OUT: [Code; 8] = [
    Code::InvalidPath,
    Code::InvalidRegex,
    Code::InvalidHeaderMatch,
    Code::InvalidMethod,
    Code::InvalidMatchType,
    Code::InvalidQueryMatch,
    Code::InvalidGrpcMethod,
    Code::ParentKind,
];

/// A route object as far as it matters here.
struct Wanted {
    id: RouteId,
    hosts: Vec<HostPattern>,
    /// `None`: every path, or paths that are not compared here.
    paths: Option<Vec<PathMatch>>,
}

/// Looks for what would take a request for `host` and `path` if it were served.
pub(super) fn find<'w>(world: &World<'w>, host: &str, path: &str) -> Option<Absent<'w>> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let all = http(world).chain(grpc(world)).filter(|route| route.takes(&host, path));
    let mut found: Vec<(bool, Vec<&'w Diagnostic>)> = Vec::new();
    for route in all {
        let served = route.is_served(world, &host);
        let about = |codes: &[Code]| -> Vec<&'w Diagnostic> {
            let of = |one: &&Diagnostic| is_of(&one.object, &route.id) && codes.contains(&one.code);
            world.diagnostics.iter().filter(of).filter(|one| one.severity() != Severity::Info).collect()
        };
        let why = if served { about(&LEFT_OUT) } else { about(&UNATTACHED) };
        if !why.is_empty() {
            found.push((route.hosts.is_empty(), why));
        }
    }
    // A host that somebody has written into a match is neither granted nor attached anywhere.
    let quoted = format!("{host:?}");
    let in_match = |one: &&Diagnostic| one.code == Code::HostInMatch && one.message.contains(&quoted);
    found.extend(world.diagnostics.iter().filter(in_match).map(|one| (false, vec![one])));
    // One that names the host says more than one that takes every host.
    found.sort_by_key(|(every, _)| *every);
    found.into_iter().next().map(|(_, diagnostics)| Absent { diagnostics })
}

fn is_of(object: &ObjectRef, route: &RouteId) -> bool {
    object.kind == route.kind.as_str() && object.namespace == *route.namespace && object.name == *route.name
}

fn http<'a>(world: &World<'a>) -> impl Iterator<Item = Wanted> + use<'a> {
    world.objects.all::<HttpRoute>().map(|(key, entry)| {
        let matches = entry.object.spec.rules.iter().flat_map(|rule| {
            let every = rule.matches.is_empty().then(|| PathMatch::Prefix("/".into()));
            every.into_iter().chain(rule.matches.iter().map(|one| match &one.path {
                None => PathMatch::Prefix("/".into()),
                Some(path) => match path.type_ {
                    PathMatchType::Exact => PathMatch::Exact(path.value.as_str().into()),
                    PathMatchType::PathPrefix => PathMatch::Prefix(path.value.as_str().into()),
                    // A pattern may be the very thing that is wrong, so it is taken to be right.
                    PathMatchType::RegularExpression | PathMatchType::Other(_) => PathMatch::Prefix("/".into()),
                },
            }))
        });
        Wanted {
            id: id(RouteKind::Http, key),
            hosts: hosts(&entry.object.spec.hostnames),
            paths: Some(matches.collect()),
        }
    })
}

fn grpc<'a>(world: &World<'a>) -> impl Iterator<Item = Wanted> + use<'a> {
    world.objects.all::<GrpcRoute>().map(|(key, entry)| Wanted {
        id: id(RouteKind::Grpc, key),
        hosts: hosts(&entry.object.spec.hostnames),
        paths: None,
    })
}

fn id(kind: RouteKind, key: &Key) -> RouteId {
    RouteId { kind, namespace: key.namespace.as_str().into(), name: key.name.as_str().into() }
}

fn hosts(names: &[String]) -> Vec<HostPattern> {
    names.iter().map(|name| HostPattern::parse(name)).collect()
}

impl Wanted {
    fn takes(&self, host: &str, path: &str) -> bool {
        let asked = RouteMatch::path(PathMatch::Exact(path.into()));
        let takes = |wanted: &PathMatch| overlap(Some(&RouteMatch::path(wanted.clone())), Some(&asked)) == Overlap::All;
        (self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host)))
            && self.paths.as_ref().is_none_or(|paths| paths.iter().any(takes))
    }

    /// Some table has it for this host.
    fn is_served(&self, world: &World<'_>, host: &str) -> bool {
        world.fronts.iter().chain(world.inners).any(|site| {
            let route = site.snapshot.table.route(&self.id);
            let hosts = route.into_iter().flat_map(|route| route.attachments.iter()).flat_map(|at| at.hosts.iter());
            hosts.into_iter().any(|pattern| pattern.matches(host))
        })
    }
}
