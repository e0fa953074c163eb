//! Bytes from the network as text in a log line: nothing that ends a line, closes a quote or carries a secret gets through.

use crate::secrets::{before_token, is_secret_parameter};

const BLANK: &[u8] = b"***";

/// Which quoting the line needs.
#[derive(Clone, Copy)]
pub(super) enum Quoting {
    Json,
    Clf,
}

/// Appends `text` so that it stays inside its quotes. Bytes outside ASCII that are not UTF-8 are shown as their numbers.
pub(super) fn text(out: &mut Vec<u8>, text: &[u8], quoting: Quoting) {
    if all_plain(text) {
        return out.extend_from_slice(text);
    }
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            one(out, character, quoting);
        }
        for byte in chunk.invalid() {
            number(out, u32::from(*byte), quoting);
        }
    }
}

/// Whether all of it may stand between quotes as it is. Eight bytes at a time, the last ones overlapping those before.
fn all_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk() {
        return text.as_chunks().0.iter().all(|word| are_plain(*word)) && are_plain(*last);
    }
    let mut word = [b' '; 8];
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            word[..4].copy_from_slice(first);
            word[4..].copy_from_slice(last);
        }
        _ => text.iter().zip(&mut word).for_each(|(from, to)| *to = *from),
    }
    are_plain(word)
}

/// Whether each byte may stand between quotes as it is: printable ASCII, but for the quote and the backslash. A byte that may
/// not sets its own highest bit, or that of one behind it.
fn are_plain(word: [u8; 8]) -> bool {
    const fn all(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    const fn below(word: u64, bound: u8) -> u64 {
        word.wrapping_sub(all(bound)) & !word
    }
    let word = u64::from_ne_bytes(word);
    let is = |byte: u8| below(word ^ all(byte), 1);
    (word | below(word, b' ') | is(0x7f) | is(b'"') | is(b'\\')) & all(0x80) == 0
}

/// [`text`] for a path with a query: the values of secret parameters are blanked, and the token of an ACME challenge with all after it.
pub(super) fn target(out: &mut Vec<u8>, target: &[u8], quoting: Quoting) {
    if let Some(shown) = before_token(target) {
        text(out, shown, quoting);
        return out.extend_from_slice(BLANK);
    }
    let Some(mark) = memchr::memchr(b'?', target) else { return text(out, target, quoting) };
    text(out, &target[..=mark], quoting);
    for (index, pair) in target[mark + 1..].split(|byte| *byte == b'&').enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        match memchr::memchr(b'=', pair) {
            Some(equals) if is_secret_parameter(&pair[..equals]) => {
                text(out, &pair[..=equals], quoting);
                out.extend_from_slice(BLANK);
            }
            _ => text(out, pair, quoting),
        }
    }
}

fn one(out: &mut Vec<u8>, character: char, quoting: Quoting) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => number(out, c as u32, quoting),
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn number(out: &mut Vec<u8>, value: u32, quoting: Quoting) {
    use std::io::Write as _;
    // Writing to a Vec cannot fail.
    let _ = match quoting {
        Quoting::Json => write!(out, "\\u{value:04x}"),
        Quoting::Clf => write!(out, "\\x{value:02x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_must_not_stand_there_is_found_wherever_it_is() {
        for length in 0..50 {
            let mut text = vec![b'a'; length];
            assert!(all_plain(&text), "{length}");
            for (at, byte) in
                (0..length).flat_map(|at| [b'"', b'\\', b'\n', 0, 0x1f, 0x7f, 0x80, 0xff].map(|byte| (at, byte)))
            {
                text[at] = byte;
                assert!(!all_plain(&text), "{byte} at {at} of {length}");
                text[at] = b'a';
            }
        }
    }
}
