//! What to do with a request that a rule took: answer it here, or forward it, and with which changes.
//!
//! Filters run in the order given, the rule's before those of the chosen backend. On the way back the backend's response
//! edits run before the rule's, and CORS headers last. Which endpoint of the upstream is used is not decided here.

mod choice;
mod cors;
mod location;
mod path;

use smallvec::SmallVec;
use std::sync::Arc;

use crate::find::Matched;
use crate::ir::{
    Filter, HeaderEdit, Invalid, Mirror, Rewrite, Rule, RulePolicy, Scheme, Target, Upstream, UpstreamKey,
};
use crate::request::RequestView;
use crate::table::RouteTable;

pub use location::https_redirect;
pub use path::PathChange;

/// How the request came in, as the client sees it.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'r> {
    /// The scheme the client used.
    pub scheme: Scheme,
    /// The host it asked for, without the port.
    pub host: &'r [u8],
    /// The port of the listener it connected to (the outer tier's, when there are two).
    pub port: u16,
}

/// The decision.
#[derive(Debug)]
pub enum Plan<'t> {
    /// Answer without a backend.
    Respond(Respond<'t>),
    /// Send it on.
    Forward(Forward<'t>),
}

/// An answer of the tier itself.
#[derive(Debug)]
pub struct Respond<'t> {
    /// The status of a response to plain HTTP; gRPC routes translate it.
    pub status: u16,
    /// Why.
    pub cause: Cause<'t>,
    /// Errors are to be told in gRPC's way (trailers-only).
    pub grpc: bool,
    /// Fields to write, lower-case names.
    pub headers: OwnHeaders,
    edits: Edits<'t>,
}

/// Why the tier answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause<'t> {
    /// A redirect filter, or a listener that sends everything to https.
    Redirect,
    /// A CORS preflight request.
    Preflight,
    /// Something the user got wrong.
    Invalid(&'t Invalid),
    /// The rule has no backend, or none with a weight.
    NoBackend,
    /// The backend names an upstream that is not there.
    UnknownUpstream,
    /// The upstream has no ready endpoint.
    NoEndpoints,
    /// The tenant's inner tier has none.
    NoTier,
    /// The tenant is suspended.
    Suspended,
}

/// Where a request goes and how it changes.
#[derive(Debug)]
pub struct Forward<'t> {
    /// Has at least one endpoint.
    pub upstream: &'t Arc<Upstream>,
    /// Which backend of the rule it is, from 0.
    pub backend: usize,
    /// The Host to send; `None` keeps the request's.
    pub host: Option<&'t str>,
    /// The path to send.
    pub path: PathChange<'t>,
    /// Where copies go. Each has at least one endpoint.
    pub mirrors: SmallVec<[&'t Arc<Upstream>; 1]>,
    /// Deadlines and retries, if the rule has any.
    pub policy: Option<&'t RulePolicy>,
    request: Edits<'t>,
    response: Edits<'t>,
    cors: OwnHeaders,
}

/// Fields made for this answer. Only redirects and CORS have any.
pub type OwnHeaders = Vec<(&'static str, Vec<u8>)>;

type Edits<'t> = SmallVec<[&'t HeaderEdit; 2]>;

/// One change to a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderOp<'a> {
    /// Replace all fields of the name by one.
    Set(&'a str, &'a [u8]),
    /// One field more.
    Add(&'a str, &'a [u8]),
    /// No field of the name.
    Remove(&'a str),
}

/// What the filters have come to so far.
#[derive(Default)]
struct Gathered<'t> {
    request: Edits<'t>,
    rule_response: Edits<'t>,
    backend_response: Edits<'t>,
    cors: OwnHeaders,
    host: Option<&'t str>,
    path: PathChange<'t>,
    mirrors: SmallVec<[&'t Mirror; 1]>,
}

struct Planner<'t, 'r, R> {
    table: &'t RouteTable,
    matched: Matched<'t>,
    request: &'r R,
    arrival: Arrival<'r>,
}

/// An answer instead of going on.
type Stop<'t> = (u16, Cause<'t>, OwnHeaders);

/// Decides. `random` is spread evenly over all values; equal inputs give equal plans.
pub fn plan<'t, R: RequestView>(
    table: &'t RouteTable,
    matched: Matched<'t>,
    request: &R,
    arrival: Arrival<'_>,
    random: u64,
) -> Plan<'t> {
    let planner = Planner { table, matched, request, arrival };
    let mut gathered = Gathered::default();
    match planner.choose(&mut gathered, random) {
        Ok((backend, upstream)) => Plan::Forward(Forward {
            upstream,
            backend,
            host: gathered.host,
            path: gathered.path,
            mirrors: planner.mirrors(&gathered.mirrors, random),
            policy: matched.rule().policy.as_deref(),
            request: gathered.request,
            response: joined(gathered.backend_response, &gathered.rule_response),
            cors: gathered.cors,
        }),
        Err((status, cause, mut headers)) => {
            headers.append(&mut gathered.cors);
            let edits = joined(gathered.backend_response, &gathered.rule_response);
            Plan::Respond(Respond { status, cause, grpc: matched.route().is_grpc(), headers, edits })
        }
    }
}

/// For every backend of a rule that has a share of its requests: its place, and a draw that makes [`plan`] choose it.
/// Nothing when no backend has a weight.
pub fn draws(rule: &Rule) -> impl Iterator<Item = (usize, u64)> {
    choice::draws(&rule.backends)
}

fn joined<'t>(mut first: Edits<'t>, then: &[&'t HeaderEdit]) -> Edits<'t> {
    first.extend_from_slice(then);
    first
}

impl<'t, R: RequestView> Planner<'t, '_, R> {
    fn choose(&self, gathered: &mut Gathered<'t>, random: u64) -> Result<(usize, &'t Arc<Upstream>), Stop<'t>> {
        let rule = self.matched.rule();
        if self.matched.route().tenant.as_ref().is_some_and(|tenant| self.table.is_suspended(tenant)) {
            return Err(stop(503, Cause::Suspended));
        }
        if let Some(invalid) = &rule.invalid {
            return Err(stop(invalid.status, Cause::Invalid(invalid)));
        }
        self.run(&rule.filters, gathered)?;
        gathered.rule_response = std::mem::take(&mut gathered.backend_response);
        let index = choice::weighted(&rule.backends, random).ok_or_else(|| stop(500, Cause::NoBackend))?;
        let backend = &rule.backends[index];
        self.run(&backend.filters, gathered)?;
        let upstream = self.resolve(&backend.target)?;
        Ok((index, upstream))
    }

    fn resolve(&self, target: &'t Target) -> Result<&'t Arc<Upstream>, Stop<'t>> {
        let id = match target {
            Target::Upstream(id) => id,
            Target::Invalid(invalid) => return Err(stop(invalid.status, Cause::Invalid(invalid))),
        };
        let upstream = self.table.upstream(id).ok_or_else(|| stop(500, Cause::UnknownUpstream))?;
        if upstream.endpoints.is_empty() {
            let is_link = matches!(id.key(), UpstreamKey::Link { .. });
            return Err(stop(503, if is_link { Cause::NoTier } else { Cause::NoEndpoints }));
        }
        Ok(upstream)
    }

    fn run(&self, filters: &'t [Filter], gathered: &mut Gathered<'t>) -> Result<(), Stop<'t>> {
        for filter in filters {
            match filter {
                Filter::RequestHeaders(edit) => gathered.request.push(edit),
                Filter::ResponseHeaders(edit) => gathered.backend_response.push(edit),
                Filter::Rewrite(rewrite) => self.rewrite(rewrite, gathered),
                Filter::Mirror(mirror) => gathered.mirrors.push(mirror),
                Filter::Redirect(redirect) => {
                    let location = location::build(redirect, self.matched, self.request, self.arrival);
                    return Err((redirect.status.code(), Cause::Redirect, vec![("location", location)]));
                }
                Filter::Cors(cors) => {
                    if let Some(headers) = cors::preflight(cors, self.request) {
                        return Err((204, Cause::Preflight, headers));
                    }
                    gathered.cors = cors::headers(cors, self.request);
                }
                Filter::Invalid(invalid) => return Err(stop(invalid.status, Cause::Invalid(invalid))),
            }
        }
        Ok(())
    }

    fn rewrite(&self, rewrite: &'t Rewrite, gathered: &mut Gathered<'t>) {
        gathered.host = rewrite.host.as_deref().or(gathered.host);
        if let Some(change) = &rewrite.path {
            gathered.path = PathChange::new(change, self.matched.route_match(), self.request.path());
        }
    }

    fn mirrors(&self, mirrors: &[&'t Mirror], random: u64) -> SmallVec<[&'t Arc<Upstream>; 1]> {
        let drawn = (1..).zip(mirrors).filter(|(index, mirror)| choice::drawn(mirror.fraction, random, *index));
        drawn.filter_map(|(_, mirror)| self.resolve(&mirror.target).ok()).collect()
    }
}

fn stop(status: u16, cause: Cause<'_>) -> Stop<'_> {
    (status, cause, OwnHeaders::new())
}

impl<'t> Forward<'t> {
    /// Changes to the request head, in order.
    pub fn request_ops(&self) -> impl Iterator<Item = HeaderOp<'t>> {
        ops(&self.request)
    }

    /// Changes to the response head, in order.
    pub fn response_ops(&self) -> impl Iterator<Item = HeaderOp<'_>> {
        ops(&self.response).chain(own_ops(&self.cors))
    }

    /// There is nothing to change in the response.
    pub fn keeps_response(&self) -> bool {
        self.response.is_empty() && self.cors.is_empty()
    }
}

impl Respond<'_> {
    /// The fields of the answer, in order: those made for it, then the changes of the filters.
    pub fn ops(&self) -> impl Iterator<Item = HeaderOp<'_>> {
        own_ops(&self.headers).chain(ops(&self.edits))
    }
}

fn ops<'t>(edits: &[&'t HeaderEdit]) -> impl Iterator<Item = HeaderOp<'t>> {
    edits.iter().flat_map(|edit| {
        let set = edit.set.iter().map(|field| HeaderOp::Set(&field.name, field.value.as_bytes()));
        let add = edit.add.iter().map(|field| HeaderOp::Add(&field.name, field.value.as_bytes()));
        set.chain(add).chain(edit.remove.iter().map(|name| HeaderOp::Remove(name)))
    })
}

fn own_ops(headers: &OwnHeaders) -> impl Iterator<Item = HeaderOp<'_>> {
    headers.iter().map(|(name, value)| match *name {
        // Others may have reasons of their own to vary.
        "vary" => HeaderOp::Add(name, value),
        name => HeaderOp::Set(name, value),
    })
}
