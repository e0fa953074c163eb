//! What becomes of a request, without doing it: whose host it is, whether it is redirected, which rule takes it, what that
//! plans. Pure, so that a tier and those who explain it decide by the same code.

use std::sync::Arc;

use bailey_acme::challenge::token_of;
use bailey_routing::ir::Listener;
use bailey_routing::{Arrival as Arrived, Cause, HostRoutes, Matched, Plan, Respond, https_redirect, plan};

use super::Sender;
use super::arrival::{Incoming, View};
use crate::acme::Hold;
use crate::error::{Fate, ProxyError};
use crate::snapshot::Snapshot;

/// The listener of the request.
pub(crate) fn listener<'s>(snapshot: &'s Snapshot, incoming: &Incoming) -> Result<&'s Listener, ProxyError> {
    snapshot.table.listener(incoming.listener).ok_or(ProxyError::us(Fate::Internal))
}

/// What an ACME authority asks for over plain HTTP, before any route: the proof of this very host. `None`: the request has nothing to do with ACME;
/// an error: no such proof was made, and nobody else may answer in our place.
pub(crate) fn acme_proof(hold: &Hold, incoming: &Incoming) -> Option<Result<Arc<str>, ProxyError>> {
    if incoming.https {
        return None;
    }
    let path = std::str::from_utf8(incoming.head.path()).ok()?;
    let token = token_of(path)?;
    let host = std::str::from_utf8(incoming.head.host()).ok()?;
    Some(hold.proof(host, token).ok_or(ProxyError::us(Fate::RouteUnknown)))
}

/// What answers for the host of the request, of one tenant. A TLS connection serves the tenant of its server name and no other, whatever it asks for
/// later, and whatever has changed since (RFC 9110 15.5.20). A host that nobody owns is 404 before that: nothing is
/// told about others.
pub(crate) fn same_tenant<'s, 'i>(
    snapshot: &'s Snapshot,
    from: Sender<'_>,
    incoming: &'i Incoming,
) -> Result<HostRoutes<'s, 'i>, ProxyError> {
    let table = &snapshot.table;
    let host = incoming.head.host();
    let routes = table.host(incoming.listener, host).ok_or(ProxyError::us(Fate::HostUnknown))?;
    let Sender::Client(connection) = from else { return Ok(routes) };
    let Some(tls) = &connection.tls else { return Ok(routes) };
    let sni = tls.sni.as_bytes();
    // The listener is that of this very host.
    if sni == host {
        return Ok(routes);
    }
    let same_listener = table.listener_at(connection.listener.port, sni) == Some(incoming.listener);
    let same_tenant = || table.owner_of(incoming.listener, sni) == Some(routes.tenant());
    if same_listener && (!snapshot.settings.tenants || same_tenant()) {
        return Ok(routes);
    }
    Err(ProxyError::us(Fate::Misdirected))
}

/// The answer of a listener that sends everything to https. `visible` gives the port that clients reach a declared one at.
pub(crate) fn redirect(
    listener: &Listener,
    incoming: &Incoming,
    visible: impl Fn(u16) -> u16,
) -> Option<Respond<'static>> {
    let mut policy = listener.https_redirect.filter(|_| !incoming.https)?;
    policy.port = visible(policy.port);
    Some(https_redirect(policy, incoming.head.authority.host_bytes(), &View(&incoming.head)))
}

/// The rule that takes the request, of those of its host.
pub(crate) fn route<'s>(routes: &HostRoutes<'s, '_>, incoming: &Incoming) -> Result<Matched<'s>, ProxyError> {
    routes.find(&View(&incoming.head)).ok_or(ProxyError::us(Fate::RouteUnknown))
}

/// What the rule plans for it, with this draw.
pub(crate) fn planned<'s>(snapshot: &'s Snapshot, matched: Matched<'s>, incoming: &Incoming, draw: u64) -> Plan<'s> {
    let host = incoming.head.authority.host_bytes();
    let arrived = Arrived { scheme: incoming.scheme(), host, port: incoming.port };
    plan(&snapshot.table, matched, &View(&incoming.head), arrived, draw)
}

/// The fate of a request that a plan does not forward; `None` for answers that are not errors.
pub(crate) fn fate(cause: Cause<'_>) -> Option<Fate> {
    match cause {
        Cause::Redirect | Cause::Preflight => None,
        // A gRPC client takes 500 for a mistake of its own call and 503 for a backend that is not there.
        Cause::Invalid(invalid) if invalid.status == 503 => Some(Fate::BackendUnresolved),
        Cause::Invalid(_) => Some(Fate::RouteInvalid),
        Cause::NoBackend | Cause::UnknownUpstream => Some(Fate::BackendInvalid),
        Cause::NoEndpoints => Some(Fate::NoEndpoint),
        Cause::NoTier => Some(Fate::TierNotReady),
        Cause::Suspended => Some(Fate::TenantSuspended),
    }
}
