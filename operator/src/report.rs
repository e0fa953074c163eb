//! Writes the status of a topology when it differs, and an Event when a condition's state does or a certificate's.

mod certificates;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bailey_crds::IngressTopology;
use bailey_crds::conditions::Reason;
use bailey_crds::topology::TopologyStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter as Source};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::json;

use crate::metrics::Metrics;

/// The field manager of the status.
pub const MANAGER: &str = "bailey-operator-status";
/// The longest note of an Event.
const LONGEST_NOTE: usize = 1000;
/// Notes that are remembered, so that one that comes again is counted in its Event.
const NOTES: usize = 256;

/// Reports about topologies.
pub struct Reporter {
    api: Api<IngressTopology>,
    client: Client,
    source: Source,
    /// A recorder keeps the first note of all Events of one reason for some minutes, so each note has its own. The last used is last.
    notes: Mutex<VecDeque<(String, Recorder)>>,
    metrics: Arc<Metrics>,
}

impl Reporter {
    /// One that reports as the replica `instance`.
    pub fn new(client: Client, instance: String, metrics: Arc<Metrics>) -> Self {
        let source = Source { controller: crate::labels::MANAGER.to_owned(), instance: Some(instance) };
        Self { api: Api::all(client.clone()), client, source, notes: Mutex::default(), metrics }
    }

    /// Writes `status` unless the object has it already.
    pub async fn report(
        &self,
        topology: &IngressTopology,
        previous: &TopologyStatus,
        status: &TopologyStatus,
    ) -> Result<(), kube::Error> {
        if previous == status {
            return Ok(());
        }
        let name = topology.name_any();
        let object = json!({
            "apiVersion": "bailey.dev/v1alpha1",
            "kind": "IngressTopology",
            // Not the status of another object of the name.
            "metadata": {"name": name, "uid": topology.uid()},
            "status": status,
        });
        let answer = self.api.patch_status(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&object)).await;
        self.metrics.wrote("IngressTopology", answer.is_ok());
        answer?;
        for condition in &status.conditions {
            if changed(previous, condition) {
                self.tell(topology, condition).await;
            }
        }
        for turn in certificates::turns(&previous.certificates, &status.certificates) {
            tracing::info!(topology = name, reason = turn.reason, "{}", turn.note);
            let type_ = if turn.good { EventType::Normal } else { EventType::Warning };
            self.publish(topology, (type_, turn.reason, "CertificatesReady"), &turn.note).await;
        }
        Ok(())
    }

    async fn tell(&self, topology: &IngressTopology, condition: &Condition) {
        let good = condition.status == "True";
        tracing::info!(
            topology = topology.name_any(),
            condition = condition.type_,
            status = condition.status,
            reason = condition.reason,
            "{}",
            condition.message
        );
        let (type_, reason) =
            if good { (EventType::Normal, &condition.type_) } else { (EventType::Warning, &condition.reason) };
        self.publish(topology, (type_, reason, &condition.type_), &condition.message).await;
    }

    /// Writes an Event of that type, reason and action. That it cannot be written is no reason to stop.
    async fn publish(&self, topology: &IngressTopology, (type_, reason, action): (EventType, &str, &str), note: &str) {
        let note: String = note.chars().take(LONGEST_NOTE).collect();
        let recorder = self.recorder(&note);
        let event =
            Event { type_, reason: reason.to_owned(), note: Some(note), action: action.to_owned(), secondary: None };
        if let Err(error) = recorder.publish(&event, &topology.object_ref(&())).await {
            tracing::warn!("an Event cannot be written: {error}");
        }
    }
}

impl Reporter {
    fn recorder(&self, note: &str) -> Recorder {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = notes.iter().position(|(known, _)| known == note).and_then(|at| notes.remove(at));
        let (_, recorder) =
            known.unwrap_or_else(|| (note.to_owned(), Recorder::new(self.client.clone(), self.source.clone())));
        if notes.len() == NOTES {
            notes.pop_front();
        }
        notes.push_back((note.to_owned(), recorder.clone()));
        recorder
    }
}

/// Another state, another reason for the same bad one, or another permission that is missing.
fn changed(previous: &TopologyStatus, condition: &Condition) -> bool {
    let before = previous.conditions.iter().find(|one| one.type_ == condition.type_);
    before.is_none_or(|before| {
        let other = before.status != condition.status || before.reason != condition.reason;
        other || (condition.reason == Reason::PermissionMissing.as_str() && before.message != condition.message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(reason: Reason, message: &str) -> Condition {
        serde_json::from_value(json!({
            "type": "Programmed", "status": "False", "reason": reason.as_str(), "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_change_of_words_is_told_of_permissions_only() {
        let told = |reason, before: &str, now: &str| {
            let previous = TopologyStatus { conditions: vec![condition(reason, before)], ..TopologyStatus::default() };
            changed(&previous, &condition(reason, now))
        };
        assert!(told(Reason::PermissionMissing, "a may not list", "a may not watch"));
        assert!(!told(Reason::PermissionMissing, "a may not list", "a may not list"));
        assert!(!told(Reason::ProxiesNotReady, "0 of 2", "1 of 2"));
    }
}
