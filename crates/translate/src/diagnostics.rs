//! What is wrong with a user's object, said so that its author can mend it.
//!
//! A diagnostic is a value, never an error: the rest of the configuration is translated all the same. Which problems
//! exist, and what each is called, is decided in [`codes`]; this module only carries them. It must not decide where a
//! diagnostic is shown: the command line prints it, the operator makes a condition of it.

mod codes;

use std::fmt;
use std::sync::Arc;

pub use codes::{Code, Reason, Severity};

/// Names one object of the input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The Kubernetes kind, as it is written in YAML.
    pub kind: &'static str,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// Where an object was read from, when it came from a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Path of the file, as the user would type it.
    pub file: Arc<str>,
    /// Line on which the object's document begins, counted from 1.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One problem of one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Whose problem it is.
    pub object: ObjectRef,
    /// Path of the field inside the object, such as `spec.rules[0].backendRefs[1].port`; empty for the whole object.
    pub field: String,
    /// Which problem; fixes severity and reason.
    pub code: Code,
    /// A sentence that names the values concerned.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Where the object was read from, if that is known.
    pub location: Option<Location>,
}

impl Diagnostic {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// The word that a condition carries for it.
    pub fn reason(&self) -> Reason {
        self.code.reason()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{} {}: {}", self.severity().as_str(), self.code.id(), self.object)?;
        if !self.field.is_empty() {
            write!(f, " {}", self.field)?;
        }
        write!(f, ": {}", self.message)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " ({})", self.remedy) }
    }
}

/// Collects the diagnostics of one translation.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    found: Vec<Diagnostic>,
}

impl Sink {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    pub(crate) fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        self.found.extend(diagnostics);
    }

    /// Every diagnostic once, in an order that does not depend on the order of discovery.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort();
        self.found.dedup();
        self.found
    }
}

/// An object that is being read, to which problems can be attached.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) object: ObjectRef,
    pub(crate) location: Option<Location>,
}

impl Subject {
    /// The problem `code` at `field`, with the code's own remedy.
    pub(crate) fn problem(&self, code: Code, field: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            object: self.object.clone(),
            field: field.into(),
            code,
            message: message.into(),
            remedy: code.remedy().to_owned(),
            location: self.location.clone(),
        }
    }
}
