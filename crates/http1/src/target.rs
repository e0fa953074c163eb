//! The path and query of a request. Decides which bytes a target may hold and which paths are ambiguous; which path
//! leads where is decided by the routing.

use std::fmt;

use bytes::Bytes;

use crate::{Refusal, class};

/// A request target in origin form: `/path?query`, or `*` for `OPTIONS *`. The bytes are kept as sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    text: Bytes,
    path_len: u32,
}

impl Target {
    /// `/`
    pub const ROOT: Self = Self { text: Bytes::from_static(b"/"), path_len: 1 };

    /// Checks `/path?query` or `*`; nothing is copied.
    pub fn from_bytes(text: Bytes) -> Result<Self, Refusal> {
        let star = text.as_ref() == b"*";
        if !star && (text.first() != Some(&b'/') || text.len() > u32::MAX as usize) {
            return Err(Refusal::Target);
        }
        if !text.iter().all(|&b| class::TARGET[b as usize]) {
            return Err(Refusal::Target);
        }
        let path_len = memchr::memchr(b'?', &text).unwrap_or(text.len()) as u32;
        Ok(Self { text, path_len })
    }

    /// The parser has checked the bytes.
    pub(crate) const fn from_checked(text: Bytes, path_len: u32) -> Self {
        Self { text, path_len }
    }

    /// The path with its leading slash, or `*`.
    pub fn path(&self) -> &[u8] {
        self.text.get(..self.path_len as usize).unwrap_or_default()
    }

    /// What follows the first `?`, if there is one.
    pub fn query(&self) -> Option<&[u8]> {
        self.text.get(self.path_len as usize + 1..)
    }

    /// Path and query as sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Path and query as shared bytes.
    pub const fn shared(&self) -> &Bytes {
        &self.text
    }

    /// True for `*`.
    pub fn is_asterisk(&self) -> bool {
        self.text.as_ref() == b"*"
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::ROOT
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.text.escape_ascii(), f)
    }
}

/// Refuses a path that an application could read as another path than the routing does: encoded `/`, `\`, `.` or NUL,
/// a raw `\` or NUL, a `%` that encodes nothing, empty segments, and the segments `.` and `..`. To be asked wherever a path decides.
pub fn check_path(path: &[u8]) -> Result<(), Refusal> {
    let Some(segments) = path.strip_prefix(b"/") else {
        return if path == b"*" { Ok(()) } else { Err(Refusal::AmbiguousPath) };
    };
    if memchr::memchr2(b'\\', 0, segments).is_some() {
        return Err(Refusal::AmbiguousPath);
    }
    if memchr::memchr(b'%', segments).is_some() {
        check_escapes(segments)?;
    }
    let mut rest = segments;
    while let Some(slash) = memchr::memchr(b'/', rest) {
        check_segment(&rest[..slash], false)?;
        rest = &rest[slash + 1..];
    }
    check_segment(rest, true)
}

const fn check_segment(segment: &[u8], last: bool) -> Result<(), Refusal> {
    match segment {
        // `..;` is `..` to servers with path parameters.
        b"." | b".." | [b'.', b';', ..] | [b'.', b'.', b';', ..] => Err(Refusal::AmbiguousPath),
        [] if !last => Err(Refusal::AmbiguousPath),
        _ => Ok(()),
    }
}

fn check_escapes(path: &[u8]) -> Result<(), Refusal> {
    let mut rest = path;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let digits = rest.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Refusal::AmbiguousPath);
        }
        if [b"00", b"2e", b"2f", b"5c"].iter().any(|bad| bad.eq_ignore_ascii_case(digits)) {
            return Err(Refusal::AmbiguousPath);
        }
        rest = &rest[at + 3..];
    }
    Ok(())
}
