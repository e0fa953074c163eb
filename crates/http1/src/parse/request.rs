//! Requests: the server side's parser. Decides what is refused of what the internet sends.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::framing::Framing;
use super::line::{Line, Lines, Next};
use super::start_line::{RequestLine, request_line};
use crate::hop_by_hop::{Kind, keeps_in_request, kind};
use crate::method::MAX_METHOD;
use crate::{
    Authority, BodyLength, ConnectionTokens, Fields, Limits, Method, Refusal, RequestHead, Scheme, Target, Upgrade,
    Version, authority,
};

/// Reads request heads out of a buffer, one after the other.
///
/// After a refusal the connection has to be closed; the parser is of no more use.
#[derive(Debug, Default)]
pub struct RequestParser {
    lines: Lines,
    line: Option<RequestLine>,
    seen: Seen,
    fields: Fields,
}

/// What the fields said that is not passed on as a field.
#[derive(Debug, Default)]
struct Seen {
    framing: Framing,
    connection: ConnectionTokens,
    host: Option<Host>,
    upgrade: Option<Upgrade>,
    upgrade_lines: u32,
    expect_continue: bool,
}

#[derive(Debug)]
struct Host {
    range: Range<usize>,
    port: Option<u16>,
}

impl RequestParser {
    /// Takes the next head off the front of `input`; `None` if it is incomplete, and then `input` must only grow until
    /// the next call. The bytes after the head stay. A line that arrives in pieces is judged at the latest when it ends.
    pub fn parse(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<RequestHead>, Refusal> {
        let (len, full) = Lines::window(input.len(), limits);
        match self.scan(&mut input[..len], full, limits)? {
            Some(end) => self.finish(input, end).map(Some),
            None if full => Err(Refusal::HeadTooLarge),
            None => Ok(None),
        }
    }

    /// Gives back the memory of a head that is no longer needed, for the next one.
    pub fn recycle(&mut self, mut fields: Fields) {
        fields.clear();
        if self.line.is_none() {
            self.fields = fields;
        }
    }

    /// Reads as many lines as there are; the end of the head if it is there.
    fn scan(&mut self, text: &mut [u8], full: bool, limits: &Limits) -> Result<Option<usize>, Refusal> {
        let longest = match &self.line {
            _ if full => 0,
            None => limits.target_bytes + MAX_METHOD + 1,
            Some(_) => usize::MAX,
        };
        if !self.lines.worth_reading(text, longest) {
            return Ok(None);
        }
        if self.line.is_none() {
            let Some((line, end)) = request_line(text, limits)? else {
                self.lines.wait(text);
                return Ok(None);
            };
            self.lines.advance(end);
            self.line = Some(line);
        }
        loop {
            match self.lines.next_field(text, limits)? {
                Next::Wait => return Ok(None),
                Next::End(end) => return Ok(Some(end)),
                Next::Field(line) => self.field(text, &line, limits)?,
            }
        }
    }

    /// Takes one field: typed, dropped, or among the fields.
    #[inline]
    fn field(&mut self, text: &mut [u8], line: &Line, limits: &Limits) -> Result<(), Refusal> {
        let kind = kind(&text[line.name.clone()]);
        if kind == Kind::EndToEnd {
            self.fields.push_line(line);
            return Ok(());
        }
        self.special(text, line, kind, limits)
    }

    fn special(&mut self, text: &mut [u8], line: &Line, kind: Kind, limits: &Limits) -> Result<(), Refusal> {
        let value = &mut text[line.value.clone()];
        let seen = &mut self.seen;
        match kind {
            Kind::Host => seen.host(value, line.value.start)?,
            Kind::ContentLength => seen.framing.content_length(value)?,
            Kind::TransferEncoding => seen.framing.transfer_encoding(value)?,
            Kind::Connection => seen.connection.read(value, limits.connection_may_name)?,
            Kind::Upgrade => {
                seen.upgrade_lines += 1;
                seen.upgrade = value.eq_ignore_ascii_case(b"websocket").then_some(Upgrade::WebSocket);
            }
            Kind::Expect => {
                if value != b"100-continue" || seen.expect_continue {
                    return Err(Refusal::Expectation);
                }
                seen.expect_continue = true;
            }
            Kind::EndToEnd | Kind::Te | Kind::AltSvc | Kind::ProxyStatus | Kind::Hop => {
                if keeps_in_request(kind, value) {
                    self.fields.push_line(line);
                }
            }
        }
        Ok(())
    }

    /// Checks what only the whole head shows, and makes it a value.
    fn finish(&mut self, input: &mut BytesMut, end: usize) -> Result<RequestHead, Refusal> {
        self.lines = Lines::default();
        let seen = std::mem::take(&mut self.seen);
        let line = self.line.take().ok_or(Refusal::StartLine)?;
        seen.framing.check_version(line.version)?;
        let body = seen.body()?;
        let host = seen.host.as_ref().ok_or(Refusal::MissingHost)?;
        host.check_absolute(&line, input)?;
        let upgrade = seen.upgrade(&line, body);
        let keep_alive = !seen.connection.close && (line.version == Version::Http11 || seen.connection.keep_alive);

        let head = input.split_to(end).freeze();
        let mut fields = std::mem::take(&mut self.fields);
        fields.adopt(head.clone());
        Ok(RequestHead {
            method: line.method,
            target: target(&head, &line)?,
            authority: Authority::from_checked(head.slice(host.range.clone()), host.port),
            scheme: line.absolute.as_ref().map(|a| a.scheme),
            version: line.version,
            fields,
            body,
            keep_alive,
            upgrade,
            // An HTTP/1.0 client does not know interim responses (RFC 9110 section 10.1.1), and without a body there
            // is nothing to wait for.
            expect_continue: seen.expect_continue && line.version == Version::Http11 && has_body(body),
        })
    }
}

impl Seen {
    fn host(&mut self, value: &mut [u8], at: usize) -> Result<(), Refusal> {
        if self.host.is_some() {
            return Err(Refusal::RepeatedHost);
        }
        let parts = authority::check(value)?;
        value.make_ascii_lowercase();
        self.host = Some(Host { range: at + parts.host.start..at + parts.host.end, port: parts.port });
        Ok(())
    }

    const fn body(&self) -> Result<BodyLength, Refusal> {
        match (self.framing.length, self.framing.chunked) {
            (Some(_), true) => Err(Refusal::LengthAndEncoding),
            (None, true) => Ok(BodyLength::Unknown),
            (Some(length), false) => Ok(BodyLength::Length(length)),
            (None, false) => Ok(BodyLength::None),
        }
    }

    /// The protocol to change to, if the request may: one line, named in Connection, a GET of HTTP/1.1 without body.
    fn upgrade(&self, line: &RequestLine, body: BodyLength) -> Option<Upgrade> {
        let may = self.connection.upgrade
            && self.upgrade_lines == 1
            && line.method == Method::Get
            && line.version == Version::Http11
            && !has_body(body);
        if may { self.upgrade } else { None }
    }
}

impl Host {
    /// A target in absolute form has to name the same host and port as the Host field.
    fn check_absolute(&self, line: &RequestLine, text: &[u8]) -> Result<(), Refusal> {
        let Some(absolute) = &line.absolute else { return Ok(()) };
        let default = match absolute.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        let same_host = text[absolute.host.clone()].eq_ignore_ascii_case(&text[self.range.clone()]);
        let same_port = absolute.port.unwrap_or(default) == self.port.unwrap_or(default);
        if same_host && same_port { Ok(()) } else { Err(Refusal::HostMismatch) }
    }
}

const fn has_body(body: BodyLength) -> bool {
    !matches!(body, BodyLength::None | BodyLength::Length(0))
}

/// The target in origin form. An absolute form without a path means `/`, or `*` for OPTIONS (RFC 9112 section 3.2.4).
fn target(head: &Bytes, line: &RequestLine) -> Result<Target, Refusal> {
    let text = &head[line.target.clone()];
    match text {
        [] if line.method == Method::Options => Target::from_bytes(Bytes::from_static(b"*")),
        [] => Ok(Target::ROOT),
        [b'?', ..] => Target::from_bytes([b"/", text].concat().into()),
        _ => {
            let path_len = memchr::memchr(b'?', text).unwrap_or(text.len()) as u32;
            Ok(Target::from_checked(head.slice(line.target.clone()), path_len))
        }
    }
}
