//! Request methods. Decides which bytes name a method; which methods are served is decided elsewhere.

use std::fmt;

use crate::class;

/// Longest method name Bailey reads, in bytes.
pub const MAX_METHOD: usize = 32;

/// A request method (RFC 9110 section 9), case-sensitive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `PATCH`
    Patch,
    /// `CONNECT`
    Connect,
    /// `TRACE`
    Trace,
    /// Any other token.
    Other(OtherMethod),
}

/// The name of a method without a variant of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OtherMethod {
    len: u8,
    name: [u8; MAX_METHOD],
}

const KNOWN: [(&str, Method); 9] = [
    ("GET", Method::Get),
    ("HEAD", Method::Head),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("DELETE", Method::Delete),
    ("OPTIONS", Method::Options),
    ("PATCH", Method::Patch),
    ("CONNECT", Method::Connect),
    ("TRACE", Method::Trace),
];

impl Method {
    /// Reads a method name. `None` if it is empty, longer than 32 bytes, no token, or a known method in other letters
    /// (`get`), which an application might take for the known one.
    pub fn from_bytes(name: &[u8]) -> Option<Self> {
        if name == b"GET" {
            return Some(Self::Get);
        }
        if let Some((_, method)) = KNOWN.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)) {
            return (method.as_str().as_bytes() == name).then_some(*method);
        }
        if name.len() > MAX_METHOD || !class::is_token(name) {
            return None;
        }
        let mut other = OtherMethod { len: name.len() as u8, name: [0; MAX_METHOD] };
        other.name[..name.len()].copy_from_slice(name);
        Some(Self::Other(other))
    }

    /// The name as written on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Connect => "CONNECT",
            Self::Trace => "TRACE",
            Self::Other(other) => str::from_utf8(&other.name[..usize::from(other.len)]).unwrap_or_default(),
        }
    }

    /// True if repeating the request has the same effect as sending it once (RFC 9110 section 9.2.2).
    pub const fn is_idempotent(&self) -> bool {
        match self {
            Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options | Self::Trace => true,
            Self::Post | Self::Patch | Self::Connect | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
