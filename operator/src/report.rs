//! Writes the status of a topology when it differs, and an Event when a condition's state does.

use bailey_crds::IngressTopology;
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

/// Reports about topologies.
pub struct Reporter {
    api: Api<IngressTopology>,
    events: Recorder,
    metrics: std::sync::Arc<Metrics>,
}

impl Reporter {
    /// One that reports as the replica `instance`.
    pub fn new(client: Client, instance: String, metrics: std::sync::Arc<Metrics>) -> Self {
        let source = Source { controller: crate::labels::MANAGER.to_owned(), instance: Some(instance) };
        Self { api: Api::all(client.clone()), events: Recorder::new(client, source), metrics }
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
        Ok(())
    }

    /// That an Event cannot be written is no reason to stop.
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
        let event = Event {
            type_: if good { EventType::Normal } else { EventType::Warning },
            reason: if good { condition.type_.clone() } else { condition.reason.clone() },
            note: Some(condition.message.chars().take(LONGEST_NOTE).collect()),
            action: condition.type_.clone(),
            secondary: None,
        };
        if let Err(error) = self.events.publish(&event, &topology.object_ref(&())).await {
            tracing::warn!("an Event cannot be written: {error}");
        }
    }
}

/// Another state, or another reason for the same bad one.
fn changed(previous: &TopologyStatus, condition: &Condition) -> bool {
    let before = previous.conditions.iter().find(|one| one.type_ == condition.type_);
    before.is_none_or(|before| before.status != condition.status || before.reason != condition.reason)
}
