//! What a Deployment or `DaemonSet` says of its proxies. Pure.

use bailey_crds::topology::TierStatus;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::manifest::{Child, ChildKey};
use crate::proxies::TierServed;
use crate::tier::Tier;
use crate::validate::{Reached, ValidTopology};

/// The state of a tier's proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Proxies wanted.
    pub desired: u32,
    /// Proxies that are ready.
    pub ready: u32,
    /// All of them are of the newest rendering.
    pub rolled: bool,
    /// The image in its pods' template.
    pub image: Option<String>,
    /// Why it does not get on, in the words of its controller.
    pub stuck: Option<String>,
}

/// The key of a tier's workload.
pub fn key(topology: &ValidTopology, tier: &Tier) -> ChildKey {
    let on_nodes = tier.tenant.is_none() && matches!(topology.reached(), Reached::HostPorts(_));
    let child = if on_nodes { Child::DaemonSet } else { Child::Deployment };
    ChildKey { child, namespace: tier.namespace.clone(), name: tier.name.clone() }
}

impl Workload {
    /// Reads a Deployment or a `DaemonSet`.
    pub fn of(object: &DynamicObject) -> Self {
        let number = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_u64).map(|n| n as u32);
        let daemons = object.data.pointer("/status/desiredNumberScheduled").is_some();
        let desired = if daemons {
            number("/status/desiredNumberScheduled").unwrap_or_default()
        } else {
            number("/spec/replicas").unwrap_or(1)
        };
        let (ready, updated) = if daemons {
            ("/status/numberReady", "/status/updatedNumberScheduled")
        } else {
            ("/status/readyReplicas", "/status/updatedReplicas")
        };
        let observed = object.data.pointer("/status/observedGeneration").and_then(Value::as_i64);
        let updated = number(updated).unwrap_or_default();
        // In a surge the old proxies are still among those that are ready, so none of them may be left.
        let old = if daemons { 0 } else { number("/status/replicas").unwrap_or_default().saturating_sub(updated) };
        Self {
            desired,
            ready: number(ready).unwrap_or_default(),
            rolled: observed == object.metadata.generation && updated >= desired && old == 0,
            image: object
                .data
                .pointer("/spec/template/spec/containers/0/image")
                .and_then(Value::as_str)
                .map(str::to_owned),
            stuck: stuck(object),
        }
    }

    /// Every proxy that is wanted is ready, and of the newest rendering.
    pub fn is_ready(&self) -> bool {
        self.rolled && self.desired > 0 && self.ready >= self.desired
    }

    /// As it stands in the topology's status.
    pub fn status(&self, tier: &Tier, served: TierServed) -> TierStatus {
        let version =
            self.image.as_deref().map(|image| image.rsplit('/').next().unwrap_or(image).chars().take(64).collect());
        TierStatus {
            name: tier.title().to_owned(),
            namespace: tier.namespace.clone(),
            ready: self.ready,
            desired: self.desired,
            digest: served.digest,
            serving: served.serving,
            version,
        }
    }
}

/// A condition of a Deployment that says that something is wrong.
fn stuck(object: &DynamicObject) -> Option<String> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    let bad = conditions.iter().find(|condition| {
        let is = |type_: &str, status: &str| condition["type"] == type_ && condition["status"] == status;
        is("ReplicaFailure", "True") || is("Progressing", "False")
    })?;
    Some(bad["message"].as_str().unwrap_or_default().to_owned())
}

/// The image for the outer tier: it follows when every inner tier has rolled to `wanted`, since a tier speaks with the
/// release before its own, and inner tiers serve what the outer one sends.
pub fn outer_image(wanted: &str, outer: Option<&Workload>, inners: &[Option<Workload>]) -> String {
    let behind = |inner: &Option<Workload>| {
        inner.as_ref().is_some_and(|inner| inner.image.as_deref() != Some(wanted) || !inner.rolled)
    };
    match outer.and_then(|outer| outer.image.as_deref()) {
        Some(now) if now != wanted && inners.iter().any(behind) => now.to_owned(),
        Some(_) | None => wanted.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, generation: i64, updated: u32, ready: u32) -> Workload {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "generation": 2},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": image}]}}},
            "status": {"observedGeneration": generation, "updatedReplicas": updated, "readyReplicas": ready},
        });
        Workload::of(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn an_old_generation_or_an_old_pod_is_not_ready() {
        assert!(deployment("i", 2, 2, 2).is_ready());
        assert!(!deployment("i", 1, 2, 2).is_ready() && !deployment("i", 2, 1, 2).is_ready());
        assert!(!deployment("i", 2, 2, 1).is_ready());
    }

    #[test]
    fn an_old_pod_that_still_serves_in_a_surge_does_not_make_a_roll_done() {
        let surge = |ready: u32, replicas: u32| {
            let object = json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "generation": 2},
                "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "new"}]}}},
                "status": {"observedGeneration": 2, "replicas": replicas, "updatedReplicas": 1, "readyReplicas": ready},
            });
            Workload::of(&serde_json::from_value(object).unwrap())
        };
        assert!(!surge(1, 2).is_ready() && !surge(2, 2).is_ready() && surge(1, 1).is_ready());
        assert_eq!(outer_image("new", Some(&deployment("old", 2, 2, 2)), &[Some(surge(1, 2))]), "old");
    }

    #[test]
    fn the_outer_tier_gets_a_new_image_after_the_inner_ones() {
        let (old, new) = (deployment("old", 2, 2, 2), deployment("new", 2, 2, 2));
        let rolling = deployment("new", 2, 1, 2);
        assert_eq!(outer_image("new", Some(&old), &[Some(old.clone())]), "old");
        assert_eq!(outer_image("new", Some(&old), &[Some(rolling), Some(new.clone())]), "old");
        assert_eq!(outer_image("new", Some(&old), &[Some(new)]), "new");
        assert_eq!(outer_image("new", None, &[Some(old)]), "new");
    }
}
