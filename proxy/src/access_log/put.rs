//! Values as bytes at the end of a line, without an allocation and without the machinery of `format!`.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Appends a number.
pub(super) fn number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends text in quotes that needs no escapes.
pub(super) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// Appends an address.
pub(super) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (index, octet) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                number(out, octet);
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// Appends an address with its port.
pub(super) fn socket(out: &mut Vec<u8>, socket: SocketAddr) {
    match socket {
        SocketAddr::V4(v4) => address(out, (*v4.ip()).into()),
        SocketAddr::V6(v6) => {
            out.push(b'[');
            address(out, (*v6.ip()).into());
            out.push(b']');
        }
    }
    out.push(b':');
    number(out, socket.port());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_look_as_everywhere() {
        for text in ["0.0.0.0:1", "203.0.113.255:65535", "[::1]:80", "[2001:db8::a:0:1]:8443"] {
            let mut out = Vec::new();
            socket(&mut out, text.parse().unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
