//! Bytes from the network as text in a log line: nothing that ends a line, closes a quote or carries a secret gets through.

use crate::secrets::is_secret_parameter;

const BLANK: &[u8] = b"***";

/// Which quoting the line needs.
#[derive(Clone, Copy)]
pub(super) enum Quoting {
    Json,
    Clf,
}

/// Appends `text` so that it stays inside its quotes. Bytes outside ASCII that are not UTF-8 are shown as their numbers.
pub(super) fn text(out: &mut Vec<u8>, text: &[u8], quoting: Quoting) {
    // Without an early end, so that it becomes a few vector instructions.
    let plain = !text.iter().fold(false, |found, byte| found | !is_plain(*byte));
    if plain {
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

/// Whether a byte may stand between quotes as it is.
fn is_plain(byte: u8) -> bool {
    (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// [`text`] for a path with a query: the values of secret parameters are blanked.
pub(super) fn target(out: &mut Vec<u8>, target: &[u8], quoting: Quoting) {
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
