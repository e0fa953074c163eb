//! Content-Length and Transfer-Encoding: the two fields that decide where a message ends.

use crate::hop_by_hop::tokens;
use crate::{Refusal, Version, class};

/// What the framing fields of one message said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Framing {
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
}

impl Framing {
    /// Takes a Content-Length: one field, 1 to 19 digits, no leading zero. Even an equal second one is refused, for a
    /// list of equal numbers (RFC 9112 section 6.3) is an invitation to disagree.
    pub(crate) fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let plain = matches!(value, [b'0'] | [b'1'..=b'9', ..]) && value.len() <= 19;
        if self.length.is_some() || !plain || !value.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::ContentLength);
        }
        self.length = Some(value.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')));
        Ok(())
    }

    /// Takes a Transfer-Encoding: one field, exactly `chunked`.
    pub(crate) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked {
            return Err(Refusal::TransferEncoding);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(if is_unknown_coding(value) { Refusal::UnknownCoding } else { Refusal::TransferEncoding });
        }
        self.chunked = true;
        Ok(())
    }

    /// Refuses `Transfer-Encoding` in HTTP/1.0, which nobody agrees on.
    pub(crate) fn check_version(self, version: Version) -> Result<(), Refusal> {
        if self.chunked && version == Version::Http10 { Err(Refusal::TransferEncoding) } else { Ok(()) }
    }
}

/// True for a well-formed list of codings in which `chunked` comes at most once and last: honest, but not for us.
fn is_unknown_coding(value: &[u8]) -> bool {
    let mut ended = false;
    for coding in tokens(value) {
        if ended || !class::is_token(coding) {
            return false;
        }
        ended = coding.eq_ignore_ascii_case(b"chunked");
    }
    true
}
