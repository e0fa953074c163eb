//! Which requests two matches have in common. Exact where that is cheap to know; a regular expression is compared with texts,
//! and with other expressions only by being the same, so `Some` may be said where in truth it is `None` or `All`.

use crate::ir::{Conditions, PathMatch, RouteMatch, ValueMatch};
use crate::matching::{is_grpc_method, prefix_ends_at, value_holds};
use crate::pattern::Pattern;
use crate::precedence::normal_prefix;

/// How much of the requests of one match another one takes as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Overlap {
    /// None of them.
    None,
    /// Some, as far as can be told.
    Some,
    /// All of them.
    All,
}

/// How much of the requests that `behind` takes are taken by `front` as well. `None` for a match: it takes everything.
pub fn overlap(front: Option<&RouteMatch>, behind: Option<&RouteMatch>) -> Overlap {
    let every = PathMatch::Prefix("/".into());
    let none = Conditions::default();
    let path = |of: Option<&RouteMatch>| of.map_or(every.clone(), |m| m.path.clone());
    let conditions = |of: Option<&'_ RouteMatch>| of.and_then(|m| m.conditions.clone()).map_or(none.clone(), |c| *c);
    paths(&path(front), &path(behind)).min(others(&conditions(front), &conditions(behind)))
}

impl Overlap {
    /// Of two things that must both hold: what is left.
    fn min(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, Self::All) => Self::All,
            (Self::Some | Self::All, Self::Some | Self::All) => Self::Some,
        }
    }

    fn all_or_none(all: bool) -> Self {
        if all { Self::All } else { Self::None }
    }
}

fn paths(front: &PathMatch, behind: &PathMatch) -> Overlap {
    use PathMatch::{Exact, GrpcMethod, Prefix, Regex};
    if front == behind {
        return Overlap::All;
    }
    match (front, behind) {
        (Prefix(prefix), Exact(path)) => Overlap::all_or_none(takes(prefix, path)),
        (Regex(pattern), Exact(path)) => Overlap::all_or_none(pattern.is_match(path.as_bytes())),
        (GrpcMethod(method), Exact(path)) => Overlap::all_or_none(is_grpc_method(path.as_bytes(), method)),
        (Prefix(front), Prefix(behind)) if begins(behind, front) => Overlap::All,
        (Prefix(front), Prefix(behind)) if begins(front, behind) => Overlap::Some,
        (Prefix(front), Regex(_) | GrpcMethod(_)) if normal_prefix(front).is_empty() => Overlap::All,
        (Exact(path), Prefix(prefix)) => some(takes(prefix, path)),
        (Exact(path), Regex(pattern)) => some(pattern.is_match(path.as_bytes())),
        (Exact(path), GrpcMethod(method)) => some(is_grpc_method(path.as_bytes(), method)),
        // Equal and nested ones were dealt with above.
        (Exact(_), Exact(_)) | (GrpcMethod(_), GrpcMethod(_)) | (Prefix(_), Prefix(_)) => Overlap::None,
        // `/a/b/c` is below no method's path.
        (Prefix(prefix), GrpcMethod(_)) | (GrpcMethod(_), Prefix(prefix)) => {
            some(normal_prefix(prefix).matches('/').count() <= 2)
        }
        (Regex(pattern), _) if takes_everything(pattern) => Overlap::All,
        // The prefix `/` also takes `*`, the target of a request for the server as a whole (RFC 9112 3.2.4).
        (Regex(_), Regex(_) | GrpcMethod(_)) if is_catch_all(front) => Overlap::All,
        (Regex(_), Prefix(prefix)) if is_catch_all(front) && !normal_prefix(prefix).is_empty() => Overlap::All,
        (Regex(_), Regex(_) | Prefix(_) | GrpcMethod(_)) | (Prefix(_) | GrpcMethod(_), Regex(_)) => Overlap::Some,
    }
}

/// The path is an expression that every path meets which begins with a slash, written in one of the usual ways.
pub(crate) fn is_catch_all(path: &PathMatch) -> bool {
    let PathMatch::Regex(pattern) = path else { return false };
    takes_everything(pattern) || matches!(bare(pattern), "/.*" | "/(.*)" | "(/.*)")
}

fn takes_everything(pattern: &Pattern) -> bool {
    matches!(bare(pattern), ".*" | "(.*)")
}

/// Anchors change nothing: an expression has to match the whole path.
fn bare(pattern: &Pattern) -> &str {
    let text = pattern.as_str();
    let text = text.strip_prefix('^').unwrap_or(text);
    text.strip_suffix('$').unwrap_or(text)
}

fn some(some: bool) -> Overlap {
    if some { Overlap::Some } else { Overlap::None }
}

/// The prefix takes this very path. A path keeps its last slash, which a prefix does not.
fn takes(prefix: &str, path: &str) -> bool {
    let prefix = normal_prefix(prefix);
    path.starts_with(prefix) && prefix_ends_at(path.as_bytes(), prefix.len())
}

/// Everything below the prefix `below` is below `prefix`.
fn begins(below: &str, prefix: &str) -> bool {
    takes(prefix, normal_prefix(below))
}

fn others(front: &Conditions, behind: &Conditions) -> Overlap {
    let method = match (front.method, behind.method) {
        (None, _) => Overlap::All,
        (Some(_), None) => Overlap::Some,
        (Some(front), Some(behind)) => Overlap::all_or_none(front == behind),
    };
    let named = |name: &str| behind.headers.iter().find(|other| *other.name == *name).map(|other| &other.value);
    let headers = front.headers.iter().map(|header| values(&header.value, named(&header.name)));
    let named = |name: &str| behind.query.iter().find(|other| *other.name == *name).map(|other| &other.value);
    let query = front.query.iter().map(|parameter| values(&parameter.value, named(&parameter.name)));
    headers.chain(query).fold(method, Overlap::min)
}

/// How much of what meets `behind` (or has any value, if that is `None`) meets `front`.
fn values(front: &ValueMatch, behind: Option<&ValueMatch>) -> Overlap {
    match (front, behind) {
        (front, Some(behind)) if front == behind => Overlap::All,
        (front, Some(ValueMatch::Exact(text))) => Overlap::all_or_none(value_holds(front, text.as_bytes())),
        (ValueMatch::Exact(text), Some(behind @ ValueMatch::Regex(_))) => some(value_holds(behind, text.as_bytes())),
        (_, None) | (ValueMatch::Regex(_), Some(ValueMatch::Regex(_))) => Overlap::Some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_path_keeps_its_last_slash_and_a_prefix_does_not() {
        let exact = |path: &str| PathMatch::Exact(path.into());
        let prefix = |path: &str| PathMatch::Prefix(path.into());
        assert_eq!(paths(&prefix("//"), &exact("/")), Overlap::All);
        assert_eq!(paths(&exact("/"), &prefix("//")), Overlap::Some);
        assert_eq!(paths(&prefix("/shop/"), &exact("/shop")), Overlap::All);
        assert_eq!(paths(&prefix("/shop"), &exact("/shop/")), Overlap::All);
        assert_eq!(paths(&prefix("/shop"), &exact("/shopping")), Overlap::None);
    }
}
