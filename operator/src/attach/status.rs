//! Conditions of Gateway API objects, which are JSON here: the time of the last transition changes with the state only
//! (KEP-1623).

use bailey_crds::conditions::ConditionType;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The longest message; the API has room for 32768 bytes, people have not.
const LONGEST: usize = 1000;

/// What one condition is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) type_: ConditionType,
    pub(super) holds: bool,
    /// A word of the Gateway API's or ours.
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Verdict {
    pub(super) fn yes(type_: ConditionType, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, holds: true, reason, message: message.into() }
    }

    pub(super) fn no(type_: ConditionType, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, holds: false, reason, message: message.into() }
    }

    /// As a condition of an object of that generation. `before` are the conditions that are there.
    pub(super) fn condition(&self, before: Option<&Value>, generation: i64, now: Timestamp) -> Value {
        let status = if self.holds { "True" } else { "False" };
        let before = before.and_then(Value::as_array).into_iter().flatten();
        let same = before.into_iter().find(|one| one["type"] == self.type_.as_str() && one["status"] == status);
        // The API has whole seconds.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let since =
            same.and_then(|one| one["lastTransitionTime"].as_str()).map_or_else(|| now.to_string(), str::to_owned);
        let message: String = self.message.chars().take(LONGEST).collect();
        json!({
            "type": self.type_.as_str(),
            "status": status,
            "reason": self.reason,
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": since,
        })
    }
}

/// These verdicts as conditions, with those that are there of other types before them: they are somebody else's.
pub(super) fn conditions(before: Option<&Value>, verdicts: &[Verdict], generation: i64, now: Timestamp) -> Vec<Value> {
    let ours = |one: &Value| ConditionType::ALL.iter().any(|known| one["type"] == known.as_str());
    let others = before.and_then(Value::as_array).into_iter().flatten().filter(|one| !ours(one)).cloned();
    others.chain(verdicts.iter().map(|verdict| verdict.condition(before, generation, now))).collect()
}
