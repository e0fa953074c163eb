//! Looking a request up: host, then its wildcard parents, then the path within each. Borrows from the table and allocates
//! nothing (but for a pattern on a header or parameter of more than 256 bytes that is not in one piece).
//!
//! Within one listener a request that no rule of the most specific host matches goes on to less specific ones: Gateway API
//! gives *precedence* to the rules of the more specific host, and 404 only when no rule attached matches. It goes on only within
//! the same tenant: whoever owns a host is never replaced by the owner of the wildcard above it.

use std::sync::Arc;

use crate::host::{HostName, depth_bit, labels};
use crate::ir::{HostPattern, Route, RouteMatch, Rule};
use crate::precedence::Ranked;
use crate::request::RequestView;
use crate::table::entry::{Candidate, HostEntry, Probe};
use crate::table::{ListenerId, RouteTable, Slot};

/// The answer to a look-up.
#[derive(Debug, Clone, Copy)]
pub enum Found<'t> {
    /// This rule takes it.
    Matched(Matched<'t>),
    /// No route has this host: 404, and nobody owns the request.
    NoHost,
    /// The host has routes, but none for this request: 404.
    NoRoute,
}

/// A matched rule.
#[derive(Debug, Clone, Copy)]
pub struct Matched<'t> {
    pub(crate) entry: &'t HostEntry,
    pub(crate) candidate: Candidate,
}

impl RouteTable {
    /// The rule for a request. `host` has no port ([`host_of`](crate::host_of)); case and a trailing dot do not matter.
    pub fn find(&self, listener: ListenerId, host: &[u8], request: &impl RequestView) -> Found<'_> {
        match self.host(listener, host) {
            Some(routes) => routes.find(request).map_or(Found::NoRoute, Found::Matched),
            None => Found::NoHost,
        }
    }

    /// What answers for `host` on this listener: for a caller that asks for its tenant before it asks for a rule.
    pub fn host<'t, 'h>(&'t self, listener: ListenerId, host: &'h [u8]) -> Option<HostRoutes<'t, 'h>> {
        let name = HostName::new(host);
        let first = self.entries(listener, name.as_ref()).next()?;
        Some(HostRoutes { table: self, listener, host, first })
    }

    /// The tenant that owns `host` on this listener, by the most specific pattern that has routes. For comparing the
    /// server name of a TLS connection with the hosts asked on it.
    pub fn tenant_of(&self, listener: ListenerId, host: &[u8]) -> Option<&Arc<str>> {
        let name = HostName::new(host);
        self.entries(listener, name.as_ref()).next()?.tenant()
    }

    /// The tenant that owns `host` on this listener, if it has one; the outer `None`: no route answers for `host`.
    pub fn owner_of(&self, listener: ListenerId, host: &[u8]) -> Option<Option<&Arc<str>>> {
        let name = HostName::new(host);
        self.entries(listener, name.as_ref()).next().map(HostEntry::tenant)
    }

    /// Some route on this listener answers for `host`.
    pub fn knows_host(&self, listener: ListenerId, host: &[u8]) -> bool {
        let name = HostName::new(host);
        self.entries(listener, name.as_ref()).next().is_some()
    }

    /// Entries for a host, the most specific first.
    pub(crate) fn entries<'t, 'h>(
        &'t self,
        id: ListenerId,
        host: Option<&'h HostName<'h>>,
    ) -> impl Iterator<Item = &'t HostEntry> + use<'t, 'h> {
        let slot = self.listeners.get(id.0 as usize);
        slot.into_iter().flat_map(move |slot| probes(slot, host).filter_map(move |probe| self.entry(slot, probe)))
    }

    pub(crate) fn entry(&self, slot: &Slot, probe: Probe<'_>) -> Option<&HostEntry> {
        let listener = &*slot.listener.name;
        self.hosts.get(probe.hash_from(&slot.seed), |entry| entry.is(listener, probe)).map(|entry| &**entry)
    }
}

/// All that answers for one host on one listener.
#[derive(Debug, Clone, Copy)]
pub struct HostRoutes<'t, 'h> {
    table: &'t RouteTable,
    listener: ListenerId,
    host: &'h [u8],
    /// The entry of the most specific pattern.
    first: &'t HostEntry,
}

impl<'t> HostRoutes<'t, '_> {
    /// The tenant that owns the host, if it has one.
    pub fn tenant(&self) -> Option<&'t Arc<str>> {
        self.first.tenant()
    }

    /// The rule for a request.
    pub fn find(&self, request: &impl RequestView) -> Option<Matched<'t>> {
        let matched = |entry: &'t HostEntry| Some(Matched { entry, candidate: entry.find(request)? });
        matched(self.first).or_else(|| {
            let name = HostName::new(self.host);
            let less_specific = self.table.entries(self.listener, name.as_ref()).skip(1);
            less_specific.take_while(|entry| entry.tenant() == self.tenant()).find_map(matched)
        })
    }
}

/// The host itself, its parents that may be wildcards here (longest first), and every host.
fn probes<'h>(slot: &Slot, host: Option<&'h HostName<'h>>) -> impl Iterator<Item = Probe<'h>> + use<'h> {
    let bytes = host.map_or(&[][..], HostName::as_bytes);
    let exact = host.map(|host| Probe::Exact(host.as_bytes()));
    let depths = slot.depths;
    let mut left = if depths == 0 { 0 } else { labels(bytes) };
    let dots = bytes.iter().enumerate().filter(move |(_, b)| depths != 0 && **b == b'.');
    let parents = dots.filter_map(move |(at, _)| {
        left -= 1;
        // A leading dot is no label, and `*.example.com` wants one.
        (at > 0 && depths & depth_bit(left) != 0).then(|| Probe::Wildcard(&bytes[at + 1..]))
    });
    exact.into_iter().chain(parents).chain([Probe::Any])
}

impl<'t> Matched<'t> {
    /// The route.
    pub fn route(&self) -> &'t Arc<Route> {
        &self.entry.routes()[self.candidate.route as usize]
    }

    /// The rule.
    pub fn rule(&self) -> &'t Rule {
        &self.route().rules[self.candidate.rule as usize]
    }

    pub(crate) fn ranked(&self) -> Ranked<'t> {
        self.candidate.ranked(self.entry.routes())
    }

    /// Which of the rule's matches it was, from 0; `None` when the rule has none and takes everything.
    pub fn match_index(&self) -> Option<usize> {
        let at = self.candidate.matched as usize;
        (at < self.rule().matches.len()).then_some(at)
    }

    /// The rule's place in the route, from 0.
    pub fn rule_index(&self) -> usize {
        self.candidate.rule as usize
    }

    /// Which of the rule's matches it was; `None` when the rule has none and takes everything.
    pub fn route_match(&self) -> Option<&'t RouteMatch> {
        self.rule().matches.get(self.candidate.matched as usize)
    }

    /// The host pattern it was found under.
    pub fn host(&self) -> &'t HostPattern {
        &self.entry.pattern
    }
}
