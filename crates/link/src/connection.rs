//! One link connection: which frames may come and go now, and what they mean. Bytes come in by `read` and leave by `output`;
//! time, sockets and the meaning of an exchange belong to the caller.

mod credit;
mod receive;
mod send;

use std::collections::VecDeque;

use bytes::Buf;

pub use send::{OpenError, StreamClosed};

use crate::flow::Window;
use crate::frame::{END, HEADER, Header, Kind};
use crate::reason::Violation;
use crate::stream::Slot;
use crate::{CloseReason, ConnectionError, Event, Output, PeerHello, ResetReason, Settings, StreamId};

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The outer tier: opens streams.
    Client,
    /// The inner tier: answers them.
    Server,
}

impl Role {
    fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What may wait to be written beyond `output_limit` before the peer counts as not reading.
const STALL_MARGIN: usize = 16 * 1024 * 1024;

/// The state machine of one link.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    settings: Settings,
    peer: Option<PeerHello>,
    /// Why nothing is read any more.
    failed: Option<ConnectionError>,
    slots: Vec<Slot>,
    /// A client's slots that may be used again, the last freed first.
    free: Vec<u16>,
    live: usize,
    /// Streams opened (client) or seen (server).
    opened: u64,
    going_away: bool,
    peer_going_away: bool,
    sending: Window,
    receiving: Window,
    /// A data frame of which a part is still to come.
    partial: Option<Partial>,
    output: Output,
    /// `output` was full when a stream asked; it counts as full until half of it is written.
    congested: bool,
    /// It was full and is not any more; those who wait have not been told.
    cleared: bool,
    /// A ping of ours is not answered yet.
    pinging: bool,
    /// Where the last pong ends in all that is ever written.
    pong_end: u64,
    events: VecDeque<Event>,
    /// Slots whose streams wait for shared room or for the output, the first to be served first.
    waiting: VecDeque<u16>,
    datagrams: send::Datagrams,
}

#[derive(Clone, Copy, Debug)]
struct Partial {
    stream: StreamId,
    left: u32,
    end: bool,
}

impl Connection {
    /// The end that opens streams. HELLO is in the output.
    pub fn client(settings: Settings) -> Self {
        Self::new(Role::Client, settings)
    }

    /// The end that answers. HELLO is in the output.
    pub fn server(settings: Settings) -> Self {
        Self::new(Role::Server, settings)
    }

    fn new(role: Role, settings: Settings) -> Self {
        let settings = settings.clamped();
        let mut connection = Self {
            role,
            receiving: Window::new(settings.stream_window, settings.stream_floor, settings.shared_window),
            sending: Window::new(0, 0, 0),
            settings,
            peer: None,
            failed: None,
            slots: Vec::new(),
            free: Vec::new(),
            live: 0,
            opened: 0,
            going_away: false,
            peer_going_away: false,
            partial: None,
            output: Output::default(),
            congested: false,
            cleared: false,
            pinging: false,
            pong_end: 0,
            events: VecDeque::new(),
            waiting: VecDeque::new(),
            datagrams: send::Datagrams::default(),
        };
        let at = connection.begin();
        connection.settings.write_hello(connection.output.gathered());
        connection.finish(at, 0, Kind::Hello, 0);
        connection
    }

    /// What waits to be written. Write it and `advance`; then call [`Self::next_event`], as room may have come free.
    pub fn output(&mut self) -> &mut Output {
        self.flush_datagrams();
        &mut self.output
    }

    /// Bytes that wait to be written; datagrams that may still be dropped do not count.
    pub fn queued(&self) -> usize {
        self.output.remaining()
    }

    /// Whether there is something to write.
    pub fn wants_write(&self) -> bool {
        self.output.has_remaining() || !self.datagrams.is_empty()
    }

    /// Streams whose slots are in use. With 0, and after GOAWAY, the connection may be closed.
    pub fn live_streams(&self) -> usize {
        self.live
    }

    /// What the peer said in HELLO, once it has.
    pub fn peer(&self) -> Option<&PeerHello> {
        self.peer.as_ref()
    }

    /// The next event that needs no input: room that came free because output was written.
    pub fn next_event(&mut self) -> Option<Event> {
        self.wake_waiting();
        loop {
            let event = self.events.pop_front()?;
            let stale = matches!(event, Event::Capacity { stream } | Event::Reset { stream, .. } if self.held(stream).is_none());
            if !stale {
                return Some(event);
            }
        }
    }

    /// Reserves a frame header; the payload is appended to the gathered output next.
    fn begin(&mut self) -> usize {
        let out = self.output.gathered();
        out.extend_from_slice(&[0; HEADER]);
        out.len()
    }

    /// Fills in the header of the frame whose payload starts at `at`.
    fn finish(&mut self, at: usize, stream: u32, kind: Kind, flags: u8) {
        let out = self.output.gathered();
        let header = Header::write((out.len() - at) as u32, stream, kind, flags);
        out[at - HEADER..at].copy_from_slice(&header);
    }

    fn frame(&mut self, stream: u32, kind: Kind, flags: u8, payload: &[u8]) {
        let out = self.output.gathered();
        out.extend_from_slice(&Header::write(payload.len() as u32, stream, kind, flags));
        out.extend_from_slice(payload);
    }

    fn write_reset(&mut self, stream: StreamId, reason: ResetReason) {
        self.frame(stream.wire(), Kind::Reset, END, &reason.code().to_be_bytes());
    }

    fn write_goaway(&mut self, reason: CloseReason, message: &str) {
        let mut payload = Vec::with_capacity(10 + message.len());
        let accepted = if self.role == Role::Server { self.opened } else { 0 };
        payload.extend_from_slice(&accepted.to_be_bytes());
        payload.extend_from_slice(&reason.code().to_be_bytes());
        payload.extend_from_slice(&message.as_bytes()[..message.len().min(receive::GOAWAY_TEXT)]);
        self.frame(0, Kind::Goaway, 0, &payload);
    }

    /// Ends the connection for what the peer did.
    fn fail(&mut self, violation: Violation) -> ConnectionError {
        let error = violation.by(self.role.peer());
        self.write_goaway(error.reason, error.what);
        self.failed = Some(error);
        error
    }

    /// The slot of a stream the caller may still act on.
    fn held(&self, stream: StreamId) -> Option<&Slot> {
        self.slots.get(stream.slot()).filter(|slot| slot.generation == stream.generation() && !slot.released)
    }
}
