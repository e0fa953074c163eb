//! Byte classes of the HTTP grammar as 256-entry tables, and the eight-bytes-at-a-time scan over field values.
//! Decides only what a single byte may be; knows nothing of messages.

/// Maps a byte of a field name to its lower-case form; 0 marks a byte that is no token character (RFC 9110 section 5.6.2).
pub(crate) static TOKEN_LOWER: [u8; 256] = token_table();

/// True for bytes a request target may hold: visible ASCII but `#`, `<`, `>` and `\`.
pub(crate) static TARGET: [bool; 256] = target_table();

const fn token_table() -> [u8; 256] {
    let mut table = [0_u8; 256];
    let marks = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < marks.len() {
        table[marks[i] as usize] = marks[i];
        i += 1;
    }
    let mut b = 0_u8;
    while b < 128 {
        if b.is_ascii_alphanumeric() {
            table[b as usize] = b.to_ascii_lowercase();
        }
        b += 1;
    }
    table
}

const fn target_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut b = 0x21_usize;
    while b < 0x7f {
        table[b] = true;
        b += 1;
    }
    table[b'#' as usize] = false;
    table[b'<' as usize] = false;
    table[b'>' as usize] = false;
    table[b'\\' as usize] = false;
    table
}

/// True if every byte may stand in a token and there is at least one.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| TOKEN_LOWER[b as usize] != 0)
}

/// True if the bytes are a token without upper-case letters, the only form of a name [`crate::Fields`] holds.
pub(crate) fn is_lower_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| TOKEN_LOWER[b as usize] == b && b != 0)
}

/// True for bytes that end a field value or are forbidden in one: controls except tab, and DEL.
pub(crate) const fn ends_value(b: u8) -> bool {
    (b < 0x20 && b != b'\t') || b == 0x7f
}

/// Offset of the first byte that [`ends_value`], or the length.
#[inline]
pub(crate) fn value_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    for block in bytes.as_chunks::<32>().0 {
        // Without an early end, so that it becomes a few vector instructions.
        if block.iter().fold(false, |found, &b| found | ends_value(b)) {
            break;
        }
        at += block.len();
    }
    for word in bytes[at..].as_chunks::<8>().0 {
        let found = suspicious(u64::from_le_bytes(*word));
        if found != 0 {
            // The lowest mark is never wrong, but it may be a tab.
            let first = (found.trailing_zeros() / 8) as usize;
            if word[first] != b'\t' {
                return at + first;
            }
            if let Some(i) = word.iter().position(|&b| ends_value(b)) {
                return at + i;
            }
        }
        at += 8;
    }
    // What is left is seen at once with some bytes before it again, which are none that end a value.
    if bytes.last_chunk().is_some_and(|last| suspicious(u64::from_le_bytes(*last)) == 0) {
        return bytes.len();
    }
    bytes[at..].iter().position(|&b| ends_value(b)).map_or(bytes.len(), |i| at + i)
}

/// Marks the high bit of every byte that is a control (tab included) or DEL. Only the lowest mark is reliable: a borrow
/// may mark bytes above it.
const fn suspicious(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let del = word ^ (ONES * 0x7f);
    let is_del = del.wrapping_sub(ONES) & !del;
    (below_space | is_del) & HIGH
}

/// The value without spaces and tabs around it (RFC 9110 section 5.5).
pub(crate) const fn trim(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_its_first_forbidden_byte_is_wherever_that_stands() {
        for length in 0..80 {
            let mut value = vec![b'v'; length];
            assert_eq!(value_end(&value), length);
            for (at, byte) in (0..length).flat_map(|at| [b'\t', 0x80, 0xff].map(|byte| (at, byte))) {
                value[at] = byte;
                assert_eq!(value_end(&value), length, "{byte} at {at} of {length}");
                value[at] = b'v';
            }
            for (at, byte) in (0..length).flat_map(|at| [0, b'\n', b'\r', 0x1f, 0x7f].map(|byte| (at, byte))) {
                value[at] = byte;
                assert_eq!(value_end(&value), at, "{byte} at {at} of {length}");
                if at + 1 < length {
                    value[at + 1] = b'\t';
                    assert_eq!(value_end(&value), at, "{byte} at {at} of {length} before a tab");
                    value[at + 1] = b'v';
                }
                value[at] = b'v';
            }
        }
    }
}
