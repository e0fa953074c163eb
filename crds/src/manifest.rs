//! Objects as files: YAML with a fixed layout, so that the same types always give the same bytes.

use std::fmt::Write as _;

use serde_json::Value;

/// File name and text of each definition. JSON strings are YAML, so every text is quoted as JSON quotes it.
pub fn manifests() -> Result<Vec<(String, String)>, serde_json::Error> {
    crate::definitions()?
        .into_iter()
        .map(|definition| {
            let name = format!("{}.yaml", definition.metadata.name.clone().unwrap_or_default());
            let mut text = String::from("# Generated from the types beside this file by crdgen; do not edit.\n");
            write_value(&mut text, &serde_json::to_value(&definition)?, 0);
            Ok((name, text))
        })
        .collect()
}

/// An object as a YAML document, always in the same layout.
pub fn yaml(object: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, object, 0);
    text
}

/// Writes a map or a list as a block; `depth` is its indentation in steps of two.
fn write_value(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) => {
            for (key, child) in fields {
                indent(out, depth);
                write_key(out, key);
                write_child(out, child, depth + 1);
            }
        }
        Value::Array(items) => {
            for item in items {
                indent(out, depth);
                out.push('-');
                write_child(out, item, depth + 1);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Writes what follows a key or a dash: a scalar on the same line, anything else as a block below.
fn write_child(out: &mut String, value: &Value, depth: usize) {
    let block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if block {
        out.push('\n');
        write_value(out, value, depth);
    } else {
        let _ = writeln!(out, " {value}");
    }
}

fn write_key(out: &mut String, key: &str) {
    let plain = key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')
        && key.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && !matches!(key, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    let _ = if plain { write!(out, "{key}:") } else { write!(out, "{}:", Value::from(key)) };
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}
