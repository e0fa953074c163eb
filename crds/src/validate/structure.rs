//! The structural half of a definition: types, required and unknown fields, bounds, patterns, enums, unique list keys.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value};

use super::Violation;

/// What every object has beside its spec: type and name.
pub(super) fn envelope(kind: &str, object: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let api_version = format!("{}/{}", crate::GROUP, crate::VERSION);
    for (field, wanted) in [("apiVersion", api_version.as_str()), ("kind", kind)] {
        if object.get(field).and_then(Value::as_str) != Some(wanted) {
            report(&mut found, field, format!("must be {wanted}"));
        }
    }
    if object.pointer("/metadata/name").and_then(Value::as_str).is_none_or(str::is_empty) {
        report(&mut found, "metadata.name", "is required".to_owned());
    }
    found
}

/// Checks `value` against `schema` and adds what is wrong to `found`.
pub(super) fn walk(schema: &Value, value: &Value, path: &str, found: &mut Vec<Violation>) {
    if !has_type(schema, value) {
        let wanted = schema.get("type").and_then(Value::as_str).unwrap_or("integer or string");
        return report(found, path, format!("must be of type {wanted}"));
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array).filter(|allowed| !allowed.contains(value)) {
        let names: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        report(found, path, format!("must be one of {}", names.join(", ")));
    }
    match value {
        Value::Object(fields) => walk_object(schema, fields, path, found),
        Value::Array(items) => walk_list(schema, items, path, found),
        Value::String(text) => check_text(schema, text, path, found),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            if bound(schema, "minimum").is_some_and(|least| number < least) {
                report(found, path, format!("must be at least {}", schema["minimum"]));
            }
            if bound(schema, "maximum").is_some_and(|most| number > most) {
                report(found, path, format!("must be at most {}", schema["maximum"]));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    if schema.get("x-kubernetes-int-or-string").is_some() {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some(_) | None => true,
    }
}

fn walk_object(schema: &Value, fields: &Map<String, Value>, path: &str, found: &mut Vec<Violation>) {
    let root = path.is_empty();
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            report(found, &join(path, name), "is required".to_owned());
        }
    }
    check_size(schema, "Properties", "entries", fields.len(), path, found);
    for (name, child) in fields {
        let known = schema.get("properties").and_then(|properties| properties.get(name));
        match known.or_else(|| schema.get("additionalProperties").filter(|map| map.is_object())) {
            Some(schema) => walk(schema, child, &join(path, name), found),
            None if root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") => {}
            None if schema.get("x-kubernetes-preserve-unknown-fields").is_some() => {}
            None => report(
                found,
                &join(path, name),
                "is not a field of this kind; correct its spelling or remove it".to_owned(),
            ),
        }
    }
}

fn walk_list(schema: &Value, items: &[Value], path: &str, found: &mut Vec<Violation>) {
    check_size(schema, "Items", "items", items.len(), path, found);
    let keys: Option<Vec<&str>> = match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("map") => Some(
            schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        ),
        Some("set") => Some(Vec::new()),
        Some(_) | None => None,
    };
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(child) = schema.get("items") {
            walk(child, item, &path, found);
        }
        if let Some(keys) = &keys {
            let identity = identity(keys, item);
            if !seen.insert(identity.clone()) {
                report(found, &path, format!("{identity} is there twice"));
            }
        }
    }
}

/// What must be unique in a list: the whole item, or its key fields.
fn identity(keys: &[&str], item: &Value) -> String {
    if keys.is_empty() {
        return item.to_string();
    }
    let parts: Vec<String> =
        keys.iter().map(|key| format!("{key} {}", item.get(key).unwrap_or(&Value::Null))).collect();
    parts.join(", ")
}

fn check_text(schema: &Value, text: &str, path: &str, found: &mut Vec<Violation>) {
    check_size(schema, "Length", "characters", text.chars().count(), path, found);
    let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else { return };
    if Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text)) {
        report(found, path, format!("{text:?} does not match {pattern}"));
    }
}

/// Checks `min<what>` and `max<what>`.
fn check_size(schema: &Value, what: &str, noun: &str, size: usize, path: &str, found: &mut Vec<Violation>) {
    let limit = |edge: &str| schema.get(format!("{edge}{what}")).and_then(Value::as_u64);
    if let Some(least) = limit("min").filter(|least| (size as u64) < *least) {
        report(found, path, format!("must have at least {least} {noun}"));
    }
    if let Some(most) = limit("max").filter(|most| (size as u64) > *most) {
        report(found, path, format!("must have at most {most} {noun}"));
    }
}

fn bound(schema: &Value, name: &str) -> Option<f64> {
    schema.get(name).and_then(Value::as_f64)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn report(found: &mut Vec<Violation>, path: &str, message: String) {
    found.push(Violation { path: path.to_owned(), message });
}
