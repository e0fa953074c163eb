//! What keeps a topology from being as its author wants it, as a value: it becomes a condition, never an error.

use bailey_crds::conditions::Reason;

/// Something that keeps part of a topology from working. The rest of it is made all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The word for it in a condition.
    pub reason: Reason,
    /// A sentence that names object, field and remedy.
    pub message: String,
}

impl Problem {
    /// A problem with its sentence.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
