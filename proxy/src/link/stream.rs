//! A request on a link, from the outer tier's side.

use std::task::{Context, Poll};

use bailey_http1::Fields;
use bailey_link::{Event, ResetReason as Code, Times};
use bytes::Bytes;

use super::channel::Channel;
use super::convert;
use crate::exchange::{ResetReason, ResponseEvent};
use crate::upstream::UpstreamError;

/// One request on a link. Dropping it before its end cancels it at the other tier.
pub struct LinkStream {
    channel: Channel,
    /// Where the frame of the head ends among all bytes of the connection.
    head_ends: u64,
    answered: bool,
    times: Option<Times>,
}

impl LinkStream {
    pub(crate) fn new(channel: Channel) -> Self {
        let head_ends = channel.wire().position();
        Self { channel, head_ends, answered: false, times: None }
    }

    /// What the other tier says of its own times; `None` before it answers, and of one that says nothing.
    pub(crate) fn times(&self) -> Option<Times> {
        self.times
    }

    fn lost(&self) -> UpstreamError {
        if self.answered {
            UpstreamError::Truncated
        } else if self.channel.wire().written() < self.head_ends {
            UpstreamError::Unprocessed
        } else {
            UpstreamError::Unanswered
        }
    }

    fn reset(&self, reason: Code) -> UpstreamError {
        let answered = self.answered;
        match reason {
            Code::Refused | Code::Overloaded if !answered => UpstreamError::Unprocessed,
            Code::ConnectFailed if !answered => UpstreamError::NextConnectFailed,
            Code::Timeout => UpstreamError::NextTimeout,
            Code::TooLarge if !answered => UpstreamError::HeadTooLarge,
            Code::BackendFailed if answered => UpstreamError::Truncated,
            Code::Done
            | Code::Cancelled
            | Code::Refused
            | Code::ConnectFailed
            | Code::BackendFailed
            | Code::Malformed
            | Code::TooLarge
            | Code::Overloaded
            | Code::Internal
            | Code::Other(_) => UpstreamError::Reset { answered },
        }
    }

    fn head(
        &mut self,
        head: &bailey_link::ResponseHead,
        end: Option<bool>,
    ) -> Poll<Result<ResponseEvent, UpstreamError>> {
        let times = head.meta().times;
        let Ok(head) = convert::response_head(head) else { return Poll::Ready(Err(UpstreamError::Internal)) };
        Poll::Ready(Ok(match end {
            None => ResponseEvent::Informational(head),
            Some(end) => {
                self.answered = true;
                self.times = times;
                ResponseEvent::Head { head, end }
            }
        }))
    }

    fn turn(&mut self, event: Event) -> Poll<Result<ResponseEvent, UpstreamError>> {
        match event {
            Event::Informational { head, .. } => self.head(&head, None),
            Event::Response { head, end, .. } => self.head(&head, Some(end)),
            Event::Data { data, end, .. } if data.is_empty() && end => Poll::Ready(Ok(ResponseEvent::End)),
            Event::Data { data, end, .. } => Poll::Ready(Ok(ResponseEvent::Data { data, end })),
            Event::Trailers { trailers, .. } => Poll::Ready(Ok(ResponseEvent::Trailers(convert::trailers(&trailers)))),
            Event::Reset { reason, .. } => Poll::Ready(Err(self.reset(reason))),
            Event::Ready(_)
            | Event::Request { .. }
            | Event::Capacity { .. }
            | Event::Datagram { .. }
            | Event::Goaway { .. }
            | Event::Pong { .. } => Poll::Ready(Err(UpstreamError::Internal)),
        }
    }

    pub(crate) fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, UpstreamError>> {
        match self.channel.poll_capacity(cx) {
            Poll::Ready(Some(room)) => Poll::Ready(Ok(room)),
            Poll::Ready(None) => Poll::Ready(Err(self.lost())),
            Poll::Pending => Poll::Pending,
        }
    }

    pub(crate) fn send_data(&mut self, data: Bytes, end: bool) {
        self.channel.send(data, end);
    }

    pub(crate) fn send_trailers(&mut self, trailers: Fields) {
        self.channel.send_trailers(trailers);
    }

    pub(crate) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseEvent, UpstreamError>> {
        match self.channel.poll_arrival(cx) {
            Poll::Ready(Some(event)) => self.turn(event),
            Poll::Ready(None) => Poll::Ready(Err(self.lost())),
            Poll::Pending => Poll::Pending,
        }
    }

    pub(crate) fn cancel(&mut self, reason: ResetReason) {
        self.channel.cancel(reset_code(reason));
    }
}

/// The number on the link for a reason of ours.
pub(crate) fn reset_code(reason: ResetReason) -> Code {
    match reason {
        ResetReason::Cancelled => Code::Cancelled,
        ResetReason::Timeout => Code::Timeout,
        ResetReason::Broken => Code::BackendFailed,
        ResetReason::NotNeeded => Code::Done,
        ResetReason::Internal => Code::Internal,
    }
}
