//! What the caller may send, and how it is written.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::{Connection, Role};
use crate::frame::{END, Kind};
use crate::head::{self, TooLong};
use crate::stream::{Side, Slot, next_generation};
use crate::{CloseReason, RequestMeta, ResetReason, ResponseMeta, StreamId, StreamType};

/// Informational responses a stream may have.
pub(super) const INFORMATIONAL_MAX: u8 = 8;
/// Datagrams that wait to be written; the oldest makes room for the newest.
const DATAGRAMS: usize = 256;
/// Their bytes together.
const DATAGRAM_BYTES: usize = 256 * 1024;

/// Why no stream was opened. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// This end is the server's.
    #[error("a server opens no streams")]
    NotClient,
    /// The server's HELLO has not come yet.
    #[error("the link is not ready")]
    NotReady,
    /// One side is going away, or the connection has failed.
    #[error("the link is going away")]
    GoingAway,
    /// As many streams as the server allows are alive.
    #[error("the link has no stream left")]
    Full,
    /// More than the output limit waits to be written.
    #[error("the link is congested")]
    Congested,
    /// The head is larger than the server takes.
    #[error("the head is too large for the link")]
    HeadTooLarge,
}

/// The stream takes no such frame now: it is over, was reset, or its head has not been sent or has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream does not take this now")]
pub struct StreamClosed;

/// Datagrams that have not become bytes yet and may still be dropped.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    queue: VecDeque<(StreamId, Bytes)>,
    bytes: usize,
}

impl Datagrams {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn pop(&mut self) -> Option<(StreamId, Bytes)> {
        let (stream, data) = self.queue.pop_front()?;
        self.bytes -= data.len();
        Some((stream, data))
    }
}

impl Connection {
    /// Opens a stream with its request head; names must be lower-case. `end` says that nothing follows.
    pub fn open<'a>(
        &mut self,
        meta: &RequestMeta<'_>,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        end: bool,
    ) -> Result<StreamId, OpenError> {
        if self.role == Role::Server {
            return Err(OpenError::NotClient);
        }
        let Some(peer) = &self.peer else { return Err(OpenError::NotReady) };
        if self.going_away || self.peer_going_away || self.failed.is_some() {
            return Err(OpenError::GoingAway);
        }
        let (max_streams, max_head) = (peer.settings.max_streams, peer.settings.max_head);
        if self.queued() >= self.settings.output_limit {
            return Err(OpenError::Congested);
        }
        if self.free.is_empty() {
            if self.slots.len() >= usize::from(max_streams) {
                return Err(OpenError::Full);
            }
            self.free.push(self.slots.len() as u16);
            self.slots.push(Slot::UNUSED);
        }
        let at = self.begin();
        let out = self.output.gathered();
        let written = head::put_request(out, meta).and_then(|()| head::put_fields(out, fields));
        if written.is_err() || out.len() - at > max_head as usize {
            self.undo(at);
            return Err(OpenError::HeadTooLarge);
        }
        let index = self.free.pop().expect("a free slot was made above");
        let stream = StreamId::new(index, next_generation(self.slots[usize::from(index)].generation));
        let slot = &mut self.slots[usize::from(index)];
        *slot = Slot {
            generation: stream.generation(),
            send: if end { Side::Ended } else { Side::Body },
            receive: Side::Head,
            live: true,
            released: false,
            quiet: false,
            datagrams: meta.stream_type == StreamType::Udp,
            ordinal: self.opened,
            queued: slot.queued,
            ..Slot::UNUSED
        };
        self.finish(at, stream.wire(), Kind::Request, if end { END } else { 0 });
        self.opened += 1;
        self.live += 1;
        Ok(stream)
    }

    fn undo(&mut self, at: usize) {
        self.output.gathered().truncate(at - crate::frame::HEADER);
    }

    /// Sends an informational response (a server, before the head; at most 8, what is more is dropped silently as RFC 9110 15.2 allows).
    pub fn send_informational<'a>(
        &mut self,
        stream: StreamId,
        status: u16,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), StreamClosed> {
        self.expect_side(stream, Side::Head)?;
        let slot = &mut self.slots[stream.slot()];
        if slot.informational == INFORMATIONAL_MAX {
            return Ok(());
        }
        slot.informational += 1;
        let meta = ResponseMeta { status, body: crate::BodyLength::None, times: None };
        self.head_frame(stream, Kind::Informational, false, |out| {
            head::put_response(out, &meta).and_then(|()| head::put_fields(out, fields))
        })
    }

    /// Sends the response head (a server, once). A head too large for the peer resets the stream.
    pub fn send_head<'a>(
        &mut self,
        stream: StreamId,
        meta: &ResponseMeta,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        end: bool,
    ) -> Result<(), StreamClosed> {
        self.expect_side(stream, Side::Head)?;
        self.slots[stream.slot()].send = Side::Body;
        self.head_frame(stream, Kind::Response, end, |out| {
            head::put_response(out, meta).and_then(|()| head::put_fields(out, fields))
        })
    }

    /// Sends trailers, which end the stream's sending side. Trailers too large for the peer reset the stream.
    pub fn send_trailers<'a>(
        &mut self,
        stream: StreamId,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), StreamClosed> {
        self.expect_side(stream, Side::Body)?;
        self.head_frame(stream, Kind::Trailers, true, |out| {
            out.extend_from_slice(&[0; 2]);
            head::put_fields(out, fields)
        })
    }

    fn expect_side(&self, stream: StreamId, side: Side) -> Result<(), StreamClosed> {
        match self.held(stream) {
            Some(slot) if slot.send == side && self.failed.is_none() => Ok(()),
            Some(_) | None => Err(StreamClosed),
        }
    }

    fn head_frame(
        &mut self,
        stream: StreamId,
        kind: Kind,
        end: bool,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>,
    ) -> Result<(), StreamClosed> {
        let max_head = self.peer.as_ref().map_or(0, |peer| peer.settings.max_head as usize);
        let at = self.begin();
        let out = self.output.gathered();
        if write(out).is_err() || out.len() - at > max_head {
            self.undo(at);
            self.give_up(stream, ResetReason::TooLarge);
            return Err(StreamClosed);
        }
        self.finish(at, stream.wire(), kind, if end { END } else { 0 });
        if end {
            self.end_sending(stream);
        }
        Ok(())
    }

    fn end_sending(&mut self, stream: StreamId) {
        self.slots[stream.slot()].send = Side::Ended;
        self.settle(stream);
    }

    /// Sends a copy of as much of `data` as there is room for and says how much that was; `end` counts only if it was all.
    pub fn send_data(&mut self, stream: StreamId, data: &[u8], end: bool) -> Result<usize, StreamClosed> {
        self.send_pieces(stream, data.len(), end, |output, from, to| {
            output.gathered().extend_from_slice(&data[from..to]);
        })
    }

    /// As [`Self::send_data`], taking what was accepted off the front of `data`; large pieces are queued without copying.
    pub fn send_bytes(&mut self, stream: StreamId, data: &mut Bytes, end: bool) -> Result<usize, StreamClosed> {
        let accepted =
            self.send_pieces(stream, data.len(), end, |output, from, to| output.payload(data.slice(from..to)))?;
        data.advance(accepted);
        Ok(accepted)
    }

    fn send_pieces(
        &mut self,
        stream: StreamId,
        length: usize,
        end: bool,
        mut piece: impl FnMut(&mut crate::Output, usize, usize),
    ) -> Result<usize, StreamClosed> {
        self.expect_side(stream, Side::Body)?;
        let accepted = if length == 0 { 0 } else { length.min(self.capacity(stream)) };
        let end = end && accepted == length;
        if end && self.slots[stream.slot()].datagrams {
            self.flush_datagrams();
        }
        let largest = self.peer.as_ref().map_or(0, |peer| peer.settings.max_data as usize);
        self.sending.add(&mut self.slots[stream.slot()].sent, accepted as u32);
        let mut from = 0;
        while from < accepted {
            let to = accepted.min(from + largest);
            let flags = if end && to == accepted { END } else { 0 };
            let header = crate::frame::Header::write((to - from) as u32, stream.wire(), Kind::Data, flags);
            self.output.gathered().extend_from_slice(&header);
            piece(&mut self.output, from, to);
            from = to;
        }
        if end {
            if accepted == 0 {
                self.frame(stream.wire(), Kind::Data, END, &[]);
            }
            self.end_sending(stream);
        }
        Ok(accepted)
    }

    /// Lets go of a stream: what is still open is given up for `reason`, what was received is credited, nothing more is reported.
    /// On a stream that is over it only returns what is held; on an id of the past it does nothing.
    pub fn release(&mut self, stream: StreamId, reason: ResetReason) {
        if self.held(stream).is_none() {
            return;
        }
        let slot = &mut self.slots[stream.slot()];
        slot.released = true;
        slot.uncredited += slot.unconsumed;
        slot.unconsumed = 0;
        self.break_off(stream, reason);
        self.settle(stream);
    }

    /// Nothing more is sent or reported.
    fn break_off(&mut self, stream: StreamId, reason: ResetReason) {
        let slot = &mut self.slots[stream.slot()];
        let open = !slot.ended() && !slot.reset_sent;
        (slot.quiet, slot.send) = (true, Side::Ended);
        if open && self.failed.is_none() {
            slot.reset_sent = true;
            self.write_reset(stream, reason);
        }
    }

    /// The connection itself gives a stream up and tells both sides.
    pub(super) fn give_up(&mut self, stream: StreamId, reason: ResetReason) {
        if !self.slots[stream.slot()].quiet {
            self.events.push_back(crate::Event::Reset { stream, reason });
        }
        self.break_off(stream, reason);
        self.settle(stream);
    }

    /// Queues a datagram of a UDP stream. When the queue is full the oldest one is dropped; one larger than the peer takes is dropped at once.
    pub fn send_datagram(&mut self, stream: StreamId, data: Bytes) -> Result<(), StreamClosed> {
        match self.held(stream) {
            Some(slot) if slot.datagrams && slot.send != Side::Ended && self.failed.is_none() => {}
            Some(_) | None => return Err(StreamClosed),
        }
        let largest = self.peer.as_ref().map_or(0, |peer| peer.settings.max_data as usize);
        if data.len() > largest.min(DATAGRAM_BYTES) {
            return Ok(());
        }
        self.datagrams.bytes += data.len();
        self.datagrams.queue.push_back((stream, data));
        while self.datagrams.queue.len() > DATAGRAMS || self.datagrams.bytes > DATAGRAM_BYTES {
            self.datagrams.pop();
        }
        Ok(())
    }

    /// Datagrams become bytes only when there is nothing else to write, so that they are dropped and not delayed.
    pub(super) fn flush_datagrams(&mut self) {
        if self.datagrams.is_empty() || self.output.remaining() >= DATAGRAM_BYTES {
            return;
        }
        while let Some((stream, data)) = self.datagrams.pop() {
            if self.held(stream).is_some_and(|slot| slot.send != Side::Ended) {
                self.frame(stream.wire(), Kind::Datagram, 0, &data);
            }
        }
    }

    /// Tells the peer that no new streams are taken (server) or opened (client); streams that are alive go on.
    pub fn goaway(&mut self, reason: CloseReason, message: &str) {
        if !self.going_away && self.failed.is_none() {
            self.going_away = true;
            self.write_goaway(reason, message);
        }
    }

    /// Asks for a sign of life; the answer is an [`crate::Event::Pong`] with the same payload. `false` if the answer to an earlier ping
    /// is still to come, or the link is not ready.
    pub fn ping(&mut self, payload: [u8; 8]) -> bool {
        let may = !self.pinging && self.peer.is_some() && self.failed.is_none();
        if may {
            self.pinging = true;
            self.frame(0, Kind::Ping, 0, &payload);
        }
        may
    }
}
