//! Request lines and status lines.

use std::ops::Range;

use super::line::line_feed;
use crate::method::MAX_METHOD;
use crate::{Limits, Method, Refusal, Scheme, Version, authority, class};

/// A request line, as offsets into the head.
#[derive(Debug, Clone)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    /// Path and query; empty for a target in absolute form without either.
    pub(crate) target: Range<usize>,
    pub(crate) absolute: Option<Box<Absolute>>,
    pub(crate) version: Version,
}

/// Scheme and authority of a target in absolute form.
#[derive(Debug, Clone)]
pub(crate) struct Absolute {
    pub(crate) scheme: Scheme,
    pub(crate) host: Range<usize>,
    pub(crate) port: Option<u16>,
}

/// Reads a request line and says where the next line starts; `None` if it is incomplete.
pub(crate) fn request_line(text: &[u8], limits: &Limits) -> Result<Option<(RequestLine, usize)>, Refusal> {
    let Some((method, start)) = method(text)? else { return Ok(None) };
    let rest = &text[start..];
    let window = &rest[..rest.len().min(limits.target_bytes + 1)];
    let Some(len) = window.iter().position(|&b| !class::TARGET[b as usize]) else {
        return if window.len() > limits.target_bytes { Err(Refusal::TargetTooLong) } else { Ok(None) };
    };
    if window[len] != b' ' {
        return Err(bad_target_byte(window[len]));
    }
    let (target, absolute) = target_form(&rest[..len], start, method)?;
    let Some((version, end)) = version(text, start + len + 1)? else { return Ok(None) };
    if !(line_feed_after(text, end)?) {
        return Ok(None);
    }
    Ok(Some((RequestLine { method, target, absolute, version }, end + 2)))
}

/// Reads the method; with it, the offset of the target.
fn method(text: &[u8]) -> Result<Option<(Method, usize)>, Refusal> {
    if text.starts_with(b"GET ") {
        return Ok(Some((Method::Get, 4)));
    }
    let window = &text[..text.len().min(MAX_METHOD + 1)];
    let Some(len) = window.iter().position(|&b| class::TOKEN_LOWER[b as usize] == 0) else {
        return if window.len() > MAX_METHOD { Err(Refusal::Method) } else { Ok(None) };
    };
    match window[len] {
        b' ' if len > 0 => {}
        b'\n' => return Err(Refusal::BareLineBreak),
        b' ' | b'\r' => return Err(Refusal::StartLine),
        _ => return Err(Refusal::Method),
    }
    let method = Method::from_bytes(&window[..len]).ok_or(Refusal::Method)?;
    if method == Method::Connect {
        return Err(Refusal::Connect);
    }
    if method == Method::Trace {
        return Err(Refusal::Trace);
    }
    Ok(Some((method, len + 1)))
}

const fn bad_target_byte(b: u8) -> Refusal {
    match b {
        b'\n' => Refusal::BareLineBreak,
        b'\r' => Refusal::StartLine,
        _ if class::ends_value(b) => Refusal::ControlCharacter,
        _ => Refusal::Target,
    }
}

/// Which of the four forms of RFC 9112 section 3.2 the target has; `at` is its offset in the head.
fn target_form(target: &[u8], at: usize, method: Method) -> Result<(Range<usize>, Option<Box<Absolute>>), Refusal> {
    let end = at + target.len();
    match target {
        [] => Err(Refusal::StartLine),
        [b'/', ..] => Ok((at..end, None)),
        b"*" if method == Method::Options => Ok((at..end, None)),
        _ => absolute_form(target, at),
    }
}

fn absolute_form(target: &[u8], at: usize) -> Result<(Range<usize>, Option<Box<Absolute>>), Refusal> {
    let has = |prefix: &[u8]| target.get(..prefix.len()).is_some_and(|t| t.eq_ignore_ascii_case(prefix));
    let (scheme, start) = if has(b"http://") {
        (Scheme::Http, 7)
    } else if has(b"https://") {
        (Scheme::Https, 8)
    } else {
        return Err(Refusal::Target);
    };
    let end = memchr::memchr2(b'/', b'?', &target[start..]).map_or(target.len(), |i| start + i);
    let parts = authority::check(&target[start..end])?;
    let host = at + start + parts.host.start..at + start + parts.host.end;
    Ok((at + end..at + target.len(), Some(Box::new(Absolute { scheme, host, port: parts.port }))))
}

/// Reads `HTTP/1.x`; with it, the offset after it.
fn version(text: &[u8], at: usize) -> Result<Option<(Version, usize)>, Refusal> {
    const FORM: &[u8; 8] = b"HTTP/0.0";
    let found = &text[at..text.len().min(at + FORM.len())];
    match found {
        b"HTTP/1.1" => return Ok(Some((Version::Http11, at + FORM.len()))),
        b"HTTP/1.0" => return Ok(Some((Version::Http10, at + FORM.len()))),
        _ => {}
    }
    for (&b, &form) in found.iter().zip(FORM) {
        let fits = if form == b'0' { b.is_ascii_digit() } else { b == form };
        if !fits {
            return Err(if b == b'\n' { Refusal::BareLineBreak } else { Refusal::StartLine });
        }
    }
    if found.len() < FORM.len() { Ok(None) } else { Err(Refusal::Version) }
}

/// True if a line ends at `at`, false if that has not come.
fn line_feed_after(text: &[u8], at: usize) -> Result<bool, Refusal> {
    match text.get(at) {
        None => Ok(false),
        Some(b'\r') => line_feed(text, at + 1),
        Some(b'\n') => Err(Refusal::BareLineBreak),
        Some(_) => Err(Refusal::StartLine),
    }
}

/// A status line, as offsets into the head.
#[derive(Debug, Clone)]
pub(crate) struct StatusLine {
    pub(crate) version: Version,
    pub(crate) status: u16,
    pub(crate) reason: Range<usize>,
}

/// Reads a status line and says where the next line starts; `None` if it is incomplete.
pub(crate) fn status_line(text: &[u8]) -> Result<Option<(StatusLine, usize)>, Refusal> {
    let Some((version, at)) = version(text, 0)? else { return Ok(None) };
    let Some(status) = status(text, at)? else { return Ok(None) };
    let start = match text.get(at + 4) {
        None => return Ok(None),
        Some(b' ') => at + 5,
        // The space before an empty reason is left out by many servers.
        Some(b'\r') => at + 4,
        Some(b'\n') => return Err(Refusal::BareLineBreak),
        Some(_) => return Err(Refusal::StartLine),
    };
    let end = start + class::value_end(&text[start..]);
    if text.get(end).is_some_and(|&b| b != b'\r' && b != b'\n') {
        return Err(Refusal::ControlCharacter);
    }
    if !line_feed_after(text, end)? {
        return Ok(None);
    }
    Ok(Some((StatusLine { version, status, reason: start..end }, end + 2)))
}

/// Reads the space and three digits at `at`.
fn status(text: &[u8], at: usize) -> Result<Option<u16>, Refusal> {
    let found = &text[at..text.len().min(at + 4)];
    let mut status = 0_u16;
    for (i, &b) in found.iter().enumerate() {
        match (i, b) {
            (0, b' ') => {}
            (_, b'\n') => return Err(Refusal::BareLineBreak),
            (0, _) => return Err(Refusal::StartLine),
            (_, b'0'..=b'9') => status = status * 10 + u16::from(b - b'0'),
            _ => return Err(Refusal::Status),
        }
    }
    match (found.len(), status) {
        (4, 100..=599) => Ok(Some(status)),
        (4, _) => Err(Refusal::Status),
        _ => Ok(None),
    }
}
