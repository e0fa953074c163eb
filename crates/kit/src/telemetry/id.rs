//! Identifiers of traces and spans (W3C Trace Context 3.2.2.3 and 3.2.2.4): as text lower-case hexadecimal, and never all zero.

use std::fmt;

/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = pairs();
/// The value of each digit; [`NO_DIGIT`] for all other bytes.
const DIGITS: [u8; 256] = digits();
const NO_DIGIT: u8 = 0xff;

const fn pairs() -> [[u8; 2]; 256] {
    let hex = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [hex[byte >> 4], hex[byte & 15]];
        byte += 1;
    }
    pairs
}

const fn digits() -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[PAIRS[value as usize][1] as usize] = value;
        value += 1;
    }
    digits
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The id with these bytes; `None` if all are zero, which the specification makes invalid.
            pub fn new(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// Its bytes.
            pub fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// Reads exactly the digits of one id, lower case.
            pub fn parse(text: &[u8]) -> Option<Self> {
                let mut bytes = [0; $bytes];
                read_hex(text, &mut bytes)?;
                Self::new(bytes)
            }

            /// Its text.
            pub fn to_hex(self) -> [u8; 2 * $bytes] {
                let mut text = [0; 2 * $bytes];
                write_hex(&self.0, &mut text);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(str::from_utf8(&self.to_hex()).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text.as_bytes()).ok_or(InvalidId { digits: 2 * $bytes })
            }
        }
    };
}

id! {
    /// Identifies a trace: a request and all that followed from it.
    TraceId, 16
}
id! {
    /// Identifies a span within its trace.
    SpanId, 8
}

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write {digits} lower-case hexadecimal digits that are not all zero")]
pub struct InvalidId {
    digits: usize,
}

/// Reads lower-case digits, exactly as many as `bytes` needs.
pub(super) fn read_hex<const N: usize>(text: &[u8], bytes: &mut [u8; N]) -> Option<()> {
    let (pairs, rest) = text.as_chunks::<2>();
    let pairs = <&[[u8; 2]; N]>::try_from(pairs).ok().filter(|_| rest.is_empty())?;
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    (seen < 16).then_some(())
}

/// Writes two digits a byte; `text` is twice as long as `bytes`.
pub(super) fn write_hex<const N: usize>(bytes: &[u8; N], text: &mut [u8]) {
    if let Ok(pairs) = <&mut [[u8; 2]; N]>::try_from(text.as_chunks_mut::<2>().0) {
        for (byte, pair) in bytes.iter().zip(pairs) {
            *pair = PAIRS[usize::from(*byte)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_what_it_writes() {
        let text = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(text.parse::<TraceId>().unwrap().to_string(), text);
        assert_eq!("00f067aa0ba902b7".parse::<SpanId>().unwrap().to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn zero_upper_case_and_other_lengths_are_refused() {
        for text in
            ["0000000000000000", "00F067AA0BA902B7", "00f067aa0ba902b", "00f067aa0ba902b7a", "00f067aa0ba902bg", ""]
        {
            let error = text.parse::<SpanId>().unwrap_err().to_string();
            assert!(error.contains("16 lower-case"), "{text}: {error}");
        }
    }
}
