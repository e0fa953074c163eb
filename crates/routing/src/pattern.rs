//! Regular expressions of users: checked once, matched in linear time, anchored at both ends.
//!
//! Decides what a pattern may cost. A pattern that is refused never enters the intermediate representation.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

/// Longest pattern, in bytes (what Gateway API allows in a path match).
pub const MAX_PATTERN_LENGTH: usize = 1024;
/// Largest compiled program, in bytes.
pub const MAX_PROGRAM_SIZE: usize = 256 * 1024;
/// Largest lazily built automaton per thread, in bytes.
pub const MAX_AUTOMATON_SIZE: usize = 256 * 1024;

/// A compiled regular expression. Equal when the text is equal.
///
/// It must match the whole value. ASCII only: `\d`, `\w`, `\b` and `(?i)` know nothing beyond it, `.` is any byte but
/// a line feed. Paths and header fields are bytes, and Unicode tables would make small patterns large.
#[derive(Debug, Clone)]
pub struct Pattern {
    inner: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    text: Box<str>,
    regex: Regex,
}

/// Why a pattern is refused. The texts are for the user whose pattern it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Longer than [`MAX_PATTERN_LENGTH`].
    #[error("the pattern has {length} bytes; at most {MAX_PATTERN_LENGTH} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Compiles to more than [`MAX_PROGRAM_SIZE`].
    #[error("the pattern needs more than {MAX_PROGRAM_SIZE} bytes when compiled; use smaller repetitions")]
    TooBig,
    /// Not in RE2 syntax as the `regex` crate reads it.
    #[error("the pattern is not a regular expression in RE2 syntax: {reason}")]
    Syntax {
        /// What the parser says, one line.
        reason: Box<str>,
    },
}

impl Pattern {
    /// Checks and compiles `text`.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_LENGTH {
            return Err(PatternError::TooLong { length: text.len() });
        }
        // Checked alone first, so that `a)(b` cannot use the group it is put into.
        build(text)?;
        let regex = build(&format!("^(?:{text})$"))?;
        Ok(Self { inner: Arc::new(Compiled { text: text.into(), regex }) })
    }

    /// The text the user wrote.
    pub fn as_str(&self) -> &str {
        &self.inner.text
    }

    /// The whole of `value` matches.
    pub fn is_match(&self, value: &[u8]) -> bool {
        self.inner.regex.is_match(value)
    }
}

fn build(text: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(MAX_PROGRAM_SIZE)
        .dfa_size_limit(MAX_AUTOMATON_SIZE)
        .build()
        .map_err(|error| refusal(&error))
}

fn refusal(error: &regex::Error) -> PatternError {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        return PatternError::TooBig;
    }
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    PatternError::Syntax { reason: reason.into() }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.inner.text == other.inner.text
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.text.hash(state);
    }
}
