//! Look-ups with an account of them: every candidate for a request in order of precedence, with the first thing that fails,
//! and which rules come before others. For people who ask why; [`RouteTable::find`] shares the code and pays nothing.

use std::collections::HashSet;

use crate::find::Matched;
use crate::host::HostName;
use crate::ir::{HostPattern, PathMatch, QueryMatch, RouteId};
use crate::matching::{self, Condition};
use crate::overlap::{Overlap, overlap};
use crate::precedence::{Criterion, criterion};
use crate::request::RequestView;
use crate::table::entry::{Candidate, HostEntry};
use crate::table::{ListenerId, RouteTable};

/// The routes of one host pattern, as a request meets them.
#[derive(Debug, Clone)]
pub struct Layer<'t> {
    /// The pattern.
    pub pattern: &'t HostPattern,
    /// Whose routes these are.
    pub tenant: Option<&'t str>,
    /// `false`: another tenant than that of the more specific pattern before, so a look-up does not come here.
    pub asked: bool,
    /// All matches of all rules, in order of precedence.
    pub candidates: Vec<Considered<'t>>,
}

/// One match of one rule, held against a request.
#[derive(Debug, Clone, Copy)]
pub struct Considered<'t> {
    /// The match.
    pub matched: Matched<'t>,
    /// The first thing that fails; `None`: it takes the request.
    pub failed: Option<Mismatch<'t>>,
}

/// What a request does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch<'t> {
    /// The path.
    Path(&'t PathMatch),
    /// Something else.
    Condition(Condition<'t>),
}

/// A match that comes before another one, for some or all of the requests that the other would take.
#[derive(Debug, Clone, Copy)]
pub struct Shadow<'t> {
    /// The match behind.
    pub behind: Matched<'t>,
    /// The match in front.
    pub front: Matched<'t>,
    /// How much of it.
    pub overlap: Overlap,
    /// Why it comes first.
    pub why: Criterion,
}

impl RouteTable {
    /// Everything that [`find`](Self::find) would ask for a request, in its order, and why it goes on. The first candidate
    /// of an asked layer that nothing fails is what `find` finds.
    pub fn candidates(&self, listener: ListenerId, host: &[u8], request: &impl RequestView) -> Vec<Layer<'_>> {
        let name = HostName::new(host);
        let mut owner = None;
        let mut asked = true;
        let layers = self.entries(listener, name.as_ref()).map(|entry| {
            asked &= owner.is_none_or(|owner| owner == entry.tenant());
            owner = Some(entry.tenant());
            Layer {
                pattern: &entry.pattern,
                tenant: entry.tenant().map(|tenant| &**tenant),
                asked,
                candidates: considered(entry, request),
            }
        });
        layers.collect()
    }

    /// All matches on a listener that come before one of this route under the same host pattern and overlap with it.
    pub fn shadows<'t>(&'t self, listener: ListenerId, route: &'t RouteId) -> Vec<Shadow<'t>> {
        let Some(slot) = self.listeners.get(listener.0 as usize) else { return Vec::new() };
        let hosts = self.route(route).into_iter().flat_map(|route| route.attachments.iter());
        let hosts = hosts.filter(|at| at.listener == slot.listener.name).flat_map(|at| at.hosts.iter());
        let mut found = Vec::new();
        for entry in hosts.filter_map(|host| self.entry(slot, host.into())) {
            let all: Vec<Matched<'_>> =
                entry.candidates().into_iter().map(|candidate| Matched { entry, candidate }).collect();
            for (at, behind) in all.iter().enumerate().filter(|(_, matched)| matched.route().id == *route) {
                found.extend(all[..at].iter().filter_map(|front| shadow(*behind, *front)));
            }
        }
        found
    }
}

fn shadow<'t>(behind: Matched<'t>, front: Matched<'t>) -> Option<Shadow<'t>> {
    let overlap = overlap(front.route_match(), behind.route_match());
    (overlap != Overlap::None).then(|| Shadow { behind, front, overlap, why: front.before(&behind) })
}

fn considered<'t>(entry: &'t HostEntry, request: &impl RequestView) -> Vec<Considered<'t>> {
    let reached: HashSet<_> = entry.reached(request.path()).into_iter().map(Candidate::packed).collect();
    let consider = |candidate| {
        let matched = Matched { entry, candidate };
        // A match without a path takes every path.
        let failed = match matched.route_match().filter(|_| !reached.contains(&candidate.packed())) {
            Some(missed) => Some(Mismatch::Path(&missed.path)),
            None => entry.failing(candidate, request).map(Mismatch::Condition),
        };
        Considered { matched, failed }
    };
    entry.candidates().into_iter().map(consider).collect()
}

impl Matched<'_> {
    /// Why this comes before another one that takes the request as well.
    pub fn before(&self, other: &Matched<'_>) -> Criterion {
        if std::ptr::eq(self.entry, other.entry) { criterion(self.ranked(), other.ranked()) } else { Criterion::Host }
    }
}

impl QueryMatch {
    /// What a query has under this name, decoded.
    pub fn given(&self, query: Option<&[u8]>) -> Option<Vec<u8>> {
        matching::query_text(&self.name, query)
    }
}
