//! The host and port a request is for. Decides what a valid host is and its one canonical form; who owns it is decided
//! by the routing.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::Refusal;

/// Longest host name in bytes (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 253;

/// A host in canonical form (lower case, no trailing dot) and the port, if one was sent.
///
/// A host is a name of letters, digits, `-`, `_` and single dots, or an IPv6 address in brackets. Percent-encoding,
/// user information and bytes outside ASCII are refused, so that one host has one spelling.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Authority {
    host: Bytes,
    port: Option<u16>,
}

/// Where in a checked `host[:port]` text the host is (still in the sender's letters), and the port.
pub(crate) struct Parts {
    pub(crate) host: Range<usize>,
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// Reads `host[:port]` as sent in Host or `:authority`.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let parts = check(text)?;
        let mut host = BytesMut::from(&text[parts.host]);
        host.make_ascii_lowercase();
        Ok(Self { host: host.freeze(), port: parts.port })
    }

    /// An authority whose host is already canonical, without copying it; refused if it is not.
    pub fn from_canonical(host: Bytes, port: Option<u16>) -> Result<Self, Refusal> {
        let parts = check(&host)?;
        let canonical =
            parts.port.is_none() && parts.host == (0..host.len()) && !host.iter().any(u8::is_ascii_uppercase);
        if canonical { Ok(Self { host, port }) } else { Err(Refusal::InvalidHost) }
    }

    /// The parser has checked and lower-cased the host.
    pub(crate) const fn from_checked(host: Bytes, port: Option<u16>) -> Self {
        Self { host, port }
    }

    /// The host: lower case, no trailing dot, an IPv6 address with its brackets.
    pub fn host(&self) -> &[u8] {
        &self.host
    }

    /// The host as text.
    pub fn host_str(&self) -> &str {
        // Only ASCII passes the check.
        str::from_utf8(&self.host).unwrap_or_default()
    }

    /// The host as shared bytes.
    pub const fn host_bytes(&self) -> &Bytes {
        &self.host
    }

    /// The port, if one was sent.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// True before a request's host is known.
    pub fn is_empty(&self) -> bool {
        self.host.is_empty()
    }

    /// Appends `host` or `host:port`.
    pub fn write_to(&self, out: &mut BytesMut) {
        out.extend_from_slice(&self.host);
        if let Some(port) = self.port {
            out.extend_from_slice(b":");
            crate::encode::decimal(u64::from(port), out);
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host_str())?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes `host[:port]` apart and checks both.
pub(crate) fn check(text: &[u8]) -> Result<Parts, Refusal> {
    if text.first() == Some(&b'[') { check_ipv6(text) } else { check_name(text) }
}

fn check_name(text: &[u8]) -> Result<Parts, Refusal> {
    let mut after_dot = true;
    let mut end = text.len();
    for (i, &b) in text.iter().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => after_dot = false,
            b'.' if !after_dot => after_dot = true,
            b':' => {
                end = i;
                break;
            }
            _ => return Err(Refusal::InvalidHost),
        }
    }
    let port = port(&text[end..])?;
    // One trailing dot marks the name as absolute and names the same host.
    let host_end = if after_dot && end > 0 { end - 1 } else { end };
    if host_end == 0 || host_end > MAX_HOST {
        return Err(Refusal::InvalidHost);
    }
    Ok(Parts { host: 0..host_end, port })
}

fn check_ipv6(text: &[u8]) -> Result<Parts, Refusal> {
    let close = memchr::memchr(b']', text).ok_or(Refusal::InvalidHost)?;
    let address = str::from_utf8(&text[1..close]).map_err(|_| Refusal::InvalidHost)?;
    address.parse::<std::net::Ipv6Addr>().map_err(|_| Refusal::InvalidHost)?;
    Ok(Parts { host: 0..close + 1, port: port(&text[close + 1..])? })
}

/// Reads an empty text or `:` and a port from 1 to 65,535 without leading zeros.
fn port(text: &[u8]) -> Result<Option<u16>, Refusal> {
    let digits = match text {
        [] => return Ok(None),
        [b':', digits @ ..] => digits,
        _ => return Err(Refusal::InvalidHost),
    };
    if digits.is_empty() || digits.len() > 5 || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::InvalidHost);
    }
    let port = digits.iter().fold(0_u32, |n, d| n * 10 + u32::from(d - b'0'));
    u16::try_from(port).map(Some).map_err(|_| Refusal::InvalidHost)
}
