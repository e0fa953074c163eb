//! The inner side: a link connection that was accepted. Every stream becomes a [`Downstream`] for a task of a pool whose tasks are used
//! again, so that a request starts none. What a request means is the service's business.

use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll};

use bailey_http1::{Fields, RequestHead, ResponseHead};
use bailey_link::{CloseReason, Connection, Event, ResetReason as Code, Settings, StreamId, StreamType, Times};
use bytes::Bytes;

use super::channel::Channel;
use super::convert;
use super::stream::reset_code;
use super::wire::{End, LinkEnd, Wire};
use crate::exchange::{BodyEvent, ClientGone, Downstream, ResetReason};
use crate::io::Io;
use crate::seats;
use crate::worker::{DrainPhase, Worker};

/// Who answers the requests of links.
pub trait LinkService: 'static {
    /// Answers one request. `meta` holds what the outer tier says about the client. A `down` without a complete answer is reset afterwards.
    fn serve_stream(
        &self,
        down: &mut LinkDownstream,
        head: Box<RequestHead>,
        meta: Box<bailey_link::RequestHead>,
    ) -> impl Future<Output = ()>;
}

/// The tasks of one worker that serve requests of its links.
pub struct Seats<S> {
    service: Rc<S>,
    tasks: Rc<seats::Seats<Box<Job>>>,
}

struct Job {
    down: LinkDownstream,
    head: Box<RequestHead>,
    meta: Box<bailey_link::RequestHead>,
}

impl<S: LinkService> Seats<S> {
    /// No tasks yet.
    pub fn new(service: S) -> Rc<Self> {
        Rc::new(Self { service: Rc::new(service), tasks: seats::Seats::new() })
    }

    /// Tasks that wait for a request.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.tasks.idle()
    }

    fn give(&self, job: Job) {
        let service = self.service.clone();
        self.tasks.give(Box::new(job), move |job| {
            let service = service.clone();
            async move {
                let Job { mut down, head, meta } = *job;
                service.serve_stream(&mut down, head, meta).await;
            }
        });
    }
}

/// Serves a link connection, after its handshake, until it is over. While the worker drains it takes no new streams and ends with the last.
pub async fn serve_link<S: LinkService>(io: Io, seats: Rc<Seats<S>>, worker: Rc<Worker>, settings: Settings) {
    let wire = Wire::new(Connection::server(settings), worker.counter.clone());
    let end = ServerEnd { seats, worker };
    let why = wire.run(io, &end, &end.worker.wheel).await;
    match why {
        LinkEnd::Closed | LinkEnd::Io(_) => tracing::debug!(%why, "link ended"),
        LinkEnd::Protocol(_) | LinkEnd::Dead => tracing::warn!(%why, "link ended"),
    }
}

struct ServerEnd<S> {
    seats: Rc<Seats<S>>,
    worker: Rc<Worker>,
}

impl<S: LinkService> ServerEnd<S> {
    fn on_request(&self, wire: &Rc<Wire>, stream: StreamId, meta: Box<bailey_link::RequestHead>) {
        let refuse = |reason| wire.act(|connection| connection.release(stream, reason));
        match meta.stream_type() {
            StreamType::Http | StreamType::Upgrade => {}
            // No route can ask for these yet; refused is what lets the outer tier say so.
            StreamType::Tcp | StreamType::TlsPassthrough | StreamType::Udp => return refuse(Code::Refused),
        }
        let Ok(head) = convert::request_head(&meta) else { return refuse(Code::Malformed) };
        let down = LinkDownstream::new(Channel::new(wire.clone(), stream));
        self.seats.give(Job { down, head: Box::new(head), meta });
    }
}

impl<S: LinkService> End for ServerEnd<S> {
    fn on_event(&self, wire: &Rc<Wire>, event: Event) {
        match event {
            Event::Request { stream, head, .. } => self.on_request(wire, stream, head),
            Event::Goaway { .. } => wire.close(),
            Event::Ready(_)
            | Event::Informational { .. }
            | Event::Response { .. }
            | Event::Data { .. }
            | Event::Trailers { .. }
            | Event::Reset { .. }
            | Event::Capacity { .. }
            | Event::Datagram { .. }
            | Event::Pong { .. } => {}
        }
    }

    fn is_over(&self, wire: &Wire) -> bool {
        match self.worker.drain_phase() {
            DrainPhase::Serving => {}
            DrainPhase::Draining => {
                wire.act(|connection| connection.goaway(CloseReason::Shutdown, "the tier stops"));
                wire.close();
            }
            DrainPhase::Cut => return true,
        }
        wire.is_closing() && wire.look(Connection::live_streams) == 0
    }
}

/// A request that came over a link, from the inner tier's side.
pub struct LinkDownstream {
    channel: Channel,
    /// The last data carried the end; [`BodyEvent::End`] is still to be told.
    end_due: bool,
    /// What the outer tier is told beside the head.
    times: Option<Times>,
}

impl LinkDownstream {
    fn new(mut channel: Channel) -> Self {
        channel.set_reason(Code::Internal);
        Self { channel, end_due: false, times: None }
    }

    fn ended(&mut self) {
        // From here on letting go means only that the rest of the request is not wanted.
        self.channel.set_reason(Code::Done);
    }

    fn gone(&self) -> bool {
        self.channel.wire().is_broken() || self.channel.mailbox().has_reset()
    }
}

impl Downstream for LinkDownstream {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, ClientGone>> {
        if std::mem::take(&mut self.end_due) {
            return Poll::Ready(Ok(BodyEvent::End));
        }
        match self.channel.poll_arrival(cx) {
            Poll::Ready(Some(Event::Data { data, end, .. })) => {
                if data.is_empty() {
                    return Poll::Ready(Ok(BodyEvent::End));
                }
                self.end_due = end;
                Poll::Ready(Ok(BodyEvent::Data(data)))
            }
            Poll::Ready(Some(Event::Trailers { trailers, .. })) => {
                Poll::Ready(Ok(BodyEvent::Trailers(convert::trailers(&trailers))))
            }
            Poll::Ready(Some(_) | None) => Poll::Ready(Err(ClientGone::Left)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<ClientGone> {
        if self.gone() {
            return Poll::Ready(ClientGone::Left);
        }
        self.channel.mailbox().park(cx);
        Poll::Pending
    }

    fn send_informational(&mut self, head: ResponseHead) {
        let stream = self.channel.stream();
        let send = |connection: &mut Connection| connection.send_informational(stream, head.status, head.fields.iter());
        // A stream that is over takes nothing; what ended it waits in the mailbox. The same below.
        let _ = self.channel.wire().act(send);
    }

    fn took(&mut self, times: Times) {
        self.times = Some(times);
    }

    fn send_head(&mut self, head: ResponseHead, end: bool) {
        let stream = self.channel.stream();
        let meta = convert::response_meta(&head, self.times);
        let _ = self.channel.wire().act(|connection| connection.send_head(stream, &meta, head.fields.iter(), end));
        if end {
            self.ended();
        }
    }

    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, ClientGone>> {
        match self.channel.poll_capacity(cx) {
            Poll::Ready(Some(room)) => Poll::Ready(Ok(room)),
            Poll::Ready(None) => Poll::Ready(Err(ClientGone::Left)),
            Poll::Pending if self.gone() => Poll::Ready(Err(ClientGone::Left)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn send_data(&mut self, data: Bytes, end: bool) {
        self.channel.send(data, end);
        if end {
            self.ended();
        }
    }

    fn send_trailers(&mut self, trailers: Fields) {
        self.channel.send_trailers(trailers);
        self.ended();
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientGone>> {
        if self.channel.push() {
            return Poll::Ready(Ok(()));
        }
        if self.gone() {
            return Poll::Ready(Err(ClientGone::Left));
        }
        self.channel.mailbox().park(cx);
        Poll::Pending
    }

    fn reset(&mut self, reason: ResetReason) {
        self.channel.cancel(reset_code(reason));
    }
}
