//! Answers of the tier itself: those a route asks for, and those to requests that went wrong. Small, and made of fixed
//! sentences, so that nothing of the request comes back in them.

use std::future::poll_fn;

use bailey_http1::{BodyLength, Method, ResponseHead};
use bailey_routing::Respond;
use bytes::Bytes;

use super::arrival::Incoming;
use super::record::Record;
use super::{decision, edit};
use crate::error::{Fate, ProxyError};
use crate::exchange::Downstream;
use crate::respond::{Answer, answer};

/// Answers as the plan says: a redirect or a preflight here, everything else as the fate it is.
pub(super) async fn planned<D: Downstream>(
    respond: &Respond<'_>,
    incoming: &Incoming,
    down: &mut D,
    record: &mut Record,
) -> Result<(), ProxyError> {
    if let Some(fate) = decision::fate(respond.cause) {
        return Err(ProxyError::us(fate));
    }
    let mut head = ResponseHead::new(respond.status);
    respond.ops().for_each(|op| edit::apply(&mut head.fields, op));
    head.body = if respond.status == 204 { BodyLength::None } else { BodyLength::Length(0) };
    send(head, Bytes::new(), incoming.head.method == Method::Head, down, record).await;
    Ok(())
}

/// Answers an ACME authority (RFC 8555 section 8.3).
pub(super) async fn proof<D: Downstream>(
    proof: &str,
    incoming: &Incoming,
    down: &mut D,
    record: &mut Record,
) -> Result<(), ProxyError> {
    let mut head = ResponseHead::new(200);
    head.fields.append(b"content-type", b"application/octet-stream");
    head.fields.append(b"cache-control", b"no-store");
    head.body = BodyLength::Length(proof.len() as u64);
    let body = Bytes::copy_from_slice(proof.as_bytes());
    send(head, body, incoming.head.method == Method::Head, down, record).await;
    Ok(())
}

/// Answers a request that went wrong. `tier` is our name in `Proxy-Status`.
pub(super) async fn failed<D: Downstream>(
    fate: Fate,
    incoming: Option<&Incoming>,
    tier: &str,
    down: &mut D,
    record: &mut Record,
) {
    let answer = answer(fate);
    if answer.status == 499 {
        return;
    }
    if incoming.is_some_and(|incoming| incoming.grpc) {
        return send(grpc(&answer, tier), Bytes::new(), true, down, record).await;
    }
    let json = incoming.is_some_and(|incoming| incoming.json);
    let is_head = incoming.is_some_and(|incoming| incoming.head.method == Method::Head);
    let body = if json {
        format!("{{\"status\":{},\"error\":\"{}\",\"detail\":\"{}\"}}\n", answer.status, answer.label, answer.detail)
    } else {
        format!("{} {}\n", answer.status, answer.detail)
    };
    let mut head = ResponseHead::new(answer.status);
    let kind: &[u8] = if json { b"application/json" } else { b"text/plain; charset=utf-8" };
    head.fields.append(b"content-type", kind);
    head.fields.append(b"cache-control", b"no-store");
    head.fields.append(b"x-content-type-options", b"nosniff");
    common(&answer, tier, &mut head);
    head.body = BodyLength::Length(body.len() as u64);
    send(head, body.into(), is_head, down, record).await;
}

/// gRPC's answer to the same: trailers only, which is a head with a status in it and nothing after it.
fn grpc(answer: &Answer, tier: &str) -> ResponseHead {
    let mut head = ResponseHead::new(200);
    head.fields.append(b"content-type", b"application/grpc");
    head.fields.append(b"grpc-status", answer.grpc_status().to_string().as_bytes());
    head.fields.append(b"grpc-message", answer.detail.as_bytes());
    common(answer, tier, &mut head);
    head
}

fn common(answer: &Answer, tier: &str, head: &mut ResponseHead) {
    head.fields.append(b"proxy-status", answer.proxy_status(tier).as_bytes());
    if let Some(seconds) = answer.retry_after {
        head.fields.append(b"retry-after", seconds.to_string().as_bytes());
    }
}

async fn send<D: Downstream>(mut head: ResponseHead, body: Bytes, bodiless: bool, down: &mut D, record: &mut Record) {
    let status = head.status;
    let end = bodiless || body.is_empty();
    if bodiless {
        head.body = BodyLength::None;
    }
    let sent = if end { 0 } else { body.len() as u64 };
    down.took(record.times());
    down.send_head(head, end);
    if !end {
        down.send_data(body, true);
    }
    record.sent(status, sent);
    if let Err(gone) = poll_fn(|cx| down.poll_flush(cx)).await {
        record.failed(gone.into());
    }
}
