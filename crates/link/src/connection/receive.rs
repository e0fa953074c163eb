//! What the peer may send now, and what it means.

use bytes::{Buf, Bytes, BytesMut};

use super::{Connection, Partial, Role, STALL_MARGIN, send::INFORMATIONAL_MAX};
use crate::flow::Window;
use crate::frame::{HEADER, Header, Kind};
use crate::reason::Violation;
use crate::settings::HELLO_MAX;
use crate::stream::{Side, Slot, next_generation};
use crate::{
    CloseReason, ConnectionError, Event, PeerHello, RequestHead, ResetReason, ResponseHead, StreamId, StreamType,
    Trailers,
};

/// Bytes of text in GOAWAY.
pub(super) const GOAWAY_TEXT: usize = 256;

/// What one step over the input came to.
enum Step {
    Event(Event),
    /// Something was taken that the caller need not see now.
    Taken,
    NeedInput,
}

const fn state(what: &'static str) -> Violation {
    Violation(CloseReason::StreamState, what)
}

const fn malformed(what: &'static str) -> Violation {
    Violation(CloseReason::Malformed, what)
}

impl Connection {
    /// The next event. Takes frames off the front of `input`; payloads are parts of it, not copies, and keep its buffer alive while they are held.
    /// `None` means that more input is needed. After an error write what is in the output and close.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ConnectionError> {
        loop {
            if let Some(event) = self.next_event() {
                return Ok(Some(event));
            }
            if let Some(error) = self.failed {
                return Err(error);
            }
            match self.step(input) {
                Ok(Step::Event(event)) => return Ok(Some(event)),
                Ok(Step::Taken) => {}
                Ok(Step::NeedInput) => return Ok(None),
                Err(violation) => return Err(self.fail(violation)),
            }
        }
    }

    fn step(&mut self, input: &mut BytesMut) -> Result<Step, Violation> {
        if self.queued() > self.settings.output_limit + STALL_MARGIN {
            return Err(Violation(CloseReason::Stalled, "frames are asked for and not read"));
        }
        if let Some(partial) = self.partial {
            return Ok(self.data_piece(partial, input));
        }
        let Some(header) = Header::read(input) else { return Ok(Step::NeedInput) };
        let kind = Kind::from_wire(header.kind);
        self.check_header(&header, kind)?;
        // Data is handed on as it comes; everything else is waited for.
        let whole = if kind == Some(Kind::Data) { 0 } else { header.length as usize };
        if input.len() < HEADER + whole {
            return Ok(Step::NeedInput);
        }
        input.advance(HEADER);
        let payload = input.split_to(whole).freeze();
        let event = match kind {
            Some(kind) => self.frame_arrived(kind, &header, payload)?,
            None => None,
        };
        Ok(event.map_or(Step::Taken, Step::Event))
    }

    /// What can be said before the payload is there, so that no more of it is waited for than is allowed.
    fn check_header(&self, header: &Header, kind: Option<Kind>) -> Result<(), Violation> {
        if self.peer.is_none() && kind != Some(Kind::Hello) {
            return Err(Violation(CloseReason::NotLink, "the first frame is not HELLO"));
        }
        let (least, most) = match kind {
            Some(Kind::Hello) => (8, HELLO_MAX),
            Some(Kind::Request | Kind::Response | Kind::Informational | Kind::Trailers) => (2, self.settings.max_head),
            Some(Kind::Data | Kind::Datagram) => (0, self.settings.max_data),
            Some(Kind::Reset) => (2, 2),
            Some(Kind::Credit) => (4, 4),
            Some(Kind::Goaway) => (10, 10 + GOAWAY_TEXT as u32),
            Some(Kind::Ping | Kind::Pong) => (8, 8),
            None if header.kind >= Kind::SKIPPABLE => (0, self.settings.max_data),
            None => return Err(Violation(CloseReason::UnknownKind, "an unknown kind of frame")),
        };
        if header.length > most {
            return Err(Violation(CloseReason::FrameTooLarge, "a frame is longer than its kind may be"));
        }
        if header.length < least {
            return Err(malformed("a frame is shorter than its kind must be"));
        }
        let whole = matches!(kind, Some(Kind::Hello | Kind::Goaway | Kind::Ping | Kind::Pong));
        if kind.is_some() && whole != (header.stream == 0) {
            return Err(malformed("stream 0 is for frames of the connection, and only for them"));
        }
        Ok(())
    }

    fn frame_arrived(&mut self, kind: Kind, header: &Header, payload: Bytes) -> Result<Option<Event>, Violation> {
        let stream = || StreamId::from_wire(header.stream).ok_or(malformed("a stream of generation 0"));
        match kind {
            Kind::Hello => self.hello(&payload).map(Some),
            Kind::Goaway => Ok(Some(self.goaway_arrived(payload))),
            Kind::Ping => self.ping_arrived(&payload).map(|()| None),
            Kind::Pong => self.pong_arrived(&payload).map(Some),
            Kind::Request => self.request(stream()?, header.end(), payload),
            Kind::Response => self.response(stream()?, header.end(), payload),
            Kind::Informational => self.informational(stream()?, payload),
            Kind::Data => self.data_begins(stream()?, header).map(|()| None),
            Kind::Trailers => self.trailers(stream()?, payload),
            Kind::Reset => Ok(self.reset_arrived(stream()?, u16::from_be_bytes(number(&payload)))),
            Kind::Credit => self.on_credit(stream()?, u32::from_be_bytes(number(&payload))).map(|()| None),
            Kind::Datagram => self.datagram(stream()?, payload),
        }
    }

    fn hello(&mut self, payload: &[u8]) -> Result<Event, Violation> {
        if self.peer.is_some() {
            return Err(malformed("a second HELLO"));
        }
        let hello = PeerHello::read(payload)?;
        let limits = &hello.settings;
        self.sending = Window::new(limits.stream_window, limits.stream_floor, limits.shared_window);
        self.peer = Some(hello.clone());
        Ok(Event::Ready(hello))
    }

    fn ping_arrived(&mut self, payload: &[u8]) -> Result<(), Violation> {
        if self.output.written() < self.pong_end {
            return Err(Violation(CloseReason::PingFlood, "a ping before the answer to the last one was written"));
        }
        self.frame(0, Kind::Pong, 0, payload);
        self.pong_end = self.output.written() + self.queued() as u64;
        Ok(())
    }

    fn pong_arrived(&mut self, payload: &[u8]) -> Result<Event, Violation> {
        if !std::mem::take(&mut self.pinging) {
            return Err(state("a pong that nobody asked for"));
        }
        Ok(Event::Pong { payload: number(payload) })
    }

    fn goaway_arrived(&mut self, mut payload: Bytes) -> Event {
        let accepted = payload.get_u64();
        let reason = CloseReason::from_code(payload.get_u16());
        self.peer_going_away = true;
        if self.role == Role::Client {
            self.refuse_from(accepted);
        }
        Event::Goaway { reason, message: payload }
    }

    /// The server never processed the streams from this place in the order of opening on.
    fn refuse_from(&mut self, accepted: u64) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if !slot.live || slot.ordinal < accepted {
                continue;
            }
            let stream = StreamId::new(index as u16, slot.generation);
            self.sending.release(&mut slot.sent);
            slot.refused = true;
            (slot.send, slot.receive) = (Side::Ended, Side::Ended);
            slot.live = false;
            self.live -= 1;
            if !slot.quiet {
                slot.quiet = true;
                self.events.push_back(Event::Reset { stream, reason: ResetReason::Refused });
            }
        }
    }

    fn request(&mut self, stream: StreamId, end: bool, payload: Bytes) -> Result<Option<Event>, Violation> {
        if self.role == Role::Client {
            return Err(state("a request from a server"));
        }
        if stream.slot() >= usize::from(self.settings.max_streams) {
            return Err(Violation(CloseReason::StreamLimit, "a slot beyond max_streams"));
        }
        if stream.slot() >= self.slots.len() {
            self.slots.resize(stream.slot() + 1, Slot::UNUSED);
        }
        let slot = &mut self.slots[stream.slot()];
        if slot.live || slot.refused || stream.generation() != next_generation(slot.generation) {
            return Err(Violation(CloseReason::StreamReused, "a slot is in use or its generation out of order"));
        }
        // The request says that the client holds nothing of the stream before it.
        self.sending.release(&mut slot.sent);
        *slot = Slot { generation: stream.generation(), queued: slot.queued, refused: self.going_away, ..Slot::UNUSED };
        if self.going_away {
            return Ok(None);
        }
        slot.send = Side::Head;
        slot.receive = if end { Side::Ended } else { Side::Body };
        (slot.live, slot.released, slot.quiet) = (true, false, false);
        self.opened += 1;
        self.live += 1;
        let Ok(head) = RequestHead::read(payload) else {
            self.release(stream, ResetReason::Malformed);
            return Ok(None);
        };
        self.slots[stream.slot()].datagrams = head.meta().stream_type == StreamType::Udp;
        Ok(Some(Event::Request { stream, head: Box::new(head), end }))
    }

    /// The slot of a stream that a frame other than a request came for.
    fn slot(&mut self, stream: StreamId) -> Result<&mut Slot, Violation> {
        self.slots
            .get_mut(stream.slot())
            .filter(|slot| slot.generation == stream.generation())
            .ok_or(state("a frame for a stream that is not there"))
    }

    fn response(&mut self, stream: StreamId, end: bool, payload: Bytes) -> Result<Option<Event>, Violation> {
        let slot = self.slot(stream)?;
        if slot.receive != Side::Head {
            return Err(state("a response head out of turn"));
        }
        slot.receive = if end { Side::Ended } else { Side::Body };
        let quiet = slot.quiet;
        let head = ResponseHead::read(payload).ok().filter(ResponseHead::is_final);
        Ok(self.deliver(stream, end, quiet, head, |head| Event::Response { stream, head, end }))
    }

    fn informational(&mut self, stream: StreamId, payload: Bytes) -> Result<Option<Event>, Violation> {
        let slot = self.slot(stream)?;
        if slot.receive != Side::Head || slot.informational == INFORMATIONAL_MAX {
            return Err(state("an informational response out of turn or one too many"));
        }
        slot.informational += 1;
        let quiet = slot.quiet;
        let head = ResponseHead::read(payload).ok().filter(|head| !head.is_final());
        Ok(self.deliver(stream, false, quiet, head, |head| Event::Informational { stream, head }))
    }

    fn trailers(&mut self, stream: StreamId, payload: Bytes) -> Result<Option<Event>, Violation> {
        let slot = self.slot(stream)?;
        if slot.refused {
            return Ok(None);
        }
        if slot.receive != Side::Body {
            return Err(state("trailers out of turn"));
        }
        slot.receive = Side::Ended;
        let quiet = slot.quiet;
        let trailers = Trailers::read(payload).ok();
        Ok(self.deliver(stream, true, quiet, trailers, |trailers| Event::Trailers { stream, trailers }))
    }

    /// Hands a head on; one that could not be read costs its stream.
    fn deliver<T>(
        &mut self,
        stream: StreamId,
        end: bool,
        quiet: bool,
        head: Option<T>,
        event: impl FnOnce(T) -> Event,
    ) -> Option<Event> {
        let event = match head {
            Some(head) if !quiet => Some(event(head)),
            Some(_) => None,
            None => {
                self.give_up(stream, ResetReason::Malformed);
                None
            }
        };
        if end {
            self.settle(stream);
        }
        event
    }

    fn datagram(&mut self, stream: StreamId, data: Bytes) -> Result<Option<Event>, Violation> {
        let slot = self.slot(stream)?;
        if slot.refused {
            return Ok(None);
        }
        if !slot.datagrams || slot.receive == Side::Ended {
            return Err(state("a datagram out of turn"));
        }
        Ok((!slot.quiet).then_some(Event::Datagram { stream, data }))
    }

    fn reset_arrived(&mut self, stream: StreamId, code: u16) -> Option<Event> {
        // The reset of a stream that ended meanwhile crosses its end, and its slot may have been opened again.
        let slot = self.slot(stream).ok().filter(|slot| !slot.refused && !slot.ended())?;
        let reason = ResetReason::from_code(code);
        let (answer, quiet) = (slot.send != Side::Ended, slot.quiet);
        (slot.send, slot.receive) = (Side::Ended, Side::Ended);
        if answer {
            self.write_reset(stream, reason);
        }
        self.settle(stream);
        (!quiet).then_some(Event::Reset { stream, reason })
    }

    fn data_begins(&mut self, stream: StreamId, header: &Header) -> Result<(), Violation> {
        let room = self.receiving;
        let slot = self.slot(stream)?;
        if !slot.refused {
            if slot.receive != Side::Body {
                return Err(state("data out of turn"));
            }
            if header.length == 0 && !header.end() {
                return Err(malformed("empty data that ends nothing"));
            }
            if header.length > room.room(slot.received()) {
                return Err(Violation(CloseReason::FlowControl, "data beyond its credit"));
            }
        }
        self.partial = Some(Partial { stream, left: header.length, end: header.end() });
        Ok(())
    }

    /// Hands on what has come of a data frame, so that nobody waits for the rest of it.
    fn data_piece(&mut self, partial: Partial, input: &mut BytesMut) -> Step {
        let Partial { stream, left, end } = partial;
        let data = input.split_to(input.len().min(left as usize)).freeze();
        let bytes = data.len() as u32;
        if bytes == 0 && left > 0 {
            return Step::NeedInput;
        }
        let end = end && bytes == left;
        self.partial = (bytes < left).then_some(Partial { left: left - bytes, ..partial });
        let slot = &mut self.slots[stream.slot()];
        if slot.refused {
            return Step::Taken;
        }
        let quiet = slot.quiet;
        self.receiving.add(&mut slot.received(), bytes);
        if quiet {
            slot.uncredited += bytes;
        } else {
            slot.unconsumed += bytes;
        }
        if end {
            slot.receive = Side::Ended;
        }
        self.settle(stream);
        if quiet { Step::Taken } else { Step::Event(Event::Data { stream, data, end }) }
    }
}

/// A payload whose length was checked with its header.
fn number<const N: usize>(payload: &[u8]) -> [u8; N] {
    *payload.first_chunk().expect("the length was checked with the header")
}
