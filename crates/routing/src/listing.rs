//! A whole table read aloud: every host pattern of every listener with its matches in the order they are tried, and those
//! matches that no request reaches. For people and tools; a look-up comes by none of this.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::find::Matched;
use crate::ir::{HostPattern, Method, PathMatch, RouteMatch, ValueMatch};
use crate::overlap::{Overlap, is_catch_all, overlap};
use crate::precedence::{Criterion, normal_prefix};
use crate::table::RouteTable;

/// One host pattern on one listener.
#[derive(Debug, Clone)]
pub struct Listed<'t> {
    /// Name of the listener.
    pub listener: &'t str,
    /// The pattern.
    pub pattern: &'t HostPattern,
    /// Whose routes these are.
    pub tenant: Option<&'t str>,
    /// All matches of all rules, in order of precedence.
    pub matches: Vec<Matched<'t>>,
}

/// A match that no request reaches under one host pattern.
#[derive(Debug, Clone, Copy)]
pub struct Hidden<'t> {
    /// The match.
    pub behind: Matched<'t>,
    /// The first match that takes all of its requests.
    pub front: Matched<'t>,
    /// Why that comes first.
    pub why: Criterion,
}

impl RouteTable {
    /// Everything the table has, by listener and domain; below one domain the order is that in which patterns are asked.
    pub fn listing(&self) -> Vec<Listed<'_>> {
        let mut found: Vec<Listed<'_>> = self
            .hosts
            .values()
            .map(|entry| Listed {
                listener: &entry.listener,
                pattern: &entry.pattern,
                tenant: entry.tenant().map(|tenant| &**tenant),
                matches: entry.candidates().into_iter().map(|candidate| Matched { entry, candidate }).collect(),
            })
            .collect();
        found.sort_by_cached_key(|listed| (listed.listener, domain(listed.pattern)));
        found
    }
}

/// Labels from the right; a name before the wildcard above it, every host last.
fn domain(pattern: &HostPattern) -> (bool, Vec<String>, Reverse<bool>) {
    let labels = |text: &str| text.rsplit('.').map(str::to_owned).collect();
    match pattern {
        HostPattern::Exact(host) => (false, labels(host), Reverse(true)),
        HostPattern::Wildcard(suffix) => {
            // Behind every name that it covers.
            let mut labels: Vec<String> = labels(suffix);
            labels.push(char::MAX.to_string());
            (false, labels, Reverse(false))
        }
        HostPattern::Any => (true, Vec::new(), Reverse(false)),
    }
}

/// What matches must have in common for one to hide the other. More conditions come first, so whatever comes first and takes
/// all requests of another has conditions on the same names, and differs in values only. Patterns that take every path
/// are the one exception.
#[derive(PartialEq, Eq, Hash)]
struct Shape<'t> {
    path: (u8, &'t str),
    method: Option<Method>,
    names: Vec<(bool, &'t str)>,
}

/// The matches of one shape that have come so far and are not hidden.
#[derive(Default)]
struct Before<'t> {
    equal: HashMap<Vec<&'t ValueMatch>, Matched<'t>>,
    patterned: Vec<Matched<'t>>,
}

impl<'t> Listed<'t> {
    /// The matches that no request reaches. Costs about as much as the list is long; what an expression matches is known only
    /// of single values, so a match may be hidden without being found here.
    pub fn hidden(&self) -> Vec<Hidden<'t>> {
        let mut found = Vec::new();
        let mut before: HashMap<Shape<'t>, Before<'t>> = HashMap::new();
        let mut catch_all: Vec<Matched<'t>> = Vec::new();
        for behind in &self.matches {
            let (shape, values) = shape(behind.route_match());
            let same = before.entry(shape).or_default();
            let takes_all = |front: &&Matched<'t>| overlap(front.route_match(), behind.route_match()) == Overlap::All;
            let patterned = values.iter().any(|value| matches!(value, ValueMatch::Regex(_)));
            let equal = same.equal.entry(values);
            let front = match &equal {
                Entry::Occupied(front) => Some(front.get()),
                Entry::Vacant(_) => same.patterned.iter().find(takes_all),
            };
            if let Some(front) = front.or_else(|| catch_all.iter().find(takes_all)) {
                found.push(Hidden { behind: *behind, front: *front, why: front.before(behind) });
                continue;
            }
            equal.or_insert(*behind);
            same.patterned.extend(patterned.then_some(*behind));
            if behind.route_match().is_some_and(|one| is_catch_all(&one.path)) {
                catch_all.push(*behind);
            }
        }
        found
    }
}

fn shape(of: Option<&RouteMatch>) -> (Shape<'_>, Vec<&ValueMatch>) {
    let path = match of.map(|one| &one.path) {
        None => (0, ""),
        Some(PathMatch::Prefix(prefix)) => (0, normal_prefix(prefix)),
        Some(PathMatch::Exact(path)) => (1, &**path),
        Some(PathMatch::Regex(pattern)) => (2, pattern.as_str()),
        Some(PathMatch::GrpcMethod(method)) => (3, &**method),
    };
    let conditions = of.and_then(|one| one.conditions.as_deref());
    let headers = conditions.into_iter().flat_map(|all| &all.headers).map(|one| ((true, &*one.name), &one.value));
    let query = conditions.into_iter().flat_map(|all| &all.query).map(|one| ((false, &*one.name), &one.value));
    let mut all: Vec<_> = headers.chain(query).collect();
    all.sort_by_key(|(name, _)| *name);
    let (names, values) = all.into_iter().unzip();
    (Shape { path, method: conditions.and_then(|all| all.method), names }, values)
}
