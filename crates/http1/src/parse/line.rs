//! Field lines: where the name and the value are, and whether a line is complete. Lower-cases names in place.

use std::ops::Range;

use crate::{Limits, Refusal, class};

/// How far into a head or trailer section the reading has come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lines {
    /// Offset of the line to read next.
    pub(crate) at: usize,
    /// Offset up to which that line is known to have no end; 0 if nobody has looked.
    seen: usize,
    /// Field lines read.
    count: usize,
}

/// What [`Lines::next_field`] found.
pub(crate) enum Next {
    /// The line is not complete.
    Wait,
    /// A field. The value is without the space around it.
    Field(Line),
    /// The empty line; the section ends before this offset.
    End(usize),
}

/// Where the parts of a field line are.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
    pub(crate) underscore: bool,
}

/// Longest head in bytes, whatever the limits say: offsets have 31 bits, and nobody needs that many.
const MAX_HEAD: usize = 1 << 30;

impl Lines {
    /// How many of the bytes that have come belong to the head at most, and whether that is all a head may have.
    pub(crate) fn window(len: usize, limits: &Limits) -> (usize, bool) {
        let most = limits.head_bytes.min(MAX_HEAD);
        (len.min(most), len >= most)
    }

    /// False if no line end has come since the last look, so that a line that trickles in is not read over and over.
    /// A line longer than `longest` is read again, for it may be too long; so is one that no byte can be added to.
    pub(crate) fn worth_reading(&mut self, text: &[u8], longest: usize) -> bool {
        if self.seen <= self.at || text.len() - self.at > longest {
            return true;
        }
        let fresh = text.get(self.seen..).unwrap_or_default();
        let found = memchr::memchr2(b'\r', b'\n', fresh);
        if found.is_none() {
            self.seen = text.len();
        }
        found.is_some()
    }

    /// Notes that the line at hand is incomplete. A carriage return at the end is looked at again with its successor.
    pub(crate) fn wait(&mut self, text: &[u8]) {
        self.seen = if text.last() == Some(&b'\r') { text.len() - 1 } else { text.len() };
    }

    /// Notes that a line ended and the next one starts at `at`.
    pub(crate) const fn advance(&mut self, at: usize) {
        self.at = at;
    }

    /// Reads the next field line of `text`, which begins where the section began.
    #[inline]
    pub(crate) fn next_field(&mut self, text: &mut [u8], limits: &Limits) -> Result<Next, Refusal> {
        let Some((next, end)) = field_line(text, self.at)? else {
            self.wait(text);
            return Ok(Next::Wait);
        };
        self.at = end;
        if let Next::Field(line) = &next {
            self.count += 1;
            if self.count > limits.fields {
                return Err(Refusal::TooManyFields);
            }
            if line.underscore && limits.refuse_underscore {
                return Err(Refusal::Underscore);
            }
        }
        Ok(next)
    }
}

/// Reads the line at `at`: what it is and where the next one starts.
#[inline]
fn field_line(text: &mut [u8], at: usize) -> Result<Option<(Next, usize)>, Refusal> {
    let line = text.get_mut(at..).unwrap_or_default();
    let (name_len, underscore) = lower_name(line);
    match line.get(name_len) {
        None => return Ok(None),
        // Ranges have 16 bits for the length of a name.
        Some(b':') if name_len > 0 && u16::try_from(name_len).is_ok() => {}
        Some(b'\r') if name_len == 0 => {
            return Ok(line_feed(line, 1)?.then_some((Next::End(at + 2), at + 2)));
        }
        Some(&b) => return Err(no_name(b, name_len)),
    }
    let after_colon = &line[name_len + 1..];
    let space = after_colon.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let start = name_len + 1 + space;
    let end = start + class::value_end(&line[start..]);
    match line.get(end) {
        None => return Ok(None),
        Some(b'\r') => {}
        Some(b'\n') => return Err(Refusal::BareLineBreak),
        Some(_) => return Err(Refusal::ControlCharacter),
    }
    if !line_feed(line, end + 1)? {
        return Ok(None);
    }
    let value_len = class::trim(&line[start..end]).len();
    let value = at + start..at + start + value_len;
    Ok(Some((Next::Field(Line { name: at..at + name_len, value, underscore }), at + end + 2)))
}

/// Lower-cases the token at the start of the line; its length and whether it has an underscore.
#[inline]
fn lower_name(line: &mut [u8]) -> (usize, bool) {
    let mut len = 0;
    let mut underscore = false;
    for b in line {
        let lower = class::TOKEN_LOWER[*b as usize];
        if lower == 0 {
            break;
        }
        underscore |= lower == b'_';
        *b = lower;
        len += 1;
    }
    (len, underscore)
}

/// True if the byte after a carriage return is a line feed, false if it has not come.
pub(crate) fn line_feed(line: &[u8], at: usize) -> Result<bool, Refusal> {
    match line.get(at) {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) => Err(Refusal::BareLineBreak),
    }
}

/// Why a line has no name: `b` is the byte after `name_len` token characters.
const fn no_name(b: u8, name_len: usize) -> Refusal {
    match b {
        b'\n' => Refusal::BareLineBreak,
        b' ' | b'\t' if name_len == 0 => Refusal::FoldedLine,
        b'\r' | b'\t' => Refusal::FieldName,
        _ if class::ends_value(b) => Refusal::ControlCharacter,
        _ => Refusal::FieldName,
    }
}
