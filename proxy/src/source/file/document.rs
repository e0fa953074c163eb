//! One YAML document that remembers the line of every field, so that a problem in `spec.rules[0].matches` points at it.

use std::fmt;
use std::sync::Arc;

use bailey_translate::{Diagnostic, Location};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::Problem;

/// One document of a file: an object, usually.
#[derive(Clone, Debug)]
pub struct Document {
    file: Arc<str>,
    root: Spanned<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    /// In the order of the text; the line is that of the value.
    Fields(Vec<(String, Spanned<Node>)>),
}

/// The documents of one file; empty ones are left out, and a `kind: List` is taken apart.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Document>, Problem> {
    let roots: Vec<Spanned<Node>> = serde_saphyr::from_multiple(text).map_err(|error| {
        let at = error.location();
        Problem {
            file: file.clone(),
            line: at.map_or(0, |at| at.line() as u32),
            column: at.map_or(0, |at| at.column() as u32),
            message: sentence(&first_line(&error.without_snippet().to_string())),
        }
    })?;
    let full = roots.into_iter().filter(|root| !matches!(root.value, Node::Scalar(Value::Null)));
    Ok(full.flat_map(items).map(|root| Document { file: file.clone(), root }).collect())
}

/// The items of a `v1` `List`, as kubectl writes them; anything else is itself.
fn items(root: Spanned<Node>) -> Vec<Spanned<Node>> {
    let is_list = root
        .value
        .field("kind")
        .is_some_and(|kind| matches!(&kind.value, Node::Scalar(Value::String(k)) if k == "List"));
    match root.value.field("items").map(|items| &items.value) {
        Some(Node::List(items)) if is_list => items.clone(),
        _ => vec![root],
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The parser's message for people who write YAML, not for those who call the parser; the place is told apart.
fn sentence(text: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    match text.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split(',').next()) {
        Some(key) => format!("{key} is there twice; keep one, or separate two objects by a line with ---"),
        None => format!("not valid YAML: {text}"),
    }
}

impl Document {
    /// The document without its positions.
    pub fn value(&self) -> Value {
        self.root.value.plain()
    }

    /// `kind`, or an empty text.
    pub fn kind(&self) -> String {
        self.text("kind")
    }

    /// The API group of `apiVersion`; empty for the core group.
    pub fn group(&self) -> String {
        self.text("apiVersion").split_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default()
    }

    /// Where the document begins.
    pub fn location(&self) -> Location {
        Location { file: self.file.clone(), line: self.root.referenced.line() as u32 }
    }

    /// A problem at a field path such as `spec.rules[0].matches`; the nearest known parent where the path goes on.
    pub fn problem(&self, path: &str, message: String) -> Problem {
        let at = self.at(path);
        Problem { file: self.file.clone(), line: at.line() as u32, column: at.column() as u32, message }
    }

    /// The line of a diagnostic's field, when the diagnostic is about this document.
    pub fn locate(&self, diagnostic: &Diagnostic) -> Option<Location> {
        let own = diagnostic.location.as_ref().is_some_and(|at| *at == self.location());
        own.then(|| Location { file: self.file.clone(), line: self.at(&diagnostic.field).line() as u32 })
    }

    /// The line of exactly this field; `None`: the document does not have it.
    pub fn line_of(&self, path: &[Step]) -> Option<u32> {
        let mut here = &self.root;
        for step in path {
            here = here.value.step(step)?;
        }
        Some(here.referenced.line() as u32)
    }

    fn text(&self, field: &str) -> String {
        match self.root.value.field(field).map(|f| &f.value) {
            Some(Node::Scalar(Value::String(text))) => text.clone(),
            _ => String::new(),
        }
    }

    fn at(&self, path: &str) -> serde_saphyr::Location {
        let mut here = &self.root;
        for step in steps(path) {
            let Some(next) = here.value.step(&step) else { break };
            here = next;
        }
        here.referenced
    }
}

/// One step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To a field of an object.
    Field(String),
    /// To an item of a list, from 0.
    Index(usize),
}

/// The first document of a text.
#[cfg(test)]
pub(crate) fn one(text: &str) -> Document {
    parse(&"test.yaml".into(), text).unwrap().remove(0)
}

/// `spec.rules[0].matches` as its steps. A key with a dot in it ends the walk at its parent.
fn steps(path: &str) -> impl Iterator<Item = Step> {
    path.split('.').filter(|part| !part.is_empty()).flat_map(|part| {
        let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        let indices = indices.split(['[', ']']).filter_map(|index| index.parse().ok()).map(Step::Index);
        (!name.is_empty()).then(|| Step::Field(name.to_owned())).into_iter().chain(indices)
    })
}

impl Node {
    fn field(&self, name: &str) -> Option<&Spanned<Node>> {
        match self {
            Self::Fields(fields) => fields.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            Self::Scalar(_) | Self::List(_) => None,
        }
    }

    fn step(&self, step: &Step) -> Option<&Spanned<Self>> {
        match (self, step) {
            (Self::Fields(_), Step::Field(name)) => self.field(name),
            (Self::List(items), Step::Index(index)) => items.get(*index),
            (Self::Scalar(_) | Self::List(_), Step::Field(_)) | (Self::Scalar(_) | Self::Fields(_), Step::Index(_)) => {
                None
            }
        }
    }

    fn plain(&self) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.value.plain()).collect(),
            Self::Fields(fields) => Value::Object(
                fields.iter().map(|(key, value)| (key.clone(), value.value.plain())).collect::<Map<_, _>>(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Node::Scalar(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Node::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut all: Vec<(String, Spanned<Node>)> = Vec::new();
        while let Some((key, value)) = entries.next_entry::<String, Spanned<Node>>()? {
            if all.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("the field {key} is there twice")));
            }
            all.push((key, value));
        }
        Ok(Node::Fields(all))
    }
}
