//! Zipkin's b3 (openzipkin/b3-propagation), for applications that know nothing else: one field `b3`, or several `X-B3-*`.

use super::context::Remote;
use super::id::{SpanId, TraceId};

#[cfg(test)]
mod tests;

/// The single field.
pub const SINGLE: &str = "b3";
/// The several fields.
pub const TRACE_ID: &str = "x-b3-traceid";
/// The sender's span.
pub const SPAN_ID: &str = "x-b3-spanid";
/// The sender's decision, 1 or 0.
pub const SAMPLED: &str = "x-b3-sampled";
/// 1: the trace is kept whatever was decided ("debug").
pub const FLAGS: &str = "x-b3-flags";

/// Reads the single field: `{trace}-{span}`, `{trace}-{span}-{decision}`, the same with `-{parent}`, or the decision alone.
pub fn parse_single(value: &[u8]) -> Option<Remote> {
    let mut parts = value.split(|byte| *byte == b'-');
    let first = parts.next()?;
    let Some(span) = parts.next() else {
        return Some(Remote { sampled: Some(decision(first)?), ..Remote::default() });
    };
    let ids = (trace_id(first)?, SpanId::parse(span)?);
    let sampled = parts.next().map(|text| decision(text).ok_or(())).transpose().ok()?;
    let parent = parts.next().map(|text| SpanId::parse(text).ok_or(())).transpose();
    (parent.is_ok() && parts.next().is_none()).then(|| Remote { ids: Some(ids), sampled, ..Remote::default() })
}

/// Reads the several fields, each `None` where it is missing.
pub fn parse_multi(
    trace: Option<&[u8]>,
    span: Option<&[u8]>,
    sampled: Option<&[u8]>,
    flags: Option<&[u8]>,
) -> Option<Remote> {
    let sampled = match (flags, sampled) {
        // Early versions wrote words.
        (Some(b"1"), _) | (_, Some(b"1" | b"true")) => Some(true),
        (_, Some(b"0" | b"false")) => Some(false),
        (_, Some(_)) => return None,
        (_, None) => None,
    };
    let ids = match (trace, span) {
        (Some(trace), Some(span)) => Some((trace_id(trace)?, SpanId::parse(span)?)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return None,
    };
    (ids.is_some() || sampled.is_some()).then(|| Remote { ids, sampled, ..Remote::default() })
}

/// The single field's value.
pub(super) fn single(trace: TraceId, span: SpanId, sampled: bool) -> [u8; 51] {
    let mut text = [b'-'; 51];
    text[..32].copy_from_slice(&trace.to_hex());
    text[33..49].copy_from_slice(&span.to_hex());
    text[50] = if sampled { b'1' } else { b'0' };
    text
}

/// A trace id of 128 bits, or of 64 bits with zeros before it.
fn trace_id(text: &[u8]) -> Option<TraceId> {
    if text.len() != 16 {
        return TraceId::parse(text);
    }
    let mut whole = [b'0'; 32];
    whole[16..].copy_from_slice(text);
    TraceId::parse(&whole)
}

fn decision(text: &[u8]) -> Option<bool> {
    match text {
        b"1" | b"d" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}
