//! One rule of a route: its matches, filters, backends and policy put together.
//!
//! What is wrong with a rule stays in the rule. A wrong filter or setting makes what the rule matches answer 500; a wrong
//! backend makes its own share answer so; a wrong match is left out.

use std::sync::Arc;

use bailey_crds::gateway::{BackendRef, GrpcRouteMatch, HttpRouteMatch, RouteFilter, RouteRetry, RouteTimeouts};
use bailey_routing::ir::{Filter, Invalid, RouteKind, RouteMatch, Rule};

use super::backends::{self, References};
use super::{filters, matches, policy};
use crate::diagnostics::{Code, Reason, Sink, Subject};

/// A rule as its route states it, whatever the kind of the route.
pub(crate) struct RuleParts<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) matches: Matches<'a>,
    pub(crate) filters: &'a [RouteFilter],
    pub(crate) backends: &'a [BackendRef],
    pub(crate) timeouts: Option<&'a RouteTimeouts>,
    pub(crate) retry: Option<&'a RouteRetry>,
}

/// What a rule matches; the one thing in which the kinds of routes differ.
#[derive(Clone, Copy)]
pub(crate) enum Matches<'a> {
    Http(&'a [HttpRouteMatch]),
    Grpc(&'a [GrpcRouteMatch]),
}

impl Matches<'_> {
    fn is_empty(self) -> bool {
        match self {
            Self::Http(matches) => matches.is_empty(),
            Self::Grpc(matches) => matches.is_empty(),
        }
    }
}

/// Where the problems of one rule go.
pub(super) struct Problems<'a> {
    subject: &'a Subject,
    sink: &'a mut Sink,
    kind: RouteKind,
    /// Why the rule as a whole is wrong; the first problem counts.
    invalid: Option<Arc<Invalid>>,
    /// The first problem for which some request of the rule is refused, or a match is left out.
    refused: Option<Reason>,
    /// The first reference of the rule that leads nowhere.
    pub(super) unresolved: Option<Reason>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(kind: RouteKind, subject: &'a Subject, sink: &'a mut Sink) -> Self {
        Self { subject, sink, kind, invalid: None, refused: None, unresolved: None }
    }

    /// Reports a problem whose effect is limited to its own field.
    pub(super) fn found(&mut self, code: Code, field: &str, message: String) {
        self.sink.push(self.subject.problem(code, field, message));
    }

    /// Reports a problem for which the whole rule answers 500.
    pub(super) fn rule(&mut self, code: Code, field: &str, message: String) {
        let invalid = self.refuse(code, field, message);
        self.invalid.get_or_insert(invalid);
    }

    /// Reports a problem of one filter, and gives what takes the filter's place.
    pub(super) fn filter(&mut self, code: Code, field: &str, message: String) -> Filter {
        Filter::Invalid(self.refuse(code, field, message))
    }

    /// Reports a match that is left out.
    pub(super) fn no_match<T>(&mut self, code: Code, field: &str, message: String) -> Option<T> {
        self.refuse(code, field, message);
        None
    }

    /// Why the rule does not do all that its author wrote, references apart.
    pub(super) fn invalid_reason(&self) -> Option<Reason> {
        self.refused
    }

    fn refuse(&mut self, code: Code, field: &str, message: String) -> Arc<Invalid> {
        self.refused.get_or_insert(code.reason());
        let why = format!("{}: {field}: {message}", code.id());
        self.found(code, field, message);
        Arc::new(Invalid::internal(why))
    }

    /// Reports a reference that leads nowhere, and gives what takes its place.
    pub(super) fn reference(&mut self, code: Code, field: &str, message: String) -> Arc<Invalid> {
        self.unresolved.get_or_insert(code.reason());
        let why = format!("{}: {field}: {message}", code.id());
        self.found(code, field, message);
        // Gateway API: HTTP answers 500, and gRPC UNAVAILABLE, which is what 503 means there.
        let status = if self.kind == RouteKind::Grpc { 503 } else { 500 };
        Arc::new(Invalid { status, reason: why.into() })
    }

    pub(super) fn sink(&mut self) -> &mut Sink {
        self.sink
    }
}

/// The rule `parts`, found at `at`; nothing when no valid match is left, so that it can never apply.
pub(super) fn translate(
    parts: &RuleParts<'_>,
    at: &str,
    references: &mut References<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<Rule> {
    let matches = translate_matches(parts.matches, at, problems);
    let by_prefix = is_by_one_prefix(parts.matches, &matches);
    let place = filters::Place { kind: references.kind, backend: false, by_prefix };
    let filters = filters::translate(parts.filters, &format!("{at}.filters"), place, references, problems);
    let backends = backends::translate(parts.backends, &format!("{at}.backendRefs"), by_prefix, references, problems);
    let policy = policy::translate(parts.timeouts, parts.retry, at, problems);
    check_answer(parts, at, &filters, problems);
    if matches.is_empty() && !parts.matches.is_empty() {
        return None;
    }
    Some(Rule {
        name: parts.name.map(Arc::from),
        matches: matches.into(),
        filters: filters.into(),
        backends: backends.into(),
        policy,
        invalid: problems.invalid.clone(),
    })
}

fn translate_matches(wanted: Matches<'_>, at: &str, problems: &mut Problems<'_>) -> Vec<RouteMatch> {
    let at = |index: usize| format!("{at}.matches[{index}]");
    match wanted {
        Matches::Http(all) => {
            all.iter().enumerate().filter_map(|(index, one)| matches::http(one, &at(index), problems)).collect()
        }
        Matches::Grpc(all) => {
            all.iter().enumerate().filter_map(|(index, one)| matches::grpc(one, &at(index), problems)).collect()
        }
    }
}

/// Whether the rule matches by exactly one path prefix, which is what replacing that prefix needs. No match at all is the
/// prefix `/`.
fn is_by_one_prefix(wanted: Matches<'_>, valid: &[RouteMatch]) -> bool {
    use bailey_routing::ir::PathMatch;
    match wanted {
        Matches::Grpc(_) => false,
        Matches::Http([]) => true,
        Matches::Http(all) => all.len() == 1 && matches!(valid, [RouteMatch { path: PathMatch::Prefix(_), .. }]),
    }
}

/// A rule has to forward or to redirect, and not both.
fn check_answer(parts: &RuleParts<'_>, at: &str, filters: &[Filter], problems: &mut Problems<'_>) {
    let redirects = filters.iter().any(|filter| matches!(filter, Filter::Redirect(_)));
    if redirects && !parts.backends.is_empty() {
        let message = "the rule redirects, so these backends never receive a request".to_owned();
        problems.found(Code::RedirectWithBackends, &format!("{at}.backendRefs"), message);
    }
    // A filter that is wrong has been reported; its rule answers 500 for that reason already.
    let answers = redirects || filters.iter().any(|filter| matches!(filter, Filter::Invalid(_)));
    if parts.backends.is_empty() && !answers {
        let message = "the rule has no backendRefs, so its requests are answered 500".to_owned();
        problems.found(Code::NoBackends, at, message);
    }
}
