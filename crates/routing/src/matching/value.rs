//! Comparing values that are not in one piece: joined header fields, percent-encoded query parameters.
//!
//! Exact comparisons run over the pieces. Only a pattern needs the value in one piece; it is put together on the stack.

use smallvec::SmallVec;

use crate::ir::ValueMatch;

type Scratch = SmallVec<[u8; 256]>;

/// The fields, joined by `, ` (RFC 9110 5.3), match; no field at all does not.
pub(crate) fn joined_holds<'a, I: Iterator<Item = &'a [u8]>>(wanted: &ValueMatch, fields: impl Fn() -> I) -> bool {
    match wanted {
        ValueMatch::Exact(text) => joined_equals(text.as_bytes(), fields()),
        ValueMatch::Regex(pattern) => {
            let mut all = fields();
            match (all.next(), all.next()) {
                (None, _) => false,
                (Some(only), None) => pattern.is_match(only),
                (Some(_), Some(_)) => pattern.is_match(&join(fields())),
            }
        }
    }
}

fn joined_equals<'a>(text: &[u8], mut fields: impl Iterator<Item = &'a [u8]>) -> bool {
    let Some(mut rest) = fields.next().and_then(|first| text.strip_prefix(first)) else { return false };
    for field in fields {
        let Some(after) = rest.strip_prefix(b", ").and_then(|rest| rest.strip_prefix(field)) else { return false };
        rest = after;
    }
    rest.is_empty()
}

fn join<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Scratch {
    let mut joined = Scratch::new();
    for (index, field) in fields.enumerate() {
        joined.extend_from_slice(if index == 0 { b"" } else { b", " });
        joined.extend_from_slice(field);
    }
    joined
}

/// The value, decoded, matches.
pub(crate) fn decoded_holds(wanted: &ValueMatch, value: &[u8]) -> bool {
    match wanted {
        ValueMatch::Exact(text) => decoded(value).eq(text.bytes()),
        ValueMatch::Regex(pattern) if value.iter().any(|b| matches!(b, b'%' | b'+')) => {
            pattern.is_match(&decoded(value).collect::<Scratch>())
        }
        ValueMatch::Regex(pattern) => pattern.is_match(value),
    }
}

/// The bytes with `+` and `%XX` undone (WHATWG URL, urlencoded parsing); a `%` without two digits stands for itself.
pub(crate) fn decoded(mut bytes: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let (&first, rest) = bytes.split_first()?;
        let (byte, rest) = match first {
            b'+' => (b' ', rest),
            b'%' => escape(rest).unwrap_or((b'%', rest)),
            other => (other, rest),
        };
        bytes = rest;
        Some(byte)
    })
}

fn escape(after: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|d| d as u8);
    let (digits, rest) = after.split_at_checked(2)?;
    Some((digit(digits[0])? << 4 | digit(digits[1])?, rest))
}
