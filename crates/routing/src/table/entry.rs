//! All routes of one host pattern on one listener, in the order they are tried.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::paths::{List, Paths};
use crate::hash::FixedHasher;
use crate::ir::{HostPattern, Route};
use crate::matching::{Condition, failing, holds, is_grpc_method};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        let candidates = in_order(&routes, owner.as_ref());
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

    /// All candidates in order of precedence.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        in_order(self.routes(), self.owner.as_ref())
    }

    /// The candidates whose path is that of a request, found by the same walk and in the same order as in [`Self::find`].
    pub(crate) fn reached(&self, path: &[u8]) -> Vec<Candidate> {
        let hit = self.paths.walk(path);
        let pattern = |c: &Candidate| self.pattern_holds(c, path);
        let prefixes = self.paths.prefixes(hit.prefix).flat_map(List::iter);
        let by_path = hit.exact.iter().chain(self.paths.patterns().iter().filter(pattern)).chain(prefixes);
        by_path.chain(self.paths.methods().iter().filter(pattern)).chain(self.paths.everything().iter()).collect()
    }

    /// The first condition of a candidate, besides its path, that the request does not meet.
    pub(crate) fn failing(&self, candidate: Candidate, request: &impl RequestView) -> Option<Condition<'_>> {
        let conditions = candidate.ranked(self.routes()).route_match()?.conditions.as_deref()?;
        failing(conditions, request)
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

/// All candidates of the owner's routes, those that win first.
fn in_order(routes: &[Arc<Route>], owner: Option<&Arc<str>>) -> Vec<Candidate> {
    let owned = (0u32..).zip(routes).filter(|(_, route)| route.tenant.as_ref() == owner);
    let mut candidates: Vec<Candidate> = owned.flat_map(|(index, route)| candidates_of(index, route)).collect();
    candidates.sort_by(|a, b| compare(a.ranked(routes), b.ranked(routes)));
    candidates
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
