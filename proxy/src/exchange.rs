//! The seam between who brings a request and who answers it, and the pump that moves both bodies between them.
//!
//! Fronts implement [`Downstream`], backends implement [`Backend`]; neither knows the other. Everything is poll-based,
//! so that one task drives a whole exchange without a box, a channel or another task. The pump decides nothing about
//! routes or retries; it reports how far the exchange had come, and its caller decides.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bailey_http1::{Fields, ResponseHead};
use bailey_link::Times;
use bytes::Bytes;

use crate::error::{Fate, ProxyError, Retry, Side};
use crate::timer::Deadline;

#[cfg(test)]
mod tests;

/// A piece of a request body. [`BodyEvent::Trailers`] or [`BodyEvent::End`] is the last.
#[derive(Debug)]
pub enum BodyEvent {
    /// Bytes of the body; never empty.
    Data(Bytes),
    /// The body is complete and these fields follow it.
    Trailers(Fields),
    /// The body is complete. In a tunnel: the client has ended its direction.
    End,
}

/// A piece of a response. What ends it (an `end`, [`ResponseEvent::Trailers`], [`ResponseEvent::End`]) is the last, but
/// after a 101 the body goes on in both directions until each has its [`ResponseEvent::End`].
#[derive(Debug)]
pub enum ResponseEvent {
    /// A 1xx other than 101.
    Informational(ResponseHead),
    /// The final head, or a 101.
    Head {
        /// Status and fields.
        head: ResponseHead,
        /// No body follows.
        end: bool,
    },
    /// Bytes of the body; never empty.
    Data {
        /// The bytes.
        data: Bytes,
        /// The body is complete with them. Told where it is known, so that the end travels with the last bytes.
        end: bool,
    },
    /// The body is complete and these fields follow it.
    Trailers(Fields),
    /// The body is complete.
    End,
}

/// Why an exchange is given up, for the side that has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// The side that asked no longer wants it.
    Cancelled,
    /// A deadline of ours has passed.
    Timeout,
    /// The other side broke its protocol or ended too early.
    Broken,
    /// The final response is complete, so the rest of the request is not wanted (RFC 9113 8.1).
    NotNeeded,
    /// A mistake or a limit of ours.
    Internal,
}

/// The client's side of the exchange has failed; it holds only the fate to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientGone {
    /// It closed the connection or reset the stream.
    Left,
    /// Its body stopped or came too slowly.
    BodyTooSlow,
    /// It took too long to accept the answer.
    Stalled,
    /// Its body breaks the rules of the protocol.
    Malformed,
    /// Its body is larger than the limit.
    BodyTooLarge,
}

impl From<ClientGone> for ProxyError {
    fn from(gone: ClientGone) -> Self {
        Self::client(match gone {
            ClientGone::Left => Fate::ClientGone,
            ClientGone::BodyTooSlow => Fate::BodyTimeout,
            ClientGone::Stalled => Fate::ClientStalled,
            ClientGone::Malformed => Fate::Malformed,
            ClientGone::BodyTooLarge => Fate::BodyTooLarge,
        })
    }
}

/// The side that brought the request. `send_*` only queue; [`Downstream::poll_flush`] sends.
pub trait Downstream {
    /// The next piece of the request body. Called only while the other side has room. Not after the last piece.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, ClientGone>>;

    /// Ready when the client has left while we wait for the answer, after its body is complete.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<ClientGone>;

    /// Queues a 1xx other than 101.
    fn send_informational(&mut self, head: ResponseHead);

    /// Told just before the final head how long that took. Only a tier before us wants to know.
    fn took(&mut self, _times: Times) {}

    /// Queues the final head, or a 101. `end`: no body follows.
    fn send_head(&mut self, head: ResponseHead, end: bool);

    /// How many bytes of body the client takes now; never 0 when ready.
    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, ClientGone>>;

    /// Queues a piece of the response body. It may be longer than the capacity that was told; then the next
    /// [`Downstream::poll_capacity`] waits. An empty piece is allowed with `end`.
    fn send_data(&mut self, data: Bytes, end: bool);

    /// Queues the trailers, which end the response.
    fn send_trailers(&mut self, trailers: Fields);

    /// Sends what is queued. Ready when all of it has left.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientGone>>;

    /// Gives up: the client must not take the answer for complete.
    fn reset(&mut self, reason: ResetReason);

    /// Takes no request after this one where requests follow each other on one stream of bytes: who sent something
    /// hostile may mean what follows differently than it reads.
    fn close_after_answer(&mut self) {}
}

/// The side that answers a request. Dropping it before both directions are complete cancels.
pub trait Backend {
    /// How many bytes of body it takes now; never 0 when ready.
    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, ProxyError>>;

    /// Queues a piece of the request body. It may be longer than the capacity that was told. An empty piece is allowed
    /// with `end`.
    fn send_data(&mut self, data: Bytes, end: bool);

    /// Queues the trailers, which end the request.
    fn send_trailers(&mut self, trailers: Fields);

    /// The next piece of the response. Also sends what is queued of the request.
    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseEvent, ProxyError>>;

    /// Gives up on the exchange.
    fn cancel(&mut self, reason: ResetReason);
}

/// How long parts of an exchange may take. The client's own pace is the front's business.
#[derive(Debug, Clone, Copy)]
pub struct PumpLimits {
    /// From the last byte of the request to the head of the response.
    pub first_byte: Duration,
    /// Silence of the backend within a response or a tunnel; `None`: as long as it likes (events, long polls).
    pub silence: Option<Duration>,
    /// Tick of the worker's wheel at which the whole exchange is over; `None`: no such limit.
    pub over_at: Option<u64>,
}

/// What an exchange has moved so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Bytes of the request body taken from the client.
    pub up: u64,
    /// Bytes of the response body given to the client.
    pub down: u64,
    /// Status of the head given to the client; 0: none yet.
    pub status: u16,
    /// The request was complete when the exchange ended.
    pub request_complete: bool,
}

/// An exchange that did not end well, and how far it had come: with no status the caller may still answer, and with
/// nothing taken from the client it may try again elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PumpError {
    /// What happened.
    pub error: ProxyError,
    /// How far the exchange had come.
    pub moved: Moved,
}

/// Moves both bodies until both ends are done, the response first. `on_head` may edit the final head before it is
/// queued, and tell the client's side how long it took. `body_done`: the request has no body, or the backend already has all of it.
///
/// On an error the backend is cancelled; the client is reset if its response had begun, and left alone otherwise.
pub async fn pump<D, B, F>(
    down: &mut D,
    up: &mut B,
    deadline: &Deadline,
    limits: PumpLimits,
    body_done: bool,
    on_head: F,
) -> Result<Moved, PumpError>
where
    D: Downstream,
    B: Backend,
    F: FnMut(&mut D, &mut ResponseHead),
{
    let mut pump = Pump {
        down,
        up,
        deadline,
        limits,
        on_head,
        moved: Moved { request_complete: body_done, ..Moved::default() },
        response_done: false,
        tunnel: false,
        cancelled: false,
        turn: Turn::default(),
        waits: Waits::Nobody,
    };
    if let Some(over) = limits.over_at {
        deadline.set_at(over);
    }
    let result = poll_fn(|cx| pump.poll(cx)).await;
    deadline.clear();
    let moved = pump.moved;
    match result {
        Ok(()) => Ok(moved),
        Err((error, reason)) => {
            pump.up.cancel(reason);
            if moved.status != 0 {
                pump.down.reset(if error.side == Side::Client { ResetReason::Cancelled } else { reason });
            }
            Err(PumpError { error, moved })
        }
    }
}

/// Why the pump stopped, and what to tell the side that did not cause it.
type Stop = (ProxyError, ResetReason);

struct Pump<'a, D, B, F> {
    down: &'a mut D,
    up: &'a mut B,
    deadline: &'a Deadline,
    limits: PumpLimits,
    on_head: F,
    moved: Moved,
    response_done: bool,
    tunnel: bool,
    /// The backend was told that the rest of the request is not needed.
    cancelled: bool,
    turn: Turn,
    waits: Waits,
}

/// What a round of the pump found.
#[derive(Default, Clone, Copy)]
struct Turn {
    moved: bool,
    /// The client takes nothing more for now.
    client_full: bool,
    /// The backend takes nothing more for now.
    backend_full: bool,
}

/// Whom the exchange waits for, as far as the pump has a deadline for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// For the client, whose pace is the front's business.
    Nobody,
    /// For the head of the response, or for the backend to take the request.
    FirstByte,
    /// For more of the response.
    More,
}

fn client(gone: ClientGone) -> Stop {
    let reason = match gone {
        ClientGone::Left | ClientGone::Stalled => ResetReason::Cancelled,
        ClientGone::BodyTooSlow => ResetReason::Timeout,
        ClientGone::Malformed | ClientGone::BodyTooLarge => ResetReason::Broken,
    };
    (gone.into(), reason)
}

fn backend(error: ProxyError) -> Stop {
    (error, ResetReason::Broken)
}

impl<D: Downstream, B: Backend, F: FnMut(&mut D, &mut ResponseHead)> Pump<'_, D, B, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        let mut moved = false;
        loop {
            self.turn = Turn::default();
            self.poll_response(cx)?;
            self.poll_request(cx)?;
            let flushed = self.down.poll_flush(cx).map_err(client)?;
            if self.response_done && (!self.tunnel || self.moved.request_complete) {
                if !self.moved.request_complete && !self.cancelled {
                    self.cancelled = true;
                    self.up.cancel(ResetReason::NotNeeded);
                }
                return flushed.map(Ok);
            }
            if !self.turn.moved {
                break;
            }
            // What was sent on may have made room; look again before sleeping, so that no wake-up is lost.
            moved = true;
        }
        if self.moved.request_complete
            && !self.response_done
            && let Poll::Ready(gone) = self.down.poll_gone(cx)
        {
            return Poll::Ready(Err(client(gone)));
        }
        self.arm(moved);
        if self.deadline.poll_expired(cx).is_ready() {
            return Poll::Ready(Err((self.overdue(), ResetReason::Timeout)));
        }
        Poll::Pending
    }

    /// Takes what the backend has while the client has room.
    fn poll_response(&mut self, cx: &mut Context<'_>) -> Result<(), Stop> {
        while !self.response_done {
            if self.moved.status != 0 {
                let Poll::Ready(room) = self.down.poll_capacity(cx) else {
                    self.turn.client_full = true;
                    break;
                };
                room.map_err(client)?;
            }
            let Poll::Ready(event) = self.up.poll_response(cx) else { break };
            self.pass_on(event.map_err(backend)?);
            self.turn.moved = true;
        }
        Ok(())
    }

    fn pass_on(&mut self, event: ResponseEvent) {
        match event {
            // Others mean something only to who asked for them, and nobody can have asked through us.
            ResponseEvent::Informational(head) if matches!(head.status, 100 | 103) => {
                self.down.send_informational(head);
            }
            ResponseEvent::Informational(_) => {}
            ResponseEvent::Head { mut head, end } => {
                self.moved.status = head.status;
                self.tunnel = head.status == 101;
                self.response_done = end;
                (self.on_head)(self.down, &mut head);
                self.down.send_head(head, end);
            }
            ResponseEvent::Data { data, end } => {
                self.moved.down += data.len() as u64;
                self.response_done = end;
                self.down.send_data(data, end);
            }
            ResponseEvent::Trailers(trailers) => {
                self.response_done = true;
                self.down.send_trailers(trailers);
            }
            ResponseEvent::End => {
                self.response_done = true;
                self.down.send_data(Bytes::new(), true);
            }
        }
    }

    /// Takes what the client has while the backend has room.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Result<(), Stop> {
        while !self.moved.request_complete && (!self.response_done || self.tunnel) {
            let Poll::Ready(room) = self.up.poll_capacity(cx) else {
                self.turn.backend_full = true;
                break;
            };
            room.map_err(backend)?;
            let Poll::Ready(event) = self.down.poll_body(cx) else { break };
            match event.map_err(client)? {
                BodyEvent::Data(data) => {
                    self.moved.up += data.len() as u64;
                    self.up.send_data(data, false);
                }
                BodyEvent::Trailers(trailers) => {
                    self.moved.request_complete = true;
                    self.up.send_trailers(trailers);
                }
                BodyEvent::End => {
                    self.moved.request_complete = true;
                    self.up.send_data(Bytes::new(), true);
                }
            }
            self.turn.moved = true;
        }
        Ok(())
    }

    /// Sets the deadline anew after progress, or when the exchange waits for someone else than before.
    fn arm(&mut self, moved: bool) {
        let waits = match (self.moved.status, self.moved.request_complete || self.turn.backend_full) {
            _ if self.turn.client_full => Waits::Nobody,
            (0, true) => Waits::FirstByte,
            (0, false) => Waits::Nobody,
            _ => Waits::More,
        };
        if !moved && waits == self.waits {
            return;
        }
        self.waits = waits;
        let limit = match waits {
            Waits::Nobody => None,
            Waits::FirstByte => Some(self.limits.first_byte),
            Waits::More => self.limits.silence,
        };
        let silent_at = limit.map(|limit| self.deadline.wheel().now() + crate::timer::ticks(limit));
        match silent_at.into_iter().chain(self.limits.over_at).min() {
            Some(tick) => self.deadline.set_at(tick),
            None => self.deadline.clear(),
        }
    }

    fn overdue(&self) -> ProxyError {
        let now = self.deadline.wheel().now();
        if self.limits.over_at.is_some_and(|over| over <= now) {
            return ProxyError::upstream(Fate::RequestTimeout, Retry::No);
        }
        let fate = if self.moved.status == 0 { Fate::BackendTimeout } else { Fate::UpstreamStalled };
        ProxyError::upstream(fate, Retry::No)
    }
}
