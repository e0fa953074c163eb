//! What every definition must have: a sentence on each field, a bound on each list, map and text, and a file that agrees.

use serde_json::Value;

/// Calls `visit` with the path and the schema of every field of every definition.
fn every_field(visit: &mut dyn FnMut(&str, &Value)) {
    let mut fields = 0;
    for definition in bailey_crds::definitions().expect("the definitions are generated") {
        let schema = definition.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let schema = serde_json::to_value(schema).expect("a schema is JSON");
        descend(&schema, &definition.spec.names.kind, &mut |path, schema| {
            fields += 1;
            visit(path, schema);
        });
    }
    assert!(fields > 500, "only {fields} fields were visited");
}

fn descend(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        descend(child, &format!("{path}.{name}"), visit);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            descend(&schema[key], &format!("{path}{mark}"), visit);
        }
    }
}

/// The paths of the fields for which `wrong` holds.
fn fields_where(wrong: impl Fn(&str, &Value) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    every_field(&mut |path, schema| {
        if wrong(path, schema) {
            found.push(path.to_owned());
        }
    });
    found
}

#[test]
fn every_field_is_explained() {
    let missing = fields_where(|path, schema| {
        let entry = path.ends_with("[]") || path.ends_with("{}");
        !entry && schema["description"].as_str().is_none_or(|text| !text.ends_with('.') && !path.contains(".pod."))
    });
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_list_map_and_text_is_bounded() {
    let unbounded = fields_where(|_, schema| match schema["type"].as_str() {
        Some("array") => !schema["maxItems"].is_u64(),
        Some("object") => schema["additionalProperties"].is_object() && !schema["maxProperties"].is_u64(),
        Some("string") => ["maxLength", "enum", "format"].iter().all(|bound| schema[bound].is_null()),
        Some("integer") => (schema["maximum"].is_null() || schema["minimum"].is_null()) && schema["format"].is_null(),
        _ => false,
    });
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_field_has_a_type_the_server_knows() {
    let untyped = fields_where(|_, schema| {
        let known_format = schema["format"].is_null()
            || ["int32", "int64", "date-time", "double"].contains(&schema["format"].as_str().unwrap_or_default());
        let typed = schema["type"].is_string() || schema["x-kubernetes-int-or-string"] == true;
        let plain = ["$ref", "anyOf", "oneOf", "allOf", "nullable"].iter().all(|key| schema[key].is_null());
        !(known_format && typed && (plain || schema["x-kubernetes-int-or-string"] == true))
    });
    assert_eq!(untyped, Vec::<String>::new());
}

#[test]
fn every_rule_says_what_is_wrong() {
    every_field(&mut |path, schema| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_default();
            assert!(!message.is_empty() && !message.contains('\n'), "{path}: {rule}");
        }
    });
}

#[test]
fn the_files_agree_with_the_types() {
    for (name, text) in bailey_crds::manifests().unwrap() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        let file = std::fs::read_to_string(path).unwrap_or_default();
        assert!(file == text, "{name} differs from its types; run `cargo run -p bailey-crds --bin crdgen`");
    }
}

#[test]
fn a_file_reads_back_as_its_definition() {
    for ((name, text), definition) in bailey_crds::manifests().unwrap().iter().zip(bailey_crds::definitions().unwrap())
    {
        let read: Value = serde_saphyr::from_str(text).unwrap();
        assert_eq!(read, serde_json::to_value(definition).unwrap(), "{name}");
    }
}

#[test]
fn a_definition_is_small_enough_for_kubectl_apply() {
    for definition in bailey_crds::definitions().unwrap() {
        let size = serde_json::to_string(&definition).unwrap().len();
        assert!(size < 200_000, "{:?} has {size} bytes", definition.metadata.name);
    }
}
