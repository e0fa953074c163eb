//! An HTTP/1.1 connection as the client's end of an exchange.

use std::task::{Context, Poll, ready};

use bailey_http1::{BodyLength, BodyPart, Fields, ResponseHead};
use bytes::Bytes;

use super::{BODY_ROOM, Connection, Wait};
use crate::exchange::{BodyEvent, ClientGone, Downstream, ResetReason};
use crate::metrics::Limit;

impl Connection {
    fn stalled(&mut self, cx: &mut Context<'_>) -> Poll<ClientGone> {
        let unsent = self.io.unsent();
        if self.wait != Wait::Write || unsent != self.exchange.stalled_at {
            self.exchange.stalled_at = unsent;
            self.wait = Wait::Write;
            self.deadline.set(self.limits.stall);
        }
        self.deadline.poll_expired(cx).map(|()| {
            self.worker.counter.limit(Limit::WriteStall);
            ClientGone::Stalled
        })
    }

    /// Queues one piece of the body as this message frames it.
    fn put(&mut self, data: Bytes, end: bool, trailers: Option<&Fields>) {
        let Self { io, http, exchange, .. } = self;
        if exchange.ended {
            return;
        }
        let mut wrong = false;
        let len = data.len();
        if len > 0 && !exchange.bodiless {
            wrong = io.queue_with(|out| http.before(len, out)).is_err();
            if !wrong {
                io.queue_bytes(data);
                io.queue_with(|out| http.after(len, out));
            }
        }
        if end {
            wrong |= io.queue_with(|out| http.write_end(trailers, out)).is_err();
            exchange.ended = true;
        }
        exchange.broken |= wrong;
    }

    fn write_end(&mut self) {
        self.put(Bytes::new(), true, None);
    }
}

impl Downstream for Connection {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, ClientGone>> {
        if self.exchange.upgrade && !self.exchange.head_sent && self.http.is_request_complete() {
            // Bytes of the other protocol, if the answer is yes; until then only the client's end is news.
            return self.poll_gone(cx).map(Err);
        }
        if self.http.expects_continue() && self.input.is_empty() {
            let Self { io, http, .. } = self;
            io.queue_with(|out| http.write_continue(out));
            if let Poll::Ready(Err(_)) = io.poll_flush(cx) {
                return Poll::Ready(Err(ClientGone::Left));
            }
        }
        loop {
            if let Some(part) = self.http.read_body(&mut self.input).map_err(|_| ClientGone::Malformed)? {
                return Poll::Ready(Ok(event(part)));
            }
            if ready!(self.poll_body_bytes(cx))? == 0 {
                let end = self.http.read_closed().map_err(|_| ClientGone::Left)?;
                return Poll::Ready(end.map(event).ok_or(ClientGone::Left));
            }
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<ClientGone> {
        // The end of the client's direction of a tunnel was told as such, and is not the end of the other.
        if self.exchange.tunnel {
            return Poll::Pending;
        }
        // What comes now is the next request; it waits here as far as there is room for it.
        while self.input.len() < BODY_ROOM {
            match ready!(self.io.poll_read(cx, &mut self.input, super::HEAD_ROOM)) {
                Ok(0) | Err(_) => return Poll::Ready(ClientGone::Left),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    fn send_informational(&mut self, head: ResponseHead) {
        let Self { io, http, .. } = self;
        io.queue_with(|out| http.write_interim(&head, out));
    }

    fn send_head(&mut self, mut head: ResponseHead, end: bool) {
        if self.exchange.head_sent {
            return;
        }
        self.exchange.head_sent = true;
        self.exchange.tunnel = head.status == 101;
        self.exchange.bodiless = self.exchange.head_request || head.status == 204 || head.status == 304;
        if end && !self.exchange.bodiless {
            head.body = BodyLength::None;
        }
        if self.draining() {
            self.http.close_after_response();
        }
        let date = self.worker.date.now();
        let Self { io, http, .. } = self;
        io.queue_with(|out| http.write_head(&head, &date, out));
        if end {
            self.write_end();
        }
    }

    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, ClientGone>> {
        let buffer = self.limits.buffer;
        if self.io.unsent() >= buffer {
            let flushed = self.io.poll_flush(cx).map_err(|_| ClientGone::Left)?;
            if flushed.is_pending() && self.io.unsent() >= buffer {
                return self.stalled(cx).map(Err);
            }
        }
        Poll::Ready(Ok(buffer - self.io.unsent()))
    }

    fn send_data(&mut self, data: Bytes, end: bool) {
        self.put(data, end, None);
    }

    fn send_trailers(&mut self, trailers: Fields) {
        self.put(Bytes::new(), true, Some(&trailers));
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientGone>> {
        // In a tunnel the end of one direction is told at once: the other may be waiting for it.
        let ends = self.exchange.tunnel && self.exchange.ended;
        let sent = if ends { self.io.poll_shutdown(cx) } else { self.io.poll_flush(cx) };
        match sent {
            Poll::Ready(sent) => {
                if self.wait == Wait::Write {
                    self.wait = Wait::Nothing;
                }
                Poll::Ready(sent.map_err(|_| ClientGone::Left))
            }
            Poll::Pending => self.stalled(cx).map(Err),
        }
    }

    fn reset(&mut self, _reason: ResetReason) {
        self.exchange.broken = true;
        self.exchange.ended = true;
    }

    fn close_after_answer(&mut self) {
        self.http.close_after_response();
    }
}

fn event(part: BodyPart) -> BodyEvent {
    match part {
        BodyPart::Data(data) => BodyEvent::Data(data),
        BodyPart::Trailers(trailers) => BodyEvent::Trailers(trailers),
        BodyPart::End => BodyEvent::End,
    }
}
