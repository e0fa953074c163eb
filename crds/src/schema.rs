//! What the derived schemas lack: bounds for embedded Kubernetes types, and an OpenAPI dialect the API server knows in full.
//!
//! The API server estimates what a CEL rule can cost from `maxItems` and `maxLength`, so nothing here is unbounded.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// The most entries in a list or map of an embedded Kubernetes type.
const EMBEDDED_ITEMS: u64 = 64;
/// The longest text in an embedded Kubernetes type.
const EMBEDDED_LENGTH: u64 = 1024;

/// The schema of a Kubernetes type, with bounds on its lists and texts and each description cut to its first sentence: the
/// full ones, times three for the places a pod is configured in, would make the definition too large for `kubectl apply`.
pub(crate) fn embedded<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator).to_value();
    inline_references(&mut schema, generator);
    bound(&mut schema);
    Schema::try_from(schema).unwrap_or_default()
}

/// A map of short texts, such as labels.
pub(crate) fn string_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 1024},
        "maxProperties": 64,
    })
}

/// Replaces `$ref`s, which a structural schema may not have, by what they name.
fn inline_references(schema: &mut Value, generator: &SchemaGenerator) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
        && let Some(target) = generator.definitions().get(name)
    {
        *schema = target.clone();
    }
    each_child(schema, &mut |child| inline_references(child, generator));
}

fn bound(schema: &mut Value) {
    if let Some(node) = schema.as_object_mut() {
        match node.get("type").and_then(Value::as_str) {
            Some("array") => set_default(node, "maxItems", EMBEDDED_ITEMS),
            Some("string") if !node.contains_key("enum") && !node.contains_key("format") => {
                set_default(node, "maxLength", EMBEDDED_LENGTH);
            }
            Some("object") if node.contains_key("additionalProperties") => {
                set_default(node, "maxProperties", EMBEDDED_ITEMS);
            }
            _ => {}
        }
        if let Some(Value::String(text)) = node.get_mut("description") {
            *text = first_sentence(text);
        }
    }
    each_child(schema, &mut bound);
}

fn set_default(node: &mut Map<String, Value>, key: &str, value: u64) {
    node.entry(key).or_insert_with(|| json!(value));
}

fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.find(". ") {
        Some(end) => text[..=end].to_owned(),
        None => text,
    }
}

/// Calls `visit` for every schema directly below `schema`.
pub(crate) fn each_child(schema: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let Some(node) = schema.as_object_mut() else { return };
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        properties.values_mut().for_each(&mut *visit);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = node.get_mut(key).filter(|child| child.is_object()) {
            visit(child);
        }
    }
}

/// Rewrites a derived definition into what the API server fully understands: no `nullable` (a null is then dropped before
/// defaults are filled in, as people expect of `field: null`), and only number formats that it knows.
pub(crate) fn polish(definition: &CustomResourceDefinition) -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut value = serde_json::to_value(definition)?;
    if let Some(Value::Array(versions)) = value.pointer_mut("/spec/versions") {
        for version in versions {
            if let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") {
                polish_schema(schema);
            }
        }
    }
    serde_json::from_value(value)
}

fn polish_schema(schema: &mut Value) {
    if let Some(node) = schema.as_object_mut() {
        node.remove("nullable");
        match node.get("format").and_then(Value::as_str) {
            Some("uint8" | "uint16") => drop(node.insert("format".to_owned(), json!("int32"))),
            Some("uint32" | "uint64" | "uint") => drop(node.insert("format".to_owned(), json!("int64"))),
            _ => {}
        }
        if let Some(Value::String(text)) = node.get_mut("description") {
            *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }
    each_child(schema, &mut polish_schema);
}
