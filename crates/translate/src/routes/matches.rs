//! What a rule matches: paths, headers, query parameters and methods of HTTP, services and methods of gRPC.
//!
//! A match that is not valid is reported and left out: nobody knows what it would have matched, and matching more than
//! the author wrote would take requests from other rules.

use std::sync::Arc;

use bailey_crds::gateway::{
    GrpcMethodMatch, GrpcRouteMatch, HttpPathMatch, HttpRouteMatch, PathMatchType, ValueMatch as Wanted, ValueMatchType,
};
use bailey_routing::ir::{Conditions, HeaderMatch, Method, PathMatch, QueryMatch, RouteMatch, ValueMatch};
use bailey_routing::pattern::Pattern;

use super::rule::Problems;
use crate::diagnostics::Code;
use crate::syntax;

/// A match of an HTTPRoute, or nothing if it is not valid.
pub(super) fn http(wanted: &HttpRouteMatch, at: &str, problems: &mut Problems<'_>) -> Option<RouteMatch> {
    let path = match &wanted.path {
        None => Some(root()),
        Some(path) => http_path(path, &format!("{at}.path"), problems),
    };
    let headers = headers(&wanted.headers, &format!("{at}.headers"), problems);
    let query = query(&wanted.query_params, &format!("{at}.queryParams"), problems);
    let method = match wanted.method.as_deref() {
        None => Some(None),
        Some(text) => method(text, &format!("{at}.method"), problems).map(Some),
    };
    Some(RouteMatch::new(path?, Conditions { method: method?, headers: headers?, query: query? }))
}

/// A match of a GRPCRoute, or nothing if it is not valid.
pub(super) fn grpc(wanted: &GrpcRouteMatch, at: &str, problems: &mut Problems<'_>) -> Option<RouteMatch> {
    let path = match &wanted.method {
        None => Some(root()),
        Some(method) => grpc_path(method, &format!("{at}.method"), problems),
    };
    let headers = headers(&wanted.headers, &format!("{at}.headers"), problems);
    Some(RouteMatch::new(path?, Conditions { headers: headers?, ..Conditions::default() }))
}

fn root() -> PathMatch {
    PathMatch::Prefix("/".into())
}

fn http_path(wanted: &HttpPathMatch, at: &str, problems: &mut Problems<'_>) -> Option<PathMatch> {
    let field = format!("{at}.value");
    let value = wanted.value.as_str();
    let plain = |problems: &mut Problems<'_>| match syntax::path(value) {
        Ok(()) => Some(Arc::from(value)),
        Err(why) => problems.no_match(Code::InvalidPath, &field, format!("{value:?} {why}")),
    };
    match &wanted.type_ {
        PathMatchType::Exact => plain(problems).map(PathMatch::Exact),
        PathMatchType::PathPrefix => plain(problems).map(PathMatch::Prefix),
        PathMatchType::RegularExpression => pattern(value, &field, problems).map(PathMatch::Regex),
        PathMatchType::Other(other) => {
            let message = format!("{other:?} is none of Exact, PathPrefix and RegularExpression");
            problems.no_match(Code::InvalidMatchType, &format!("{at}.type"), message)
        }
    }
}

fn grpc_path(wanted: &GrpcMethodMatch, at: &str, problems: &mut Problems<'_>) -> Option<PathMatch> {
    let service = wanted.service.as_deref().filter(|text| !text.is_empty());
    let method = wanted.method.as_deref().filter(|text| !text.is_empty());
    if service.is_none() && method.is_none() {
        return problems.no_match(Code::InvalidGrpcMethod, at, "neither service nor method is given".to_owned());
    }
    match &wanted.type_ {
        ValueMatchType::Exact => grpc_exact(service, method, at, problems),
        ValueMatchType::RegularExpression => grpc_regex(service, method, at, problems),
        ValueMatchType::Other(other) => unknown_type(other, at, problems),
    }
}

fn grpc_exact(service: Option<&str>, method: Option<&str>, at: &str, problems: &mut Problems<'_>) -> Option<PathMatch> {
    let mut valid = true;
    for (field, text) in [("service", service), ("method", method)] {
        if let Some(text) = text.filter(|text| !syntax::is_grpc_name(text, field == "service")) {
            let message = format!("{text:?} is not the name of a gRPC {field}");
            valid = problems.no_match(Code::InvalidGrpcMethod, &format!("{at}.{field}"), message).unwrap_or(false);
        }
    }
    let path = match (service, method) {
        (Some(service), Some(method)) => PathMatch::Exact(format!("/{service}/{method}").into()),
        (Some(service), None) => PathMatch::Prefix(format!("/{service}").into()),
        (None, Some(method)) => PathMatch::GrpcMethod(method.into()),
        (None, None) => root(),
    };
    valid.then_some(path)
}

fn grpc_regex(service: Option<&str>, method: Option<&str>, at: &str, problems: &mut Problems<'_>) -> Option<PathMatch> {
    const ONE_ELEMENT: &str = "[^/]+";
    // Each alone first, so that a group that is opened in one cannot be closed in the other.
    let mut part = |text: Option<&str>, field: &str| match text {
        None => Some(ONE_ELEMENT.to_owned()),
        Some(text) => pattern(text, &format!("{at}.{field}"), problems).map(|_| text.to_owned()),
    };
    let (service, method) = (part(service, "service"), part(method, "method"));
    let whole = format!("/(?:{})/(?:{})", service?, method?);
    pattern(&whole, at, problems).map(PathMatch::Regex)
}

fn headers(wanted: &[Wanted], at: &str, problems: &mut Problems<'_>) -> Option<Box<[HeaderMatch]>> {
    let mut found: Vec<HeaderMatch> = Vec::new();
    let mut valid = true;
    for (index, header) in wanted.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let name: Arc<str> = header.name.to_ascii_lowercase().into();
        if !syntax::is_token(&name) {
            let message = format!("{name:?} is not a header name");
            valid = problems.no_match(Code::InvalidHeaderMatch, &format!("{at}.name"), message).unwrap_or(false);
        } else if found.iter().any(|earlier| earlier.name == name) {
            problems.found(Code::MatchRepeated, &at, format!("{name} has been matched before"));
        } else if let Some(value) = value(header, &at, problems) {
            found.push(HeaderMatch { name, value });
        } else {
            valid = false;
        }
    }
    valid.then(|| found.into())
}

fn query(wanted: &[Wanted], at: &str, problems: &mut Problems<'_>) -> Option<Box<[QueryMatch]>> {
    let mut found: Vec<QueryMatch> = Vec::new();
    let mut valid = true;
    for (index, parameter) in wanted.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let name: Arc<str> = parameter.name.as_str().into();
        if name.is_empty() {
            let message = "the name is empty".to_owned();
            valid = problems.no_match(Code::InvalidQueryMatch, &format!("{at}.name"), message).unwrap_or(false);
        } else if found.iter().any(|earlier| earlier.name == name) {
            problems.found(Code::MatchRepeated, &at, format!("{name} has been matched before"));
        } else if let Some(value) = value(parameter, &at, problems) {
            found.push(QueryMatch { name, value });
        } else {
            valid = false;
        }
    }
    valid.then(|| found.into())
}

fn value(wanted: &Wanted, at: &str, problems: &mut Problems<'_>) -> Option<ValueMatch> {
    match &wanted.type_ {
        ValueMatchType::Exact => Some(ValueMatch::Exact(wanted.value.as_str().into())),
        ValueMatchType::RegularExpression => {
            pattern(&wanted.value, &format!("{at}.value"), problems).map(ValueMatch::Regex)
        }
        ValueMatchType::Other(other) => unknown_type(other, at, problems),
    }
}

fn unknown_type<T>(other: &str, at: &str, problems: &mut Problems<'_>) -> Option<T> {
    let message = format!("{other:?} is neither Exact nor RegularExpression");
    problems.no_match(Code::InvalidMatchType, &format!("{at}.type"), message)
}

fn pattern(text: &str, field: &str, problems: &mut Problems<'_>) -> Option<Pattern> {
    match Pattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => problems.no_match(Code::InvalidRegex, field, error.to_string()),
    }
}

fn method(text: &str, field: &str, problems: &mut Problems<'_>) -> Option<Method> {
    let message = || format!("{text:?} is not a method (methods are in capitals)");
    Method::parse(text).or_else(|| problems.no_match(Code::InvalidMethod, field, message()))
}
