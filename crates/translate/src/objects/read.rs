//! From a YAML or JSON document to a typed object. Decides only which type a document is; what it means is not looked at.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a document is not an object that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// The document lacks `apiVersion`, `kind` or `metadata.name`.
    NotAnObject {
        /// Which of them.
        missing: &'static str,
    },
    /// A kind, or a version of it, that Bailey does not read.
    UnknownKind {
        /// `apiVersion` of the document.
        api_version: String,
        /// `kind` of the document.
        kind: String,
    },
    /// A field has a type or value that its kind does not allow.
    Malformed {
        /// `kind` of the document.
        kind: String,
        /// `metadata.name` of the document.
        name: String,
        /// Path of the field, such as `spec.rules[0].backendRefs[0].port`.
        field: String,
        /// What is there, and what was expected.
        message: String,
    },
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject { missing } => write!(f, "not a Kubernetes object: {missing} is missing"),
            Self::UnknownKind { api_version, kind } => write!(f, "Bailey does not read {kind} of {api_version}"),
            Self::Malformed { kind, name, field, message } => write!(f, "{kind} {name}: {field}: {message}"),
        }
    }
}

impl std::error::Error for ObjectError {}

/// What every object begins with.
pub(super) struct Header {
    api_version: String,
    kind: String,
    name: String,
}

impl Header {
    pub(super) fn of(value: &Value) -> Result<Self, ObjectError> {
        let text = |pointer: &str, missing| {
            let found = value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
            found.map(str::to_owned).ok_or(ObjectError::NotAnObject { missing })
        };
        Ok(Self {
            api_version: text("/apiVersion", "apiVersion")?,
            kind: text("/kind", "kind")?,
            name: text("/metadata/name", "metadata.name")?,
        })
    }

    /// Whether it is of that group and kind, in a version whose form is the one known here.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        let (of, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        let known = match group {
            "bailey.dev" => version == "v1alpha1",
            // v1beta1 of what has become v1 had the same form.
            "gateway.networking.k8s.io" => matches!(version, "v1" | "v1beta1"),
            _ => version == "v1",
        };
        known && of == group && self.kind == kind
    }

    pub(super) fn unknown(self) -> ObjectError {
        ObjectError::UnknownKind { api_version: self.api_version, kind: self.kind }
    }
}

/// Reads the document as a `T`, and lists the fields of one of Bailey's own kinds that the kind does not have.
pub(super) fn typed<T: DeserializeOwned + Serialize>(
    header: &Header,
    value: Value,
) -> Result<(T, Vec<String>), ObjectError> {
    let own = header.api_version.starts_with("bailey.dev/").then(|| value.clone());
    let object: T = serde_path_to_error::deserialize(value).map_err(|error| ObjectError::Malformed {
        kind: header.kind.clone(),
        name: header.name.clone(),
        field: error.path().to_string(),
        message: error.inner().to_string(),
    })?;
    let mut unknown = Vec::new();
    if let (Some(Value::Object(written)), Ok(Value::Object(read))) = (own, serde_json::to_value(&object)) {
        for (field, value) in written.iter().filter(|(field, _)| !matches!(field.as_str(), "metadata" | "status")) {
            lost(value, read.get(field), field, &mut unknown);
        }
    }
    Ok((object, unknown))
}

/// Adds the paths of what was written and is not in the object that was read. An empty value says nothing, so it may be
/// left out.
fn lost(written: &Value, read: Option<&Value>, path: &str, found: &mut Vec<String>) {
    match (written, read) {
        (Value::Object(written), Some(Value::Object(read))) => {
            for (field, value) in written {
                lost(value, read.get(field), &format!("{path}.{field}"), found);
            }
        }
        (Value::Array(written), Some(Value::Array(read))) => {
            for (index, value) in written.iter().enumerate() {
                lost(value, read.get(index), &format!("{path}[{index}]"), found);
            }
        }
        (written, None) if !is_empty(written) => found.push(path.to_owned()),
        (_, _) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(entries) => entries.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}
