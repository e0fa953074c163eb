//! Puts a body into the bytes of a connection. Writes what stands around the content; the content itself can be sent
//! from where it is.

use bytes::BytesMut;

use crate::hop_by_hop::Kind;
use crate::{BodyLength, Fields};

/// Writes the framing of one body.
///
/// For every piece of content: [`BodyEncoder::before`], the content, [`BodyEncoder::after`]; small pieces go through
/// [`BodyEncoder::append`]. At last [`BodyEncoder::end`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyEncoder {
    /// Nothing more may be written.
    #[default]
    Done,
    /// That many bytes are still to come.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Raw, ended by closing the connection.
    UntilClose,
}

/// More or less content than announced. The connection has to be cut, for its peer waits for another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body has not the announced length")]
pub struct WrongLength;

impl BodyEncoder {
    /// An encoder for a body of that length; an unknown one is sent in chunks.
    pub const fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::None => Self::Done,
            BodyLength::Length(n) => Self::Length(n),
            BodyLength::Unknown => Self::Chunked,
            BodyLength::UntilClose => Self::UntilClose,
        }
    }

    /// True if the end was written, or no byte is missing.
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Done | Self::Length(0))
    }

    /// Writes what stands before `len` bytes of content. Without content nothing is written, for an empty chunk would
    /// end the body.
    pub fn before(&mut self, len: usize, out: &mut BytesMut) -> Result<(), WrongLength> {
        match self {
            Self::Done if len > 0 => return Err(WrongLength),
            Self::Length(left) => *left = left.checked_sub(len as u64).ok_or(WrongLength)?,
            Self::Chunked if len > 0 => {
                hexadecimal(len, out);
                out.extend_from_slice(b"\r\n");
            }
            Self::Done | Self::Chunked | Self::UntilClose => {}
        }
        Ok(())
    }

    /// Writes what stands after `len` bytes of content.
    pub fn after(self, len: usize, out: &mut BytesMut) {
        if self == Self::Chunked && len > 0 {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes a small piece of content with all that belongs around it.
    pub fn append(&mut self, data: &[u8], out: &mut BytesMut) -> Result<(), WrongLength> {
        self.before(data.len(), out)?;
        out.extend_from_slice(data);
        self.after(data.len(), out);
        Ok(())
    }

    /// Writes the end. Trailers travel only in chunks and are dropped otherwise.
    pub fn end(&mut self, trailers: Option<&Fields>, out: &mut BytesMut) -> Result<(), WrongLength> {
        match std::mem::take(self) {
            Self::Done | Self::Length(0) | Self::UntilClose => Ok(()),
            Self::Length(_) => Err(WrongLength),
            Self::Chunked => {
                out.extend_from_slice(b"0\r\n");
                if let Some(trailers) = trailers {
                    trailers.write_to(out, |kind| kind == Kind::EndToEnd);
                }
                out.extend_from_slice(b"\r\n");
                Ok(())
            }
        }
    }
}

/// Appends a number in hexadecimal digits.
fn hexadecimal(n: usize, out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0_u8; 16];
    let mut at = text.len();
    let mut n = n;
    loop {
        at -= 1;
        text[at] = DIGITS[n & 15];
        n >>= 4;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}
