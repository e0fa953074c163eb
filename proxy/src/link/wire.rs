//! One link connection on a worker: the protocol's state machine, the mailboxes of its streams, and the task that moves its bytes.
//!
//! Streams append frames and wake the task once; it runs after the other ready tasks of that turn and writes all of it at once. Knows
//! neither what a stream carries nor when links are made.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bailey_link::{Connection, ConnectionError, Event, StreamId};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::io::Io;
use crate::metrics::{Counter, LinkCounts};
use crate::timer::{Deadline, Wheel};

/// After this long without a byte from the peer it is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(15);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Size of the blocks that are read into; frames are parts of them.
const BLOCK: usize = 64 * 1024;
/// Bytes to make room for before a read from a plain socket, which fills a whole block if it can.
const ROOM: usize = 16 * 1024;
/// Pieces of a body shorter than this are moved out of their block when they have to wait, as each would keep a block alive.
const MOVE_BELOW: usize = 8 * 1024;
/// Reads in one turn before others get theirs.
const READS: usize = 8;
/// Slices of one write.
const SLICES: usize = 32;

/// Why a link connection is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkEnd {
    /// The peer closed it, or all that was left of it was finished.
    #[error("the link was closed")]
    Closed,
    /// The socket or TLS failed.
    #[error("the link broke")]
    Io(#[from] io::Error),
    /// A side broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ConnectionError),
    /// The peer gave no sign of life.
    #[error("the link's peer does not answer")]
    Dead,
}

/// Events of one stream on their way to the task that holds it.
#[derive(Default)]
pub(crate) struct Mailbox {
    stream: Cell<Option<StreamId>>,
    events: RefCell<VecDeque<Event>>,
    waker: Cell<Option<Waker>>,
}

impl Mailbox {
    /// Takes the next event, or remembers the task.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(event) = self.events.borrow_mut().pop_front() {
            return Poll::Ready(event);
        }
        self.park(cx);
        Poll::Pending
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.borrow().is_empty()
    }

    /// Whether a reset waits behind whatever else waits.
    pub(crate) fn has_reset(&self) -> bool {
        matches!(self.events.borrow().back(), Some(Event::Reset { .. }))
    }

    /// Remembers the task for the next event or room.
    pub(crate) fn park(&self, cx: &mut Context<'_>) {
        self.waker.set(Some(cx.waker().clone()));
    }

    /// The stream is let go of; what is still in here is dropped.
    pub(crate) fn release(&self, stream: StreamId) {
        if self.stream.get() == Some(stream) {
            self.stream.set(None);
            self.events.borrow_mut().clear();
            self.waker.set(None);
        }
    }

    fn deliver(&self, mut event: Event) {
        let mut events = self.events.borrow_mut();
        if let Event::Data { data, .. } = &mut event
            && data.len() < MOVE_BELOW
            && !events.is_empty()
        {
            *data = Bytes::copy_from_slice(data);
        }
        events.push_back(event);
        drop(events);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// What the two ends of a link do differently.
pub(crate) trait End {
    /// An event that is no stream's in particular, or opens one.
    fn on_event(&self, wire: &Rc<Wire>, event: Event);
    /// Called before the task sleeps; `true` ends the connection once everything is written.
    fn is_over(&self, wire: &Wire) -> bool;
}

/// One link connection.
pub(crate) struct Wire {
    connection: RefCell<Connection>,
    mailboxes: RefCell<Vec<Rc<Mailbox>>>,
    task: RefCell<Option<Waker>>,
    woken: Cell<bool>,
    written: Cell<u64>,
    broken: Cell<bool>,
    /// No new streams: the task looks at every change whether the connection is over.
    closing: Cell<bool>,
    counter: Counter,
}

impl Wire {
    pub(crate) fn new(connection: Connection, counter: Counter) -> Rc<Self> {
        Rc::new(Self {
            connection: RefCell::new(connection),
            mailboxes: RefCell::default(),
            task: RefCell::new(None),
            woken: Cell::new(false),
            written: Cell::new(0),
            broken: Cell::new(false),
            closing: Cell::new(false),
            counter,
        })
    }

    /// What the worker counts of links.
    pub(crate) fn counts(&self) -> &LinkCounts {
        &self.counter.shard().link
    }

    /// Acts on the state machine and sees to it that what it wrote is sent.
    pub(crate) fn act<R>(&self, action: impl FnOnce(&mut Connection) -> R) -> R {
        let mut connection = self.connection.borrow_mut();
        let result = action(&mut connection);
        if connection.wants_write() || self.closing.get() {
            self.wake();
        }
        result
    }

    /// Looks at the state machine.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Connection) -> R) -> R {
        look(&self.connection.borrow())
    }

    /// Where the last frame that was queued ends, counted from the start of the connection.
    pub(crate) fn position(&self) -> u64 {
        self.written.get() + self.connection.borrow().queued() as u64
    }

    /// How many bytes have been handed to the socket.
    pub(crate) fn written(&self) -> u64 {
        self.written.get()
    }

    /// Takes no new streams from now on; the connection ends with the last one that is alive.
    pub(crate) fn close(&self) {
        if !self.closing.replace(true) {
            self.wake();
        }
    }

    /// Whether it takes no new streams.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether the connection is over.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// The mailbox of a stream that was just opened.
    pub(crate) fn claim(&self, stream: StreamId) -> Rc<Mailbox> {
        let mut mailboxes = self.mailboxes.borrow_mut();
        let slot = stream.slot();
        if mailboxes.len() <= slot {
            mailboxes.resize_with(slot + 1, Rc::default);
        }
        let mailbox = &mut mailboxes[slot];
        if Rc::strong_count(mailbox) > 1 {
            // The task of the slot's stream before still holds it: it keeps what came for it, and sees nothing of the new one.
            *mailbox = Rc::default();
        }
        mailbox.events.borrow_mut().clear();
        mailbox.waker.set(None);
        mailbox.stream.set(Some(stream));
        mailbox.clone()
    }

    /// Wakes the task, once per turn.
    pub(crate) fn wake(&self) {
        if !self.woken.replace(true)
            && let Some(task) = &*self.task.borrow()
        {
            task.wake_by_ref();
        }
    }

    fn deliver(&self, stream: StreamId, event: Event) {
        let mailbox = self.mailboxes.borrow().get(stream.slot()).cloned();
        if let Some(mailbox) = mailbox.filter(|mailbox| mailbox.stream.get() == Some(stream)) {
            // Room is not news that has to be kept: whoever wants it asks again.
            if matches!(event, Event::Capacity { .. }) { mailbox.wake() } else { mailbox.deliver(event) }
        }
    }

    fn dispatch(self: &Rc<Self>, end: &impl End, event: Event) {
        match event {
            Event::Informational { stream, .. }
            | Event::Response { stream, .. }
            | Event::Data { stream, .. }
            | Event::Trailers { stream, .. }
            | Event::Reset { stream, .. }
            | Event::Datagram { stream, .. }
            | Event::Capacity { stream } => self.deliver(stream, event),
            Event::Ready(_) | Event::Request { .. } | Event::Goaway { .. } | Event::Pong { .. } => {
                end.on_event(self, event);
            }
        }
    }

    /// Tells streams of room that came free by writing.
    fn tell_room(self: &Rc<Self>, end: &impl End) {
        loop {
            let event = self.connection.borrow_mut().next_event();
            match event {
                Some(event) => self.dispatch(end, event),
                None => return,
            }
        }
    }

    /// Moves the connection's bytes until it is over, then tells every stream that is left.
    pub(crate) async fn run(self: Rc<Self>, io: Io, end: &impl End, wheel: &Wheel) -> LinkEnd {
        // One read of TLS gives what it decrypts, which is no more than what was asked for.
        let room = if io.connection().is_some() { BLOCK } else { ROOM };
        let input = BytesMut::with_capacity(BLOCK);
        let mut mover = Mover { io, input, room, deadline: wheel.deadline(), pinged: false };
        mover.deadline.set(SILENCE);
        self.counts().opened.add(1);
        let result = poll_fn(|cx| mover.poll(cx, &self, end)).await;
        self.broken.set(true);
        self.counts().closed.add(1);
        for mailbox in &*self.mailboxes.borrow() {
            mailbox.wake();
        }
        result
    }
}

struct Mover {
    io: Io,
    input: BytesMut,
    room: usize,
    deadline: Deadline,
    pinged: bool,
}

impl Mover {
    fn poll(&mut self, cx: &mut Context<'_>, wire: &Rc<Wire>, end: &impl End) -> Poll<LinkEnd> {
        wire.woken.set(false);
        {
            let mut task = wire.task.borrow_mut();
            if !task.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *task = Some(cx.waker().clone());
            }
        }
        match self.progress(cx, wire, end) {
            Ok(false) => Poll::Pending,
            Ok(true) => Poll::Ready(LinkEnd::Closed),
            Err(why) => {
                // The peer is told why, as far as the socket takes it now.
                let _ = self.write(cx, wire);
                Poll::Ready(why)
            }
        }
    }

    fn progress(&mut self, cx: &mut Context<'_>, wire: &Rc<Wire>, end: &impl End) -> Result<bool, LinkEnd> {
        let mut clear = self.write(cx, wire)?;
        wire.tell_room(end);
        if self.read(cx, wire, end)? {
            return Ok(true);
        }
        if end.is_over(wire) {
            clear = clear && self.write(cx, wire)?;
            if clear {
                let _ = self.io.poll_shutdown(cx);
                return Ok(true);
            }
        }
        if self.deadline.poll_expired(cx).is_ready() {
            if self.pinged {
                return Err(LinkEnd::Dead);
            }
            self.pinged = true;
            wire.act(|connection| connection.ping(*b"bailey/1"));
            self.deadline.set(ANSWER);
            let _ = self.deadline.poll_expired(cx);
        }
        Ok(false)
    }

    /// Writes what is queued; `true` when all of it has left.
    fn write(&mut self, cx: &mut Context<'_>, wire: &Wire) -> Result<bool, LinkEnd> {
        let mut connection = wire.connection.borrow_mut();
        loop {
            if !connection.wants_write() {
                return Ok(self.io.poll_flush(cx)?.is_ready());
            }
            let output = connection.output();
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = output.chunks_vectored(&mut slices);
            match Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..filled])? {
                Poll::Ready(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Poll::Ready(count) => {
                    output.advance(count);
                    wire.written.set(wire.written.get() + count as u64);
                    wire.counts().sent.add(count as u64);
                }
                Poll::Pending => return Ok(false),
            }
        }
    }

    /// Reads what there is; `true` when the peer has closed.
    fn read(&mut self, cx: &mut Context<'_>, wire: &Rc<Wire>, end: &impl End) -> Result<bool, LinkEnd> {
        for _ in 0..READS {
            match self.io.poll_read(cx, &mut self.input, self.room)? {
                Poll::Pending => return Ok(false),
                Poll::Ready(0) => return Ok(true),
                Poll::Ready(count) => wire.counts().received.add(count as u64),
            }
            self.pinged = false;
            self.deadline.set(SILENCE);
            loop {
                let event = wire.connection.borrow_mut().read(&mut self.input)?;
                match event {
                    Some(event) => wire.dispatch(end, event),
                    None => break,
                }
            }
            // Credit and pongs wait for what the streams will have to say to what they just got.
            if wire.connection.borrow().wants_write() {
                wire.wake();
            }
        }
        wire.wake();
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use bailey_link::{RequestMeta, ResetReason, Settings};

    use super::*;

    /// Hands everything that `from` has to say to `to`.
    fn carry(from: &mut Connection, to: &mut Connection) -> Vec<Event> {
        let queued = from.queued();
        let mut bytes = BytesMut::from(&*from.output().copy_to_bytes(queued));
        std::iter::from_fn(|| to.read(&mut bytes).unwrap()).collect()
    }

    /// Two streams of one slot, one after the other.
    fn two_of_a_slot() -> (StreamId, StreamId) {
        let mut client = Connection::client(Settings::default());
        let mut server = Connection::server(Settings::default());
        carry(&mut server, &mut client);
        let first = client.open(&RequestMeta::default(), std::iter::empty(), true).unwrap();
        client.release(first, ResetReason::Cancelled);
        for event in carry(&mut client, &mut server) {
            if let Event::Reset { stream, .. } = event {
                server.release(stream, ResetReason::Cancelled);
            }
        }
        carry(&mut server, &mut client);
        let second = client.open(&RequestMeta::default(), std::iter::empty(), true).unwrap();
        assert_eq!(first.slot(), second.slot());
        (first, second)
    }

    #[test]
    fn a_task_that_still_holds_a_slots_old_stream_sees_nothing_of_the_new_one() {
        let (first, second) = two_of_a_slot();
        let wire = Wire::new(Connection::client(Settings::default()), Counter::default());
        let old = wire.claim(first);
        wire.deliver(first, Event::Capacity { stream: first });
        let new = wire.claim(second);
        wire.deliver(second, Event::Data { stream: second, data: Bytes::from_static(b"new"), end: true });
        assert!(old.is_empty());
        assert!(!new.is_empty());
        old.release(first);
        assert!(!new.is_empty(), "letting go of the old one leaves the new one alone");
    }
}
