//! Copies of requests for mirrors. A copy never delays the request it was made of: it has a queue of its own that is given up when it is
//! full, and there are only so many of them. Answers are read and thrown away.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bailey_http1::RequestHead;
use bailey_link::RequestMeta;
use bailey_routing::ir::Upstream as Source;
use bytes::Bytes;

use super::{Backends, Opening, Upstream};
use crate::error::{Fate, ProxyError};
use crate::exchange::{Backend, ResetReason, ResponseEvent};

/// Copies under way per worker.
const AT_ONCE: usize = 64;
/// Bytes of a body that may wait for the mirror.
const QUEUE: usize = 32 * 1024;
/// The longest a copy may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// What a worker knows of its mirrors.
#[derive(Default)]
pub(crate) struct Mirrors {
    active: Rc<Cell<usize>>,
    dropped: Cell<u64>,
}

#[derive(Default)]
struct Queue {
    parts: RefCell<VecDeque<Bytes>>,
    size: Cell<usize>,
    ended: Cell<bool>,
    /// The copy is incomplete, or nobody reads it any more.
    lost: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

/// How a copy ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mirrored {
    /// Where it went.
    pub endpoint: Option<SocketAddr>,
    /// Status of the answer; 0: there was none.
    pub status: u16,
    /// Why there was none, or not all of it.
    pub error: Option<ProxyError>,
}

/// Told how a copy ended.
pub type Copied = Box<dyn FnOnce(Mirrored)>;

/// Where the body of a mirrored request is handed over. Dropping it before the end gives the copy up.
pub struct MirrorTap(Rc<Queue>);

impl MirrorTap {
    /// Hands over a piece; the copy is given up if it does not keep up.
    pub(crate) fn send(&mut self, data: &Bytes, end: bool) {
        let queue = &self.0;
        if queue.lost.get() || queue.ended.get() {
            return;
        }
        queue.size.set(queue.size.get() + data.len());
        if queue.size.get() > QUEUE {
            queue.lost.set(true);
            queue.parts.borrow_mut().clear();
        } else if !data.is_empty() {
            queue.parts.borrow_mut().push_back(data.clone());
        }
        queue.ended.set(end);
        queue.wake();
    }
}

impl Drop for MirrorTap {
    fn drop(&mut self) {
        if !self.0.ended.get() {
            self.0.lost.set(true);
            self.0.wake();
        }
    }
}

/// Counts a copy for as long as it is under way.
struct Slot(Rc<Cell<usize>>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Queue {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn pop(&self) -> Option<Bytes> {
        let part = self.parts.borrow_mut().pop_front()?;
        self.size.set(self.size.get() - part.len());
        Some(part)
    }
}

impl Backends {
    /// Sends a copy of a request to `to`. `None`: nothing more to hand over, because the request has no body or there are too many copies
    /// already; otherwise give the tap to [`Upstream::tee`]. `done` is told of the end of a copy that was made.
    pub fn mirror(self: &Rc<Self>, to: &Arc<Source>, head: RequestHead, done: Option<Copied>) -> Option<MirrorTap> {
        let active = &self.mirrors.active;
        if active.get() >= AT_ONCE {
            self.mirrors.dropped.set(self.mirrors.dropped.get() + 1);
            return None;
        }
        active.set(active.get() + 1);
        let slot = Slot(active.clone());
        // A copy must not change the connection's protocol, nor wait for leave to send its body.
        let head = RequestHead { upgrade: None, expect_continue: false, ..head };
        let queue = Rc::new(Queue::default());
        let end = Opening::new(&head, &RequestMeta::default()).end;
        queue.ended.set(end);
        let tap = (!end).then(|| MirrorTap(queue.clone()));
        let (backends, to) = (self.clone(), to.clone());
        tokio::task::spawn_local(async move {
            let _slot = slot;
            let mut end = Mirrored::default();
            let copied = tokio::time::timeout(DEADLINE, copy(&backends, &to, &head, &queue, &mut end)).await;
            queue.lost.set(true);
            if copied.is_err() {
                end.error = Some(ProxyError::us(Fate::BackendTimeout));
                tracing::debug!("a mirror took too long");
            }
            if let Some(done) = done {
                done(end);
            }
        });
        tap
    }

    /// Copies that were not made because too many were under way.
    pub fn mirrors_dropped(&self) -> u64 {
        self.mirrors.dropped.get()
    }
}

async fn copy(backends: &Backends, to: &Arc<Source>, head: &RequestHead, queue: &Queue, end: &mut Mirrored) {
    let about = RequestMeta::default();
    let opening = Opening::new(head, &about);
    let mut body_done = opening.end;
    let mut upstream = match backends.open(to, opening).await {
        Ok(upstream) => upstream,
        Err(error) => {
            end.error = Some(error.into());
            return tracing::debug!(%error, "a mirror could not be reached");
        }
    };
    end.endpoint = upstream.endpoint();
    poll_fn(|cx| poll_copy(cx, &mut upstream, queue, &mut body_done, end)).await;
}

fn poll_copy(
    cx: &mut Context<'_>,
    upstream: &mut Upstream,
    queue: &Queue,
    body_done: &mut bool,
    end: &mut Mirrored,
) -> Poll<()> {
    while !*body_done {
        if queue.lost.get() {
            upstream.cancel(ResetReason::Cancelled);
            return Poll::Ready(());
        }
        match upstream.poll_capacity(cx) {
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                end.error = Some(error);
                return Poll::Ready(());
            }
            Poll::Pending => break,
        }
        if let Some(part) = queue.pop() {
            upstream.send_data(part, false);
        } else if queue.ended.get() {
            *body_done = true;
            upstream.send_data(Bytes::new(), true);
        } else {
            queue.waker.set(Some(cx.waker().clone()));
            break;
        }
    }
    while let Poll::Ready(event) = upstream.poll_response(cx) {
        if let Ok(ResponseEvent::Head { head, .. }) = &event {
            end.status = head.status;
        }
        match event {
            Ok(
                ResponseEvent::Informational(_)
                | ResponseEvent::Head { end: false, .. }
                | ResponseEvent::Data { end: false, .. },
            ) => {}
            Ok(
                ResponseEvent::Head { end: true, .. }
                | ResponseEvent::Data { end: true, .. }
                | ResponseEvent::Trailers(_)
                | ResponseEvent::End,
            ) => return Poll::Ready(()),
            Err(error) => {
                end.error = Some(error);
                return Poll::Ready(());
            }
        }
    }
    Poll::Pending
}
