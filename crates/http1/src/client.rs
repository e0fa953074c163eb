//! The client side of one connection: one request at a time, and whether another may follow. Holds no bytes and does
//! no I/O; the caller owns the buffers and the socket.

use bytes::BytesMut;

use crate::encode::request_body;
use crate::{
    BodyDecoder, BodyEncoder, BodyLength, BodyPart, Fields, Limits, Method, Refusal, RequestHead, ResponseContext,
    ResponseHead, ResponseParser, WrongLength, encode_request,
};

/// One connection to an upstream.
///
/// For each request: [`write_head`](Self::write_head), the content, [`write_end`](Self::write_end); at the same time
/// [`read_head`](Self::read_head) until a final head comes, then [`read_body`](Self::read_body) until it ends. Another
/// request may follow if [`is_reusable`](Self::is_reusable). After any refusal the connection has to be closed.
#[derive(Debug)]
pub struct ClientConnection {
    limits: Limits,
    parser: ResponseParser,
    context: ResponseContext,
    decoder: BodyDecoder,
    encoder: BodyEncoder,
    state: State,
    interim: u8,
    keep_alive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No request at hand.
    Idle,
    /// A final response head is awaited.
    Waiting,
    /// The response's body is read.
    Reading,
    /// The protocol has changed; true after the upstream's end was told.
    Raw { ended: bool },
    /// Something was refused.
    Failed,
}

impl ClientConnection {
    /// A fresh connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            // Applications may name their response fields as they like.
            limits: Limits { refuse_underscore: false, ..limits },
            parser: ResponseParser::default(),
            context: ResponseContext::default(),
            decoder: BodyDecoder::default(),
            encoder: BodyEncoder::default(),
            state: State::Idle,
            interim: 0,
            keep_alive: true,
        }
    }

    /// Appends a request head. `head.body` says how long the body is that will be written.
    pub fn write_head(&mut self, head: &RequestHead, out: &mut BytesMut) {
        debug_assert!(self.state == State::Idle, "one request at a time");
        encode_request(head, out);
        self.context = ResponseContext { head_request: head.method == Method::Head, upgrade: head.upgrade };
        self.encoder = BodyEncoder::new(request_body(head));
        self.decoder = BodyDecoder::default();
        self.interim = 0;
        self.keep_alive = head.keep_alive;
        self.state = State::Waiting;
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

    /// Appends the end of the request. An error means that less was written than announced: cut the connection.
    pub fn write_end(&mut self, trailers: Option<&Fields>, out: &mut BytesMut) -> Result<(), WrongLength> {
        let ended = self.encoder.end(trailers, out);
        self.keep_alive &= ended.is_ok();
        ended
    }

    /// Takes the next response head off the front of `input`: any number of interim ones, then the final one or a
    /// 101. `None` if it is incomplete or none is awaited.
    pub fn read_head(&mut self, input: &mut BytesMut) -> Result<Option<ResponseHead>, Refusal> {
        if self.state != State::Waiting {
            return Ok(None);
        }
        let head = self.parser.parse(input, self.context, &self.limits).and_then(|head| self.accept(head));
        if head.is_err() {
            self.state = State::Failed;
        }
        head
    }

    fn accept(&mut self, head: Option<ResponseHead>) -> Result<Option<ResponseHead>, Refusal> {
        let Some(head) = head else { return Ok(None) };
        if head.is_interim() {
            self.interim += 1;
            if self.interim > self.limits.interim {
                return Err(Refusal::TooManyInterim);
            }
            return Ok(Some(head));
        }
        self.keep_alive &= head.keep_alive;
        if head.status == 101 {
            self.encoder = BodyEncoder::new(BodyLength::UntilClose);
            self.state = State::Raw { ended: false };
        } else {
            self.decoder = BodyDecoder::new(head.body);
            self.state = State::Reading;
        }
        Ok(Some(head))
    }

    /// Gives back the memory of a response's fields, for the next response.
    pub fn recycle(&mut self, fields: Fields) {
        self.parser.recycle(fields);
    }

    /// Takes the next part of the response's body off the front of `input`; after an upgrade, all there is. `None` if
    /// more bytes are needed, or after the end.
    pub fn read_body(&mut self, input: &mut BytesMut) -> Result<Option<BodyPart>, Refusal> {
        match self.state {
            State::Idle | State::Waiting | State::Failed => Ok(None),
            State::Raw { .. } if input.is_empty() => Ok(None),
            State::Raw { .. } => Ok(Some(BodyPart::Data(input.split().freeze()))),
            State::Reading => {
                let part = self.decoder.decode(input, &self.limits);
                self.ended(part)
            }
        }
    }

    /// The upstream sends no more: the end of a body that ends so, the end of its direction after an upgrade, a
    /// refusal in the middle of anything else.
    pub fn read_closed(&mut self) -> Result<Option<BodyPart>, Refusal> {
        self.keep_alive = false;
        match &mut self.state {
            State::Idle | State::Failed | State::Raw { ended: true } => Ok(None),
            State::Waiting => {
                self.state = State::Failed;
                Err(Refusal::Truncated)
            }
            State::Raw { ended } => {
                *ended = true;
                Ok(Some(BodyPart::End))
            }
            State::Reading => {
                let part = self.decoder.close();
                self.ended(part)
            }
        }
    }

    /// Notes the end or the failure of the body.
    fn ended(&mut self, part: Result<Option<BodyPart>, Refusal>) -> Result<Option<BodyPart>, Refusal> {
        match &part {
            Ok(Some(BodyPart::Trailers(_) | BodyPart::End)) => self.state = State::Idle,
            Ok(Some(BodyPart::Data(_)) | None) => {}
            Err(_) => self.state = State::Failed,
        }
        part
    }

    /// True if all bytes of the response were read and only its end is to be told: a caller that has all data can pass
    /// the end on with it.
    pub fn is_response_complete(&self) -> bool {
        match self.state {
            State::Reading => self.decoder.is_complete(),
            State::Idle => true,
            State::Waiting | State::Raw { .. } | State::Failed => false,
        }
    }

    /// True if another request may be written: the exchange is complete both ways, both sides want to go on, and
    /// nothing came that was not asked for (`input` is what is left unread).
    pub fn is_reusable(&self, input: &BytesMut) -> bool {
        self.state == State::Idle && self.encoder.is_complete() && self.keep_alive && input.is_empty()
    }
}
