//! The server side of one connection: what may be read and written when, and whether another request may follow.
//! Holds no bytes and does no I/O; the caller owns the buffers and the socket.

use bytes::BytesMut;

use crate::{
    BodyDecoder, BodyEncoder, BodyLength, BodyPart, ConnectionOption, Fields, Limits, Method, Refusal, RequestHead,
    RequestParser, ResponseHead, Upgrade, Version, WrongLength, encode_response,
};

/// One client's connection.
///
/// For each request: [`read_head`](Self::read_head), then [`read_body`](Self::read_body) until it ends while the
/// response is written with [`write_head`](Self::write_head), [`before`](Self::before)/[`after`](Self::after) or
/// [`append`](Self::append), and [`write_end`](Self::write_end); then [`next`](Self::next). Any refusal may still be
/// answered with a response, and then the connection has to be closed.
#[derive(Debug)]
pub struct ServerConnection {
    limits: Limits,
    parser: RequestParser,
    decoder: BodyDecoder,
    encoder: BodyEncoder,
    state: State,
    request: Request,
    keep_alive: bool,
    close: bool,
    drained: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between requests.
    Idle,
    /// A request was read, no final response head written.
    Requested,
    /// The response head was written.
    Responding,
    /// The response was written.
    Responded,
    /// The protocol has changed; true after the client's end was told.
    Raw { ended: bool },
}

/// What is remembered of the request at hand.
#[derive(Debug, Clone, Copy, Default)]
struct Request {
    http10: bool,
    head: bool,
    upgrade: Option<Upgrade>,
    /// The client waits for 100.
    expects: bool,
}

/// What comes after an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The response is not complete.
    Busy,
    /// The response is complete, the request's body is not: read more and ask again, for a second at most.
    Drain,
    /// Read the next request.
    Request,
    /// Flush and close.
    Close,
}

impl ServerConnection {
    /// A fresh connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            parser: RequestParser::default(),
            decoder: BodyDecoder::default(),
            encoder: BodyEncoder::default(),
            state: State::Idle,
            request: Request::default(),
            keep_alive: true,
            close: false,
            drained: 0,
        }
    }

    /// Takes the next request's head off the front of `input`. `None` if it is incomplete, or while the exchange
    /// before it goes on: pipelined requests are served one after the other.
    pub fn read_head(&mut self, input: &mut BytesMut) -> Result<Option<RequestHead>, Refusal> {
        if self.state != State::Idle {
            return Ok(None);
        }
        let head = match self.parser.parse(input, &self.limits) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(None),
            Err(refusal) => {
                self.begin(Request::default(), BodyLength::None, false);
                return Err(refusal);
            }
        };
        let request = Request {
            http10: head.version == Version::Http10,
            head: head.method == Method::Head,
            upgrade: head.upgrade,
            expects: head.expect_continue,
        };
        self.begin(request, head.body, head.keep_alive);
        Ok(Some(head))
    }

    fn begin(&mut self, request: Request, body: BodyLength, keep_alive: bool) {
        self.request = request;
        self.decoder = BodyDecoder::new(body);
        self.encoder = BodyEncoder::Done;
        self.keep_alive = keep_alive;
        self.drained = 0;
        self.state = State::Requested;
    }

    /// Gives back the memory of a request's fields, for the next request.
    pub fn recycle(&mut self, fields: Fields) {
        self.parser.recycle(fields);
    }

    /// Takes the next part of the request's body off the front of `input`; after an upgrade, all there is. `None` if
    /// more bytes are needed, or after the end.
    pub fn read_body(&mut self, input: &mut BytesMut) -> Result<Option<BodyPart>, Refusal> {
        match self.state {
            State::Idle => Ok(None),
            State::Raw { .. } if input.is_empty() => Ok(None),
            State::Raw { .. } => Ok(Some(BodyPart::Data(input.split().freeze()))),
            State::Requested | State::Responding | State::Responded => {
                // Who has begun to send does not wait any more.
                self.request.expects &= input.is_empty();
                let part = self.decoder.decode(input, &self.limits);
                self.keep_alive &= part.is_ok();
                part
            }
        }
    }

    /// The client sends no more. In the middle of a body that is a refusal; after an upgrade it is the end of its
    /// direction; after a complete request the response can still be written.
    pub fn read_closed(&mut self) -> Result<Option<BodyPart>, Refusal> {
        self.keep_alive = false;
        match &mut self.state {
            State::Idle | State::Raw { ended: true } => Ok(None),
            State::Raw { ended } => {
                *ended = true;
                Ok(Some(BodyPart::End))
            }
            State::Requested | State::Responding | State::Responded => self.decoder.close(),
        }
    }

    /// True if all of the request was read.
    pub const fn is_request_complete(&self) -> bool {
        self.decoder.is_complete()
    }

    /// True if the client waits for `100 Continue`.
    pub const fn expects_continue(&self) -> bool {
        self.request.expects
    }

    /// True between requests: the connection may be closed without harm if no byte of a head has come.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// The connection is to end after the response at hand, or before the next request.
    pub const fn close_after_response(&mut self) {
        self.close = true;
    }

    /// Appends `100 Continue` if the client waits for it.
    pub fn write_continue(&mut self, out: &mut BytesMut) {
        if self.request.expects && self.state == State::Requested {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.request.expects = false;
        }
    }

    /// Appends an interim response where the client can read one: 100 only if it waits for it, and none to HTTP/1.0.
    pub fn write_interim(&mut self, head: &ResponseHead, out: &mut BytesMut) {
        if head.status == 100 {
            self.write_continue(out);
        } else if head.is_interim() && !self.request.http10 && self.state == State::Requested {
            encode_response(head, BodyLength::None, ConnectionOption::Default, None, out);
        }
    }

    /// Appends the head of the final response, or of a 101 to a request that asked for it; `date` is the value of Date
    /// if the head has none. `head.body` says how long the body is that will be written, `head.keep_alive` nothing:
    /// this connection decides for itself. Must be called once for each request, and after a refusal at most once.
    ///
    /// A body of unknown length goes out in chunks, to HTTP/1.0 raw and ended by closing. Nothing follows a response
    /// to HEAD or with status 204 or 304, whatever it says: see [`has_body`](Self::has_body).
    pub fn write_head(&mut self, head: &ResponseHead, date: &[u8], out: &mut BytesMut) {
        debug_assert!(matches!(self.state, State::Requested), "one response for each request");
        if head.status == 101 && self.request.upgrade.is_some() {
            return self.switch(head, date, out);
        }
        let (written, sent) = self.framing(head);
        self.keep_alive &= !self.close && sent != BodyLength::UntilClose && self.may_drain();
        let connection = match (self.keep_alive, self.request.http10) {
            (false, _) => ConnectionOption::Close,
            (true, true) => ConnectionOption::KeepAlive,
            (true, false) => ConnectionOption::Default,
        };
        encode_response(head, written, connection, Some(date), out);
        self.encoder = BodyEncoder::new(sent);
        self.state = State::Responding;
    }

    fn switch(&mut self, head: &ResponseHead, date: &[u8], out: &mut BytesMut) {
        let connection = self.request.upgrade.map_or(ConnectionOption::Close, ConnectionOption::Upgrade);
        encode_response(head, BodyLength::None, connection, Some(date), out);
        self.encoder = BodyEncoder::UntilClose;
        self.keep_alive = false;
        self.state = State::Raw { ended: false };
    }

    /// The framing that is written, and the one of the body that is sent.
    const fn framing(&self, head: &ResponseHead) -> (BodyLength, BodyLength) {
        if head.status == 204 || head.status < 200 {
            return (BodyLength::None, BodyLength::None);
        }
        if self.request.head || head.status == 304 {
            let described = match head.body {
                BodyLength::Length(n) if n > 0 => BodyLength::Length(n),
                BodyLength::None | BodyLength::Length(_) | BodyLength::Unknown | BodyLength::UntilClose => {
                    BodyLength::None
                }
            };
            return (described, BodyLength::None);
        }
        let body = match head.body {
            BodyLength::None => BodyLength::Length(0),
            BodyLength::Length(n) => BodyLength::Length(n),
            BodyLength::Unknown | BodyLength::UntilClose if self.request.http10 => BodyLength::UntilClose,
            BodyLength::Unknown | BodyLength::UntilClose => BodyLength::Unknown,
        };
        (body, body)
    }

    /// True if what is left of the request could still be read and ignored. A body whose client waits for 100 may or
    /// may not come, and that cannot be told apart from the next request.
    fn may_drain(&self) -> bool {
        !self.request.expects && self.decoder.remaining().is_none_or(|left| left <= self.limits.drain_bytes)
    }

    /// True if content may be written after the head.
    pub const fn has_body(&self) -> bool {
        !self.encoder.is_complete()
    }

    /// Appends what stands before `len` bytes of content, which the caller sends next.
    pub fn before(&mut self, len: usize, out: &mut BytesMut) -> Result<(), WrongLength> {
        self.encoder.before(len, out)
    }

    /// Appends what stands after `len` bytes of content.
    pub fn after(&self, len: usize, out: &mut BytesMut) {
        self.encoder.after(len, out);
    }

    /// Appends a small piece of content with all that belongs around it.
    pub fn append(&mut self, data: &[u8], out: &mut BytesMut) -> Result<(), WrongLength> {
        self.encoder.append(data, out)
    }

    /// Appends the end of the response. An error means that less was written than announced: cut the connection.
    pub fn write_end(&mut self, trailers: Option<&Fields>, out: &mut BytesMut) -> Result<(), WrongLength> {
        if self.state == State::Responding {
            self.state = State::Responded;
        }
        self.encoder.end(trailers, out)
    }

    /// What comes now. Reads and ignores what is left of the request's body, up to the limit.
    pub fn next(&mut self, input: &mut BytesMut) -> Next {
        match self.state {
            State::Idle if self.close => return Next::Close,
            State::Idle => return Next::Request,
            State::Requested | State::Responding | State::Raw { .. } => return Next::Busy,
            State::Responded => {}
        }
        // Bytes after a refused upgrade may be meant for the other protocol.
        let misled = self.request.upgrade.is_some() && !input.is_empty();
        if !self.keep_alive || misled {
            return Next::Close;
        }
        match self.drain(input) {
            Ok(true) if self.close => Next::Close,
            Ok(true) => {
                self.state = State::Idle;
                Next::Request
            }
            Ok(false) if self.drained <= self.limits.drain_bytes => Next::Drain,
            Ok(false) | Err(_) => {
                self.keep_alive = false;
                Next::Close
            }
        }
    }

    /// Ignores what came of the body; true at its end.
    fn drain(&mut self, input: &mut BytesMut) -> Result<bool, Refusal> {
        while !self.decoder.is_complete() && self.drained <= self.limits.drain_bytes {
            match self.decoder.decode(input, &self.limits)? {
                None => break,
                Some(BodyPart::Data(data)) => self.drained += data.len() as u64,
                Some(BodyPart::Trailers(_) | BodyPart::End) => {}
            }
        }
        Ok(self.decoder.is_complete() && self.drained <= self.limits.drain_bytes)
    }
}
