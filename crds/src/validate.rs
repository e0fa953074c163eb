//! Says of a JSON object of one of our kinds what an API server would say on apply, without one.
//!
//! The definitions themselves are the only source: their structure (types, bounds, patterns, unknown fields, unique list
//! keys) is walked here, their CEL rules run in process. As on a server, nulls are dropped, defaults filled in, and the
//! rules run only over an object whose structure is right. Unknown fields count, as `kubectl apply` has it.

mod structure;

use std::sync::LazyLock;

use kube::core::cel::{Validator, apply_defaults};
use serde_json::Value;

/// One thing that an API server would refuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where, such as `spec.tenants[0].hostnames[1]`; empty for the object as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Name and schema of each of our kinds.
static SCHEMAS: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
    let schema = |definition: &Value| definition.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned();
    crate::definitions()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|definition| {
            let kind = definition.spec.names.kind.clone();
            Some((kind, schema(&serde_json::to_value(definition).ok()?)?))
        })
        .collect()
});

fn schema(kind: &str) -> Option<&'static Value> {
    SCHEMAS.iter().find(|(name, _)| name == kind).map(|(_, schema)| schema)
}

/// What is wrong with `object`, which should be of our kind `kind`; sorted by path. Its status is not looked at.
pub fn validate(kind: &str, object: &Value) -> Vec<Violation> {
    let Some(schema) = schema(kind) else {
        return vec![Violation {
            path: "kind".to_owned(),
            message: format!("{kind} is not a kind of {}", crate::GROUP),
        }];
    };
    let object = complete_by(schema, object);
    let mut found = structure::envelope(kind, &object);
    structure::walk(schema, &object, "", &mut found);
    if found.is_empty() {
        found = broken_rules(schema, &object);
    }
    found.sort();
    found.dedup();
    found
}

/// `object` as an API server would store it: without nulls and status, with the defaults of its kind.
pub fn complete(kind: &str, object: &Value) -> Value {
    schema(kind).map_or_else(|| object.clone(), |schema| complete_by(schema, object))
}

fn complete_by(schema: &Value, object: &Value) -> Value {
    let mut object = object.clone();
    drop_nulls(&mut object);
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    apply_defaults(schema, &object)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, child| !child.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn broken_rules(schema: &Value, object: &Value) -> Vec<Violation> {
    match Validator::new().validate(schema, object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .into_vec()
            .into_iter()
            .map(|error| Violation {
                path: error.field_path.trim_start_matches('.').to_owned(),
                message: error.message,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
