//! Writes heads. Decides the one way each message is framed; what may be sent when is decided by the connections.

use bytes::BytesMut;

/// Appends a number in decimal digits.
pub(crate) fn decimal(mut n: u64, out: &mut BytesMut) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
