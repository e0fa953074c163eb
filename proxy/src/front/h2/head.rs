//! Heads between the `h2` crate and ours: what a request over HTTP/2 may look like, and how a response is written.
//!
//! The crate has refused what breaks HTTP/2 itself. What breaks HTTP, or would mean something else one hop later over
//! HTTP/1.1, is refused here (RFC 9113 section 8; reliability rules for the edge).

use bailey_http1::{
    Authority, BodyLength, Fields, Limits, Method, Refusal, RequestHead, ResponseHead, Scheme, Target, Version,
    is_trailer_allowed, remove_hop_by_hop_from_request,
};
use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::front::{FrontLimits, Refused};
use crate::metrics::Limit;

/// The head of a request, or why it is refused. `ends`: no body follows.
pub(crate) fn request(parts: &http::request::Parts, ends: bool, limits: &FrontLimits) -> Result<RequestHead, Refused> {
    if parts.headers.len() > limits.h2.fields {
        return Err(Refused { limit: Some(Limit::Http2HeaderFields), ..Refusal::TooManyFields.into() });
    }
    let limits = &limits.http;
    let method = Method::from_bytes(parts.method.as_str().as_bytes()).ok_or(Refusal::Method)?;
    match parts.method {
        http::Method::CONNECT => return Err(Refusal::Connect.into()),
        http::Method::TRACE => return Err(Refusal::Trace.into()),
        _ => {}
    }
    let authority = authority(parts)?;
    let target = target(parts, limits)?;
    let mut head = RequestHead::new(method, target, authority);
    head.version = Version::Http2;
    head.scheme = Some(scheme(parts)?);
    head.body = length(&parts.headers, ends)?;
    head.expect_continue = expectation(&parts.headers)?;
    head.fields = fields(&parts.headers, limits)?;
    remove_hop_by_hop_from_request(&mut head.fields)?;
    Ok(head)
}

fn scheme(parts: &http::request::Parts) -> Result<Scheme, Refusal> {
    match parts.uri.scheme_str() {
        Some("https") => Ok(Scheme::Https),
        Some("http") => Ok(Scheme::Http),
        _ => Err(Refusal::Target),
    }
}

/// `:authority`, which a `host` beside it must repeat; `host` alone if there is no `:authority`.
fn authority(parts: &http::request::Parts) -> Result<Authority, Refusal> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next().map(|value| Authority::parse(value.as_bytes())).transpose()?;
    if hosts.next().is_some() {
        return Err(Refusal::RepeatedHost);
    }
    let named = parts.uri.authority().map(|text| Authority::parse(text.as_str().as_bytes())).transpose()?;
    match (named, host) {
        (Some(named), Some(host)) if named != host => Err(Refusal::HostMismatch),
        (Some(named), _) => Ok(named),
        (None, Some(host)) => Ok(host),
        (None, None) => Err(Refusal::MissingHost),
    }
}

fn target(parts: &http::request::Parts, limits: &Limits) -> Result<Target, Refusal> {
    let text = parts.uri.path_and_query().ok_or(Refusal::Target)?.as_str();
    if text.len() > limits.target_bytes {
        return Err(Refusal::TargetTooLong);
    }
    if text == "*" && parts.method != http::Method::OPTIONS {
        return Err(Refusal::Target);
    }
    Target::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
}

/// The crate holds DATA against a length it can read; one that it cannot read must not pass.
fn length(headers: &HeaderMap, ends: bool) -> Result<BodyLength, Refusal> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(value) = values.next() else {
        return Ok(if ends { BodyLength::None } else { BodyLength::Unknown });
    };
    let digits = value.as_bytes();
    let plain = !digits.is_empty() && digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit);
    if !plain || values.next().is_some() || (digits.len() > 1 && digits[0] == b'0') {
        return Err(Refusal::ContentLength);
    }
    let length = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or(Refusal::ContentLength)?;
    if ends && length > 0 {
        return Err(Refusal::ContentLength);
    }
    Ok(BodyLength::Length(length))
}

fn expectation(headers: &HeaderMap) -> Result<bool, Refusal> {
    match headers.get(header::EXPECT) {
        None => Ok(false),
        Some(value) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(true),
        Some(_) => Err(Refusal::Expectation),
    }
}

/// The fields that travel on: without what the head has typed, values trimmed, cookies joined (RFC 9113 8.2.3).
fn fields(headers: &HeaderMap, limits: &Limits) -> Result<Fields, Refusal> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
    let mut fields = Fields::with_capacity(headers.len() + 8, bytes + 256);
    for (name, value) in headers {
        let name = name.as_str().as_bytes();
        match name {
            b"host" | b"content-length" | b"expect" | b"cookie" => {}
            _ if limits.refuse_underscore && name.contains(&b'_') => return Err(Refusal::Underscore),
            _ => fields.append(name, value.as_bytes().trim_ascii()),
        }
    }
    let mut cookies = headers.get_all(header::COOKIE).iter().map(|value| value.as_bytes().trim_ascii());
    if let Some(first) = cookies.next() {
        match cookies.next() {
            None => fields.append(b"cookie", first),
            Some(second) => {
                let mut all = [first, b"; ", second].concat();
                cookies.for_each(|more| all.extend([b"; ", more].concat()));
                fields.append(b"cookie", &all);
            }
        }
    }
    Ok(fields)
}

/// Trailers of a request that may travel on.
pub(super) fn trailers(headers: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in headers {
        if is_trailer_allowed(name.as_str().as_bytes()) {
            fields.append(name.as_str().as_bytes(), value.as_bytes().trim_ascii());
        }
    }
    fields
}

/// Fields as the crate takes them. What HTTP/1.1 would accept and HTTP/2 cannot carry is left out.
pub(super) fn header_map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.len() + 2);
    for (name, value) in fields.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    map
}

/// A response head as the crate takes it, with Content-Length and Date where they belong.
pub(super) fn response(head: &ResponseHead, date: Option<HeaderValue>) -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut headers = header_map(&head.fields);
    if let BodyLength::Length(length) = head.body
        && head.status >= 200
        && head.status != 204
    {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if let Some(date) = date {
        headers.entry(header::DATE).or_insert(date);
    }
    *response.headers_mut() = headers;
    response
}

/// Answers a request that never reached anybody.
pub(super) fn refuse(mut respond: SendResponse<Bytes>, status: u16) {
    let mut head = ResponseHead::new(status);
    head.body = BodyLength::Length(0);
    // A client that is gone already needs no answer.
    let _ = respond.send_response(response(&head, None), true);
}
