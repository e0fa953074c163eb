//! Counts the frames of an HTTP/2 client before the codec sees them, so that floods end early and cheaply.
//!
//! The codec is correct but patient: it answers any number of PINGs. Here every kind of frame that costs more to serve
//! than to send has a rate; a connection above it reads nothing more and is told `ENHANCE_YOUR_CALM` by its front. An
//! honest client that downloads fast sends many `WINDOW_UPDATE`s: those are measured against the bytes it was sent.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bailey_crds::Http2Limits;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::io::Io;
use crate::metrics::Limit;
use crate::timer::Wheel;

#[cfg(test)]
mod tests;

const PREFACE: usize = 24;
/// Room for what is read over at the end.
const LEFT_OVER: usize = 4 * 1024;
const FRAME_HEADER: usize = 9;
/// Ticks in a second.
const SECOND: u64 = 10;

/// Frames a second of kinds that HTTP/2 does not define.
const UNKNOWN: u32 = 100;

/// An honest client opens the window by at least so many bytes at a time.
const BYTES_PER_UPDATE: u64 = 512;
/// The most unused allowance for `WINDOW_UPDATE`s.
const MAX_ALLOWANCE: u64 = 100_000;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// The kind of frame a client sent too many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// DATA without content that ends nothing.
    EmptyData,
    /// PRIORITY.
    Priority,
    /// `RST_STREAM`.
    Reset,
    /// SETTINGS.
    Settings,
    /// PING.
    Ping,
    /// `WINDOW_UPDATE`.
    WindowUpdate,
    /// CONTINUATION within one head.
    Continuation,
    /// Kinds that HTTP/2 does not define.
    Unknown,
}

impl Flood {
    /// The limit it passed; none of the API's for kinds that HTTP/2 does not define.
    pub fn limit(self) -> Option<Limit> {
        match self {
            Self::EmptyData => Some(Limit::EmptyData),
            Self::Priority => Some(Limit::Priorities),
            Self::Reset => Some(Limit::EarlyResetsPerSecond),
            Self::Settings => Some(Limit::Settings),
            Self::Ping => Some(Limit::Pings),
            Self::WindowUpdate => Some(Limit::WindowUpdates),
            Self::Continuation => Some(Limit::Continuations),
            Self::Unknown => None,
        }
    }
}

/// How many frames of each kind a client may send: a second, but for the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRates {
    /// DATA without content that ends nothing.
    pub empty_data: u32,
    /// PRIORITY.
    pub priorities: u32,
    /// `RST_STREAM`.
    pub resets: u32,
    /// SETTINGS.
    pub settings: u32,
    /// PING.
    pub pings: u32,
    /// `WINDOW_UPDATE`s beyond those that what was sent explains.
    pub window_updates: u32,
    /// CONTINUATIONs of one head.
    pub continuations: u32,
}

impl FrameRates {
    /// Those of a tier's limits.
    pub fn of(limits: &Http2Limits) -> Self {
        Self {
            empty_data: limits.empty_data_per_second,
            priorities: limits.priorities_per_second,
            resets: limits.early_resets_per_second,
            settings: limits.settings_per_second,
            pings: limits.pings_per_second,
            window_updates: limits.window_updates_per_second,
            continuations: limits.continuations,
        }
    }
}

/// What is known of the frame stream; sans I/O.
#[derive(Debug)]
pub struct Counter {
    limits: FrameRates,
    /// Bytes of the preface, or of a payload, still to be skipped.
    skip: usize,
    header: [u8; FRAME_HEADER],
    have: usize,
    window: u64,
    rates: [u32; 7],
    continuations: u32,
    in_head: bool,
    allowance: u64,
}

impl Counter {
    /// The count before the first byte.
    pub fn new(limits: FrameRates) -> Self {
        Self {
            limits,
            skip: PREFACE,
            header: [0; FRAME_HEADER],
            have: 0,
            window: 0,
            rates: [0; 7],
            continuations: 0,
            in_head: false,
            allowance: 0,
        }
    }

    /// Looks at the next bytes from the client, at this tick.
    pub fn read(&mut self, mut bytes: &[u8], tick: u64) -> Result<(), Flood> {
        if tick / SECOND != self.window {
            self.window = tick / SECOND;
            self.rates = [0; 7];
        }
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (FRAME_HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == FRAME_HEADER {
                self.have = 0;
                self.frame()?;
            }
        }
        Ok(())
    }

    /// Bytes were sent to the client, which it may answer by opening its window.
    pub fn sent(&mut self, bytes: usize) {
        // Two updates for each portion: one for the stream, one for the connection.
        let earned = 2 * (bytes as u64).div_ceil(BYTES_PER_UPDATE);
        self.allowance = (self.allowance + earned).min(MAX_ALLOWANCE);
    }

    /// A head has begun and not ended.
    pub fn is_in_head(&self) -> bool {
        self.in_head
    }

    fn frame(&mut self) -> Result<(), Flood> {
        let [a, b, c, kind, flags, ..] = self.header;
        self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
        let limits = self.limits;
        match kind {
            0 if self.skip == 0 && flags & END_STREAM == 0 => self.count(0, limits.empty_data, Flood::EmptyData),
            1 => {
                self.continuations = 0;
                self.in_head = flags & END_HEADERS == 0;
                Ok(())
            }
            2 => self.count(1, limits.priorities, Flood::Priority),
            3 => self.count(2, limits.resets, Flood::Reset),
            4 => self.count(3, limits.settings, Flood::Settings),
            6 => self.count(4, limits.pings, Flood::Ping),
            8 if self.allowance > 0 => {
                self.allowance -= 1;
                Ok(())
            }
            8 => self.count(5, limits.window_updates, Flood::WindowUpdate),
            9 => {
                self.continuations += 1;
                self.in_head = flags & END_HEADERS == 0;
                if self.continuations > limits.continuations { Err(Flood::Continuation) } else { Ok(()) }
            }
            // DATA with content, PUSH_PROMISE, GOAWAY: the codec's business.
            0 | 5 | 7 => Ok(()),
            _ => self.count(6, UNKNOWN, Flood::Unknown),
        }
    }

    fn count(&mut self, rate: usize, limit: u32, flood: Flood) -> Result<(), Flood> {
        self.rates[rate] += 1;
        if self.rates[rate] > limit { Err(flood) } else { Ok(()) }
    }
}

/// What the guard tells the front of its connection.
#[derive(Debug, Default)]
pub struct Watched {
    /// The client has to go; nothing of it is read any more.
    pub flood: Cell<Option<Flood>>,
    /// A head has begun and not ended.
    pub in_head: Cell<bool>,
    /// All was sent, our direction is closed, and the client is yet to close its own.
    pub closing: Cell<bool>,
}

/// A connection whose frames are counted on their way to the codec.
pub struct Guard {
    io: Io,
    counter: Counter,
    wheel: Wheel,
    watched: Rc<Watched>,
}

impl Guard {
    /// Guards a connection; the second value is how its front learns of a flood.
    pub fn new(io: Io, wheel: Wheel, limits: FrameRates) -> (Self, Rc<Watched>) {
        let watched = Rc::<Watched>::default();
        (Self { io, counter: Counter::new(limits), wheel, watched: watched.clone() }, watched)
    }
}

impl AsyncRead for Guard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watched.flood.get().is_some() {
            // The front looks at the flood after this poll and ends the connection.
            return Poll::Pending;
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, into))?;
        match this.counter.read(&into.filled()[before..], this.wheel.now()) {
            Ok(()) => {
                this.watched.in_head.set(this.counter.is_in_head());
                Poll::Ready(Ok(()))
            }
            Err(flood) => {
                into.set_filled(before);
                this.watched.flood.set(Some(flood));
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = ready!(Pin::new(&mut this.io).poll_write(cx, bytes))?;
        this.counter.sent(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = ready!(Pin::new(&mut this.io).poll_write_vectored(cx, slices))?;
        this.counter.sent(sent);
        Poll::Ready(Ok(sent))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io.poll_flush(cx)
    }

    /// Ends our direction and then reads over what the client still sends: closing on unread bytes would be a reset,
    /// which could take the GOAWAY out of the client's hands. How long is up to the front.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.watched.closing.get() {
            ready!(this.io.poll_shutdown(cx))?;
            this.watched.closing.set(true);
        }
        let mut over = BytesMut::new();
        while matches!(ready!(this.io.poll_read(cx, &mut over, LEFT_OVER)), Ok(1..)) {
            over.clear();
        }
        Poll::Ready(Ok(()))
    }
}
