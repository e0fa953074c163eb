//! Brings the cluster to what was rendered: writes what differs, deletes what is rendered no more, and nothing else.
//!
//! Every write is a server-side apply by our field manager, bound to the object that was looked at by its UID. A failed one
//! is a problem of the topology and is tried again; the rest goes on. Decisions are [`crate::drift`]'s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bailey_crds::conditions::Reason;
use futures_util::StreamExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::{Client, ResourceExt};
use serde_json::Value;

use crate::certificates;
use crate::drift::{Step, project, step};
use crate::failure::{is_conflict, is_missing, problem};
use crate::labels::{self, MANAGER};
use crate::manifest::{Applied, Child, ChildKey, Manifest, Manifests, Rendered};
use crate::metrics::Metrics;
use crate::observe::{Observed, World};
use crate::problem::Problem;

/// Writes at once.
const AT_ONCE: usize = 8;
/// As many writes of the same rendering within [`FIGHT`] mean that somebody keeps undoing it.
const FIGHT_WRITES: usize = 4;
const FIGHT: Duration = Duration::from_mins(1);

/// What is remembered of our writes, to tell a fight from work and to know what the server made of them. Losing it costs a
/// write or two, no more.
#[derive(Debug, Default)]
pub struct Memory {
    written: BTreeMap<ChildKey, Written>,
}

#[derive(Debug, Default)]
struct Written {
    digest: String,
    accepted: Value,
    times: Vec<Instant>,
}

/// What became of a rendering.
#[derive(Debug)]
pub struct Outcome {
    /// The objects, if all of them are in the cluster now.
    pub applied: Option<Manifests<Applied>>,
    /// What stood against it.
    pub problems: Vec<Problem>,
    /// Something is to be tried again soon.
    pub again: bool,
}

/// The cluster as `apply` needs it.
#[derive(Clone)]
pub struct Cluster {
    /// The way to it.
    pub client: Client,
    /// Where answers to writes are noted.
    pub observed: Arc<Observed>,
    /// Where writes are counted.
    pub metrics: Arc<Metrics>,
}

/// What one object came to.
enum Fate {
    Fine,
    Written(Box<DynamicObject>),
    Waiting,
    Bad(Problem),
}

/// Makes `manifests` true.
pub async fn apply(
    cluster: &Cluster,
    world: &World,
    uid: &str,
    topology: &str,
    manifests: Manifests<Rendered>,
    memory: &mut Memory,
) -> Outcome {
    let mut outcome = Outcome { applied: None, problems: Vec::new(), again: false };
    let mut waiting = false;
    // One kind after the other, in the order of the table.
    for child in Child::ALL {
        let of_kind: Vec<&Manifest> = manifests.iter().filter(|manifest| manifest.key.child == *child).collect();
        let futures = of_kind.into_iter().map(|manifest| {
            let found = world.children.get(&manifest.key).map(Arc::as_ref);
            let written = memory.written.get(&manifest.key);
            async move { (manifest, one(cluster, manifest, found, written).await) }
        });
        let fates: Vec<(&Manifest, Fate)> =
            futures_util::stream::iter(futures).buffer_unordered(AT_ONCE).collect().await;
        for (manifest, fate) in fates {
            match fate {
                Fate::Fine => {}
                Fate::Waiting => waiting = true,
                Fate::Written(object) => memory.note(manifest, &object, cluster),
                Fate::Bad(problem) => outcome.problems.push(problem),
            }
        }
    }
    let gone: Vec<&ChildKey> = world
        .children
        .iter()
        .filter(|(key, object)| manifests.get(key).is_none() && is_garbage(object, uid, topology))
        .map(|(key, _)| key)
        .collect();
    for key in gone {
        let object = &world.children[key];
        // Its Secret is not watched. It goes first: what is left to be deleted brings us back here if that fails.
        let withdrawn =
            if key.child == Child::TierConfig { certificates::withdraw(cluster, object).await } else { Ok(()) };
        let deleted = match withdrawn {
            Ok(()) => delete(cluster, key, object).await,
            Err(error) => Err(error),
        };
        match deleted {
            Ok(()) => {}
            // Another object has the name by now; the next look decides.
            Err(error) if is_conflict(&error) => waiting = true,
            Err(error) => outcome.problems.push(problem(&format!("cannot delete {key}"), &error)),
        }
        memory.written.remove(key);
    }
    outcome.problems.sort();
    outcome.again = waiting || outcome.problems.iter().any(|problem| problem.reason != Reason::NameConflict);
    if outcome.problems.is_empty() && !waiting {
        outcome.applied = Some(manifests.applied());
    }
    outcome
}

impl Memory {
    fn note(&mut self, manifest: &Manifest, object: &DynamicObject, cluster: &Cluster) {
        let written = self.written.entry(manifest.key.clone()).or_default();
        if written.digest != manifest.digest {
            *written = Written { digest: manifest.digest.clone(), ..Written::default() };
        }
        if let Ok(found) = serde_json::to_value(object) {
            written.accepted = project(&manifest.object, &found);
        }
        written.times.retain(|time| time.elapsed() < FIGHT);
        written.times.push(Instant::now());
        cluster.observed.written(manifest.key.clone(), object.clone());
    }
}

impl Written {
    /// Somebody has undone the same write several times within a minute: from then on it is one write a minute.
    fn is_contested(&self, digest: &str) -> bool {
        let recent = self.times.iter().filter(|time| time.elapsed() < FIGHT).count();
        self.digest == digest && recent >= FIGHT_WRITES
    }

    /// Too early to write again.
    fn is_held(&self, digest: &str) -> bool {
        self.is_contested(digest) && self.times.last().is_some_and(|last| last.elapsed() < FIGHT)
    }
}

async fn one(cluster: &Cluster, manifest: &Manifest, found: Option<&DynamicObject>, written: Option<&Written>) -> Fate {
    let same = written.filter(|written| written.digest == manifest.digest);
    let accepted = same.map(|written| &written.accepted);
    let fate = match step(manifest, found, accepted) {
        Step::Nothing => return Fate::Fine,
        Step::Leaving => return Fate::Waiting,
        Step::Foreign { owner } => return foreign(manifest, &owner),
        Step::Update { field } => {
            if same.is_some_and(|same| same.is_held(&manifest.digest)) {
                let others = found.map(managers).unwrap_or_default();
                let message =
                    format!("{}: {field} keeps being changed by {others}; it is put back once a minute", manifest.key);
                return Fate::Bad(Problem::new(Reason::Contested, message));
            }
            tracing::info!(object = %manifest.key, field, "writing what differs");
            write(cluster, manifest, found).await
        }
        Step::Create => {
            // The watch sees only what carries our label, so somebody else's object has to be asked for.
            match api(cluster, &manifest.key).get_opt(&manifest.key.name).await {
                Ok(None) => {
                    tracing::info!(object = %manifest.key, "creating");
                    write(cluster, manifest, None).await
                }
                Ok(Some(found)) => match step(manifest, Some(&found), accepted) {
                    Step::Nothing => {
                        cluster.observed.written(manifest.key.clone(), found);
                        return Fate::Fine;
                    }
                    Step::Foreign { owner } => return foreign(manifest, &owner),
                    Step::Leaving => return Fate::Waiting,
                    Step::Create | Step::Update { .. } => write(cluster, manifest, Some(&found)).await,
                },
                Err(error) => Err(error),
            }
        }
    };
    match fate {
        Ok(object) => Fate::Written(Box::new(object)),
        // The object has changed under our hands; the next look decides.
        Err(error) if is_conflict(&error) && found.is_some() => Fate::Waiting,
        Err(error) => Fate::Bad(problem(&format!("cannot write {}", manifest.key), &error)),
    }
}

fn foreign(manifest: &Manifest, owner: &str) -> Fate {
    let message = format!(
        "{} exists and belongs to {owner}; it is left alone: rename or delete it, or give the topology or tenant another name",
        manifest.key
    );
    Fate::Bad(Problem::new(Reason::NameConflict, message))
}

/// The others who have written the object.
fn managers(object: &DynamicObject) -> String {
    let fields = object.metadata.managed_fields.iter().flatten();
    let mut names: Vec<&str> = fields
        .filter(|entry| entry.subresource.is_none())
        .filter_map(|entry| entry.manager.as_deref())
        .filter(|manager| *manager != MANAGER)
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "somebody else".to_owned() } else { names.join(", ") }
}

/// Server-side apply of the object, which has to be the one that was looked at.
async fn write(
    cluster: &Cluster,
    manifest: &Manifest,
    found: Option<&DynamicObject>,
) -> Result<DynamicObject, kube::Error> {
    let mut object = manifest.object.clone();
    if let Some(uid) = found.and_then(ResourceExt::uid) {
        object["metadata"]["uid"] = uid.into();
    }
    let params = PatchParams::apply(MANAGER).force();
    let answer = api(cluster, &manifest.key).patch(&manifest.key.name, &params, &Patch::Apply(&object)).await;
    cluster.metrics.wrote(manifest.key.child.kind(), answer.is_ok());
    answer
}

/// Ours, of this very topology, and rendered no more. A volume that is kept has no owner and stays.
fn is_garbage(object: &DynamicObject, uid: &str, topology: &str) -> bool {
    object.labels().get(labels::TOPOLOGY).map(String::as_str) == Some(topology)
        && object.labels().get(labels::MANAGED_BY).map(String::as_str) == Some(MANAGER)
        && object.owner_references().iter().any(|owner| owner.uid == uid)
        && object.metadata.deletion_timestamp.is_none()
}

async fn delete(cluster: &Cluster, key: &ChildKey, object: &DynamicObject) -> Result<(), kube::Error> {
    tracing::info!(object = %key, "deleting what is not asked for any more");
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: object.uid(), resource_version: None }),
        ..DeleteParams::background()
    };
    let answer = api(cluster, key).delete(&key.name, &params).await;
    cluster.metrics.wrote(key.child.kind(), answer.is_ok());
    match answer {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn api(cluster: &Cluster, key: &ChildKey) -> Api<DynamicObject> {
    let resource = key.child.resource();
    if key.child.namespaced() {
        Api::namespaced_with(cluster.client.clone(), &key.namespace, &resource)
    } else {
        Api::all_with(cluster.client.clone(), &resource)
    }
}
