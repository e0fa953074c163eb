//! A span: one hop's part of a trace, made when it is over.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::id::{SpanId, TraceId};

/// Which side of an exchange a span tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request that came in.
    Server,
    /// An attempt at sending it on.
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Str(Cow<'static, str>),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
}

/// What happened between two moments at one hop.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace it belongs to.
    pub trace: TraceId,
    /// Its own id.
    pub id: SpanId,
    /// The span it is a part of; `None` for the first of its trace.
    pub parent: Option<SpanId>,
    /// The parent is a span of another process.
    pub remote_parent: bool,
    /// Contexts that have to do with it and are not its parent.
    pub links: Vec<(TraceId, SpanId)>,
    /// Which side it tells of.
    pub kind: Kind,
    /// The tier that made it: `outer`, `inner`, `gateway`.
    pub tier: Arc<str>,
    /// The tenant, where it is known.
    pub tenant: Option<Arc<str>>,
    /// Its name: the method, and the route if there is one.
    pub name: String,
    /// When it began.
    pub start: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// It went wrong, as the semantic conventions see it.
    pub error: bool,
    /// `tracestate` of the trace, as it goes on; empty: none.
    pub state: String,
    /// What is known of it, by the names of the semantic conventions.
    pub attributes: Vec<(&'static str, Value)>,
}

impl Span {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Bytes that it takes in memory, near enough to keep a bound.
    pub fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(_, value)| match value {
            Value::Str(Cow::Owned(text)) => text.len(),
            Value::Str(Cow::Borrowed(_)) | Value::Int(_) | Value::Bool(_) => 0,
        });
        size_of::<Self>()
            + self.name.len()
            + self.state.len()
            + self.links.len() * size_of::<(TraceId, SpanId)>()
            + self.attributes.len() * size_of::<(&str, Value)>()
            + attributes.sum::<usize>()
    }
}

impl Value {
    /// The text of a text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Int(_) | Self::Bool(_) => None,
        }
    }

    /// The number of a number.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Str(_) | Self::Bool(_) => None,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Str(text) => f.write_str(text),
            Self::Int(number) => number.fmt(f),
            Self::Bool(yes) => yes.fmt(f),
        }
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Str(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(Cow::Owned(text))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}
