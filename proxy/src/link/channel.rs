//! One stream of a link from the side of the task that holds it: what it may send, what has come, and letting go of it.
//! The same for both ends; what heads mean is theirs.

use std::rc::Rc;
use std::task::{Context, Poll};

use bailey_http1::Fields;
use bailey_link::{Event, ResetReason, StreamId};
use bytes::Bytes;

use super::wire::{Mailbox, Wire};

/// A stream that is held. Dropping it lets go of it and, if it is not over, cancels it.
pub(crate) struct Channel {
    wire: Rc<Wire>,
    stream: StreamId,
    mailbox: Rc<Mailbox>,
    /// What was handed over beyond the room there was; `true` if it ends the direction.
    held: Option<(Bytes, bool)>,
    trailers: Option<Fields>,
    /// The reason to give when it is let go of.
    reason: ResetReason,
}

impl Channel {
    pub(crate) fn new(wire: Rc<Wire>, stream: StreamId) -> Self {
        let mailbox = wire.claim(stream);
        wire.counts().streams_opened.add(1);
        Self { wire, stream, mailbox, held: None, trailers: None, reason: ResetReason::Cancelled }
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn stream(&self) -> StreamId {
        self.stream
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// What the other side is told if the stream is let go of before its end.
    pub(crate) fn set_reason(&mut self, reason: ResetReason) {
        self.reason = reason;
    }

    /// How much may be sent now; waits for room otherwise. `None` when the link is lost and nothing that came before is left to be taken.
    pub(crate) fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.wire.is_broken() {
            if self.mailbox.is_empty() {
                return Poll::Ready(None);
            }
        } else if self.push() {
            let room = self.wire.act(|connection| connection.capacity(self.stream));
            if room > 0 {
                return Poll::Ready(Some(room));
            }
        }
        self.mailbox.park(cx);
        Poll::Pending
    }

    /// Sends, or holds what there is no room for.
    pub(crate) fn send(&mut self, data: Bytes, end: bool) {
        self.held = Some(match self.held.take() {
            None => (data, end),
            // Only a caller that did not wait for room gets here; order matters more than the copy.
            Some((first, _)) => ([first, data].concat().into(), end),
        });
        self.push();
    }

    /// Sends trailers, which end this direction.
    pub(crate) fn send_trailers(&mut self, trailers: Fields) {
        self.trailers = Some(trailers);
        self.push();
    }

    /// Moves on what is held; `true` when nothing is.
    pub(crate) fn push(&mut self) -> bool {
        let Self { wire, stream, held, trailers, .. } = self;
        if held.is_none() && trailers.is_none() {
            return true;
        }
        wire.act(|connection| {
            if let Some((data, end)) = held {
                let whole = data.len();
                match connection.send_bytes(*stream, data, *end) {
                    Ok(sent) if sent < whole => {
                        // Asking is what makes room being told.
                        connection.capacity(*stream);
                        return false;
                    }
                    // A stream that is over takes nothing; what ended it is in the mailbox.
                    Ok(_) | Err(_) => *held = None,
                }
            }
            if let Some(fields) = trailers.take() {
                let _ = connection.send_trailers(*stream, fields.iter());
            }
            true
        })
    }

    /// The next event, after moving on what is held; `None` once the connection is over.
    pub(crate) fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.push();
        match self.mailbox.poll_next(cx) {
            Poll::Ready(event) => {
                if let Event::Data { data, .. } = &event {
                    let bytes = data.len();
                    self.wire.act(|connection| connection.consumed(self.stream, bytes));
                }
                Poll::Ready(Some(event))
            }
            Poll::Pending if self.wire.is_broken() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Gives the stream up now; what is held is dropped.
    pub(crate) fn cancel(&mut self, reason: ResetReason) {
        self.held = None;
        self.trailers = None;
        self.reason = reason;
        self.wire.act(|connection| connection.release(self.stream, reason));
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // On a stream that is over in both directions this only returns what is held.
        self.wire.act(|connection| connection.release(self.stream, self.reason));
        self.mailbox.release(self.stream);
        self.wire.counts().streams_closed.add(1);
    }
}
