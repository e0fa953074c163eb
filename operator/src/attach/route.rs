//! The `status.parents` of a route: our entries among those of other controllers. Pure.

use bailey_translate::CONTROLLER;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::claim::Claim;

/// As many entries as the API has room for.
const MOST: usize = 32;

/// The whole new status, or nothing if the route has it already. Entries of other controllers stay as and where they are.
/// `known` says that every topology is understood: otherwise an entry without a claim may still be somebody's and stays.
pub(super) fn status(
    before: Option<&Value>,
    claims: &[Claim],
    known: bool,
    generation: i64,
    now: Timestamp,
) -> Option<Value> {
    let old: &[Value] = before.and_then(|status| status["parents"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let mut wanted: Vec<(Value, &Claim)> = Vec::new();
    for claim in claims {
        let Ok(parent) = serde_json::to_value(&claim.parent) else { continue };
        // A route may not name one parent twice; should it, the first counts.
        if wanted.iter().all(|(other, _)| *other != parent) {
            wanted.push((parent, claim));
        }
    }
    let mut parents: Vec<Value> = Vec::new();
    for entry in old {
        if entry["controllerName"] != CONTROLLER {
            parents.push(entry.clone());
            continue;
        }
        match wanted.iter().position(|(parent, _)| entry["parentRef"] == *parent) {
            Some(at) => {
                let (parent, claim) = wanted.remove(at);
                parents.push(made(&parent, claim, Some(&entry["conditions"]), generation, now));
            }
            None if known => {}
            None => parents.push(entry.clone()),
        }
    }
    let room = MOST.saturating_sub(parents.len());
    parents.extend(wanted.into_iter().take(room).map(|(parent, claim)| made(&parent, claim, None, generation, now)));
    (parents != old).then(|| json!({ "parents": parents }))
}

fn made(parent: &Value, claim: &Claim, before: Option<&Value>, generation: i64, now: Timestamp) -> Value {
    let conditions: Vec<Value> =
        claim.verdicts.iter().map(|verdict| verdict.condition(before, generation, now)).collect();
    json!({"parentRef": parent, "controllerName": CONTROLLER, "conditions": conditions})
}
