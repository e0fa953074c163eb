//! Whether an object in the cluster is what was rendered, and what to do about it if not. Pure.
//!
//! Only what was rendered counts: fields that the API server or others fill in are theirs. A number that the server writes
//! in another way than we do (`1000m`, `1`) would look like drift for ever, so what it made of our last write counts as
//! equal too.

use kube::api::DynamicObject;
use serde_json::{Map, Value};

use crate::labels;
use crate::manifest::{DIGEST, Manifest};

/// What is to be done about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is as it should be.
    Nothing,
    /// It is missing.
    Create,
    /// It differs in this field.
    Update {
        /// Path of the first field that differs.
        field: String,
    },
    /// An object of the name exists and is somebody else's: it is left alone.
    Foreign {
        /// Who has it, as far as it says.
        owner: String,
    },
    /// It belongs to an earlier topology of the name, or is being deleted, and is about to go.
    Leaving,
}

/// Compares an object with what was rendered. `accepted` is what the server made of the same rendering before.
pub fn step(wanted: &Manifest, found: Option<&DynamicObject>, accepted: Option<&Value>) -> Step {
    let Some(found) = found else { return Step::Create };
    if let Some(step) = standing(wanted, found) {
        return step;
    }
    let annotations = found.metadata.annotations.as_ref();
    if annotations.and_then(|all| all.get(DIGEST)) != Some(&wanted.digest) {
        return Step::Update { field: format!("metadata.annotations[{DIGEST}]") };
    }
    let Ok(found) = serde_json::to_value(found) else { return Step::Nothing };
    match difference(&wanted.object, &found, "") {
        None => Step::Nothing,
        Some(_) if accepted.is_some_and(|accepted| *accepted == project(&wanted.object, &found)) => Step::Nothing,
        Some(field) => Step::Update { field },
    }
}

/// What stands against writing it at all.
fn standing(wanted: &Manifest, found: &DynamicObject) -> Option<Step> {
    let label = |key: &str| found.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    let topology = wanted.object["metadata"]["labels"][labels::TOPOLOGY].as_str();
    if label(labels::MANAGED_BY) != Some(labels::MANAGER) || label(labels::TOPOLOGY) != topology {
        let owner = match (label(labels::TOPOLOGY), label(labels::MANAGED_BY)) {
            (Some(topology), _) => format!("topology {topology}"),
            (None, Some(manager)) => manager.to_owned(),
            (None, None) => "nobody we know".to_owned(),
        };
        return Some(Step::Foreign { owner });
    }
    let owners = found.metadata.owner_references.iter().flatten();
    let ours = wanted.object["metadata"]["ownerReferences"][0]["uid"].as_str();
    let mut topologies = owners.filter(|owner| owner.kind == "IngressTopology");
    // A volume that was kept has no owner and is taken over by its labels.
    let earlier = topologies.next().is_some_and(|owner| ours.is_some_and(|uid| owner.uid != uid));
    (earlier || found.metadata.deletion_timestamp.is_some()).then_some(Step::Leaving)
}

/// The part of `found` that `wanted` speaks of. A list is compared whole, entry by entry.
pub fn project(wanted: &Value, found: &Value) -> Value {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let fields = wanted.iter().filter_map(|(key, value)| Some((key.clone(), project(value, found.get(key)?))));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            Value::Array(wanted.iter().zip(found).map(|(wanted, found)| project(wanted, found)).collect())
        }
        (_, found) => found.clone(),
    }
}

/// The path of the first field of `wanted` that `found` has otherwise.
fn difference(wanted: &Value, found: &Value, at: &str) -> Option<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(key, value)| {
            // The items of a list do not say what they are.
            if at.is_empty() && matches!(key.as_str(), "apiVersion" | "kind") {
                return None;
            }
            let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            match found.get(key) {
                // What is empty, false or nothing may be left out by the server.
                None if is_empty(value) => None,
                None => Some(path),
                Some(found) => difference(value, found, &path),
            }
        }),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.find_map(|(index, (wanted, found))| difference(wanted, found, &format!("{at}[{index}]")))
        }
        (wanted, found) if wanted == found => None,
        (_, _) => Some(at.to_owned()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::{Child, ChildKey};

    fn wanted() -> Manifest {
        let object = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "main-outer", "namespace": "out", "annotations": {DIGEST: "d"},
                "labels": {labels::MANAGED_BY: labels::MANAGER, labels::TOPOLOGY: "main"},
                "ownerReferences": [{"kind": "IngressTopology", "name": "main", "uid": "u", "apiVersion": "bailey.dev/v1alpha1"}],
            },
            "spec": {"ports": [{"port": 80}], "type": "LoadBalancer"},
        });
        let key = ChildKey { child: Child::Service, namespace: "out".to_owned(), name: "main-outer".to_owned() };
        Manifest { key, object, digest: "d".to_owned(), owned: true }
    }

    fn found(change: impl FnOnce(&mut Value)) -> DynamicObject {
        let mut value = wanted().object;
        value["spec"]["clusterIP"] = "10.0.0.1".into();
        value["spec"]["ports"][0]["nodePort"] = 30000.into();
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn step_of(found: &DynamicObject) -> Step {
        step(&wanted(), Some(found), None)
    }

    #[test]
    fn what_the_server_fills_in_is_no_drift() {
        assert_eq!(step_of(&found(|_| ())), Step::Nothing);
        assert_eq!(step(&wanted(), None, None), Step::Create);
    }

    #[test]
    fn an_item_of_a_list_that_does_not_say_its_kind_is_no_drift() {
        let listed = found(|value| {
            value.as_object_mut().unwrap().retain(|key, _| key != "apiVersion" && key != "kind");
        });
        assert_eq!(step_of(&listed), Step::Nothing);
    }

    #[test]
    fn a_changed_field_is_named_and_one_that_is_not_asked_for_any_more_shows_by_the_digest() {
        let changed = found(|value| value["spec"]["ports"][0]["port"] = 81.into());
        assert_eq!(step_of(&changed), Step::Update { field: "spec.ports[0].port".to_owned() });
        let old = found(|value| value["metadata"]["annotations"][DIGEST] = "before".into());
        assert!(matches!(step_of(&old), Step::Update { .. }));
    }

    #[test]
    fn what_the_server_made_of_our_last_write_is_no_drift() {
        let same = found(|value| value["spec"]["type"] = "loadbalancer".into());
        let accepted = project(&wanted().object, &serde_json::to_value(&same).unwrap());
        assert!(matches!(step_of(&same), Step::Update { .. }));
        assert_eq!(step(&wanted(), Some(&same), Some(&accepted)), Step::Nothing);
    }

    #[test]
    fn an_object_that_is_not_ours_is_left_alone() {
        let other = found(|value| value["metadata"]["labels"] = json!({labels::MANAGED_BY: "Helm"}));
        assert_eq!(step_of(&other), Step::Foreign { owner: "Helm".to_owned() });
        let other = found(|value| value["metadata"]["labels"][labels::TOPOLOGY] = "second".into());
        assert_eq!(step_of(&other), Step::Foreign { owner: "topology second".to_owned() });
    }

    #[test]
    fn an_object_of_an_earlier_topology_of_the_name_is_waited_for_and_a_kept_volume_is_taken_over() {
        let earlier = found(|value| value["metadata"]["ownerReferences"][0]["uid"] = "before".into());
        assert_eq!(step_of(&earlier), Step::Leaving);
        let kept = found(|value| value["metadata"]["ownerReferences"] = json!([]));
        assert!(matches!(step_of(&kept), Step::Update { .. }));
    }
}
