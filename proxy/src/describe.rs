//! Tiers, and the rules of their tables, in words. Decides only spelling; what a rule does is the table's.

use bailey_routing::ir::{
    BackendProtocol, Filter, HeaderEdit, PathMatch, PathRewrite, RouteMatch, Rule, RulePolicy, Target, UpstreamId,
    UpstreamKey, ValueMatch,
};

use crate::tier::Role;

/// The name of a tier: `outer main`, `inner main team-a`, `gateway a/web`.
pub fn tier(role: &Role) -> String {
    match role {
        Role::Outer { topology } => format!("outer {topology}"),
        Role::Inner { topology, tenant } => format!("inner {topology} {tenant}"),
        Role::Gateway { namespace, name } => format!("gateway {namespace}/{name}"),
    }
}

/// What a backend speaks.
pub fn protocol(of: BackendProtocol) -> &'static str {
    match of {
        BackendProtocol::Http1 => "HTTP/1.1",
        BackendProtocol::H2c => "h2c",
    }
}

/// The path a match asks for: `/a` exactly, `/a/*` everything below it, `~expr`, `*/Method` of gRPC.
pub fn path(of: Option<&RouteMatch>) -> String {
    match of.map(|one| &one.path) {
        None => "/*".to_owned(),
        Some(PathMatch::Exact(path)) => path.to_string(),
        Some(PathMatch::Prefix(path)) => format!("{}/*", path.trim_end_matches('/')),
        Some(PathMatch::Regex(pattern)) => format!("~{}", pattern.as_str()),
        Some(PathMatch::GrpcMethod(method)) => format!("/*/{method}"),
    }
}

/// What a match asks for besides the path: `POST x-preview: v2 ?page=1`.
pub fn conditions(of: Option<&RouteMatch>) -> String {
    let Some(conditions) = of.and_then(|one| one.conditions.as_deref()) else { return String::new() };
    let value = |value: &ValueMatch| match value {
        ValueMatch::Exact(value) => value.to_string(),
        ValueMatch::Regex(pattern) => format!("~{}", pattern.as_str()),
    };
    let method = conditions.method.map(|method| method.as_str().to_owned());
    let headers = conditions.headers.iter().map(|header| format!("{}: {}", header.name, value(&header.value)));
    let query = conditions.query.iter().map(|query| format!("?{}={}", query.name, value(&query.value)));
    method.into_iter().chain(headers).chain(query).collect::<Vec<_>>().join(" ")
}

/// Where a rule sends: `a/app:80`, with shares when there are several; `(invalid)` where a reference leads nowhere.
pub fn targets(rule: &Rule) -> String {
    let total: u64 = rule.backends.iter().map(|backend| u64::from(backend.weight)).sum();
    let share = |weight: u32| match rule.backends.len() {
        1 => String::new(),
        _ => format!(" {weight}/{total}"),
    };
    let all = rule.backends.iter().map(|backend| format!("{}{}", target(&backend.target), share(backend.weight)));
    all.collect::<Vec<_>>().join(", ")
}

/// The end of one reference.
pub fn target(target: &Target) -> String {
    match target {
        Target::Upstream(id) => upstream(id),
        Target::Invalid(_) => "(invalid)".to_owned(),
    }
}

/// `namespace/service:port`, or the tenant whose inner tier it is.
pub fn upstream(id: &UpstreamId) -> String {
    match id.key() {
        UpstreamKey::Service { namespace, name, port, .. } => format!("{namespace}/{name}:{port}"),
        UpstreamKey::Link { tenant } => format!("tenant {tenant}"),
    }
}

/// What else a rule does, a few words for each filter and limit.
pub fn effects(rule: &Rule) -> Vec<String> {
    let mut all: Vec<String> = rule.filters.iter().map(filter).collect();
    for backend in rule.backends.iter().filter(|backend| !backend.filters.is_empty()) {
        let filters: Vec<String> = backend.filters.iter().map(filter).collect();
        all.push(format!("for {}: {}", target(&backend.target), filters.join(", ")));
    }
    all.extend(rule.policy.iter().flat_map(|limits| policy(limits)));
    all.extend(rule.invalid.iter().map(|invalid| format!("answers {}: {}", invalid.status, invalid.reason)));
    all
}

fn filter(of: &Filter) -> String {
    match of {
        Filter::RequestHeaders(edit) => format!("request headers {}", edits(edit)),
        Filter::ResponseHeaders(edit) => format!("response headers {}", edits(edit)),
        Filter::Redirect(redirect) => {
            let scheme = redirect.scheme.map(|scheme| format!("{}://", scheme.as_str())).unwrap_or_default();
            let host = redirect.host.as_deref().unwrap_or_default();
            let port = redirect.port.map(|port| format!(":{port}")).unwrap_or_default();
            let path = redirect.path.as_ref().map(rewrite).unwrap_or_default();
            format!("redirects {} {scheme}{host}{port}{path}", redirect.status.code()).trim_end().to_owned()
        }
        Filter::Rewrite(change) => {
            let host = change.host.as_deref().map(|host| format!("host {host} ")).unwrap_or_default();
            format!("rewrites {host}{}", change.path.as_ref().map(rewrite).unwrap_or_default()).trim_end().to_owned()
        }
        Filter::Mirror(mirror) => {
            let share = mirror.fraction;
            format!("copies {}/{} to {}", share.numerator, share.denominator, target(&mirror.target))
        }
        Filter::Cors(cors) => format!("CORS for {} origins", cors.allow_origins.len()),
        Filter::Invalid(invalid) => format!("answers {}: {}", invalid.status, invalid.reason),
    }
}

fn rewrite(path: &PathRewrite) -> String {
    match path {
        PathRewrite::Full(path) => format!("path {path}"),
        PathRewrite::Prefix(prefix) => format!("prefix {prefix}"),
    }
}

fn edits(edit: &HeaderEdit) -> String {
    let set = edit.set.iter().map(|field| format!("{}={}", field.name, field.value));
    let add = edit.add.iter().map(|field| format!("+{}={}", field.name, field.value));
    let remove = edit.remove.iter().map(|name| format!("-{name}"));
    set.chain(add).chain(remove).collect::<Vec<_>>().join(" ")
}

fn policy(limits: &RulePolicy) -> Vec<String> {
    let time = |name: &str, time: Option<std::time::Duration>| time.map(|time| format!("{name} {time:?}"));
    let mut all: Vec<String> =
        [time("timeout", limits.request_timeout), time("attempt timeout", limits.backend_timeout)]
            .into_iter()
            .flatten()
            .collect();
    all.extend(limits.retry.as_ref().map(|retry| {
        let attempts = retry.attempts.map_or_else(|| "as often as the tier does".to_owned(), |n| format!("{n} times"));
        format!("retries {attempts} on {:?}", retry.codes)
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailey_routing::ir::{Backend, Conditions, HeaderMatch, Method};

    #[test]
    fn a_rule_is_told_in_a_line() {
        let headers = [HeaderMatch { name: "x".into(), value: ValueMatch::Exact("1".into()) }].into();
        let conditions_of = Conditions { method: Some(Method::Post), headers, ..Conditions::default() };
        let one = RouteMatch::new(PathMatch::Prefix("/a/".into()), conditions_of);
        assert_eq!((path(Some(&one)), conditions(Some(&one))), ("/a/*".to_owned(), "POST x: 1".to_owned()));
        assert_eq!((path(None), conditions(None)), ("/*".to_owned(), String::new()));
        let service = |name: &str| UpstreamKey::Service {
            namespace: "a".into(),
            name: name.into(),
            port: 80,
            protocol: BackendProtocol::Http1,
        };
        let backend = |name: &str, weight| Backend {
            target: Target::Upstream(service(name).into()),
            weight,
            filters: Box::default(),
        };
        let rule = Rule {
            name: None,
            matches: Box::default(),
            filters: Box::default(),
            backends: [backend("x", 3), backend("y", 1)].into(),
            policy: None,
            invalid: None,
        };
        assert_eq!((targets(&rule), effects(&rule)), ("a/x:80 3/4, a/y:80 1/4".to_owned(), Vec::new()));
    }
}
