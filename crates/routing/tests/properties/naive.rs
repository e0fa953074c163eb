//! Gateway API read aloud: look at every match of every route, sort those that match by the order of the specification,
//! take the first. Slow, and written without the crate's own matching.

use std::cmp::Reverse;

use bailey_routing::ir::{Conditions, HostPattern, Ir, Method, PathMatch, Route, RouteId, ValueMatch};

use super::generate::Request;

#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Rule(RouteId, usize, Option<usize>),
    NoHost,
    NoRoute,
}

pub(crate) fn find(ir: &Ir, listener: &str, host: &str, request: &Request) -> Answer {
    let host = host.trim_end_matches('.').to_lowercase();
    let mut patterns: Vec<&HostPattern> = Vec::new();
    for (_, pattern) in places(ir, listener) {
        if covers(pattern, &host) && !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    patterns.sort_by_key(|pattern| Reverse(weight(pattern)));
    let mut owner = None;
    for pattern in &patterns {
        let tenant = oldest(ir, listener, pattern).tenant.clone();
        if owner.get_or_insert(tenant.clone()) != &tenant {
            break;
        }
        let routes = routes_on(ir, listener, pattern).filter(|route| route.tenant == tenant);
        if let Some(answer) = best(routes, request) {
            return answer;
        }
    }
    if patterns.is_empty() { Answer::NoHost } else { Answer::NoRoute }
}

fn places<'a>(ir: &'a Ir, listener: &'a str) -> impl Iterator<Item = (&'a Route, &'a HostPattern)> {
    ir.routes.iter().flat_map(move |route| {
        let here = route.attachments.iter().filter(move |at| &*at.listener == listener);
        here.flat_map(|at| at.hosts.iter()).map(move |host| (&**route, host))
    })
}

fn routes_on<'a>(ir: &'a Ir, listener: &'a str, pattern: &'a HostPattern) -> impl Iterator<Item = &'a Route> {
    places(ir, listener).filter(move |(_, other)| *other == pattern).map(|(route, _)| route)
}

fn oldest<'a>(ir: &'a Ir, listener: &'a str, pattern: &'a HostPattern) -> &'a Route {
    routes_on(ir, listener, pattern).min_by_key(|route| age(route)).unwrap()
}

fn age(route: &Route) -> (i64, String, RouteId) {
    (route.created.unwrap_or(i64::MAX), format!("{}/{}", route.id.namespace, route.id.name), route.id.clone())
}

fn covers(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Any => true,
        HostPattern::Exact(exact) => **exact == *host,
        HostPattern::Wildcard(suffix) => host.len() > suffix.len() + 1 && host.ends_with(&format!(".{suffix}")),
    }
}

fn weight(pattern: &HostPattern) -> usize {
    match pattern {
        HostPattern::Exact(_) => usize::MAX,
        HostPattern::Wildcard(suffix) => suffix.len() + 2,
        HostPattern::Any => 0,
    }
}

fn best<'a>(routes: impl Iterator<Item = &'a Route>, request: &Request) -> Option<Answer> {
    let everything = PathMatch::Prefix("/".into());
    let none = Conditions::default();
    let mut winners = Vec::new();
    for route in routes {
        for (rule_index, rule) in route.rules.iter().enumerate() {
            let mut matches: Vec<_> = (0..)
                .zip(&rule.matches)
                .map(|(index, m)| (Some(index), &m.path, m.conditions.as_deref().unwrap_or(&none)))
                .collect();
            if matches.is_empty() {
                matches.push((None, &everything, &none));
            }
            for (index, path, conditions) in matches {
                if path_matches(path, &request.path) && conditions_hold(conditions, request) {
                    let order = (
                        path_order(path),
                        conditions.method.is_none(),
                        Reverse(conditions.headers.len()),
                        Reverse(conditions.query.len()),
                        age(route),
                        rule_index,
                        index,
                    );
                    winners.push((order, Answer::Rule(route.id.clone(), rule_index, index)));
                }
            }
        }
    }
    winners.into_iter().min_by(|a, b| a.0.cmp(&b.0)).map(|(_, answer)| answer)
}

fn path_order(path: &PathMatch) -> (u8, Reverse<usize>) {
    match path {
        PathMatch::Exact(_) => (0, Reverse(0)),
        PathMatch::Regex(pattern) => (1, Reverse(pattern.as_str().len())),
        PathMatch::Prefix(prefix) if &**prefix == "/" => (4, Reverse(0)),
        PathMatch::Prefix(prefix) => (2, Reverse(without_slash(prefix).len())),
        PathMatch::GrpcMethod(method) => (3, Reverse(method.len())),
    }
}

fn without_slash(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

fn path_matches(matched: &PathMatch, path: &str) -> bool {
    match matched {
        PathMatch::Exact(exact) => **exact == *path,
        PathMatch::Prefix(prefix) => {
            let prefix = without_slash(prefix);
            path == prefix || path.starts_with(&format!("{prefix}/"))
        }
        PathMatch::Regex(pattern) => pattern.is_match(path.as_bytes()),
        PathMatch::GrpcMethod(method) => {
            let parts: Vec<&str> = path.split('/').collect();
            parts.len() == 3 && !parts[1].is_empty() && *parts[2] == **method
        }
    }
}

fn conditions_hold(conditions: &Conditions, request: &Request) -> bool {
    let method = match conditions.method {
        None => true,
        Some(Method::Get) => request.method == "GET",
        Some(Method::Post) => request.method == "POST",
        Some(other) => unreachable!("{other:?} is not generated"),
    };
    let header = |name: &str| {
        let all: Vec<&str> = request.headers.iter().filter(|(n, _)| *n == name).map(|(_, value)| *value).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    method
        && conditions.headers.iter().all(|h| header(&h.name).is_some_and(|value| value_matches(&h.value, &value)))
        && conditions
            .query
            .iter()
            .all(|q| parameter(request, &q.name).is_some_and(|value| value_matches(&q.value, &value)))
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    let pairs = request.query?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let value = pairs.into_iter().find(|(n, _)| *n == name)?.1;
    Some(value.replace('+', " ").replace("%31", "1"))
}

fn value_matches(wanted: &ValueMatch, value: &str) -> bool {
    match wanted {
        ValueMatch::Exact(exact) => **exact == *value,
        ValueMatch::Regex(pattern) => pattern.is_match(value.as_bytes()),
    }
}
