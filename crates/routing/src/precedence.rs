//! Which of several matches wins: one total order, Gateway API's.
//!
//! Hosts come first and are not seen here: the most specific host pattern is asked before the others. Then
//! 1. `Exact` path;
//! 2. `RegularExpression` path, longer pattern first (Gateway API leaves the place to the implementation; before prefixes
//!    means that a prefix `/` beside a pattern does not hide it);
//! 3. `PathPrefix`, longer first, a trailing slash not counted; a `GRPCRoute` that names a method alone comes right before
//!    the prefix `/`, so that a service outranks a method;
//! 4. a match with a method, then more headers, then more query parameters;
//! 5. the older route (no creation time: youngest), then `namespace/name`, then kind, the order of rules, of matches.

use std::cmp::{Ordering, Reverse};

use crate::ir::{PathMatch, Route, RouteMatch};

/// One match of one rule of a route, as it takes part in the order.
#[derive(Clone, Copy)]
pub(crate) struct Ranked<'a> {
    pub(crate) route: &'a Route,
    pub(crate) rule: u32,
    /// Index into the rule's matches; of a rule without matches there is one, 0, that takes everything.
    pub(crate) matched: u32,
}

impl<'a> Ranked<'a> {
    /// `None` for the match of a rule without matches.
    pub(crate) fn route_match(self) -> Option<&'a RouteMatch> {
        self.route.rules[self.rule as usize].matches.get(self.matched as usize)
    }
}

/// A prefix as it is compared: without its trailing slash.
pub(crate) fn normal_prefix(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

/// `Less` wins.
pub(crate) fn compare(a: Ranked<'_>, b: Ranked<'_>) -> Ordering {
    strength(a.route_match())
        .cmp(&strength(b.route_match()))
        .then_with(|| seniority(a.route, b.route))
        .then_with(|| (a.rule, a.matched).cmp(&(b.rule, b.matched)))
}

/// What decides between two matches that both take a request; the first of these in which they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// The more specific host pattern is asked first.
    Host,
    /// `Exact` before `RegularExpression` before `PathPrefix` before every path.
    PathKind,
    /// The longer path, prefix or pattern.
    PathLength,
    /// The one that asks for a method.
    Method,
    /// The one that asks for more header fields.
    Headers,
    /// The one that asks for more query parameters.
    Query,
    /// The older route.
    Age,
    /// The first by `namespace/name`.
    Name,
    /// The kind of route: `HTTPRoute` first.
    Kind,
    /// The rule that is written first.
    Rule,
    /// The match that is written first.
    Match,
}

/// What decides between two matches under the same host pattern.
pub(crate) fn criterion(a: Ranked<'_>, b: Ranked<'_>) -> Criterion {
    let (one, other) = (strength(a.route_match()), strength(b.route_match()));
    // `/` is a prefix too, if the shortest.
    let kind = |class: u8| if class == 4 { 2 } else { class };
    let by_age = |route: &Route| route.created.unwrap_or(i64::MAX);
    let differ = [
        (Criterion::PathKind, kind(one.0) != kind(other.0)),
        (Criterion::PathLength, one.1 != other.1),
        (Criterion::Method, one.2 != other.2),
        (Criterion::Headers, one.3 != other.3),
        (Criterion::Query, one.4 != other.4),
        (Criterion::Age, by_age(a.route) != by_age(b.route)),
        (Criterion::Name, (&a.route.id.namespace, &a.route.id.name) != (&b.route.id.namespace, &b.route.id.name)),
        (Criterion::Kind, a.route.id.kind != b.route.id.kind),
        (Criterion::Rule, a.rule != b.rule),
    ];
    differ.iter().find(|(_, differs)| *differs).map_or(Criterion::Match, |(criterion, _)| *criterion)
}

/// Age, then name.
pub(crate) fn seniority(a: &Route, b: &Route) -> Ordering {
    let key = |route: &Route| route.created.unwrap_or(i64::MAX);
    let path = |route: &'_ Route| [route.id.namespace.clone(), "/".into(), route.id.name.clone()].concat();
    key(a)
        .cmp(&key(b))
        .then_with(|| if a.id.namespace == b.id.namespace { a.id.name.cmp(&b.id.name) } else { path(a).cmp(&path(b)) })
        .then_with(|| a.id.kind.cmp(&b.id.kind))
}

type Strength = (u8, Reverse<usize>, bool, Reverse<usize>, Reverse<usize>);

fn strength(matched: Option<&RouteMatch>) -> Strength {
    let (class, length) = matched.map_or((4, 0), |m| path_strength(&m.path));
    let conditions = matched.and_then(|m| m.conditions.as_deref());
    let no_method = conditions.is_none_or(|c| c.method.is_none());
    let headers = conditions.map_or(0, |c| c.headers.len());
    let query = conditions.map_or(0, |c| c.query.len());
    (class, Reverse(length), no_method, Reverse(headers), Reverse(query))
}

fn path_strength(path: &PathMatch) -> (u8, usize) {
    match path {
        PathMatch::Exact(path) => (0, path.len()),
        PathMatch::Regex(pattern) => (1, pattern.as_str().len()),
        PathMatch::Prefix(prefix) => match normal_prefix(prefix).len() {
            0 => (4, 0),
            length => (2, length),
        },
        PathMatch::GrpcMethod(method) => (3, method.len()),
    }
}
