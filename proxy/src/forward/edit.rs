//! Changes to heads: what the route asks for, then what the application is told of where the request comes from. In that
//! order, so that no route can take away or forge the latter.

use bailey_http1::{Authority, Fields, RequestHead, ResponseHead, Target};
use bailey_routing::ir::UpstreamKey;
use bailey_routing::{Forward, HeaderOp, PathChange, RequestView};

use super::arrival::{Incoming, View};
use super::headers::{Origin, write_clean};

/// Makes the head as the other side shall see it. The next tier gets the origin beside the head, an application in it.
pub(crate) fn request(forward: &Forward<'_>, incoming: &mut Incoming, forwarded: bool) {
    let asked_for = incoming.head.authority.clone();
    by_route(forward, incoming);
    origin(forward, incoming, &asked_for, forwarded);
}

/// What the route asks for.
pub(crate) fn by_route(forward: &Forward<'_>, incoming: &mut Incoming) {
    for op in forward.request_ops() {
        match op {
            // Host is no field of the head. A value that is no host changes nothing.
            HeaderOp::Set("host", value) => set_host(&mut incoming.head, value),
            HeaderOp::Add("host", _) | HeaderOp::Remove("host") => {}
            HeaderOp::Set(..) | HeaderOp::Add(..) | HeaderOp::Remove(_) => apply(&mut incoming.head.fields, op),
        }
    }
    if let Some(host) = forward.host {
        set_host(&mut incoming.head, host.as_bytes());
    }
    if forward.path != PathChange::Keep {
        let mut text = Vec::new();
        let view = View(&incoming.head);
        forward.path.write_target(view.path(), view.query(), &mut text);
        // Paths of routes were checked when they were translated, the rest when it came in.
        if let Ok(target) = Target::from_bytes(text.into()) {
            incoming.head.target = target;
        }
    }
}

/// What an application is told of where the request comes from; `asked_for` is the host before the route's changes.
pub(crate) fn origin(forward: &Forward<'_>, incoming: &mut Incoming, asked_for: &Authority, forwarded: bool) {
    if let UpstreamKey::Service { .. } = forward.upstream.id.key() {
        let origin = Origin {
            client: incoming.client,
            https: incoming.https,
            authority: asked_for,
            port: incoming.port,
            request_id: &incoming.id,
        };
        write_clean(&mut incoming.head.fields, &origin, forwarded);
    }
}

/// Makes the response's head as the client shall see it.
pub(crate) fn response(forward: &Forward<'_>, head: &mut ResponseHead) {
    if !forward.keeps_response() {
        forward.response_ops().for_each(|op| apply(&mut head.fields, op));
    }
}

fn set_host(head: &mut RequestHead, host: &[u8]) {
    if let Ok(authority) = Authority::parse(host) {
        head.authority = authority;
    }
}

/// One change of a route.
pub(crate) fn apply(fields: &mut Fields, op: HeaderOp<'_>) {
    match op {
        HeaderOp::Set(name, value) => fields.set(name.as_bytes(), value),
        HeaderOp::Add(name, value) => fields.append(name.as_bytes(), value),
        HeaderOp::Remove(name) => drop(fields.remove(name.as_bytes())),
    }
}
