//! HTTP/1.1 from clients: one task per connection, one request after the other.
//!
//! Decides what a connection may do (how long, how many requests, when it ends) and how messages are framed on it.
//! Everything a client sends is read by `bailey_http1`; who answers is [`Serve`]'s business.

mod downstream;

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bailey_http1::{
    BodyLength, ConnectionOption, Method, Next, RequestHead, ResponseHead, ServerConnection, encode_response,
};
use bytes::BytesMut;

use super::{FrontLimits, Pace, Refused, Serve};
use crate::error::Fate;
use crate::exchange::{ClientGone, Downstream};
use crate::forward::ConnectionInfo;
use crate::io::Io;
use crate::metrics::Limit;
use crate::timer::Deadline;
use crate::worker::{DrainPhase, Worker};

#[cfg(test)]
mod tests;

/// Room for a head that is read.
const HEAD_ROOM: usize = 2 * 1024;
/// Room for a body that is read.
const BODY_ROOM: usize = 32 * 1024;
/// How long a client that is told to go may take to read why.
const LINGER: Duration = Duration::from_secs(1);
/// How long a connection that waits for a request when the tier drains may still bring one. Its client may have sent it, or
/// just made the connection to send it; the answer tells it not to send another.
const LAST_CALL: Duration = Duration::from_millis(500);

/// Serves one connection until it ends. Boxed parts are the cold ones; an idle connection holds no buffer.
pub async fn serve<S: Serve>(
    io: Io,
    info: Rc<ConnectionInfo>,
    worker: Rc<Worker>,
    limits: Rc<FrontLimits>,
    serve: Rc<S>,
) {
    let mut connection = Connection::new(io, worker, limits);
    let refused = loop {
        let head = match connection.next_head().await {
            Ok(Some(head)) => head,
            Ok(None) => break None,
            Err(refused) => break Some(refused),
        };
        connection.begin(&head);
        serve.serve(&info, &mut connection, head).await;
        if !connection.finish().await {
            break None;
        }
    };
    if let Some(Refused { fate, status, limit }) = refused {
        connection.worker.counter.limit(limit);
        serve.refused(&info, fate, status);
        connection.refuse(status);
    }
    // Boxed: every connection waits in the loop above, few ever linger here.
    Box::pin(connection.close()).await;
}

/// What the connection's deadline currently stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Nothing,
    Request,
    LastRequest,
    Head,
    Body,
    Write,
    Drain,
}

struct Connection {
    io: Io,
    input: BytesMut,
    http: ServerConnection,
    worker: Rc<Worker>,
    limits: Rc<FrontLimits>,
    deadline: Deadline,
    wait: Wait,
    requests: u32,
    old_at: u64,
    exchange: Exchange,
}

/// What is known of the exchange in progress, beside what the codec knows.
#[derive(Debug, Default)]
struct Exchange {
    pace: Pace,
    /// Bytes that waited for the client when a write last stalled.
    stalled_at: usize,
    head_request: bool,
    /// Content is dropped: the response has none whatever the application sends.
    bodiless: bool,
    head_sent: bool,
    ended: bool,
    tunnel: bool,
    /// The client asked for another protocol: what it sends next depends on the answer.
    upgrade: bool,
    /// Nothing sensible can follow: cut the connection without a clean end.
    broken: bool,
}

impl Connection {
    fn new(io: Io, worker: Rc<Worker>, limits: Rc<FrontLimits>) -> Self {
        let deadline = worker.wheel.deadline();
        let old_at = limits.old_at(&worker.wheel);
        Self {
            io,
            input: BytesMut::new(),
            http: ServerConnection::new(limits.http),
            worker,
            limits,
            deadline,
            wait: Wait::Nothing,
            requests: 0,
            old_at,
            exchange: Exchange::default(),
        }
    }

    fn wait_for(&mut self, wait: Wait, limit: Duration) {
        if self.wait != wait {
            self.wait = wait;
            self.deadline.set(limit);
        }
    }

    fn draining(&self) -> bool {
        self.worker.drain_phase() != DrainPhase::Serving
    }

    /// The next head; `None` when the connection is over without anything to say.
    async fn next_head(&mut self) -> Result<Option<Box<RequestHead>>, Refused> {
        self.wait = Wait::Nothing;
        poll_fn(|cx| self.poll_head(cx)).await
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Box<RequestHead>>, Refused>> {
        loop {
            if self.input.is_empty() {
                // An idle connection holds no buffer.
                self.input = BytesMut::new();
                let (wait, limit) =
                    if self.draining() { (Wait::LastRequest, LAST_CALL) } else { (Wait::Request, self.limits.idle) };
                self.wait_for(wait, limit);
            } else {
                if let Some(head) = self.http.read_head(&mut self.input)? {
                    return Poll::Ready(Ok(Some(Box::new(head))));
                }
                self.wait_for(Wait::Head, self.limits.head);
            }
            match self.io.poll_read(cx, &mut self.input, HEAD_ROOM) {
                // Half a head is not worth an answer when its sender is gone.
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    ready!(self.deadline.poll_expired(cx));
                    let timeout = Refused { fate: Fate::HeadTimeout, status: 408, limit: Some(Limit::HeaderTime) };
                    if self.wait == Wait::Request {
                        self.worker.counter.limit(Limit::Idle);
                    }
                    return Poll::Ready(if self.input.is_empty() { Ok(None) } else { Err(timeout) });
                }
            }
        }
    }

    fn begin(&mut self, head: &RequestHead) {
        self.requests += 1;
        let (worn, old) = (self.requests >= self.limits.requests, self.worker.wheel.now() >= self.old_at);
        if worn || old {
            self.worker.counter.limit(if worn { Limit::Requests } else { Limit::Age });
            self.http.close_after_response();
        }
        self.wait = Wait::Nothing;
        let head_request = head.method == Method::Head;
        self.exchange = Exchange { head_request, upgrade: head.upgrade.is_some(), ..Exchange::default() };
    }

    /// Cleans up after an exchange. `true`: the connection takes another request.
    async fn finish(&mut self) -> bool {
        self.exchange.broken |= !self.exchange.ended;
        if self.exchange.broken || poll_fn(|cx| Downstream::poll_flush(self, cx)).await.is_err() {
            self.exchange.broken = true;
            return false;
        }
        match self.http.next(&mut self.input) {
            Next::Request => true,
            Next::Busy | Next::Close => false,
            Next::Drain => Box::pin(self.drain()).await,
        }
    }

    /// Reads over what is left of a body, within bounds of bytes and time. `true`: another request may follow.
    async fn drain(&mut self) -> bool {
        self.wait_for(Wait::Drain, LINGER);
        poll_fn(|cx| {
            loop {
                match self.http.next(&mut self.input) {
                    Next::Request => return Poll::Ready(true),
                    Next::Busy | Next::Close => return Poll::Ready(false),
                    Next::Drain => match self.io.poll_read(cx, &mut self.input, HEAD_ROOM) {
                        Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(false),
                        Poll::Ready(Ok(_)) => {}
                        Poll::Pending => return self.deadline.poll_expired(cx).map(|()| false),
                    },
                }
            }
        })
        .await
    }

    /// Queues the answer to a head that was refused.
    fn refuse(&mut self, status: u16) {
        let (head, date) = (ResponseHead::new(status), self.worker.date.now());
        self.io.queue_with(|out| {
            encode_response(&head, BodyLength::Length(0), ConnectionOption::Close, Some(&date), out);
        });
    }

    /// Ends the connection so that the client can still read what was sent: our direction first, then a short wait for
    /// its own end. A broken exchange is cut, so that nobody takes it for complete.
    async fn close(mut self) {
        if self.exchange.broken {
            let _ = self.io.stream().set_zero_linger();
            return;
        }
        self.wait = Wait::Nothing;
        self.wait_for(Wait::Drain, LINGER);
        let mut room = self.limits.http.drain_bytes as usize;
        poll_fn(|cx| {
            match self.io.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return self.deadline.poll_expired(cx),
            }
            loop {
                self.input.clear();
                match self.io.poll_read(cx, &mut self.input, HEAD_ROOM) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(count)) if count < room => room -= count,
                    Poll::Ready(Ok(_)) => return Poll::Ready(()),
                    Poll::Pending => return self.deadline.poll_expired(cx),
                }
            }
        })
        .await;
    }

    /// Waits for bytes of a body, within the deadlines of a body.
    fn poll_body_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, ClientGone>> {
        match self.io.poll_read(cx, &mut self.input, BODY_ROOM) {
            Poll::Ready(read) => {
                self.wait = Wait::Nothing;
                let count = read.map_err(|_: io::Error| ClientGone::Left)?;
                let now = self.worker.wheel.now();
                if self.exchange.tunnel || self.exchange.pace.progress(now, count, &self.limits) {
                    return Poll::Ready(Ok(count));
                }
                Poll::Ready(Err(self.too_slow(Limit::BodyRate)))
            }
            Poll::Pending => {
                // The pace of a tunnel is its ends' own business.
                if !self.exchange.tunnel {
                    self.exchange.pace.wait(self.worker.wheel.now());
                    self.wait_for(Wait::Body, self.limits.body_silence);
                    ready!(self.deadline.poll_expired(cx));
                    return Poll::Ready(Err(self.too_slow(Limit::BodyStall)));
                }
                Poll::Pending
            }
        }
    }

    /// What is left of this body is not waited for, also not to keep the connection.
    fn too_slow(&mut self, limit: Limit) -> ClientGone {
        self.worker.counter.limit(limit);
        self.http.close_after_response();
        ClientGone::BodyTooSlow
    }
}
