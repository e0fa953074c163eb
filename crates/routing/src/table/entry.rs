//! All routes of one host pattern on one listener, in the order they are tried.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::paths::{List, Paths};
use crate::hash::FixedHasher;
use crate::ir::{HostPattern, Route};
use crate::matching::{holds, is_grpc_method};
use crate::precedence::{Ranked, compare, seniority};
use crate::request::RequestView;

/// The unit of change: a table is a set of these.
#[derive(Debug)]
pub(crate) struct HostEntry {
    pub(crate) listener: Arc<str>,
    pub(crate) pattern: HostPattern,
    owner: Option<Arc<str>>,
    paths: Paths,
    /// By id. Routes of other tenants than the owner are here, but have no candidates.
    routes: Routes,
}

/// Most hosts have one route, and a pointer less to follow then.
#[derive(Debug)]
enum Routes {
    One(Arc<Route>),
    Many(Box<[Arc<Route>]>),
}

/// One match of one rule of one of the entry's routes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) route: u32,
    pub(crate) rule: u32,
    pub(crate) matched: u32,
    /// There is nothing to check besides the path.
    plain: bool,
}

/// The patterns a request's host may be under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Probe<'a> {
    Exact(&'a [u8]),
    Wildcard(&'a [u8]),
    Any,
}

impl<'a> Probe<'a> {
    fn text(self) -> &'a [u8] {
        match self {
            Self::Exact(host) | Self::Wildcard(host) => host,
            Self::Any => b"",
        }
    }

    /// The hash of the pattern on the listener whose name `seed` has taken in.
    pub(crate) fn hash_from(self, seed: &FixedHasher) -> u64 {
        let mut hasher = seed.clone();
        let (kind, host) = match self {
            Self::Exact(host) => (0, host),
            Self::Wildcard(suffix) => (1, suffix),
            Self::Any => (2, &b""[..]),
        };
        hasher.write_u8(kind);
        hasher.write(host);
        hasher.finish()
    }
}

impl<'a> From<&'a HostPattern> for Probe<'a> {
    fn from(pattern: &'a HostPattern) -> Self {
        match pattern {
            HostPattern::Exact(host) => Self::Exact(host.as_bytes()),
            HostPattern::Wildcard(suffix) => Self::Wildcard(suffix.as_bytes()),
            HostPattern::Any => Self::Any,
        }
    }
}

impl HostEntry {
    /// `routes` must not be empty.
    pub(crate) fn new(listener: Arc<str>, pattern: HostPattern, mut routes: Vec<Arc<Route>>) -> Self {
        routes.sort_by(|a, b| a.id.cmp(&b.id));
        // One host, one tenant: the ledger sees to it, and nothing here lets a second one in if it fails.
        let owner = routes.iter().min_by(|a, b| seniority(a, b)).and_then(|oldest| oldest.tenant.clone());
        let owned = (0u32..).zip(&routes).filter(|(_, route)| route.tenant == owner);
        let mut candidates: Vec<Candidate> = owned.flat_map(|(index, route)| candidates_of(index, route)).collect();
        candidates.sort_by(|a, b| compare(a.ranked(&routes), b.ranked(&routes)));
        let paths = Paths::new(Probe::from(&pattern).text(), &candidates, &routes);
        Self { listener, pattern, owner, paths, routes: Routes::new(routes) }
    }

    pub(crate) fn is(&self, listener: &str, probe: Probe<'_>) -> bool {
        let same_kind = match self.pattern {
            HostPattern::Exact(_) => matches!(probe, Probe::Exact(_)),
            HostPattern::Wildcard(_) => matches!(probe, Probe::Wildcard(_)),
            HostPattern::Any => matches!(probe, Probe::Any),
        };
        // The text of `pattern` is elsewhere in memory; the paths' copy is about to be needed.
        same_kind && self.paths.host() == probe.text() && *self.listener == *listener
    }

    pub(crate) fn routes(&self) -> &[Arc<Route>] {
        match &self.routes {
            Routes::One(route) => std::slice::from_ref(route),
            Routes::Many(routes) => routes,
        }
    }

    pub(crate) fn tenant(&self) -> Option<&Arc<str>> {
        self.owner.as_ref()
    }

    /// The first candidate in order of precedence that the request matches.
    pub(crate) fn find(&self, request: &impl RequestView) -> Option<Candidate> {
        let path = request.path();
        let hit = self.paths.walk(path);
        let first = |candidates: List<'_>, also: &dyn Fn(&Candidate) -> bool| {
            candidates.iter().find(|c| also(c) && (c.plain || self.conditions_hold(c, request)))
        };
        let pattern = |c: &Candidate| self.pattern_holds(c, path);
        let always = |_: &Candidate| true;
        first(hit.exact, &always)
            .or_else(|| first(self.paths.patterns(), &pattern))
            .or_else(|| self.paths.prefixes(hit.prefix).find_map(|list| first(list, &always)))
            .or_else(|| first(self.paths.methods(), &pattern))
            .or_else(|| first(self.paths.everything(), &always))
    }

    fn conditions_hold(&self, candidate: &Candidate, request: &impl RequestView) -> bool {
        let matched = candidate.ranked(self.routes()).route_match();
        matched.and_then(|m| m.conditions.as_deref()).is_none_or(|conditions| holds(conditions, request))
    }

    fn pattern_holds(&self, candidate: &Candidate, path: &[u8]) -> bool {
        use crate::ir::PathMatch::{Exact, GrpcMethod, Prefix, Regex};
        match candidate.ranked(self.routes()).route_match().map(|m| &m.path) {
            Some(Regex(pattern)) => pattern.is_match(path),
            Some(GrpcMethod(method)) => is_grpc_method(path, method),
            Some(Exact(_) | Prefix(_)) | None => false,
        }
    }
}

impl Routes {
    fn new(mut routes: Vec<Arc<Route>>) -> Self {
        match routes.pop() {
            Some(only) if routes.is_empty() => Self::One(only),
            last => Self::Many(routes.into_iter().chain(last).collect()),
        }
    }
}

/// In the packed form, the bit of `rule` that says [`Candidate::plain`].
const PLAIN: u32 = 1 << 31;

impl Candidate {
    pub(crate) fn packed(self) -> [[u8; 4]; 3] {
        [self.route, self.rule | if self.plain { PLAIN } else { 0 }, self.matched].map(u32::to_le_bytes)
    }

    pub(crate) fn unpacked([route, rule, matched]: [u32; 3]) -> Self {
        Self { route, rule: rule & !PLAIN, matched, plain: rule & PLAIN != 0 }
    }

    pub(crate) fn ranked(self, routes: &[Arc<Route>]) -> Ranked<'_> {
        Ranked { route: &routes[self.route as usize], rule: self.rule, matched: self.matched }
    }
}

fn candidates_of(index: u32, route: &Route) -> impl Iterator<Item = Candidate> {
    (0u32..).zip(&route.rules).flat_map(move |(rule, content)| {
        let count = content.matches.len().max(1) as u32;
        (0..count).map(move |matched| {
            let plain = content.matches.get(matched as usize).is_none_or(|m| m.conditions.is_none());
            Candidate { route: index, rule, matched, plain }
        })
    })
}
