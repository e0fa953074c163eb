//! One request to an application over HTTP/1.1. The codec decides what is legal; this decides when bytes move, what a failure means, and
//! whether the connection may serve another request.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bailey_http1::{BodyPart, Fields, Refusal, RequestHead};
use bytes::{Bytes, BytesMut};

use super::UpstreamError;
use super::pool::{Arena, H1Connection, Load};
use crate::exchange::{ResetReason, ResponseEvent};

/// Bytes of a request body that may wait for the socket.
const UNSENT: usize = 64 * 1024;
/// Pieces of a body shorter than this are copied behind their chunk header.
const SMALL: usize = 1024;

/// One request on one connection. Dropping it before its end closes the connection, which is how an application learns of a cancellation.
pub(crate) struct H1Exchange {
    load: Load,
    arena: Rc<Arena>,
    /// `None` once the exchange is over.
    connection: Option<Box<H1Connection>>,
    input: BytesMut,
    /// The connection had served a request before.
    reused: bool,
    progress: Progress,
}

#[derive(Debug, Default, Clone, Copy)]
struct Progress {
    /// A write was made: from here on the head no longer waits for company.
    writing: bool,
    /// At least one byte of the request was taken by the socket.
    sent: bool,
    /// The socket takes no more; an answer may still be there.
    write_failed: bool,
    /// A byte of an answer came.
    received: bool,
    /// The final head came.
    answered: bool,
    /// The protocol has changed: bytes both ways.
    tunnel: bool,
    /// Our direction of a tunnel has ended.
    closing: bool,
    /// The body broke its own announcement.
    misfit: bool,
}

impl H1Exchange {
    pub(crate) fn new(
        load: Load,
        arena: Rc<Arena>,
        connection: Box<H1Connection>,
        reused: bool,
        head: &RequestHead,
    ) -> Self {
        let progress = Progress::default();
        let mut exchange = Self { load, arena, connection: Some(connection), input: BytesMut::new(), reused, progress };
        if head.keep_alive {
            exchange.write_head(head);
        } else {
            // What the client wants of its own connection says nothing about ours.
            exchange.write_head(&RequestHead { keep_alive: true, ..head.clone() });
        }
        exchange
    }

    fn write_head(&mut self, head: &RequestHead) {
        if let Some(connection) = &mut self.connection {
            let H1Connection { io, codec, .. } = &mut **connection;
            io.queue_with(|out| codec.write_head(head, out));
        }
    }

    pub(crate) fn load(&self) -> &Load {
        &self.load
    }

    pub(crate) fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if self.progress.writing {
            self.write(cx);
        }
        // After a failure the rest is swallowed until the answer, or its absence, is known.
        let unsent = self.connection.as_ref().map_or(0, |connection| connection.io.unsent());
        if unsent < UNSENT || self.progress.write_failed {
            return Poll::Ready(UNSENT.saturating_sub(unsent).max(1));
        }
        self.write(cx);
        let unsent = self.connection.as_ref().map_or(0, |connection| connection.io.unsent());
        if unsent < UNSENT { Poll::Ready(UNSENT - unsent) } else { Poll::Pending }
    }

    pub(crate) fn send_data(&mut self, data: Bytes, end: bool) {
        let Some(connection) = &mut self.connection else { return };
        let H1Connection { io, codec, .. } = &mut **connection;
        let mut fits = true;
        if self.progress.tunnel {
            self.progress.closing |= end;
            io.queue_bytes(data);
            return;
        }
        if data.len() < SMALL {
            if !data.is_empty() {
                fits = io.queue_with(|out| codec.append(&data, out)).is_ok();
            }
        } else {
            let len = data.len();
            fits = io.queue_with(|out| codec.before(len, out)).is_ok();
            io.queue_bytes(data);
            io.queue_with(|out| codec.after(len, out));
        }
        if end {
            fits &= io.queue_with(|out| codec.write_end(None, out)).is_ok();
        }
        self.progress.misfit |= !fits;
    }

    pub(crate) fn send_trailers(&mut self, trailers: &Fields) {
        let Some(connection) = &mut self.connection else { return };
        let H1Connection { io, codec, .. } = &mut **connection;
        let ended = io.queue_with(|out| codec.write_end(Some(trailers), out));
        self.progress.misfit |= ended.is_err();
    }

    pub(crate) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseEvent, UpstreamError>> {
        if self.progress.misfit {
            self.connection = None;
            return Poll::Ready(Err(UpstreamError::Internal));
        }
        self.write(cx);
        loop {
            match self.parse() {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(self.fail(error))),
            }
            if let Some(event) = ready!(self.poll_read(cx))? {
                return Poll::Ready(Ok(event));
            }
        }
    }

    /// Ends the connection.
    pub(crate) fn cancel(&mut self, reason: ResetReason) {
        if reason == ResetReason::Timeout && !self.progress.received && self.connection.is_some() {
            self.load.member().failed();
        }
        self.connection = None;
    }

    /// Sends what waits. A failure is not the end: the answer may have come before it.
    fn write(&mut self, cx: &mut Context<'_>) {
        let Some(connection) = &mut self.connection else { return };
        let progress = &mut self.progress;
        progress.writing = true;
        if progress.write_failed {
            return;
        }
        let before = connection.io.unsent();
        let written = match (before, progress.closing) {
            (0, false) => return,
            (_, false) => connection.io.poll_flush(cx),
            (_, true) => connection.io.poll_shutdown(cx),
        };
        progress.sent |= connection.io.unsent() < before;
        match written {
            Poll::Ready(Err(_)) => progress.write_failed = true,
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
    }

    /// What can be told without more bytes.
    fn parse(&mut self) -> Result<Option<ResponseEvent>, UpstreamError> {
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let codec = &mut connection.codec;
        if self.progress.answered {
            let part = codec.read_body(&mut self.input).map_err(refused)?;
            return Ok(part.map(|part| self.body(part)));
        }
        if self.input.is_empty() {
            return Ok(None);
        }
        let Some(head) = codec.read_head(&mut self.input).map_err(UpstreamError::Malformed)? else { return Ok(None) };
        if head.is_interim() {
            return Ok(Some(ResponseEvent::Informational(head)));
        }
        self.progress.answered = true;
        self.progress.tunnel = head.status == 101;
        let end = codec.is_response_complete();
        if end {
            // The end that was just told is still in the codec.
            codec.read_body(&mut self.input).map_err(UpstreamError::Malformed)?;
            self.finish();
        }
        Ok(Some(ResponseEvent::Head { head, end }))
    }

    fn body(&mut self, part: BodyPart) -> ResponseEvent {
        match part {
            BodyPart::Data(data) => {
                let end = self.is_complete();
                if end {
                    self.finish();
                }
                ResponseEvent::Data { data, end }
            }
            BodyPart::Trailers(fields) => {
                self.finish();
                ResponseEvent::Trailers(fields)
            }
            BodyPart::End => {
                self.finish();
                ResponseEvent::End
            }
        }
    }

    /// Whether the body ends with the bytes just taken.
    fn is_complete(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        let complete = !self.progress.tunnel && connection.codec.is_response_complete();
        // The end is still in the codec.
        complete && matches!(connection.codec.read_body(&mut self.input), Ok(Some(BodyPart::End)))
    }

    /// Reads once; an event if the end of the connection is one.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<ResponseEvent>, UpstreamError>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(Err(UpstreamError::Internal)) };
        let read = ready!(self.arena.poll_read(&mut connection.io, cx, &mut self.input));
        match read {
            Ok(0) => {
                let closed = connection.codec.read_closed();
                Poll::Ready(match closed {
                    Ok(Some(part)) => Ok(Some(self.body(part))),
                    // Told before: a tunnel whose other direction goes on.
                    Ok(None) => return Poll::Pending,
                    Err(_) => Err(self.lost()),
                })
            }
            Ok(_) => {
                if !self.progress.received {
                    self.progress.received = true;
                    self.load.member().reached();
                }
                Poll::Ready(Ok(None))
            }
            Err(_) => Poll::Ready(Err(self.lost())),
        }
    }

    /// The connection ended too early.
    fn lost(&mut self) -> UpstreamError {
        let progress = self.progress;
        let error = if progress.received {
            UpstreamError::Truncated
        } else if progress.write_failed && !progress.sent {
            UpstreamError::Unprocessed
        } else if self.reused {
            UpstreamError::Stale
        } else {
            UpstreamError::Unanswered
        };
        self.fail(error)
    }

    fn fail(&mut self, error: UpstreamError) -> UpstreamError {
        self.connection = None;
        if error == UpstreamError::Unanswered {
            self.load.member().failed();
        }
        error
    }

    /// The response is complete. The connection is kept only if nothing is left of this exchange on it.
    fn finish(&mut self) {
        if self.progress.tunnel {
            return;
        }
        let clean = |connection: &H1Connection| {
            !self.progress.write_failed
                && !self.progress.misfit
                && connection.io.unsent() == 0
                && connection.codec.is_reusable(&self.input)
        };
        if let Some(connection) = self.connection.take().filter(|connection| clean(connection)) {
            self.load.member().checkin(connection, self.arena.now());
        }
    }
}

/// A body that was cut is told apart from one that breaks the rules.
fn refused(refusal: Refusal) -> UpstreamError {
    if refusal == Refusal::Truncated { UpstreamError::Truncated } else { UpstreamError::Malformed(refusal) }
}
