//! The ledger in the cluster: reads the bindings that exist, and carries out what [`crate::ledger`] decides.
//!
//! A hostname is taken by creating its binding: of two who try, the API server lets one.

use std::sync::Arc;

use bailey_crds::{HostnameBinding, IngressTopology};
use jiff::Timestamp;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::{Resource as _, ResourceExt as _};

use crate::apply::Cluster;
use crate::failure::{is_missing, is_taken, problem};
use crate::labels::{self, MANAGER};
use crate::ledger::{Decision, HOLD, Held, Wish};
use crate::observe::World;
use crate::problem::Problem;
use crate::render::{RELEASED_AT, binding, released};
use crate::validate::ValidTopology;

/// What the tenants of a topology ask for, in their order.
pub fn wishes(topology: &IngressTopology) -> Vec<Wish> {
    let tenants = topology.spec.tenants.iter();
    let wish =
        |tenant: &str, hostname: &bailey_crds::Hostname| Wish { hostname: hostname.clone(), tenant: tenant.to_owned() };
    tenants.flat_map(|tenant| tenant.hostnames.iter().map(|hostname| wish(&tenant.name, hostname))).collect()
}

/// The bindings of the cluster.
pub fn held(world: &World) -> Vec<Held> {
    let bindings = world.bindings.iter();
    let held = bindings.map(|((namespace, _), binding)| Held {
        hostname: binding.spec.hostname.clone(),
        namespace: namespace.clone(),
        topology: binding.labels().get(labels::TOPOLOGY).cloned().unwrap_or_default(),
        tenant: binding.spec.tenant.clone(),
        released: released_at(binding),
    });
    held.collect()
}

fn released_at(binding: &HostnameBinding) -> Option<Timestamp> {
    let is_released = binding.labels().get(labels::BINDING).is_some_and(|state| state == labels::RELEASED);
    let at = binding.annotations().get(RELEASED_AT).and_then(|at| at.parse().ok());
    // Without a readable time it counts as given up long ago.
    is_released.then(|| at.unwrap_or(Timestamp::UNIX_EPOCH))
}

/// When the ledger has to be looked at again without anything changing: a hold time ends.
pub fn next_look(decision: &Decision) -> Option<Timestamp> {
    decision.holding.iter().filter_map(|held| held.released?.checked_add(HOLD).ok()).min()
}

/// Creates, releases and deletes bindings as decided. What stands against it is a problem; a lost race shows in the next
/// look.
pub async fn carry_out(
    cluster: &Cluster,
    world: &World,
    topology: &ValidTopology,
    decision: &Decision,
    now: Timestamp,
) -> Vec<Problem> {
    let namespace = &topology.object.spec.outer.namespace;
    let api: Api<HostnameBinding> = Api::namespaced(cluster.client.clone(), namespace);
    let mut problems = Vec::new();
    let mut note = |what: String, answer: Result<(), kube::Error>| {
        cluster.metrics.wrote("HostnameBinding", answer.is_ok());
        if let Err(error) = answer {
            problems.push(problem(&what, &error));
        }
    };
    for gone in &decision.expired {
        let name = gone.hostname.binding_name();
        let api: Api<HostnameBinding> = Api::namespaced(cluster.client.clone(), &gone.namespace);
        let uid = found(world, &gone.namespace, &name).and_then(|binding| binding.uid());
        let params =
            DeleteParams { preconditions: Some(Preconditions { uid, resource_version: None }), ..Default::default() };
        let answer = api.delete(&name, &params).await.map(drop);
        note(
            format!("cannot free {}", gone.hostname),
            answer.or_else(|error| if is_missing(&error) { Ok(()) } else { Err(error) }),
        );
    }
    for gone in &decision.release {
        tracing::info!(hostname = %gone.hostname, tenant = gone.tenant, "released; it is held for its tenant for a day");
        let answer =
            api.patch(&gone.hostname.binding_name(), &PatchParams::default(), &Patch::Merge(released(now))).await;
        note(format!("cannot release {}", gone.hostname), answer.map(drop));
    }
    for resolved in &topology.bindings {
        let wanted = binding(topology, resolved);
        match found(world, namespace, &resolved.name_any()) {
            Some(found) if is_as_wanted(found, &wanted) => {}
            // A stranger's object of the name: the ledger has decided against us, so this is a race; the next look tells.
            Some(found) if found.labels().get(labels::TOPOLOGY) != Some(&topology.name) => {}
            Some(found) => {
                // The tenant moved, or has its host back.
                let mut change = wanted.clone();
                change["metadata"]["uid"] = found.uid().unwrap_or_default().into();
                change["metadata"]["annotations"] = serde_json::json!({RELEASED_AT: null});
                let answer = api.patch(&found.name_any(), &PatchParams::default(), &Patch::Merge(&change)).await;
                note(format!("cannot change the binding of {}", resolved.spec.hostname), answer.map(drop));
            }
            None => {
                let answer = create(cluster, namespace, &wanted).await;
                // Somebody was faster: the watch will say who.
                let answer = answer.or_else(|error| if is_taken(&error) { Ok(()) } else { Err(error) });
                note(format!("cannot take {}", resolved.spec.hostname), answer);
            }
        }
    }
    problems
}

/// Takes a hostname. The next topology that is looked at sees it taken, though the watch has not told yet.
async fn create(cluster: &Cluster, namespace: &str, wanted: &serde_json::Value) -> Result<(), kube::Error> {
    let resource = ApiResource::erase::<HostnameBinding>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), namespace, &resource);
    let object: DynamicObject = serde_json::from_value(wanted.clone()).map_err(kube::Error::SerdeError)?;
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let taken = api.create(&params, &object).await?;
    if let Ok(taken) = taken.try_parse::<HostnameBinding>() {
        cluster.observed.taken(taken);
    }
    Ok(())
}

fn found<'a>(world: &'a World, namespace: &str, name: &str) -> Option<&'a Arc<HostnameBinding>> {
    world.bindings.get(&(namespace.to_owned(), name.to_owned()))
}

fn is_as_wanted(found: &HostnameBinding, wanted: &serde_json::Value) -> bool {
    let spec = serde_json::to_value(&found.spec).unwrap_or_default();
    let labels_match = wanted["metadata"]["labels"].as_object().is_some_and(|labels| {
        labels.iter().all(|(key, value)| found.labels().get(key).map(String::as_str) == value.as_str())
    });
    let owner = wanted["metadata"]["ownerReferences"][0]["uid"].as_str();
    spec == wanted["spec"]
        && labels_match
        && found.meta().owner_references.iter().flatten().any(|one| Some(one.uid.as_str()) == owner)
}
