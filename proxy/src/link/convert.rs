//! Heads between the link's form and the codec's: ranges into the same buffer, nothing copied. Decides nothing.

use bailey_http1::{
    Authority, BodyLength, Fields, Method, RequestHead, ResponseHead, Scheme, Target, Upgrade, Version,
};
use bailey_link::{ClientVersion, RequestMeta, ResponseMeta, StreamType, Times, Trailers};
use bytes::Bytes;

use std::ops::Range;

/// What cannot be a message, although the link could carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfit;

/// Room for the fields of an ordinary head, so that they are placed with one allocation.
const FIELDS: usize = 24;

/// The link has checked names and values as strictly as HTTP/1.1 would (link.md, 4).
fn fields(payload: &Bytes, ranges: impl Iterator<Item = (Range<u32>, Range<u32>)>) -> Fields {
    let mut fields = Fields::with_capacity(FIELDS, 0);
    fields.refill_checked(payload.clone(), ranges);
    fields
}

fn from_link_length(length: bailey_link::BodyLength) -> BodyLength {
    match length {
        bailey_link::BodyLength::None => BodyLength::None,
        bailey_link::BodyLength::Known(bytes) => BodyLength::Length(bytes),
        bailey_link::BodyLength::Unknown => BodyLength::Unknown,
    }
}

fn to_link_length(length: BodyLength) -> bailey_link::BodyLength {
    match length {
        BodyLength::None => bailey_link::BodyLength::None,
        BodyLength::Length(bytes) => bailey_link::BodyLength::Known(bytes),
        BodyLength::Unknown | BodyLength::UntilClose => bailey_link::BodyLength::Unknown,
    }
}

/// Whether the head ends its message: there is no body, or one of no bytes, and nothing else follows.
pub(crate) fn ends(head: &RequestHead) -> bool {
    head.upgrade.is_none() && matches!(head.body, BodyLength::None | BodyLength::Length(0))
}

/// The metadata of a request: what the head says, the rest as the caller has filled it in.
pub(crate) fn request_meta<'a>(head: &'a RequestHead, about: &RequestMeta<'a>) -> RequestMeta<'a> {
    RequestMeta {
        stream_type: if head.upgrade.is_some() { StreamType::Upgrade } else { StreamType::Http },
        method: head.method.as_str().as_bytes(),
        host: head.host(),
        port: head.port(),
        target: head.target.as_bytes(),
        body: to_link_length(head.body),
        version: match head.version {
            Version::Http10 => ClientVersion::Http10,
            Version::Http11 => ClientVersion::Http11,
            Version::Http2 => ClientVersion::Http2,
        },
        ..*about
    }
}

/// The one expectation there is travels as the field it is.
const EXPECT: (&[u8], &[u8]) = (b"expect", b"100-continue");

/// The fields of a request for the link.
pub(crate) fn request_fields(head: &RequestHead) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.fields.iter().chain(head.expect_continue.then_some(EXPECT))
}

/// A request head as the inner tier's decisions see it.
pub(crate) fn request_head(from: &bailey_link::RequestHead) -> Result<RequestHead, Unfit> {
    let payload = from.payload();
    let part = |range: Range<u32>| payload.slice(range.start as usize..range.end as usize);
    let meta = from.meta();
    let scheme = match meta.scheme {
        bailey_link::Scheme::Http => Some(Scheme::Http),
        bailey_link::Scheme::Https => Some(Scheme::Https),
        bailey_link::Scheme::None => None,
    };
    let version = match meta.version {
        ClientVersion::Http10 => Version::Http10,
        ClientVersion::Http2 | ClientVersion::Http3 => Version::Http2,
        ClientVersion::Http11 | ClientVersion::None => Version::Http11,
    };
    let mut fields = fields(payload, from.field_ranges());
    let expect_continue = fields.remove(EXPECT.0);
    Ok(RequestHead {
        method: Method::from_bytes(meta.method).ok_or(Unfit)?,
        target: Target::from_bytes(part(from.target_range())).map_err(|_| Unfit)?,
        authority: Authority::from_canonical(part(from.host_range()), meta.port).map_err(|_| Unfit)?,
        scheme,
        version,
        fields,
        body: from_link_length(meta.body),
        keep_alive: true,
        // The only protocol a front lets through; a later one will need a word of its own on the link.
        upgrade: (meta.stream_type == StreamType::Upgrade).then_some(Upgrade::WebSocket),
        expect_continue,
    })
}

/// The metadata of a response, with the times of this tier.
pub(crate) fn response_meta(head: &ResponseHead, times: Option<Times>) -> ResponseMeta {
    ResponseMeta { status: head.status, body: to_link_length(head.body), times }
}

/// A response head as the outer tier sees it.
pub(crate) fn response_head(from: &bailey_link::ResponseHead) -> Result<ResponseHead, Unfit> {
    let meta = from.meta();
    if !(100..=599).contains(&meta.status) {
        return Err(Unfit);
    }
    Ok(ResponseHead {
        fields: fields(from.payload(), from.field_ranges()),
        body: from_link_length(meta.body),
        upgrade: (meta.status == 101).then_some(Upgrade::WebSocket),
        ..ResponseHead::new(meta.status)
    })
}

/// Trailers.
pub(crate) fn trailers(from: &Trailers) -> Fields {
    fields(from.payload(), from.field_ranges())
}
