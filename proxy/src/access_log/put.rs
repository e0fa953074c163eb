//! Values as bytes at the end of a line, without an allocation and without the machinery of `format!`.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Appends a number.
pub(super) fn number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends an address.
pub(super) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let (text, length) = dotted(v4);
            out.extend_from_slice(&text[..length]);
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

/// The three digits at most of each octet, a dot behind them, and how many bytes that are.
const OCTETS: [([u8; 4], u8); 256] = {
    let mut all = [([b'.'; 4], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let (hundreds, tens, ones) =
            (b'0' + (octet / 100) as u8, b'0' + (octet / 10 % 10) as u8, b'0' + (octet % 10) as u8);
        all[octet] = match octet {
            0..10 => ([ones, b'.', b'.', b'.'], 2),
            10..100 => ([tens, ones, b'.', b'.'], 3),
            _ => ([hundreds, tens, ones, b'.'], 4),
        };
        octet += 1;
    }
    all
};

/// The text of an address, and its length. Each octet is copied whole and overwritten by the next from where it ends.
fn dotted(address: Ipv4Addr) -> ([u8; 16], usize) {
    let (mut text, mut end) = ([0; 16], 0);
    for octet in address.octets() {
        let (digits, length) = OCTETS[usize::from(octet)];
        text[end..end + 4].copy_from_slice(&digits);
        end += usize::from(length);
    }
    (text, end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_look_as_everywhere() {
        for text in ["0.0.0.0:1", "203.0.113.255:65535", "255.255.255.255:80", "[::1]:80", "[2001:db8::a:0:1]:8443"] {
            let mut out = Vec::new();
            socket(&mut out, text.parse().unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn every_octet_is_its_number() {
        for octet in 0..=255 {
            let (text, length) = dotted(Ipv4Addr::new(octet, 0, 0, octet));
            assert_eq!(text[..length], *format!("{octet}.0.0.{octet}").as_bytes());
        }
    }
}
