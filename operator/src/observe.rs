//! What the operator knows of the cluster: one watch for each kind of the tables in `permissions` and `manifest`.
//!
//! A watch that fails keeps what it told. What changed marks the topologies it concerns, so that only these are looked at
//! again. What routes are made of is in [`routing`], the Pods of the tiers in [`proxies`].

mod proxies;
mod routing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailey_crds::{HostnameBinding, IngressTopology};
use bailey_kit::kube::{Change, Denied, Trouble, follow, keep_asking};
use bailey_translate::Objects;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, DynamicObject, ObjectMeta};
use kube::runtime::watcher::Config;
use kube::{Client, ResourceExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::labels;
use crate::manifest::{Child, ChildKey};
use crate::permissions;
use crate::proxies::Proxy;

pub use proxies::PodKey;

/// What is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The topologies by name.
    pub topologies: BTreeMap<String, Arc<IngressTopology>>,
    /// Everything that carries our label.
    pub children: BTreeMap<ChildKey, Arc<DynamicObject>>,
    /// Every hostname binding, by namespace and name.
    pub bindings: BTreeMap<(String, String), Arc<HostnameBinding>>,
    /// Namespaces that are not being deleted, for selectors.
    pub namespaces: Objects,
    /// What routes are made of: Gateways, routes, grants and Services of all namespaces.
    pub routing: Arc<Objects>,
    /// The Pods of the tiers, and what they said last.
    pub proxies: BTreeMap<PodKey, Proxy>,
    /// The fixed roles.
    pub roles: BTreeMap<String, ClusterRole>,
    /// Kinds whose definition is not installed.
    pub absent: BTreeSet<Child>,
    /// Permissions that the operator lacks.
    pub denied: BTreeSet<Denied>,
}

/// The world, and what of it has changed.
#[derive(Debug, Default)]
pub struct Observed {
    state: Mutex<State>,
    /// Something has changed.
    pub changed: Notify,
    /// There is a proxy that has not been asked yet.
    pub proxy_appeared: Notify,
}

#[derive(Debug, Default)]
struct State {
    world: World,
    waiting: BTreeSet<&'static str>,
    troubles: BTreeMap<&'static str, Trouble>,
    /// Permissions that are missing now, though a watch that needs them may still be open.
    revoked: BTreeSet<Denied>,
    dirty: Dirty,
}

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// All topologies.
    pub all: bool,
    /// These topologies.
    pub names: BTreeSet<String>,
    /// The routes of all namespaces.
    pub routes: bool,
    /// The routes of these namespaces.
    pub namespaces: BTreeSet<String>,
}

impl Observed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of what is known.
    pub fn world(&self) -> World {
        let state = self.lock();
        let denied = state.troubles.values().filter_map(|trouble| match trouble {
            Trouble::Denied(denied) => Some(denied.clone()),
            Trouble::Absent | Trouble::Failing(_) => None,
        });
        World { denied: denied.chain(state.revoked.iter().cloned()).collect(), ..state.world.clone() }
    }

    /// Every list has been read once.
    pub fn is_complete(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// What keeps lists from being read, in words.
    pub fn troubles(&self) -> Vec<String> {
        let state = self.lock();
        let words = state.troubles.iter().filter_map(|(list, trouble)| match trouble {
            Trouble::Denied(denied) => Some(denied.to_string()),
            Trouble::Absent => None,
            Trouble::Failing(why) => Some(format!("{list} cannot be read: {why}")),
        });
        words.chain(state.revoked.iter().map(ToString::to_string)).collect()
    }

    /// The topologies that have changed since this was asked before.
    pub fn take_dirty(&self) -> Dirty {
        std::mem::take(&mut self.lock().dirty)
    }

    /// All are to be looked at.
    pub fn mark_all(&self) {
        self.mark(all());
    }

    /// These are to be looked at.
    pub fn mark(&self, dirty: Dirty) {
        let mut state = self.lock();
        state.dirty.all |= dirty.all;
        state.dirty.names.extend(dirty.names);
        state.dirty.routes |= dirty.routes;
        state.dirty.namespaces.extend(dirty.namespaces);
        drop(state);
        self.changed.notify_one();
    }

    /// The API server's answer to a write, so that the next look does not see what was before.
    pub fn written(&self, key: ChildKey, object: DynamicObject) {
        let children = &mut self.lock().world.children;
        if !children.get(&key).is_some_and(|known| is_newer(&known.metadata, &object.metadata)) {
            children.insert(key, Arc::new(object));
        }
    }

    /// A hostname that was just taken, likewise.
    pub fn taken(&self, binding: HostnameBinding) {
        let key = (binding.namespace().unwrap_or_default(), binding.name_any());
        let bindings = &mut self.lock().world.bindings;
        if !bindings.get(&key).is_some_and(|known| is_newer(&known.metadata, &binding.metadata)) {
            bindings.insert(key, Arc::new(binding));
        }
    }

    /// The API server says that these permissions are missing, and no others.
    fn set_revoked(&self, revoked: BTreeSet<Denied>) {
        let mut state = self.lock();
        if state.revoked == revoked {
            return;
        }
        for new in revoked.difference(&state.revoked) {
            tracing::error!("{new}");
        }
        for back in state.revoked.difference(&revoked) {
            tracing::info!("over: {back}");
        }
        state.revoked = revoked;
        drop(state);
        self.mark_all();
    }

    fn expect(&self, list: &'static str) {
        self.lock().waiting.insert(list);
    }

    /// Changes the world by one event, and marks what it concerns.
    fn update(&self, list: &'static str, whole: bool, change: impl FnOnce(&mut World) -> Dirty) {
        let mut state = self.lock();
        let dirty = change(&mut state.world);
        if whole {
            state.waiting.remove(list);
        }
        drop(state);
        self.mark(dirty);
    }

    fn trouble(&self, list: &'static str, trouble: Option<&Trouble>) {
        let mut state = self.lock();
        let before = match trouble {
            Some(trouble) => state.troubles.insert(list, trouble.clone()),
            None => state.troubles.remove(list),
        };
        let changed = before.as_ref() != trouble;
        drop(state);
        if changed {
            match trouble {
                Some(Trouble::Denied(denied)) => tracing::error!("{denied}"),
                Some(Trouble::Failing(why)) => tracing::warn!(list, "cannot be read: {why}"),
                Some(Trouble::Absent) => tracing::warn!(list, "the cluster does not know this kind"),
                None => tracing::info!(list, "can be read again"),
            }
            self.mark_all();
        }
    }
}

/// Whether what a watch told of an object is newer than the answer to a write of it: a watch may be faster than the answer, and somebody else may
/// have written in between. Versions are numbers that grow (KEP-5504).
fn is_newer(told: &ObjectMeta, answer: &ObjectMeta) -> bool {
    let version = |of: &ObjectMeta| of.resource_version.as_deref().and_then(|version| version.parse::<u128>().ok());
    told.uid == answer.uid && version(told) > version(answer)
}

fn all() -> Dirty {
    Dirty { all: true, routes: true, ..Dirty::default() }
}

fn of_labels(object: &impl ResourceExt) -> Dirty {
    Dirty { names: object.labels().get(labels::TOPOLOGY).cloned().into_iter().collect(), ..Dirty::default() }
}

/// Starts every watch, and asks what the operator whose own namespace is `own` may do. All end when the set is dropped.
pub fn observe(client: &Client, own: &str, observed: &Arc<Observed>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    topologies(client, observed, &mut tasks);
    bindings(client, observed, &mut tasks);
    namespaces(client, observed, &mut tasks);
    roles(client, observed, &mut tasks);
    routing::observe(client, observed, &mut tasks);
    proxies::observe(client, observed, &mut tasks);
    let (needs, told) = (permissions::needs(own), observed.clone());
    tasks.spawn(keep_asking(client.clone(), move || needs.clone(), move |revoked| told.set_revoked(revoked)));
    for child in Child::ALL {
        children(client, observed, *child, &mut tasks);
    }
    tasks
}

fn topologies(client: &Client, observed: &Arc<Observed>, tasks: &mut JoinSet<()>) {
    const LIST: &str = "ingresstopologies";
    observed.expect(LIST);
    let (store, other) = (observed.clone(), observed.clone());
    let api: Api<IngressTopology> = Api::all(client.clone());
    tasks.spawn(async move {
        let change = |change: Change<IngressTopology>| {
            let whole = matches!(change, Change::All(_));
            store.update(LIST, whole, |world| match change {
                Change::Put(topology) => {
                    let name = topology.name_any();
                    let before = world.topologies.insert(name.clone(), Arc::new(topology));
                    // Our own writes of the status are no news; a hostname that is free now may be another's wish.
                    let same = before.is_some_and(|before| {
                        let now = &world.topologies[&name];
                        before.metadata.generation == now.metadata.generation
                            && before.metadata.deletion_timestamp == now.metadata.deletion_timestamp
                            && before.status == now.status
                    });
                    if same { Dirty::default() } else { Dirty { names: [name].into(), ..Dirty::default() } }
                }
                Change::Gone(topology) => {
                    world.topologies.remove(&topology.name_any());
                    all()
                }
                Change::All(list) => {
                    world.topologies = list.into_iter().map(|one| (one.name_any(), Arc::new(one))).collect();
                    all()
                }
            });
        };
        follow(api, Config::default(), change, |trouble| other.trouble(LIST, trouble.as_ref())).await;
    });
}

fn bindings(client: &Client, observed: &Arc<Observed>, tasks: &mut JoinSet<()>) {
    const LIST: &str = "hostnamebindings";
    observed.expect(LIST);
    let (store, other) = (observed.clone(), observed.clone());
    let api: Api<HostnameBinding> = Api::all(client.clone());
    let key = |one: &HostnameBinding| (one.namespace().unwrap_or_default(), one.name_any());
    tasks.spawn(async move {
        let change = |change: Change<HostnameBinding>| {
            let whole = matches!(change, Change::All(_));
            store.update(LIST, whole, |world| {
                match change {
                    Change::Put(one) => drop(world.bindings.insert(key(&one), Arc::new(one))),
                    Change::Gone(one) => drop(world.bindings.remove(&key(&one))),
                    Change::All(list) => {
                        world.bindings = list.into_iter().map(|one| (key(&one), Arc::new(one))).collect();
                    }
                }
                // A host that one topology gives up may be another's wish.
                all()
            });
        };
        follow(api, Config::default(), change, |trouble| other.trouble(LIST, trouble.as_ref())).await;
    });
}

fn namespaces(client: &Client, observed: &Arc<Observed>, tasks: &mut JoinSet<()>) {
    const LIST: &str = "namespaces";
    observed.expect(LIST);
    let (store, other) = (observed.clone(), observed.clone());
    let api: Api<Namespace> = Api::all(client.clone());
    tasks.spawn(async move {
        let put = |objects: &mut Objects, namespace: Namespace| {
            let key = bailey_translate::Key::new("", namespace.name_any());
            if namespace.metadata.deletion_timestamp.is_some() {
                objects.remove::<Namespace>(&key);
                return;
            }
            // Name and labels are all that counts.
            let mut kept = Namespace::default();
            kept.metadata.name.clone_from(&namespace.metadata.name);
            kept.metadata.labels.clone_from(&namespace.metadata.labels);
            objects.insert(kept, None);
        };
        let change = |change: Change<Namespace>| {
            let whole = matches!(change, Change::All(_));
            store.update(LIST, whole, |world| {
                let before = world.namespaces.digest();
                match change {
                    Change::Put(namespace) => put(&mut world.namespaces, namespace),
                    Change::Gone(namespace) => {
                        let key = bailey_translate::Key::new("", namespace.name_any());
                        world.namespaces.remove::<Namespace>(&key);
                    }
                    Change::All(list) => {
                        world.namespaces = Objects::default();
                        for namespace in list {
                            put(&mut world.namespaces, namespace);
                        }
                    }
                }
                if world.namespaces.digest() == before { Dirty::default() } else { all() }
            });
        };
        follow(api, Config::default(), change, |trouble| other.trouble(LIST, trouble.as_ref())).await;
    });
}

fn roles(client: &Client, observed: &Arc<Observed>, tasks: &mut JoinSet<()>) {
    const LIST: &str = "clusterroles";
    observed.expect(LIST);
    let (store, other) = (observed.clone(), observed.clone());
    let api: Api<ClusterRole> = Api::all(client.clone());
    tasks.spawn(async move {
        let change = |change: Change<ClusterRole>| {
            let whole = matches!(change, Change::All(_));
            store.update(LIST, whole, |world| {
                match change {
                    Change::Put(role) => drop(world.roles.insert(role.name_any(), role)),
                    Change::Gone(role) => drop(world.roles.remove(&role.name_any())),
                    Change::All(list) => {
                        world.roles = list.into_iter().map(|role| (role.name_any(), role)).collect();
                    }
                }
                all()
            });
        };
        let config = Config::default().labels("app.kubernetes.io/part-of=bailey");
        follow(api, config, change, |trouble| other.trouble(LIST, trouble.as_ref())).await;
    });
}

fn children(client: &Client, observed: &Arc<Observed>, child: Child, tasks: &mut JoinSet<()>) {
    let list = child.kind();
    observed.expect(list);
    let (store, other) = (observed.clone(), observed.clone());
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &child.resource());
    let key = move |one: &DynamicObject| ChildKey {
        child,
        namespace: one.namespace().unwrap_or_default(),
        name: one.name_any(),
    };
    tasks.spawn(async move {
        let change = |change: Change<DynamicObject>| {
            let whole = matches!(change, Change::All(_));
            store.update(list, whole, |world| match change {
                Change::Put(one) => {
                    let dirty = of_labels(&one);
                    world.children.insert(key(&one), Arc::new(one));
                    dirty
                }
                Change::Gone(one) => {
                    world.children.remove(&key(&one));
                    of_labels(&one)
                }
                Change::All(all_of_kind) => {
                    world.absent.remove(&child);
                    world.children.retain(|key, _| key.child != child);
                    world.children.extend(all_of_kind.into_iter().map(|one| (key(&one), Arc::new(one))));
                    all()
                }
            });
        };
        let trouble = |trouble: Option<Trouble>| {
            if trouble == Some(Trouble::Absent) {
                other.update(list, false, |world| {
                    world.absent.insert(child);
                    all()
                });
            }
            other.trouble(list, trouble.as_ref());
        };
        let config = Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGER));
        follow(api, config, change, trouble).await;
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_that_comes_after_a_newer_event_is_not_believed() {
        let key = ChildKey { child: Child::Service, namespace: "out".to_owned(), name: "main-outer".to_owned() };
        let service = |uid: &str, version: &str| -> DynamicObject {
            let metadata = json!({"name": "main-outer", "namespace": "out", "uid": uid, "resourceVersion": version});
            serde_json::from_value(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata})).unwrap()
        };
        let observed = Observed::default();
        let known = || observed.world().children[&key].resource_version();
        for (uid, version, then) in [("a", "9", "9"), ("a", "10", "10"), ("a", "9", "10"), ("b", "8", "8")] {
            observed.written(key.clone(), service(uid, version));
            assert_eq!(known().as_deref(), Some(then), "{uid} {version}");
        }
    }
}
