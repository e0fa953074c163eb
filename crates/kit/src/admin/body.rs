//! The two kinds of bodies of the admin port: all at once, or events as they happen.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

/// How often a stream without events says that it lives, so that a client that is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A comment in an event stream (HTML, 9.2.6).
const ALIVE: &[u8] = b":\n\n";

/// A body of the admin port.
pub(super) enum Body {
    Whole(Option<Bytes>),
    Events { events: mpsc::Receiver<Bytes>, heartbeat: Interval, _place: OwnedSemaphorePermit },
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    pub(super) fn events(events: mpsc::Receiver<Bytes>, place: OwnedSemaphorePermit) -> Self {
        let mut heartbeat = interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Events { events, heartbeat, _place: place }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events { events, heartbeat, .. } => {
                if let Poll::Ready(event) = events.poll_recv(cx) {
                    return Poll::Ready(event.map(|event| Ok(Frame::data(event))));
                }
                ready!(heartbeat.poll_tick(cx));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(ALIVE)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Events { .. } => SizeHint::default(),
        }
    }
}
