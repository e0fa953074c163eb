//! Writes metadata and fields into the output.

use std::net::IpAddr;

use super::item;
use crate::{BodyLength, RequestMeta, ResponseMeta, tlv};

/// A value is longer than its length prefix can say, or the whole is longer than the peer takes.
#[derive(Debug)]
pub(crate) struct TooLong;

/// Names and values to send.
pub(crate) trait Fields<'a>: Iterator<Item = (&'a [u8], &'a [u8])> {}
impl<'a, I: Iterator<Item = (&'a [u8], &'a [u8])>> Fields<'a> for I {}

pub(crate) fn put_request(out: &mut Vec<u8>, meta: &RequestMeta<'_>) -> Result<(), TooLong> {
    block(out, |out| {
        let mut fixed = [0; item::REQUEST_LENGTH];
        fixed[..4].copy_from_slice(&[meta.stream_type as u8, meta.scheme as u8, meta.version as u8, meta.hops]);
        let address = match meta.client.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        fixed[4..20].copy_from_slice(&address.octets());
        fixed[20..22].copy_from_slice(&meta.client.port().to_be_bytes());
        fixed[22..38].copy_from_slice(&meta.request_id);
        fixed[38..].copy_from_slice(&body(meta.body));
        tlv::put(out, item::REQUEST, &fixed);
        text(out, item::METHOD, meta.method)?;
        text(out, item::HOST, meta.host)?;
        text(out, item::TARGET, meta.target)?;
        text(out, item::LISTENER, meta.listener)?;
        if let Some(port) = meta.port {
            tlv::put(out, item::PORT, &port.to_be_bytes());
        }
        if let Some(left) = meta.deadline_ms {
            tlv::put(out, item::DEADLINE, &left.to_be_bytes());
        }
        if let Some(tls) = &meta.tls {
            tlv::put(out, item::TLS, &tls.version.to_be_bytes());
            text(out, item::SNI, tls.sni)?;
            if let Some(digest) = &tls.certificate_digest {
                tlv::put(out, item::CERTIFICATE_DIGEST, digest);
            }
            text(out, item::CERTIFICATE_SUBJECT, tls.certificate_subject)?;
        }
        text(out, item::TRACE_PARENT, meta.trace.parent)?;
        text(out, item::TRACE_STATE, meta.trace.state)?;
        text(out, item::TRACE_SAMPLING, meta.trace.sampling)
    })
}

pub(crate) fn put_response(out: &mut Vec<u8>, meta: &ResponseMeta) -> Result<(), TooLong> {
    block(out, |out| {
        let mut fixed = [0; item::RESPONSE_LENGTH];
        fixed[..2].copy_from_slice(&meta.status.to_be_bytes());
        fixed[2..].copy_from_slice(&body(meta.body));
        tlv::put(out, item::RESPONSE, &fixed);
        if let Some(times) = meta.times {
            let mut both = [0; 8];
            both[..4].copy_from_slice(&times.head_us.to_be_bytes());
            both[4..].copy_from_slice(&times.upstream_us.unwrap_or_default().to_be_bytes());
            tlv::put(out, item::TIMES, if times.upstream_us.is_some() { &both } else { &both[..4] });
        }
        Ok(())
    })
}

pub(crate) fn put_fields<'a>(out: &mut Vec<u8>, fields: impl Fields<'a>) -> Result<(), TooLong> {
    for (name, value) in fields {
        let (n, v) = (u16::try_from(name.len()), u16::try_from(value.len()));
        let (Ok(n), Ok(v)) = (n, v) else { return Err(TooLong) };
        let ([n0, n1], [v0, v1]) = (n.to_be_bytes(), v.to_be_bytes());
        out.extend_from_slice(&[n0, n1, v0, v1]);
        out.extend_from_slice(name);
        out.extend_from_slice(value);
    }
    Ok(())
}

/// Puts the length of what `fill` writes before it.
fn block(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>) -> Result<(), TooLong> {
    let at = out.len();
    out.extend_from_slice(&[0; 2]);
    fill(out)?;
    let length = u16::try_from(out.len() - at - 2).map_err(|_| TooLong)?;
    out[at..at + 2].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Empty values are not sent: absent and empty mean the same.
fn text(out: &mut Vec<u8>, kind: u16, value: &[u8]) -> Result<(), TooLong> {
    if value.len() > usize::from(u16::MAX) {
        return Err(TooLong);
    }
    if !value.is_empty() {
        tlv::put(out, kind, value);
    }
    Ok(())
}

fn body(length: BodyLength) -> [u8; 9] {
    let (kind, bytes) = match length {
        BodyLength::None => (0, 0),
        BodyLength::Known(bytes) => (1, bytes),
        BodyLength::Unknown => (2, 0u64),
    };
    let mut out = [kind; 9];
    out[1..].copy_from_slice(&bytes.to_be_bytes());
    out
}
