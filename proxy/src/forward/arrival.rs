//! From a head and where it came from to a request that can be decided on: checked, cleaned, with its client known.

use std::net::SocketAddr;

use bailey_http1::{RequestHead, Scheme as HeadScheme, check_path};
use bailey_routing::ir::Scheme;
use bailey_routing::{ListenerId, RequestView};

use super::headers::{TraceFields, delete_forwarding};
use super::{ConnectionInfo, Sender, trace};
use crate::error::{Fate, ProxyError};
use crate::forward::address::canonical;
use crate::snapshot::Snapshot;

/// A request with everything that is known of where it comes from.
#[derive(Clone)]
pub(crate) struct Incoming {
    /// The head, without any field that the sender had no business to send.
    pub(crate) head: Box<RequestHead>,
    /// The client.
    pub(crate) client: SocketAddr,
    /// The client used TLS.
    pub(crate) https: bool,
    /// The listener the request belongs to.
    pub(crate) listener: ListenerId,
    /// The port the client used.
    pub(crate) port: u16,
    /// The request's id.
    pub(crate) id: [u8; 16],
    /// Milliseconds that the tier before gives us.
    pub(crate) deadline_ms: Option<u32>,
    /// Tiers the request has passed.
    pub(crate) hops: u8,
    /// Errors are to be told in gRPC's way.
    pub(crate) grpc: bool,
    /// The client prefers JSON.
    pub(crate) json: bool,
}

impl Incoming {
    pub(crate) fn scheme(&self) -> Scheme {
        if self.https { Scheme::Https } else { Scheme::Http }
    }
}

/// A request head as the routing sees it.
pub(crate) struct View<'a>(pub(crate) &'a RequestHead);

impl RequestView for View<'_> {
    fn method(&self) -> &[u8] {
        self.0.method.as_str().as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.0.path()
    }

    fn query(&self) -> Option<&[u8]> {
        self.0.query()
    }

    fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.fields.get_all(name.as_bytes())
    }
}

/// Checks a head and finds out who sent it. `visible` gives the port that clients reach a declared one at, `new_id` an id
/// for a request that has none.
pub(crate) fn arrive(
    snapshot: &Snapshot,
    from: Sender<'_>,
    head: Box<RequestHead>,
    visible: impl Fn(u16) -> u16,
    new_id: impl FnOnce() -> [u8; 16],
) -> Result<Incoming, ProxyError> {
    if snapshot.generation == 0 {
        return Err(ProxyError::us(Fate::NotConfigured));
    }
    if head.method == bailey_http1::Method::Connect {
        return Err(ProxyError::client(Fate::MethodUnsupported));
    }
    if head.authority.is_empty() {
        return Err(ProxyError::client(Fate::HostInvalid));
    }
    check_path(head.path()).map_err(|_| ProxyError::client(Fate::Malformed))?;
    match from {
        Sender::Client(connection) => client_request(snapshot, connection, head, visible, new_id),
        Sender::Link(meta) => link_request(snapshot, meta, head),
    }
}

/// At the edge nothing is believed but what the socket, and a listed proxy in front, say.
fn client_request(
    snapshot: &Snapshot,
    connection: &ConnectionInfo,
    mut head: Box<RequestHead>,
    visible: impl Fn(u16) -> u16,
    new_id: impl FnOnce() -> [u8; 16],
) -> Result<Incoming, ProxyError> {
    let front = &snapshot.settings.front;
    let client = front.client(connection.peer, connection.proxied, &head.fields)?;
    let trusted = front.tells_fields(connection.peer.ip());
    let tracing = snapshot.settings.tracing.as_ref();
    let believed = trace::believes(tracing, front, connection.peer.ip());
    let https = told_scheme(&head).filter(|_| trusted).unwrap_or(connection.listener.https);
    let id = told_id(&head).filter(|_| trusted).unwrap_or_else(new_id);
    delete_forwarding(&mut head.fields, TraceFields::of(believed, tracing.is_some()));
    let listener = snapshot.table.listener_at(connection.listener.port, head.host());
    Ok(Incoming {
        client,
        https,
        listener: listener.ok_or(ProxyError::us(Fate::HostUnknown))?,
        port: visible(connection.listener.port),
        id,
        deadline_ms: None,
        hops: 0,
        grpc: is_grpc(&head),
        json: prefers_json(&head),
        head,
    })
}

/// What the outer tier says is believed: its certificate was the check.
fn link_request(
    snapshot: &Snapshot,
    meta: &bailey_link::RequestMeta<'_>,
    mut head: Box<RequestHead>,
) -> Result<Incoming, ProxyError> {
    let https = match meta.scheme {
        bailey_link::Scheme::Https => true,
        bailey_link::Scheme::Http | bailey_link::Scheme::None => head.scheme == Some(HeadScheme::Https),
    };
    // An inner tier has one listener, the link: by which of the outer tier's a request came makes no difference to routes.
    let (listener, _) = snapshot.table.listeners().next().ok_or(ProxyError::us(Fate::HostUnknown))?;
    // The outer tier has deleted them all; a mistake there must not become a forged address here.
    delete_forwarding(&mut head.fields, TraceFields::of(true, snapshot.settings.tracing.is_some()));
    Ok(Incoming {
        client: canonical(meta.client),
        https,
        listener,
        port: head.port().unwrap_or(if https { 443 } else { 80 }),
        id: meta.request_id,
        deadline_ms: meta.deadline_ms,
        hops: meta.hops,
        grpc: is_grpc(&head),
        json: prefers_json(&head),
        head,
    })
}

/// The scheme a listed proxy in front has ended TLS for.
fn told_scheme(head: &RequestHead) -> Option<bool> {
    let mut values = head.fields.get_all(b"x-forwarded-proto");
    match (values.next(), values.next()) {
        (Some(b"https"), None) => Some(true),
        (Some(b"http"), None) => Some(false),
        _ => None,
    }
}

/// The request id of a listed proxy in front, if it is a UUID.
fn told_id(head: &RequestHead) -> Option<[u8; 16]> {
    let text = head.fields.get(b"x-request-id")?;
    let mut digits = text.iter().filter(|byte| **byte != b'-').map(|byte| (*byte as char).to_digit(16));
    let mut id = [0; 16];
    for byte in &mut id {
        *byte = (digits.next()?? * 16 + digits.next()??) as u8;
    }
    (text.len() == 36 && digits.next().is_none()).then_some(id)
}

fn is_grpc(head: &RequestHead) -> bool {
    head.fields.get(b"content-type").is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

fn prefers_json(head: &RequestHead) -> bool {
    head.fields.get(b"accept").is_some_and(|accept| accept.starts_with(b"application/json"))
}
