//! The PROXY protocol, versions 1 and 2, as a load balancer in front of us speaks it (haproxy's `proxy-protocol.txt`).
//!
//! Strict, without I/O: it says how many bytes to read next, so that not one byte of what follows is taken. Whether a
//! header is expected from a peer is decided elsewhere; here a header that is not one is an error, never a guess.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// The longest header of version 1.
const MAX_V1: usize = 107;
/// The shortest header there is: `PROXY UNKNOWN` and its line end.
const MIN: usize = 15;
/// The fixed part of version 2.
const FIXED_V2: usize = 16;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The client's address and the one it connected to.
    Proxied {
        /// The client.
        source: SocketAddr,
        /// Where the client connected to.
        destination: SocketAddr,
    },
    /// The balancer speaks for itself (a health check), or does not know the client.
    Local,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Append exactly this many bytes and ask again.
    Read(usize),
    /// The header is complete and all of the input belongs to it.
    Done(Header),
}

/// The bytes are no header that could be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no valid PROXY protocol header")]
pub struct Invalid;

/// Looks at the bytes read so far. `longest`: bytes of the longest header that is read, with all extensions.
pub fn step(input: &[u8], longest: usize) -> Result<Step, Invalid> {
    if input.len() < MIN {
        return Ok(Step::Read(MIN - input.len()));
    }
    if input.starts_with(SIGNATURE) { version_2(input, longest) } else { version_1(input) }
}

fn version_2(input: &[u8], longest: usize) -> Result<Step, Invalid> {
    let Some((fixed, rest)) = input.split_at_checked(FIXED_V2) else { return Ok(Step::Read(FIXED_V2 - input.len())) };
    let len = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if len > longest.saturating_sub(FIXED_V2) {
        return Err(Invalid);
    }
    let header = match (fixed[12], fixed[13]) {
        (0x20, _) | (0x21, 0x00) => Some(Header::Local),
        (0x21, 0x11) => addresses::<4>(rest, len)?,
        (0x21, 0x21) => addresses::<16>(rest, len)?,
        _ => return Err(Invalid),
    };
    match header {
        Some(header) if rest.len() == len => Ok(Step::Done(header)),
        Some(_) if rest.len() > len => Err(Invalid),
        Some(_) | None => Ok(Step::Read(len - rest.len())),
    }
}

/// The addresses at the front of version 2's variable part; `None`: not all there yet. What follows are extensions.
fn addresses<const N: usize>(rest: &[u8], len: usize) -> Result<Option<Header>, Invalid>
where
    IpAddr: From<[u8; N]>,
{
    if len < 2 * N + 4 {
        return Err(Invalid);
    }
    let Some((ips, ports)) = rest.split_at_checked(2 * N) else { return Ok(None) };
    let (Some((source, destination)), Some(ports)) = (ips.split_first_chunk::<N>(), ports.first_chunk::<4>()) else {
        return Ok(None);
    };
    let destination: [u8; N] = destination.try_into().map_err(|_| Invalid)?;
    Ok(Some(Header::Proxied {
        source: SocketAddr::new((*source).into(), u16::from_be_bytes([ports[0], ports[1]])),
        destination: SocketAddr::new(destination.into(), u16::from_be_bytes([ports[2], ports[3]])),
    }))
}

fn version_1(input: &[u8]) -> Result<Step, Invalid> {
    let Some(text) = input.strip_prefix(b"PROXY ") else { return Err(Invalid) };
    let Some(line) = text.strip_suffix(b"\r\n") else {
        if input.len() >= MAX_V1 || input.contains(&b'\n') {
            return Err(Invalid);
        }
        return Ok(Step::Read(if input.ends_with(b"\r") { 1 } else { 2 }));
    };
    let line = std::str::from_utf8(line).map_err(|_| Invalid)?;
    if line.bytes().any(|b| b.is_ascii_control()) || input.len() > MAX_V1 {
        return Err(Invalid);
    }
    let mut words = line.split(' ');
    let header = match words.next() {
        // Whatever follows is to be ignored, says the specification.
        Some("UNKNOWN") => return Ok(Step::Done(Header::Local)),
        Some("TCP4") => line_addresses::<Ipv4Addr>(&mut words),
        Some("TCP6") => line_addresses::<Ipv6Addr>(&mut words),
        _ => None,
    };
    match (header, words.next()) {
        (Some(header), None) => Ok(Step::Done(header)),
        _ => Err(Invalid),
    }
}

fn line_addresses<'a, A: FromStr + Into<IpAddr>>(words: &mut impl Iterator<Item = &'a str>) -> Option<Header> {
    let mut address = || words.next()?.parse::<A>().ok().map(Into::into);
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let text = words.next()?;
        let plain = text == "0" || !text.starts_with(['0', '+']);
        text.parse::<u16>().ok().filter(|_| plain)
    };
    let (source_port, destination_port) = (port()?, port()?);
    Some(Header::Proxied {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}
