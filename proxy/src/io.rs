//! A connection's bytes: plain TCP or TLS, read into the caller's buffer, written once per turn.
//!
//! What to send is queued as plain bytes and leaves on [`Io::poll_flush`], so that a head, its body and what follows
//! share one record and one system call. Nothing is held while a connection is idle but what TLS itself needs. Knows
//! nothing of HTTP, of deadlines, or of limits beyond its own buffers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, BufRead, IoSlice, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use rustls::Connection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[cfg(test)]
mod tests;

/// Size of the per-thread buffer for TLS ciphertext.
const SCRATCH: usize = 64 * 1024;
/// Pieces shorter than this are copied together, longer ones are queued as they are.
const COPY_BELOW: usize = 1024;
/// Ciphertext that may wait inside rustls before more plaintext is encrypted.
const TLS_AHEAD: usize = 64 * 1024;
/// Slices of one vectored write.
const SLICES: usize = 16;

thread_local! {
    static CIPHERTEXT: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// A TCP connection, with or without TLS on it.
pub struct Io {
    stream: TcpStream,
    tls: Option<Box<Connection>>,
    out: Out,
    /// Decrypted bytes that nobody has taken yet.
    inbox: BytesMut,
    /// Plaintext given to rustls since it last had nothing to send.
    sealed: usize,
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
            sealed: 0,
            ended: false,
            closing: false,
            closed: false,
        }
    }

    /// A connection whose bytes go through `connection`. Complete the handshake with [`Io::poll_handshake`] first.
    pub fn tls(stream: TcpStream, mut connection: Connection) -> Self {
        connection.set_buffer_limit(None);
        Self { tls: Some(Box::new(connection)), ..Self::plain(stream) }
    }

    /// The TLS state, if there is TLS: peer certificates, ALPN, SNI.
    pub fn connection(&self) -> Option<&Connection> {
        self.tls.as_deref()
    }

    /// The socket, for its addresses and options.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Completes the TLS handshake; ready at once on a plain connection. On an error the alert has been sent as far as
    /// the socket took it.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(tls) = &mut self.tls else { return Poll::Ready(Ok(())) };
            while tls.wants_write() {
                ready!(poll_write_tls(&mut self.stream, tls, cx))?;
            }
            if !tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_receive(cx, SCRATCH))?;
            if self.ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Appends up to `room` bytes to `buf`; `Ok(0)` means that the peer has ended its direction. Keeps no buffer while
    /// it waits: call it with an empty `buf` without capacity when idle.
    ///
    /// A TLS connection cut without `close_notify` is an error, so that a body cut short is never taken for a whole one.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut, room: usize) -> Poll<io::Result<usize>> {
        if self.ended && self.inbox.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.tls.is_some() { self.poll_read_tls(cx, buf, room) } else { self.poll_read_plain(cx, buf, room) }
    }

    fn poll_read_plain(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut, room: usize) -> Poll<io::Result<usize>> {
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
        if self.inbox.is_empty() {
            ready!(self.poll_receive(cx, room.clamp(1024, SCRATCH)))?;
        }
        let count = self.inbox.len();
        if buf.is_empty() {
            *buf = std::mem::take(&mut self.inbox);
        } else {
            buf.unsplit(std::mem::take(&mut self.inbox));
        }
        Poll::Ready(Ok(count))
    }

    /// Reads ciphertext until some of it gives plaintext or the peer ends; the plaintext is in the inbox then. What TLS
    /// itself wants to say (key updates, alerts) is sent as far as the socket takes it.
    fn poll_receive(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<()>> {
        let Self { stream, tls: Some(tls), inbox, ended, .. } = self else { return Poll::Ready(Ok(())) };
        loop {
            let was_handshaking = tls.is_handshaking();
            ready!(CIPHERTEXT.with_borrow_mut(|scratch| {
                let mut into = ReadBuf::new(&mut scratch[..room]);
                ready!(Pin::new(&mut *stream).poll_read(cx, &mut into))?;
                Poll::Ready(open(tls, into.filled(), inbox, ended))
            }))
            .inspect_err(|_| {
                // The alert explains it to the peer; whether it arrives is not worth waiting for.
                let _ = poll_write_tls(stream, tls, cx);
            })?;
            if tls.wants_write() && self.sealed == 0 {
                let _ = poll_write_tls(stream, tls, cx)?;
            }
            if was_handshaking || !inbox.is_empty() || *ended {
                return Poll::Ready(Ok(()));
            }
        }
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
        self.out.len + self.sealed
    }

    /// Sends what is queued. Ready when all of it has left for the kernel.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, tls, out, sealed, .. } = self;
        let Some(tls) = tls else { return out.poll_write(stream, cx) };
        loop {
            while !out.is_empty() && *sealed < TLS_AHEAD {
                *sealed += out.seal(tls)?;
            }
            while tls.wants_write() {
                ready!(poll_write_tls(stream, tls, cx))?;
            }
            *sealed = 0;
            if out.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Sends what is queued, then ends our direction: `close_notify` where there is TLS, and FIN.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        if !self.closing {
            self.closing = true;
            if let Some(tls) = &mut self.tls {
                tls.send_close_notify();
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

/// Feeds one read of ciphertext to TLS and moves what it decrypts to `inbox` at once, because rustls refuses ciphertext
/// while much plaintext waits. An empty read is the end of the stream, and an error without a `close_notify` before it.
fn open(tls: &mut Connection, mut ciphertext: &[u8], inbox: &mut BytesMut, ended: &mut bool) -> io::Result<()> {
    if ciphertext.is_empty() {
        tls.read_tls(&mut ciphertext)?;
        if tls.is_handshaking() {
            *ended = true;
            return Ok(());
        }
        return drain_plaintext(tls, inbox, ended);
    }
    inbox.reserve(ciphertext.len());
    while !ciphertext.is_empty() && !*ended {
        tls.read_tls(&mut ciphertext)?;
        tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        drain_plaintext(tls, inbox, ended)?;
    }
    Ok(())
}

/// Moves what TLS has decrypted to `inbox`, and notes a clean end.
fn drain_plaintext(tls: &mut Connection, inbox: &mut BytesMut, ended: &mut bool) -> io::Result<()> {
    let mut reader = tls.reader();
    loop {
        let count = match reader.fill_buf() {
            Ok([]) => {
                *ended = true;
                return Ok(());
            }
            Ok(chunk) => {
                inbox.extend_from_slice(chunk);
                chunk.len()
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        reader.consume(count);
    }
}

fn poll_write_tls(stream: &mut TcpStream, tls: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    match tls.write_tls(&mut Socket { stream, cx }) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        other => Poll::Ready(other),
    }
}

/// A socket as `std::io::Write`: `WouldBlock` means that the task is registered for readiness.
struct Socket<'a, 'b> {
    stream: &'a mut TcpStream,
    cx: &'a mut Context<'b>,
}

impl Write for Socket<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        blocking(Pin::new(&mut *self.stream).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        blocking(poll_write_slices(self.stream, self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes slices; a single one by `send`, which costs the kernel less than `writev`.
fn poll_write_slices(stream: &mut TcpStream, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    match slices {
        [one] => Pin::new(stream).poll_write(cx, one),
        _ => Pin::new(stream).poll_write_vectored(cx, slices),
    }
}

fn blocking<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// What waits to be sent, in order: whole pieces, then a tail that short pieces are copied to.
#[derive(Default)]
struct Out {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Out {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push_slice(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    fn push_with<R>(&mut self, write: impl FnOnce(&mut BytesMut) -> R) -> R {
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len += self.tail.len() - before;
        result
    }

    fn push(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_BELOW {
            return self.push_slice(&bytes);
        }
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.len += bytes.len();
        self.pieces.push_back(bytes);
    }

    fn slices<'a>(&'a self, into: &mut [IoSlice<'a>; SLICES]) -> usize {
        let all = self.pieces.iter().map(AsRef::as_ref).chain(std::iter::once(self.tail.as_ref()));
        let mut count = 0;
        for (slot, piece) in into.iter_mut().zip(all.filter(|piece: &&[u8]| !piece.is_empty())) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    fn consume(&mut self, mut count: usize) {
        self.len -= count;
        while let Some(first) = self.pieces.front_mut() {
            if count < first.len() {
                return first.advance(count);
            }
            count -= first.len();
            self.pieces.pop_front();
        }
        self.tail.advance(count);
        if self.len == 0 {
            // An idle connection holds no buffer.
            self.tail = BytesMut::new();
            self.pieces.shrink_to(0);
        }
    }

    fn poll_write(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.slices(&mut slices);
            let sent = ready!(poll_write_slices(stream, cx, &slices[..count]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.consume(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Encrypts the next pieces; several of them share a record.
    fn seal(&mut self, tls: &mut Connection) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.slices(&mut slices);
        let sealed = tls.writer().write_vectored(&slices[..count])?;
        if sealed == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.consume(sealed);
        Ok(sealed)
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.tls.is_none() {
            return Pin::new(&mut this.stream).poll_read(cx, into);
        }
        if this.inbox.is_empty() && !this.ended {
            ready!(this.poll_receive(cx, SCRATCH / 4))?;
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
        let this = self.get_mut();
        let Self { stream, tls, sealed, .. } = this;
        let Some(tls) = tls else { return poll_write_slices(stream, cx, slices) };
        if *sealed >= TLS_AHEAD {
            ready!(this.poll_flush(cx))?;
            return Pin::new(this).poll_write_vectored(cx, slices);
        }
        let count = tls.writer().write_vectored(slices)?;
        *sealed += count;
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        // Each write makes a TLS record, so a caller had better join its pieces first.
        self.tls.is_none()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_shutdown(cx)
    }
}
