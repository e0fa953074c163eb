//! HTTP/2 from clients: one task per connection, one local task per stream (used again by the next), all on one thread.
//!
//! The `h2` crate speaks the protocol; here is decided what it leaves open: rates and numbers of frames and resets, how
//! long anything may take, what a request may look like (see `head`), and when the connection ends.

mod downstream;
pub(crate) mod head;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bailey_crds::Http2Limits;
use bytes::Bytes;
use h2::server::{Connection as H2, SendResponse};
use h2::{Reason, RecvStream};

use super::guard::{Flood, FrameRates, Guard, Watched};
use super::{FrontLimits, Serve};
use crate::forward::ConnectionInfo;
use crate::io::Io;
use crate::metrics::Limit;
use crate::seats::Seats;
use crate::timer::Deadline;
use crate::worker::{DrainPhase, Worker};

#[cfg(test)]
mod tests;

/// How long a client that is told to go may take to read why.
const LINGER: Duration = Duration::from_secs(1);

/// What a client may do on one connection, beside what holds for HTTP/1.1 too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct H2Limits {
    /// Bytes of a head, as HPACK counts them.
    pub header_list: u32,
    /// Fields of a head; every piece of a split cookie counts.
    pub fields: usize,
    /// Streams at a time.
    pub streams: u32,
    /// Bytes of one stream before it is granted more.
    pub stream_window: u32,
    /// Bytes of all streams before more are granted.
    pub connection_window: u32,
    /// Streams that a client may give up before it got the head of an answer.
    pub early_resets: u32,
    /// Resets that a client may make us send by breaking rules.
    pub own_resets: usize,
    /// Frames of each kind.
    pub rates: FrameRates,
}

impl H2Limits {
    /// Those of a tier's limits.
    pub fn of(limits: &Http2Limits) -> Self {
        Self {
            header_list: limits.header_list_bytes,
            fields: limits.header_fields as usize,
            streams: limits.streams,
            stream_window: limits.stream_window_bytes,
            connection_window: limits.connection_window_bytes,
            early_resets: limits.early_resets,
            own_resets: limits.own_resets as usize,
            rates: FrameRates::of(limits),
        }
    }
}

/// The tasks that streams of a listener's connections run on.
pub struct Streams<S>(Rc<Seats<Job<S>>>);

impl<S: Serve> Streams<S> {
    /// No tasks yet.
    pub fn new() -> Self {
        Self(Seats::new())
    }
}

impl<S: Serve> Default for Streams<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for Streams<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A stream that a client has opened.
struct Job<S> {
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
    active: Active<S>,
}

/// Serves one connection until it ends.
pub async fn serve<S: Serve>(
    io: Io,
    info: Rc<ConnectionInfo>,
    worker: Rc<Worker>,
    limits: Rc<FrontLimits>,
    serve: Rc<S>,
    streams: Streams<S>,
) {
    let deadline = worker.wheel.deadline();
    let (guard, watched) = Guard::new(io, worker.wheel.clone(), limits.h2.rates);
    deadline.set(limits.head);
    let Some(codec) = handshake(guard, &deadline, &limits).await else { return };
    let shared = Rc::new(Shared {
        active: Cell::new(0),
        early_resets: Cell::new(0),
        old_at: limits.old_at(&worker.wheel),
        info,
        worker,
        limits,
        serve,
    });
    // The deadline still is that of the handshake; what comes next sets or clears it.
    let wait = Wait::Head;
    let mut connection = Connection { codec, watched, deadline, wait, requests: 0, ending: false, shared, streams };
    poll_fn(|cx| connection.poll(cx)).await;
}

async fn handshake(guard: Guard, deadline: &Deadline, limits: &FrontLimits) -> Option<H2<Guard, Bytes>> {
    let own = &limits.h2;
    let mut handshake = std::pin::pin!(
        h2::server::Builder::new()
            .max_concurrent_streams(own.streams)
            .initial_window_size(own.stream_window)
            .initial_connection_window_size(own.connection_window)
            .max_header_list_size(own.header_list)
            .max_send_buffer_size(limits.buffer)
            .max_local_error_reset_streams(Some(own.own_resets))
            .handshake::<_, Bytes>(guard)
    );
    poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(done.ok()),
        Poll::Pending => deadline.poll_expired(cx).map(|()| None),
    })
    .await
}

/// What the streams of one connection share.
struct Shared<S> {
    active: Cell<u32>,
    early_resets: Cell<u32>,
    old_at: u64,
    info: Rc<ConnectionInfo>,
    worker: Rc<Worker>,
    limits: Rc<FrontLimits>,
    serve: Rc<S>,
}

/// What the connection's deadline currently stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Nothing,
    Idle,
    Head,
    Linger,
}

struct Connection<S> {
    codec: H2<Guard, Bytes>,
    watched: Rc<Watched>,
    deadline: Deadline,
    wait: Wait,
    requests: u32,
    /// GOAWAY was queued.
    ending: bool,
    shared: Rc<Shared<S>>,
    streams: Streams<S>,
}

impl<S: Serve> Connection<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.codec.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.start(request, respond),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Ready(Some(Err(error))) => {
                    // Only the codec's own limit ends a connection with this word before we do.
                    let calm = error.reason() == Some(Reason::ENHANCE_YOUR_CALM) && !error.is_remote();
                    if calm && !self.ending {
                        self.shared.worker.counter.limit(Limit::OwnResets);
                    }
                    return Poll::Ready(());
                }
                Poll::Pending if self.ends_now() => {
                    // Has to be polled once more to send it.
                    if self.codec.poll_closed(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    break;
                }
                Poll::Pending => break,
            }
        }
        self.rearm();
        if self.deadline.poll_expired(cx).is_ready() {
            return self.overdue(cx);
        }
        Poll::Pending
    }

    fn start(&mut self, request: http::Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.requests += 1;
        let active = Active::new(self.shared.clone());
        self.streams.0.give(Job { request, respond, active }, |Job { request, respond, active }| async move {
            stream(request, respond, &active.0).await;
        });
    }

    /// Whether the connection has just been told to end, and queues the GOAWAY that says so.
    fn ends_now(&mut self) -> bool {
        let shared = &self.shared;
        let abused = self.watched.flood.get().is_some() || shared.early_resets.get() > shared.limits.h2.early_resets;
        if abused && self.wait != Wait::Linger {
            let limit = self.watched.flood.get().map_or(Some(Limit::EarlyResets), Flood::limit);
            shared.worker.counter.limit(limit);
            self.codec.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            self.ending = true;
            self.wait = Wait::Linger;
            self.deadline.set(LINGER);
            return true;
        }
        let worn = self.requests >= shared.limits.requests;
        let old = shared.worker.wheel.now() >= shared.old_at;
        if !self.ending && (worn || old) {
            shared.worker.counter.limit(if worn { Limit::Requests } else { Limit::Age });
        }
        if !self.ending && (worn || old || shared.worker.drain_phase() != DrainPhase::Serving) {
            // Two steps: what is on its way to us is still served.
            self.codec.graceful_shutdown();
            self.ending = true;
            return true;
        }
        false
    }

    fn rearm(&mut self) {
        if self.wait == Wait::Linger {
            return;
        }
        let limits = &self.shared.limits;
        if self.watched.closing.get() {
            self.wait = Wait::Linger;
            return self.deadline.set(LINGER);
        }
        let (wait, limit) = match (self.watched.in_head.get(), self.shared.active.get()) {
            (true, _) => (Wait::Head, limits.head),
            (false, 0) => (Wait::Idle, limits.idle),
            (false, _) => {
                if self.wait != Wait::Nothing {
                    self.wait = Wait::Nothing;
                    self.deadline.clear();
                }
                return;
            }
        };
        if self.wait != wait {
            self.wait = wait;
            self.deadline.set(limit);
        }
    }

    fn overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.wait {
            Wait::Linger => return Poll::Ready(()),
            Wait::Nothing | Wait::Idle => {
                self.shared.worker.counter.limit(Limit::Idle);
                self.codec.graceful_shutdown();
            }
            Wait::Head => {
                self.shared.worker.counter.limit(Limit::HeaderTime);
                self.codec.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
        }
        self.ending = true;
        self.wait = Wait::Linger;
        self.deadline.set(LINGER);
        if self.codec.poll_closed(cx).is_ready() {
            return Poll::Ready(());
        }
        self.deadline.poll_expired(cx)
    }
}

/// A stream in progress, for as long as this is kept.
struct Active<S>(Rc<Shared<S>>);

impl<S> Active<S> {
    fn new(shared: Rc<Shared<S>>) -> Self {
        shared.active.set(shared.active.get() + 1);
        Self(shared)
    }
}

impl<S> Drop for Active<S> {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
    }
}

async fn stream<S: Serve>(request: http::Request<RecvStream>, mut respond: SendResponse<Bytes>, shared: &Shared<S>) {
    let (parts, body) = request.into_parts();
    // Given up before anyone looked at it: nobody needs to hear of it.
    if poll_fn(|cx| Poll::Ready(respond.poll_reset(cx).is_ready())).await {
        shared.early_resets.set(shared.early_resets.get() + 1);
        return;
    }
    match head::request(&parts, body.is_end_stream(), &shared.limits) {
        Ok(head) => {
            let mut stream = downstream::Stream::new(body, respond, &head, shared);
            shared.serve.serve(&shared.info, &mut stream, Box::new(head)).await;
            if stream.finish().await {
                shared.early_resets.set(shared.early_resets.get() + 1);
            }
        }
        Err(refused) => {
            shared.worker.counter.limit(refused.limit);
            shared.serve.refused(&shared.info, refused.fate, refused.status);
            head::refuse(respond, refused.status);
        }
    }
}
