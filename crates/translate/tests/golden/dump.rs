//! A translation as text that a person can compare: one line for each thing.

use std::fmt::Write as _;

use bailey_routing::ir::{
    Attachment, Backend, BackendProtocol, Conditions, Filter, HeaderEdit, Listener, OriginPattern, PathMatch,
    PathRewrite, Redirect, Route, RouteMatch, Rule, RulePolicy, Target, Tenant, Upstream, UpstreamId, UpstreamKey,
    ValueMatch,
};
use bailey_translate::Translation;

/// Diagnostics first, then what is served.
pub(crate) fn translation(translation: &Translation) -> String {
    let mut out = String::new();
    section(&mut out, "diagnostics", translation.diagnostics.iter().map(|one| format!("- {one}\n")));
    section(&mut out, "tenants", translation.ir.tenants.iter().map(tenant));
    section(&mut out, "listeners", translation.ir.listeners.iter().map(listener));
    section(&mut out, "routes", translation.ir.routes.iter().map(|one| route(one)));
    section(&mut out, "upstreams", translation.ir.upstreams.iter().map(|one| upstream(one)));
    let parents = translation.parents.iter().map(|one| {
        let partly = if one.partially_invalid { " PartiallyInvalid" } else { "" };
        let on = one.listeners.join(", ");
        let (accepted, refs) = (one.accepted.as_str(), one.resolved_refs.as_str());
        format!("- {} parentRefs[{}]: {accepted} {refs}{partly} on [{on}]\n", one.route, one.parent_ref)
    });
    section(&mut out, "parents", parents);
    let statuses = translation.listeners.iter().map(|one| {
        let conflict = one.conflict.map(|reason| format!(" conflict {}", reason.as_str())).unwrap_or_default();
        let kinds: Vec<_> = one.kinds.iter().map(|kind| kind.as_str()).collect();
        let (accepted, refs, routes) = (one.accepted.as_str(), one.resolved_refs.as_str(), one.attached_routes);
        format!("- {}: {accepted} {refs}{conflict}, {routes} of {}\n", one.listener, kinds.join(", "))
    });
    section(&mut out, "listener status", statuses);
    out
}

fn section(out: &mut String, name: &str, lines: impl Iterator<Item = String>) {
    let lines: String = lines.collect();
    if !lines.is_empty() {
        let _ = write!(out, "{name}:\n{lines}");
    }
}

fn tenant(tenant: &Tenant) -> String {
    let mut line = format!("- {}", tenant.name);
    line.extend(tenant.max_connections.map(|limit| format!(", {limit} connections")));
    line.extend(tenant.requests_per_second.map(|limit| format!(", {limit} requests/s")));
    line.extend(tenant.max_in_flight.map(|limit| format!(", {limit} at once")));
    line.push_str(if tenant.suspended { ", suspended\n" } else { "\n" });
    line
}

fn listener(listener: &Listener) -> String {
    let mut line =
        format!("- {}: port {} {:?} for {}", listener.name, listener.port, listener.protocol, listener.hostname);
    for certificate in &listener.certificates {
        let _ = write!(line, ", certificate {}/{}", certificate.namespace, certificate.name);
    }
    line.extend(listener.https_redirect.map(|redirect| format!(", redirects to https port {}", redirect.port)));
    line.extend(listener.tenant.as_ref().map(|tenant| format!(", of {tenant}")));
    line + "\n"
}

fn route(route: &Route) -> String {
    let mut text = format!("- {}", route.id);
    text.extend(route.created.map(|created| format!(" of {created}")));
    text.extend(route.tenant.as_ref().map(|tenant| format!(" (tenant {tenant})")));
    text.push('\n');
    for Attachment { listener, hosts } in &route.attachments {
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  on {listener}: {}", hosts.join(", "));
    }
    for one in &route.rules {
        text.push_str(&rule(one));
    }
    text
}

fn rule(rule: &Rule) -> String {
    let name = rule.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let matches: Vec<_> = rule.matches.iter().map(route_match).collect();
    let matches = if matches.is_empty() { "everything".to_owned() } else { matches.join(" or ") };
    let mut text = format!("  rule{name}: {matches}\n");
    for one in &rule.filters {
        let _ = writeln!(text, "    {}", filter(one));
    }
    text.extend(rule.policy.as_ref().map(|one| policy(one)));
    for Backend { target: to, weight, filters } in &rule.backends {
        let _ = writeln!(text, "    {weight} to {}", target(to));
        for one in filters {
            let _ = writeln!(text, "      {}", filter(one));
        }
    }
    text.extend(rule.invalid.as_ref().map(|invalid| format!("    answers {} ({})\n", invalid.status, invalid.reason)));
    text
}

fn route_match(wanted: &RouteMatch) -> String {
    let mut text = match &wanted.path {
        PathMatch::Exact(path) => format!("={path}"),
        PathMatch::Prefix(path) => format!("{path}*"),
        PathMatch::Regex(pattern) => format!("~{}", pattern.as_str()),
        PathMatch::GrpcMethod(method) => format!("/*/{method}"),
    };
    let value = |value: &ValueMatch| match value {
        ValueMatch::Exact(value) => format!("={value}"),
        ValueMatch::Regex(pattern) => format!("~{}", pattern.as_str()),
    };
    if let Some(Conditions { method, headers, query }) = wanted.conditions.as_deref() {
        text.extend(method.map(|method| format!(" {}", method.as_str())));
        text.extend(headers.iter().map(|header| format!(" header {}{}", header.name, value(&header.value))));
        text.extend(query.iter().map(|parameter| format!(" query {}{}", parameter.name, value(&parameter.value))));
    }
    text
}

fn policy(policy: &RulePolicy) -> String {
    let mut text = String::from("    policy:");
    text.extend(policy.request_timeout.map(|timeout| format!(" request {timeout:?}")));
    text.extend(policy.backend_timeout.map(|timeout| format!(" backend {timeout:?}")));
    if let Some(retry) = &policy.retry {
        let _ = write!(text, " retry {:?} {:?} {:?}", retry.codes, retry.attempts, retry.backoff);
    }
    text + "\n"
}

fn filter(filter: &Filter) -> String {
    match filter {
        Filter::RequestHeaders(edit) => format!("request headers:{}", header_edit(edit)),
        Filter::ResponseHeaders(edit) => format!("response headers:{}", header_edit(edit)),
        Filter::Redirect(to) => redirect(to),
        Filter::Rewrite(to) => {
            let host = to.host.as_deref().unwrap_or("-");
            format!("rewrite: host {host} path {}", path_rewrite(to.path.as_ref()))
        }
        Filter::Mirror(mirror) => {
            let (part, whole) = (mirror.fraction.numerator, mirror.fraction.denominator);
            format!("mirror {part}/{whole} to {}", target(&mirror.target))
        }
        Filter::Cors(cors) => {
            let origin = |origin: &OriginPattern| match origin {
                OriginPattern::Any => "*".to_owned(),
                OriginPattern::Exact(origin) => origin.to_string(),
                OriginPattern::Wildcard { prefix, suffix } => format!("{prefix}*{suffix}"),
            };
            let origins: Vec<_> = cors.allow_origins.iter().map(origin).collect();
            format!(
                "cors: origins {origins:?} credentials {} methods {:?} headers {:?} exposes {:?} for {}s",
                cors.allow_credentials, cors.allow_methods, cors.allow_headers, cors.expose_headers, cors.max_age
            )
        }
        Filter::Invalid(invalid) => format!("answers {} ({})", invalid.status, invalid.reason),
    }
}

fn header_edit(edit: &HeaderEdit) -> String {
    let mut text = String::new();
    text.extend(edit.set.iter().map(|field| format!(" set {}={}", field.name, field.value)));
    text.extend(edit.add.iter().map(|field| format!(" add {}={}", field.name, field.value)));
    text.extend(edit.remove.iter().map(|name| format!(" remove {name}")));
    text
}

fn redirect(to: &Redirect) -> String {
    let scheme = to.scheme.map_or("-", bailey_routing::ir::Scheme::as_str);
    let host = to.host.as_deref().unwrap_or("-");
    let port = to.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
    let path = path_rewrite(to.path.as_ref());
    format!("redirect {}: scheme {scheme} host {host} port {port} path {path}", to.status.code())
}

fn path_rewrite(path: Option<&PathRewrite>) -> String {
    match path {
        None => "-".to_owned(),
        Some(PathRewrite::Full(path)) => format!("={path}"),
        Some(PathRewrite::Prefix(path)) => format!("{path:?}*"),
    }
}

fn target(target: &Target) -> String {
    match target {
        Target::Upstream(id) => upstream_id(id),
        Target::Invalid(invalid) => format!("{} ({})", invalid.status, invalid.reason),
    }
}

fn upstream(upstream: &Upstream) -> String {
    let endpoints: Vec<_> = upstream.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
    let endpoints = if endpoints.is_empty() { "nowhere".to_owned() } else { endpoints.join(", ") };
    format!("- {}: {endpoints}\n", upstream_id(&upstream.id))
}

fn upstream_id(id: &UpstreamId) -> String {
    match id.key() {
        UpstreamKey::Link { tenant } => format!("link to {tenant}"),
        UpstreamKey::Service { namespace, name, port, protocol } => {
            let protocol = match protocol {
                BackendProtocol::Http1 => "",
                BackendProtocol::H2c => " h2c",
            };
            format!("{namespace}/{name}:{port}{protocol}")
        }
    }
}
