//! Responses: the client side's parser. Decides what is refused of what an upstream answers; an upstream is a tenant's
//! program and trusted no more than a client.

use bytes::{Bytes, BytesMut};

use super::framing::Framing;
use super::line::{Line, Lines, Next};
use super::start_line::{StatusLine, status_line};
use crate::hop_by_hop::{Kind, keeps_in_response, kind, tokens};
use crate::{BodyLength, ConnectionTokens, Fields, Limits, Refusal, ResponseHead, Upgrade, Version, reason};

/// What the parser has to know of the request that is answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResponseContext {
    /// The request was HEAD: no body follows.
    pub head_request: bool,
    /// The protocol the request asked for.
    pub upgrade: Option<Upgrade>,
}

/// Reads response heads out of a buffer: interim ones first, then the final one.
///
/// After a refusal the connection has to be closed; the parser is of no more use.
#[derive(Debug, Default)]
pub struct ResponseParser {
    lines: Lines,
    line: Option<StatusLine>,
    seen: Seen,
    fields: Fields,
}

#[derive(Debug, Default)]
struct Seen {
    framing: Framing,
    connection: ConnectionTokens,
    upgrade: Option<Upgrade>,
    /// Connection names fields that have to be removed.
    names_fields: bool,
    /// The Content-Length field, kept for responses that only describe a body.
    length_line: Option<Line>,
}

impl ResponseParser {
    /// Takes the next head off the front of `input`; `None` if it is incomplete, and then `input` must only grow until
    /// the next call. The bytes after the head stay.
    pub fn parse(
        &mut self,
        input: &mut BytesMut,
        context: ResponseContext,
        limits: &Limits,
    ) -> Result<Option<ResponseHead>, Refusal> {
        let (len, full) = Lines::window(input.len(), limits);
        // Applications may name their response fields as they like.
        let limits = Limits { refuse_underscore: false, ..*limits };
        match self.scan(&mut input[..len], full, &limits)? {
            Some(end) => self.finish(input, end, context).map(Some),
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

    fn scan(&mut self, text: &mut [u8], full: bool, limits: &Limits) -> Result<Option<usize>, Refusal> {
        if !self.lines.worth_reading(text, if full { 0 } else { usize::MAX }) {
            return Ok(None);
        }
        if self.line.is_none() {
            let Some((line, end)) = status_line(text)? else {
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
                Next::Field(line) => self.field(text, &line)?,
            }
        }
    }

    fn field(&mut self, text: &[u8], line: &Line) -> Result<(), Refusal> {
        let value = &text[line.value.clone()];
        let kind = kind(&text[line.name.clone()]);
        match kind {
            Kind::ContentLength => {
                self.seen.framing.content_length(value)?;
                self.seen.length_line = Some(line.clone());
            }
            Kind::TransferEncoding => self.seen.framing.transfer_encoding(value)?,
            Kind::Connection => {
                self.seen.connection_value(value);
                if self.seen.names_fields {
                    self.fields.push_line(line);
                }
            }
            Kind::Upgrade => {
                self.seen.upgrade = value.eq_ignore_ascii_case(b"websocket").then_some(Upgrade::WebSocket);
            }
            Kind::EndToEnd | Kind::Host | Kind::Expect | Kind::Te | Kind::AltSvc | Kind::ProxyStatus | Kind::Hop => {
                if keeps_in_response(kind) {
                    self.fields.push_line(line);
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, input: &mut BytesMut, end: usize, context: ResponseContext) -> Result<ResponseHead, Refusal> {
        self.lines = Lines::default();
        let seen = std::mem::take(&mut self.seen);
        let line = self.line.take().ok_or(Refusal::StartLine)?;
        seen.framing.check_version(line.version)?;
        let (body, trusted) = seen.body(line.status, context)?;
        if describes_body(line.status, context)
            && !seen.framing.chunked
            && let Some(line) = &seen.length_line
        {
            self.fields.push_line(line);
        }
        let head = input.split_to(end).freeze();
        let mut fields = std::mem::take(&mut self.fields);
        fields.adopt(head.clone());
        if seen.names_fields {
            crate::remove_hop_by_hop_from_response(&mut fields);
        }
        let persistent = line.version == Version::Http11 || seen.connection.keep_alive;
        Ok(ResponseHead {
            status: line.status,
            reason: own_reason(&head, &line),
            version: line.version,
            fields,
            body,
            keep_alive: trusted && persistent && !seen.connection.close && body != BodyLength::UntilClose,
            upgrade: if line.status == 101 { seen.upgrade } else { None },
        })
    }
}

impl Seen {
    fn connection_value(&mut self, value: &[u8]) {
        for token in tokens(value) {
            if !self.connection.note(token) {
                self.names_fields = true;
            }
        }
    }

    /// How the body is framed (RFC 9112 section 6.3), and whether the connection may be used again.
    fn body(&self, status: u16, context: ResponseContext) -> Result<(BodyLength, bool), Refusal> {
        let Framing { length, chunked } = self.framing;
        match status {
            101 => return self.switch(context),
            // Interim answers nobody asked for are legal (RFC 9110 section 15.2); whether they go on is the proxy's decision.
            100..=199 | 204 | 304 => {}
            _ if context.head_request => {}
            // Content-Length beside Transfer-Encoding is ignored, as HTTP asks, and the connection given up.
            _ if chunked => return Ok((BodyLength::Unknown, length.is_none())),
            _ => return Ok((length.map_or(BodyLength::UntilClose, BodyLength::Length), true)),
        }
        // No body. Who frames one where none can be may send one, too.
        let sound = describes_body(status, context) || (!chunked && length.unwrap_or(0) == 0);
        Ok((BodyLength::None, sound && !(chunked && length.is_some())))
    }

    /// A 101 is an answer only to a request that asked for this very protocol.
    fn switch(&self, context: ResponseContext) -> Result<(BodyLength, bool), Refusal> {
        let asked = context.upgrade.is_some() && self.upgrade == context.upgrade && self.connection.upgrade;
        if !asked || self.framing.chunked || self.framing.length.is_some() {
            return Err(Refusal::UnexpectedInterim);
        }
        Ok((BodyLength::None, false))
    }
}

/// True for responses whose Content-Length tells of a body that is not sent.
const fn describes_body(status: u16, context: ResponseContext) -> bool {
    status == 304 || (context.head_request && status >= 200 && status != 204)
}

/// The reason phrase, unless it is empty or the usual one.
fn own_reason(head: &Bytes, line: &StatusLine) -> Option<Bytes> {
    let sent = &head[line.reason.clone()];
    (!sent.is_empty() && sent != reason::phrase(line.status).as_bytes()).then(|| head.slice(line.reason.clone()))
}
