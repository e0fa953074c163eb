//! One HTTP/2 stream as the client's end of an exchange.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bailey_http1::{BodyLength, Fields, Method, RequestHead, ResponseHead};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;

use super::{Shared, head};
use crate::exchange::{BodyEvent, ClientGone, Downstream, ResetReason};
use crate::front::Pace;
use crate::metrics::Limit;
use crate::timer::Deadline;

/// Bytes of a response that are asked room for at once.
const PORTION: usize = 16 * 1024;

pub(super) struct Stream<'a, S> {
    body: RecvStream,
    respond: SendResponse<Bytes>,
    /// Exists from the head of the response on.
    send: Option<SendStream<Bytes>>,
    /// What was given beyond the client's window, with the end that follows it.
    held: Bytes,
    end: Option<End>,
    deadline: Deadline,
    wait: Wait,
    pace: Pace,
    data_done: bool,
    expects: bool,
    head_request: bool,
    ended: bool,
    /// The client reset the stream, or its connection is gone.
    left: bool,
    shared: &'a Shared<S>,
}

enum End {
    Plain,
    Trailers(HeaderMap),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Nothing,
    Body,
    Room,
}

impl<'a, S> Stream<'a, S> {
    pub(super) fn new(
        body: RecvStream,
        respond: SendResponse<Bytes>,
        head: &RequestHead,
        shared: &'a Shared<S>,
    ) -> Self {
        Self {
            body,
            respond,
            send: None,
            held: Bytes::new(),
            end: None,
            deadline: shared.worker.wheel.deadline(),
            wait: Wait::Nothing,
            pace: Pace::default(),
            data_done: false,
            expects: head.expect_continue,
            head_request: head.method == Method::Head,
            ended: false,
            left: false,
            shared,
        }
    }

    /// Sees the end through: what is held goes out as the client takes it, and an exchange without an end is reset.
    /// `true`: the client gave up before the head of an answer.
    pub(super) async fn finish(mut self) -> bool {
        if self.ended && poll_fn(|cx| self.poll_held(cx)).await.is_err() {
            self.reset(ResetReason::Timeout);
        }
        if !self.ended {
            self.reset(ResetReason::Internal);
        }
        self.left && self.send.is_none()
    }

    fn wait_for(&mut self, wait: Wait, limit: Duration) {
        if self.wait != wait {
            self.wait = wait;
            self.deadline.set(limit);
        }
    }

    /// Sends what is held as far as there is room. Ready when nothing is held any more.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientGone>> {
        while !self.held.is_empty() {
            let room = ready!(self.poll_room(cx, self.held.len().min(PORTION)))?;
            let piece = self.held.split_to(room.min(self.held.len()));
            let end = self.held.is_empty() && matches!(self.end, Some(End::Plain));
            self.push(piece, end)?;
        }
        match self.end.take() {
            Some(End::Trailers(trailers)) => match &mut self.send {
                Some(send) => Poll::Ready(send.send_trailers(trailers).map_err(|_| ClientGone::Left)),
                None => Poll::Ready(Err(ClientGone::Left)),
            },
            Some(End::Plain) | None => Poll::Ready(Ok(())),
        }
    }

    /// Room in the client's window, for a stream that has a head.
    fn poll_room(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<Result<usize, ClientGone>> {
        let Some(send) = &mut self.send else { return Poll::Ready(Err(ClientGone::Left)) };
        send.reserve_capacity(want);
        let mut room = send.capacity();
        while room == 0 {
            match send.poll_capacity(cx) {
                Poll::Ready(Some(Ok(now))) => room = now,
                Poll::Ready(Some(Err(_)) | None) => {
                    self.left = true;
                    return Poll::Ready(Err(ClientGone::Left));
                }
                Poll::Pending => {
                    self.wait_for(Wait::Room, self.shared.limits.stall);
                    return self.deadline.poll_expired(cx).map(|()| {
                        self.shared.worker.counter.limit(Limit::WriteStall);
                        Err(ClientGone::Stalled)
                    });
                }
            }
        }
        self.wait = Wait::Nothing;
        Poll::Ready(Ok(room))
    }

    fn push(&mut self, data: Bytes, end: bool) -> Result<(), ClientGone> {
        let Some(send) = &mut self.send else { return Err(ClientGone::Left) };
        if end {
            self.end = None;
        }
        send.send_data(data, end).map_err(|_| {
            self.left = true;
            ClientGone::Left
        })
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ClientGone>> {
        match self.body.poll_data(cx) {
            Poll::Ready(Some(Ok(data))) => {
                self.wait = Wait::Nothing;
                let now = self.shared.worker.wheel.now();
                if !self.pace.progress(now, data.len(), &self.shared.limits) && self.send.is_none() {
                    self.shared.worker.counter.limit(Limit::BodyRate);
                    return Poll::Ready(Err(ClientGone::BodyTooSlow));
                }
                // Asked for only while the other side has room, so it can be taken as consumed.
                let _ = self.body.flow_control().release_capacity(data.len());
                Poll::Ready(Ok(Some(data)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.left = true;
                // The codec resets a stream whose content is not as long as it said.
                let broken = error.is_library() && !error.is_io();
                Poll::Ready(Err(if broken { ClientGone::Malformed } else { ClientGone::Left }))
            }
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            // Once an answer has begun, both ends may take their time: that is how streams of messages work.
            Poll::Pending if self.send.is_some() => Poll::Pending,
            Poll::Pending => {
                self.pace.wait(self.shared.worker.wheel.now());
                self.wait_for(Wait::Body, self.shared.limits.body_silence);
                self.deadline.poll_expired(cx).map(|()| {
                    self.shared.worker.counter.limit(Limit::BodyStall);
                    Err(ClientGone::BodyTooSlow)
                })
            }
        }
    }
}

impl<S> Downstream for Stream<'_, S> {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, ClientGone>> {
        if std::mem::take(&mut self.expects) && self.send.is_none() {
            let _ = self.respond.send_informational(head::response(&ResponseHead::new(100), None));
        }
        while !self.data_done {
            match ready!(self.poll_data(cx))? {
                Some(data) if data.is_empty() => {}
                Some(data) => return Poll::Ready(Ok(BodyEvent::Data(data))),
                None => self.data_done = true,
            }
        }
        match ready!(self.body.poll_trailers(cx)) {
            Ok(Some(trailers)) => Poll::Ready(Ok(BodyEvent::Trailers(head::trailers(&trailers)))),
            Ok(None) => Poll::Ready(Ok(BodyEvent::End)),
            Err(_) => {
                self.left = true;
                Poll::Ready(Err(ClientGone::Left))
            }
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<ClientGone> {
        let reset = match &mut self.send {
            Some(send) => send.poll_reset(cx),
            None => self.respond.poll_reset(cx),
        };
        let _reason = ready!(reset);
        self.left = true;
        Poll::Ready(ClientGone::Left)
    }

    fn send_informational(&mut self, head: ResponseHead) {
        if self.send.is_none() {
            // A client that is gone is noticed where it matters.
            let _ = self.respond.send_informational(head::response(&head, None));
        }
    }

    fn send_head(&mut self, mut head: ResponseHead, end: bool) {
        if self.send.is_some() || self.left {
            return;
        }
        let end = end || self.head_request || head.status == 204 || head.status == 304;
        if end && !self.head_request && head.status != 304 {
            head.body = BodyLength::Length(0);
        }
        let date = self.shared.worker.date.value();
        match self.respond.send_response(head::response(&head, Some(date)), end) {
            Ok(send) => self.send = Some(send),
            Err(_) => self.left = true,
        }
        self.ended = end;
    }

    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, ClientGone>> {
        if self.left {
            return Poll::Ready(Err(ClientGone::Left));
        }
        ready!(self.poll_held(cx))?;
        // The client's window is asked for room once there is something to send; what it has none for is held.
        Poll::Ready(Ok(PORTION))
    }

    fn send_data(&mut self, mut data: Bytes, end: bool) {
        if self.ended || self.left {
            return;
        }
        self.ended = end;
        if !self.held.is_empty() {
            // Given beyond the room that was told: joined, so that the order holds.
            self.held = [&self.held[..], &data[..]].concat().into();
            self.end = end.then_some(End::Plain);
            return;
        }
        let room = match &mut self.send {
            Some(send) if !data.is_empty() => {
                send.reserve_capacity(data.len());
                send.capacity()
            }
            Some(_) | None => 0,
        };
        let now = data.split_to(room.min(data.len()));
        let whole = data.is_empty();
        if (!now.is_empty() || (whole && end)) && self.push(now, whole && end).is_err() {
            return;
        }
        if !whole {
            self.held = data;
            self.end = end.then_some(End::Plain);
        }
    }

    fn send_trailers(&mut self, trailers: Fields) {
        if self.ended || self.left {
            return;
        }
        self.ended = true;
        let trailers = head::header_map(&trailers);
        if !self.held.is_empty() {
            self.end = Some(End::Trailers(trailers));
        } else if let Some(send) = &mut self.send
            && send.send_trailers(trailers).is_err()
        {
            self.left = true;
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientGone>> {
        if self.left {
            return Poll::Ready(Err(ClientGone::Left));
        }
        self.poll_held(cx)
    }

    fn reset(&mut self, reason: ResetReason) {
        let reason = match reason {
            ResetReason::Cancelled | ResetReason::Timeout => Reason::CANCEL,
            ResetReason::NotNeeded => Reason::NO_ERROR,
            ResetReason::Broken | ResetReason::Internal => Reason::INTERNAL_ERROR,
        };
        self.ended = true;
        self.held = Bytes::new();
        self.end = None;
        match &mut self.send {
            Some(send) => send.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
    }
}
