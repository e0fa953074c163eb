//! Label selectors against the labels of namespaces.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::objects::Objects;

/// The label that every namespace has, with its own name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

type Labels = BTreeMap<String, String>;

/// The labels of a namespace. One that is not among the objects has its name only.
pub(crate) fn namespace_labels(objects: &Objects, namespace: &str) -> Labels {
    let entry = objects.get::<Namespace>("", namespace);
    let mut labels = entry.and_then(|entry| entry.object.metadata.labels.clone()).unwrap_or_default();
    labels.insert(NAME_LABEL.to_owned(), namespace.to_owned());
    labels
}

/// Whether the selector picks these labels. An empty selector picks everything.
pub(crate) fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let equal = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    equal && selector.match_expressions.iter().flatten().all(|requirement| holds(requirement, labels))
}

/// The first requirement that can never hold because it is not valid; the text completes "the requirement on … ".
pub(crate) fn problem(selector: &LabelSelector) -> Option<String> {
    let wrong = |requirement: &LabelSelectorRequirement| {
        let values = requirement.values.as_deref().unwrap_or_default();
        match (requirement.operator.as_str(), values.is_empty()) {
            ("In" | "NotIn", false) | ("Exists" | "DoesNotExist", true) => None,
            ("In" | "NotIn", true) => Some(format!("{:?} has no values", requirement.key)),
            ("Exists" | "DoesNotExist", false) => Some(format!("{:?} has values", requirement.key)),
            (other, _) => Some(format!("{:?} has the operator {other:?}", requirement.key)),
        }
    };
    selector.match_expressions.iter().flatten().find_map(wrong)
}

fn holds(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let value = labels.get(&requirement.key);
    let listed = |value: &String| requirement.values.iter().flatten().any(|candidate| candidate == value);
    match requirement.operator.as_str() {
        "In" => value.is_some_and(listed),
        "NotIn" => !value.is_some_and(listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}
