//! When credit is given, when a slot is free again, who is told that there is room.

use super::{Connection, Role};
use crate::frame::Kind;
use crate::reason::Violation;
use crate::stream::Side;
use crate::{CloseReason, Event, StreamId};

impl Connection {
    /// Says that `bytes` of a stream's data events are no longer held. Credit goes to the peer in batches.
    /// More than was received, and ids of streams that are over, are ignored.
    pub fn consumed(&mut self, stream: StreamId, bytes: usize) {
        if self.held(stream).is_none() {
            return;
        }
        let slot = &mut self.slots[stream.slot()];
        let bytes = slot.unconsumed.min(u32::try_from(bytes).unwrap_or(u32::MAX));
        slot.unconsumed -= bytes;
        slot.uncredited += bytes;
        self.settle(stream);
    }

    /// Bytes the stream can send now. 0 asks for an [`Event::Capacity`], which comes once there is room again, unless the stream's
    /// sending side is over.
    pub fn capacity(&mut self, stream: StreamId) -> usize {
        let Some(slot) = self.held(stream) else { return 0 };
        if slot.send != Side::Body {
            return 0;
        }
        let (sent, queued) = (slot.sent, slot.queued);
        let output = self.output_room();
        let room = if self.congested { 0 } else { (self.sending.room(sent) as usize).min(output) };
        if room == 0 {
            let shared = self.congested || self.sending.lacks_shared(sent);
            let slot = &mut self.slots[stream.slot()];
            slot.wants_capacity = true;
            if shared && !queued {
                slot.queued = true;
                self.waiting.push_back(stream.slot() as u16);
            }
        }
        room
    }

    fn output_room(&mut self) -> usize {
        let room = self.settings.output_limit.saturating_sub(self.queued());
        let was = self.congested;
        self.congested = if was { room < self.settings.output_limit / 2 } else { room == 0 };
        self.cleared |= was && !self.congested;
        room
    }

    /// Tells streams that waited for shared room or for the output.
    pub(super) fn wake_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        self.output_room();
        if std::mem::take(&mut self.cleared) {
            // Whoever waited only for the output must not wait behind a stream that waits for shared room.
            for at in 0..self.waiting.len() {
                let index = self.waiting[at];
                self.offer(StreamId::new(index, self.slots[usize::from(index)].generation));
            }
        }
        while !self.congested {
            let Some(&index) = self.waiting.front() else { return };
            let slot = &mut self.slots[usize::from(index)];
            if slot.send == Side::Body && self.sending.lacks_shared(slot.sent) {
                return;
            }
            slot.queued = false;
            let stream = StreamId::new(index, slot.generation);
            self.waiting.pop_front();
            self.offer(stream);
        }
    }

    /// Reports room to a stream that asked for it.
    fn offer(&mut self, stream: StreamId) {
        let room = &self.sending;
        let slot = &mut self.slots[stream.slot()];
        if slot.wants_capacity && slot.send == Side::Body && room.room(slot.sent) > 0 {
            slot.wants_capacity = false;
            self.events.push_back(Event::Capacity { stream });
        }
    }

    pub(super) fn on_credit(&mut self, stream: StreamId, bytes: u32) -> Result<(), Violation> {
        let slot = self
            .slots
            .get_mut(stream.slot())
            .filter(|slot| slot.generation == stream.generation())
            .ok_or(Violation(CloseReason::StreamState, "credit for a stream that is not there"))?;
        if slot.refused {
            return Ok(());
        }
        if bytes == 0 || bytes > slot.sent {
            return Err(Violation(CloseReason::FlowControl, "credit for more than was sent"));
        }
        self.sending.subtract(&mut slot.sent, bytes);
        self.offer(stream);
        self.wake_waiting();
        self.settle(stream);
        Ok(())
    }

    /// After anything that may make credit due or end a stream.
    pub(super) fn settle(&mut self, stream: StreamId) {
        self.give_credit(stream);
        self.watch_shared();
        let slot = &mut self.slots[stream.slot()];
        let over = slot.live && slot.ended() && slot.unconsumed == 0;
        match self.role {
            Role::Server if over && slot.uncredited == 0 => {
                slot.live = false;
                self.live -= 1;
            }
            Role::Client if over && slot.released && slot.sent == 0 => {
                self.receiving.release(&mut slot.uncredited);
                slot.live = false;
                self.live -= 1;
                self.free.push(stream.slot() as u16);
            }
            Role::Server | Role::Client => {}
        }
    }

    /// When the shared window has become tight, senders may be held at their floors by credit that waits for its batch.
    pub(super) fn watch_shared(&mut self) {
        if !self.receiving.turned_tight() {
            return;
        }
        for index in 0..self.slots.len() {
            if self.slots[index].uncredited > 0 {
                self.credit_frame(StreamId::new(index as u16, self.slots[index].generation));
            }
        }
    }

    fn give_credit(&mut self, stream: StreamId) {
        let slot = &self.slots[stream.slot()];
        // After its end, a request's data is credited to the last byte, as that frees the slot. Of a response only what
        // lies in the shared window needs to be: the next request in the slot says the rest.
        let last = slot.receive == Side::Ended
            && slot.unconsumed == 0
            && (self.role == Role::Server || self.receiving.excess(slot.received()) > 0);
        if slot.uncredited > 0 && (last || slot.uncredited >= self.receiving.batch()) {
            self.credit_frame(stream);
        }
    }

    fn credit_frame(&mut self, stream: StreamId) {
        let slot = &mut self.slots[stream.slot()];
        let (due, mut outstanding) = (slot.uncredited, slot.received());
        slot.uncredited = 0;
        self.receiving.subtract(&mut outstanding, due);
        self.frame(stream.wire(), Kind::Credit, 0, &due.to_be_bytes());
    }
}
