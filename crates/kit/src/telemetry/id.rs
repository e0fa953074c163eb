//! Identifiers of traces and spans (W3C Trace Context 3.2.2.3 and 3.2.2.4): as text lower-case hexadecimal, and never all zero.

use std::fmt;

const HEX: &[u8; 16] = b"0123456789abcdef";

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
pub(super) fn read_hex(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

fn digit(text: u8) -> Option<u8> {
    match text {
        b'0'..=b'9' => Some(text - b'0'),
        b'a'..=b'f' => Some(text - b'a' + 10),
        _ => None,
    }
}

/// Writes two digits a byte; `text` is twice as long as `bytes`.
pub(super) fn write_hex(bytes: &[u8], text: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
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
