//! Bytes on their way to the peer, in order. Small frames are gathered in one buffer, large payloads are queued as they are.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::replace;

use bytes::{Buf, Bytes};

/// A payload of at least this size is queued without copying.
const QUEUE_AS_IS: usize = 16 * 1024;
/// Written bytes at the front of the buffer are dropped when they reach this and half of it.
const COMPACT: usize = 64 * 1024;
/// A larger buffer is given back once it is empty.
const KEEP: usize = 512 * 1024;

/// What is to be written, as a [`Buf`]: write `chunk` or `chunks_vectored`, then `advance` by what was taken.
#[derive(Debug, Default)]
pub struct Output {
    /// Frames and small payloads; `..read` is written already.
    gathered: Vec<u8>,
    read: usize,
    /// Payloads that come before the given position of `gathered`.
    queued: VecDeque<(usize, Bytes)>,
    queued_bytes: usize,
    written: u64,
}

impl Output {
    /// The buffer to append frames to.
    pub(crate) fn gathered(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Everything that was ever written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn payload(&mut self, data: Bytes) {
        if data.len() < QUEUE_AS_IS {
            self.gathered.extend_from_slice(&data);
        } else {
            self.queued_bytes += data.len();
            self.queued.push_back((self.gathered.len(), data));
        }
    }

    /// Gathered bytes before the next queued payload.
    fn run(&self) -> &[u8] {
        let end = self.queued.front().map_or(self.gathered.len(), |(at, _)| *at);
        &self.gathered[self.read..end]
    }

    fn tidy(&mut self) {
        if self.read == self.gathered.len() && self.queued.is_empty() {
            self.gathered.clear();
            self.read = 0;
            if self.gathered.capacity() > KEEP {
                self.gathered.shrink_to(KEEP);
            }
        } else if self.read >= COMPACT && self.read >= self.gathered.len() / 2 {
            self.gathered.drain(..self.read);
            for (at, _) in &mut self.queued {
                *at -= self.read;
            }
            self.read = 0;
        }
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.gathered.len() - self.read + self.queued_bytes
    }

    fn chunk(&self) -> &[u8] {
        match self.queued.front() {
            Some((at, data)) if *at == self.read => data,
            _ => self.run(),
        }
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut from = self.read;
        let queued =
            self.queued.iter().flat_map(|(at, data)| [&self.gathered[replace(&mut from, *at)..*at], &data[..]]);
        let last = self.queued.back().map_or(self.read, |(at, _)| *at);
        let pieces = queued.chain([&self.gathered[last..]]).filter(|piece| !piece.is_empty());
        let mut filled = 0;
        for (slot, piece) in into.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        self.written += count as u64;
        while count > 0 {
            let run = self.run().len();
            if run > 0 {
                let step = run.min(count);
                self.read += step;
                count -= step;
                continue;
            }
            let (_, data) = self.queued.front_mut().expect("advance stays within remaining");
            let step = data.len().min(count);
            data.advance(step);
            if data.is_empty() {
                self.queued.pop_front();
            }
            self.queued_bytes -= step;
            count -= step;
        }
        self.tidy();
    }
}
