//! The payload of heads and trailers: metadata items, then length-prefixed names and values. Reads and writes bytes; knows no states.
//!
//! Reading checks everything that would let a head say something else once it is written as HTTP/1: names are lower-case tokens, values hold no
//! control character but the tab. So a reader may use the ranges as they are.

mod decode;
mod encode;

use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;

pub(crate) use encode::{TooLong, put_fields, put_request, put_response};

use crate::{BodyLength, ClientTls, ClientVersion, RequestMeta, ResponseMeta, Scheme, StreamType, Trace};

/// A critical bit and the numbers of metadata items.
mod item {
    pub(super) const REQUEST: u16 = 0x8001;
    pub(super) const METHOD: u16 = 0x8002;
    pub(super) const HOST: u16 = 0x8003;
    pub(super) const TARGET: u16 = 0x8004;
    pub(super) const LISTENER: u16 = 0x0005;
    pub(super) const TLS: u16 = 0x0006;
    pub(super) const SNI: u16 = 0x0007;
    pub(super) const CERTIFICATE_DIGEST: u16 = 0x0008;
    pub(super) const CERTIFICATE_SUBJECT: u16 = 0x0009;
    pub(super) const TRACE_PARENT: u16 = 0x000a;
    pub(super) const TRACE_STATE: u16 = 0x000b;
    pub(super) const TRACE_SAMPLING: u16 = 0x000c;
    pub(super) const DEADLINE: u16 = 0x000d;
    pub(super) const PORT: u16 = 0x000e;
    pub(super) const RESPONSE: u16 = 0x8010;
    pub(super) const TIMES: u16 = 0x0011;
    /// Bytes of the fixed part of a request.
    pub(super) const REQUEST_LENGTH: usize = 47;
    /// Bytes of the fixed part of a response.
    pub(super) const RESPONSE_LENGTH: usize = 11;
}

/// A part of a payload; offsets fit, as a head is at most 1 MiB.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    length: u32,
}

impl Span {
    fn of(self, payload: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &payload[start..start + self.length as usize]
    }
}

/// Names and values as ranges into the payload of their head, in the order they were sent.
#[derive(Clone, Debug)]
pub struct FieldRanges<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Iterator for FieldRanges<'_> {
    type Item = (Range<u32>, Range<u32>);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[n0, n1, v0, v1], _) = self.payload.get(self.at..)?.split_first_chunk::<4>()?;
        let name = self.at as u32 + 4;
        let value = name + u32::from(u16::from_be_bytes([n0, n1]));
        let end = value + u32::from(u16::from_be_bytes([v0, v1]));
        self.at = end as usize;
        Some((name..value, value..end))
    }
}

macro_rules! field_access {
    ($name:ident) => {
        impl $name {
            /// The payload the field ranges point into.
            pub fn payload(&self) -> &Bytes {
                &self.payload
            }

            /// The header fields as ranges into [`Self::payload`]; names are lower-case.
            pub fn field_ranges(&self) -> FieldRanges<'_> {
                FieldRanges { payload: &self.payload, at: self.fields_at as usize }
            }

            /// The header fields as slices.
            pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
                let at = |range: Range<u32>| &self.payload[range.start as usize..range.end as usize];
                self.field_ranges().map(move |(name, value)| (at(name), at(value)))
            }
        }
    };
}

/// A request head as received.
#[derive(Clone, Debug)]
pub struct RequestHead {
    payload: Bytes,
    fields_at: u32,
    stream_type: StreamType,
    scheme: Scheme,
    version: ClientVersion,
    hops: u8,
    client: SocketAddr,
    request_id: [u8; 16],
    body: BodyLength,
    deadline_ms: Option<u32>,
    port: Option<u16>,
    method: Span,
    host: Span,
    target: Span,
    listener: Span,
    tls_version: Option<u16>,
    sni: Span,
    certificate_digest: Option<[u8; 32]>,
    certificate_subject: Span,
    trace_parent: Span,
    trace_state: Span,
    trace_sampling: Span,
}

field_access!(RequestHead);

impl RequestHead {
    /// The metadata; slices point into the payload.
    pub fn meta(&self) -> RequestMeta<'_> {
        RequestMeta {
            stream_type: self.stream_type,
            client: self.client,
            listener: self.listener.of(&self.payload),
            scheme: self.scheme,
            version: self.version,
            tls: self.tls_version.map(|version| ClientTls {
                version,
                sni: self.sni.of(&self.payload),
                certificate_digest: self.certificate_digest,
                certificate_subject: self.certificate_subject.of(&self.payload),
            }),
            request_id: self.request_id,
            trace: Trace {
                parent: self.trace_parent.of(&self.payload),
                state: self.trace_state.of(&self.payload),
                sampling: self.trace_sampling.of(&self.payload),
            },
            deadline_ms: self.deadline_ms,
            hops: self.hops,
            method: self.method.of(&self.payload),
            host: self.host.of(&self.payload),
            port: self.port,
            target: self.target.of(&self.payload),
            body: self.body,
        }
    }

    /// What the stream carries.
    pub fn stream_type(&self) -> StreamType {
        self.stream_type
    }

    /// Where the method is in the payload.
    pub fn method_range(&self) -> Range<u32> {
        self.method.start..self.method.start + self.method.length
    }

    /// Where the target is in the payload.
    pub fn target_range(&self) -> Range<u32> {
        self.target.start..self.target.start + self.target.length
    }

    /// Where the authority's host is in the payload.
    pub fn host_range(&self) -> Range<u32> {
        self.host.start..self.host.start + self.host.length
    }
}

/// A response head as received, final or informational.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    payload: Bytes,
    fields_at: u32,
    meta: ResponseMeta,
}

field_access!(ResponseHead);

impl ResponseHead {
    pub(crate) fn is_final(&self) -> bool {
        self.meta.status == 101 || self.meta.status >= 200
    }

    /// Status and body length.
    pub fn meta(&self) -> ResponseMeta {
        self.meta
    }
}

/// Trailers as received.
#[derive(Clone, Debug)]
pub struct Trailers {
    payload: Bytes,
    fields_at: u32,
}

field_access!(Trailers);
