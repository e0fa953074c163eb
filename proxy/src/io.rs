//! A connection's bytes: plain TCP or TLS, read into the caller's buffer, written once per turn.
//!
//! What to send is queued as plain bytes and leaves on [`Io::poll_flush`], so that a head, its body and what follows
//! share one record and one system call. Nothing is held while a connection is idle but what TLS itself needs. Knows
//! nothing of HTTP, of deadlines, or of limits beyond its own buffers.

mod out;
mod session;

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use rustls::CommonState;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use out::{Out, SLICES};
use session::Scratch;
pub use session::{Refused, Session};

#[cfg(test)]
mod tests;

/// Least room for a read of ciphertext.
const LEAST: usize = 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// A TCP connection, with or without TLS on it.
pub struct Io {
    stream: TcpStream,
    tls: Option<Box<Session>>,
    out: Out,
    /// Decrypted bytes that nobody has taken yet.
    inbox: BytesMut,
    /// The peer ended its direction cleanly.
    ended: bool,
    /// `close_notify` was queued.
    closing: bool,
    /// Our direction has ended; asking again changes nothing.
    closed: bool,
}

impl Io {
    /// A connection without TLS.
    pub fn plain(stream: TcpStream) -> Self {
        Self {
            stream,
            tls: None,
            out: Out::default(),
            inbox: BytesMut::new(),
            ended: false,
            closing: false,
            closed: false,
        }
    }

    /// A connection whose bytes go through `session`. Complete the handshake with [`Io::poll_handshake`] first.
    pub fn tls(stream: TcpStream, session: Session) -> Self {
        Self { tls: Some(Box::new(session)), ..Self::plain(stream) }
    }

    /// What TLS has agreed on, if there is TLS: ALPN, version, certificates.
    pub fn connection(&self) -> Option<&CommonState> {
        self.tls.as_ref().map(|session| session.state())
    }

    /// The socket, for its addresses and options.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Completes the TLS handshake; ready at once on a plain connection. On an error the alert has been sent as far as
    /// the socket took it.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(session) = &mut self.tls else { return Poll::Ready(Ok(())) };
            ready!(poll_send(&mut self.stream, session, cx))?;
            if !session.state().is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            ready!(poll_receive(&mut self.stream, session, cx, usize::MAX, &mut self.inbox))?;
            if session.ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Appends up to `room` bytes to `buf`, rounded up to whole records where there is TLS; `Ok(0)` means that the peer has
    /// ended its direction. Keeps no buffer while it waits: call it with an empty `buf` without capacity when idle.
    ///
    /// A TLS connection cut without `close_notify` is an error, so that a body cut short is never taken for a whole one.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut, room: usize) -> Poll<io::Result<usize>> {
        if self.tls.is_some() { self.poll_read_tls(cx, buf, room) } else { self.poll_read_plain(cx, buf, room) }
    }

    fn poll_read_plain(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut, room: usize) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        // Nothing is allocated for a connection that has nothing to say.
        ready!(self.stream.poll_read_ready(cx))?;
        buf.reserve(room);
        let read = pin!(self.stream.read_buf(buf)).poll(cx);
        if let Poll::Ready(Ok(0)) = read {
            self.ended = true;
        }
        read
    }

    fn poll_read_tls(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut, room: usize) -> Poll<io::Result<usize>> {
        if !self.inbox.is_empty() {
            let count = self.inbox.len();
            buf.unsplit(std::mem::take(&mut self.inbox));
            return Poll::Ready(Ok(count));
        }
        let Self { stream, tls: Some(session), .. } = self else { return Poll::Ready(Ok(0)) };
        let before = buf.len();
        while buf.len() == before && !session.ended {
            ready!(poll_receive(stream, session, cx, room, buf))?;
        }
        Poll::Ready(Ok(buf.len() - before))
    }

    /// Queues a short piece, a head for example, by copying it.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.out.push_slice(bytes);
    }

    /// Lets `write` append to the tail of the out buffer directly, for encoders.
    pub fn queue_with<R>(&mut self, write: impl FnOnce(&mut BytesMut) -> R) -> R {
        self.out.push_with(write)
    }

    /// Queues a piece of a body without copying it, unless it is short.
    pub fn queue_bytes(&mut self, bytes: Bytes) {
        self.out.push(bytes);
    }

    /// Bytes that were queued and have not left for the kernel yet.
    pub fn unsent(&self) -> usize {
        self.out.len + self.tls.as_ref().map_or(0, |session| session.outgoing.len())
    }

    /// Sends what is queued. Ready when all of it has left for the kernel.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, tls, out, .. } = self;
        let Some(session) = tls else { return out.poll_write(stream, cx) };
        while !out.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = out.slices(&mut slices);
            let taken = ready!(poll_seal(stream, session, cx, &slices[..count]))?;
            out.consume(taken);
        }
        poll_send(stream, session, cx)
    }

    /// Sends what is queued, then ends our direction: `close_notify` where there is TLS, and FIN.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        if !self.closing {
            self.closing = true;
            if let Some(session) = &mut self.tls {
                session.close();
            }
        }
        ready!(self.poll_flush(cx))?;
        if !self.closed {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.closed = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads ciphertext once; what it decrypts to is appended to `plain`. What TLS itself wants to say (key updates, alerts) is
/// sent as far as the socket takes it.
fn poll_receive(
    stream: &mut TcpStream,
    session: &mut Session,
    cx: &mut Context<'_>,
    room: usize,
    plain: &mut BytesMut,
) -> Poll<io::Result<()>> {
    // The rest of a record that has begun is asked for whole.
    let room = if session.has_partial() { usize::MAX } else { room.max(LEAST) };
    ready!(stream.poll_read_ready(cx))?;
    let opened = ready!(SCRATCH.with_borrow_mut(|Scratch { sealed, .. }| {
        let staged = session.stage(sealed);
        let end = staged.saturating_add(room).min(sealed.len());
        let mut into = ReadBuf::new(&mut sealed[..end]);
        into.set_filled(staged);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut into))?;
        let filled = into.filled().len();
        if filled == staged {
            return Poll::Ready(session.cut());
        }
        plain.reserve(filled);
        Poll::Ready(session.open(&mut sealed[..filled], plain))
    }));
    // Whether an alert arrives is not worth waiting for.
    let _ = poll_send(stream, session, cx);
    Poll::Ready(opened)
}

/// Encrypts some of `slices`, sends it as far as the socket takes it, and says how much plaintext that was. Pending while
/// ciphertext of before waits for the socket.
fn poll_seal(
    stream: &mut TcpStream,
    session: &mut Session,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    ready!(poll_send(stream, session, cx))?;
    SCRATCH.with_borrow_mut(|scratch| {
        let (taken, made) = session.seal(slices, scratch)?;
        let sealed = &scratch.sealed[..made];
        let sent = match Pin::new(stream).poll_write(cx, sealed) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => 0,
        };
        session.outgoing.extend_from_slice(&sealed[sent..]);
        Poll::Ready(Ok(taken))
    })
}

/// Sends the ciphertext that waits.
fn poll_send(stream: &mut TcpStream, session: &mut Session, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    while !session.outgoing.is_empty() {
        let sent = ready!(Pin::new(&mut *stream).poll_write(cx, &session.outgoing))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        session.outgoing.advance(sent);
        if session.outgoing.is_empty() {
            session.outgoing = BytesMut::new();
        }
    }
    Poll::Ready(Ok(()))
}

/// Writes slices; a single one by `send`, which costs the kernel less than `writev`.
fn poll_write_slices(stream: &mut TcpStream, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    match slices {
        [one] => Pin::new(stream).poll_write(cx, one),
        _ => Pin::new(stream).poll_write_vectored(cx, slices),
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(session) = &mut this.tls else { return Pin::new(&mut this.stream).poll_read(cx, into) };
        while this.inbox.is_empty() && !session.ended {
            ready!(poll_receive(&mut this.stream, session, cx, into.remaining(), &mut this.inbox))?;
        }
        let count = this.inbox.len().min(into.remaining());
        into.put_slice(&this.inbox[..count]);
        this.inbox.advance(count);
        if this.inbox.is_empty() {
            this.inbox = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, tls, .. } = self.get_mut();
        match tls {
            Some(session) => poll_seal(stream, session, cx, slices),
            None => poll_write_slices(stream, cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_shutdown(cx)
    }
}
