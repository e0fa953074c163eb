//! Bytes from the network as text in a log line: nothing that ends a line, closes a quote or carries a secret gets through.

/// Query parameters whose values commonly are secrets. Compared without regard to case.
const SECRET_PARAMETERS: [&[u8]; 15] = [
    b"access_token",
    b"api_key",
    b"apikey",
    b"auth",
    b"code",
    b"id_token",
    b"jwt",
    b"key",
    b"passwd",
    b"password",
    b"refresh_token",
    b"secret",
    b"sig",
    b"signature",
    b"token",
];

const BLANK: &[u8] = b"***";

/// Which quoting the line needs.
#[derive(Clone, Copy)]
pub(super) enum Quoting {
    Json,
    Clf,
}

/// Appends `text` so that it stays inside its quotes. Bytes outside ASCII that are not UTF-8 are shown as their numbers.
pub(super) fn text(out: &mut Vec<u8>, text: &[u8], quoting: Quoting) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            one(out, character, quoting);
        }
        for byte in chunk.invalid() {
            number(out, u32::from(*byte), quoting);
        }
    }
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
            Some(equals) if is_secret(&pair[..equals]) => {
                text(out, &pair[..=equals], quoting);
                out.extend_from_slice(BLANK);
            }
            _ => text(out, pair, quoting),
        }
    }
}

fn is_secret(name: &[u8]) -> bool {
    SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
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
