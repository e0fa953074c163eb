//! Bytes that wait to be sent, in order: pieces of bodies as they are, short ones copied together.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::TcpStream;

use super::poll_write_slices;

/// Pieces shorter than this are copied together, longer ones are queued as they are.
const COPY_BELOW: usize = 1024;
/// Slices of one vectored write.
pub(super) const SLICES: usize = 16;

/// What waits to be sent, in order: whole pieces, then a tail that short pieces are copied to.
#[derive(Default)]
pub(super) struct Out {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    pub(super) len: usize,
}

impl Out {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push_slice(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    pub(super) fn push_with<R>(&mut self, write: impl FnOnce(&mut BytesMut) -> R) -> R {
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len += self.tail.len() - before;
        result
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_BELOW {
            return self.push_slice(&bytes);
        }
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.len += bytes.len();
        self.pieces.push_back(bytes);
    }

    pub(super) fn slices<'a>(&'a self, into: &mut [IoSlice<'a>; SLICES]) -> usize {
        let all = self.pieces.iter().map(AsRef::as_ref).chain(std::iter::once(self.tail.as_ref()));
        let mut count = 0;
        for (slot, piece) in into.iter_mut().zip(all.filter(|piece: &&[u8]| !piece.is_empty())) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    pub(super) fn consume(&mut self, mut count: usize) {
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

    pub(super) fn poll_write(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
}
