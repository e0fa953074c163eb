//! From rules of a table back to the fields of the object that a person wrote.
//!
//! Rules without a valid match, and matches that are not valid, are left out of tables; what the translation reported says
//! which.

use std::collections::{BTreeSet, HashMap};

use bailey_crds::gateway::{GrpcRoute, HttpRoute};
use bailey_routing::ir::{RouteId, RouteKind};

use crate::diagnostics::{Code, Diagnostic, ObjectRef, Subject};
use crate::objects::Objects;

/// Codes for which a match is left out.
const LEFT_OUT: [Code; 7] = [
    Code::InvalidPath,
    Code::InvalidRegex,
    Code::InvalidHeaderMatch,
    Code::InvalidMethod,
    Code::InvalidMatchType,
    Code::InvalidQueryMatch,
    Code::InvalidGrpcMethod,
];

/// The objects that routes come from.
pub(super) struct Sources<'a> {
    objects: &'a Objects,
    /// Rule and match, both from 0.
    left_out: HashMap<&'a ObjectRef, BTreeSet<(usize, usize)>>,
}

/// One route's object.
pub(super) struct Source {
    pub(super) subject: Subject,
    /// For each rule of the table, its place in the object, and the places of its matches.
    rules: Vec<(usize, Vec<usize>)>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(objects: &'a Objects, diagnostics: &'a [Diagnostic]) -> Self {
        let mut left_out: HashMap<&ObjectRef, BTreeSet<(usize, usize)>> = HashMap::new();
        for found in diagnostics.iter().filter(|found| LEFT_OUT.contains(&found.code)) {
            if let Some(place) = place(&found.field) {
                left_out.entry(&found.object).or_default().insert(place);
            }
        }
        Self { objects, left_out }
    }

    pub(super) fn of(&self, route: &RouteId) -> Option<Source> {
        let (namespace, name) = (&*route.namespace, &*route.name);
        let (subject, matches): (Subject, Vec<usize>) = match route.kind {
            RouteKind::Http => {
                let entry = self.objects.get::<HttpRoute>(namespace, name)?;
                (entry.subject(), entry.object.spec.rules.iter().map(|rule| rule.matches.len()).collect())
            }
            RouteKind::Grpc => {
                let entry = self.objects.get::<GrpcRoute>(namespace, name)?;
                (entry.subject(), entry.object.spec.rules.iter().map(|rule| rule.matches.len()).collect())
            }
            RouteKind::Ingress | RouteKind::Binding => return None,
        };
        let left_out = self.left_out.get(&subject.object);
        let kept = |rule: usize, count: usize| -> Vec<usize> {
            (0..count).filter(|matched| left_out.is_none_or(|all| !all.contains(&(rule, *matched)))).collect()
        };
        let rules = matches.into_iter().enumerate().filter_map(|(rule, count)| {
            let kept = kept(rule, count);
            (count == 0 || !kept.is_empty()).then_some((rule, kept))
        });
        Some(Source { rules: rules.collect(), subject })
    }
}

impl Source {
    /// The field of a rule of the table.
    pub(super) fn rule(&self, rule: usize) -> String {
        let at = self.rules.get(rule).map_or(rule, |(at, _)| *at);
        format!("spec.rules[{at}]")
    }

    /// The field of a match of a rule of the table; the rule's own when it has none.
    pub(super) fn matched(&self, rule: usize, matched: Option<usize>) -> String {
        let Some(matched) = matched else { return self.rule(rule) };
        let at = self.rules.get(rule).and_then(|(_, kept)| kept.get(matched)).unwrap_or(&matched);
        format!("{}.matches[{at}]", self.rule(rule))
    }
}

/// Rule and match of `spec.rules[1].matches[0].path.value`.
fn place(field: &str) -> Option<(usize, usize)> {
    let (rule, rest) = field.strip_prefix("spec.rules[")?.split_once("].matches[")?;
    let (matched, _) = rest.split_once(']')?;
    Some((rule.parse().ok()?, matched.parse().ok()?))
}
