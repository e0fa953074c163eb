//! What the watches of a tier have told so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailey_crds::{TierConfig, TierConfigSpec};
use bailey_kit::kube::{Change, Denied, Need, Trouble};
use bailey_translate::{Key, Kind, Objects};
use k8s_openapi::api::core::v1::Secret;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::View;
use super::plan::{Plan, Watch, Watched};

/// How often Secrets are read, since they are not watched.
const SECRETS_EVERY: Duration = Duration::from_secs(10);
/// How often while one of them is missing.
const SECRETS_SOON: Duration = Duration::from_secs(1);

/// What has been told, and what has not.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<State>,
    /// Objects or troubles have changed.
    pub(super) changed: Notify,
    /// The tier's configuration may have changed.
    pub(super) reconfigured: Notify,
}

#[derive(Debug, Default)]
struct State {
    objects: Objects,
    watches: BTreeMap<Watch, Progress>,
    secrets: BTreeMap<String, SecretProgress>,
    secrets_due: Option<Instant>,
    /// Permissions that are missing now, though a watch that needs them may still be open.
    taken: BTreeSet<Denied>,
    /// The configuration that the lists above follow from.
    planned: Option<TierConfigSpec>,
    /// The same, as what it needs.
    plan: Plan,
}

#[derive(Debug)]
struct Progress {
    complete: bool,
    trouble: Option<Trouble>,
    keys: BTreeSet<Key>,
    remove: fn(&mut Objects, &Key) -> bool,
}

#[derive(Debug, Default)]
struct SecretProgress {
    read: bool,
    trouble: Option<Trouble>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { complete: false, trouble: None, keys: BTreeSet::new(), remove: |_, _| false }
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the plan's lists, which follow from `config`, are what is needed. What others told is forgotten.
    pub(super) fn expect(&self, plan: &Plan, config: Option<TierConfigSpec>) {
        let mut state = self.lock();
        state.planned = config;
        state.plan = plan.clone();
        let State { objects, watches, secrets, .. } = &mut *state;
        watches.retain(|watch, progress| {
            let keep = plan.watches.contains(watch);
            if !keep {
                for key in &progress.keys {
                    (progress.remove)(objects, key);
                }
            }
            keep
        });
        for watch in &plan.watches {
            watches.entry(watch.clone()).or_default();
        }
        secrets.retain(|name, _| plan.secrets.contains(name));
        for name in &plan.secrets {
            secrets.entry(name.clone()).or_default();
        }
        state.secrets_due = Some(Instant::now());
        drop(state);
        self.changed.notify_one();
    }

    /// A watch tells what happened to its objects.
    pub(super) fn change<K: Kind>(&self, watch: &Watch, change: Change<K>) {
        let mut state = self.lock();
        let State { objects, watches, .. } = &mut *state;
        // The watch has been given up in this moment.
        let Some(progress) = watches.get_mut(watch) else { return };
        progress.remove = Objects::remove::<K>;
        let mut changed = false;
        match change {
            Change::Put(object) => changed |= put(objects, progress, object),
            Change::Gone(object) => {
                let key = key(&object);
                progress.keys.remove(&key);
                changed |= objects.remove::<K>(&key);
            }
            Change::All(all) => {
                let before = std::mem::take(&mut progress.keys);
                for object in all {
                    changed |= put(objects, progress, object);
                }
                for gone in before.difference(&progress.keys) {
                    changed |= objects.remove::<K>(gone);
                }
                changed |= !progress.complete;
                progress.complete = true;
            }
        }
        drop(state);
        if changed {
            self.changed.notify_one();
            if watch.kind == Watched::TierConfigs {
                self.reconfigured.notify_one();
            }
        }
    }

    /// A watch tells what is wrong with it.
    pub(super) fn trouble(&self, watch: &Watch, trouble: Option<Trouble>) {
        let mut state = self.lock();
        let Some(progress) = state.watches.get_mut(watch) else { return };
        if progress.trouble != trouble {
            progress.trouble = trouble;
            drop(state);
            self.changed.notify_one();
        }
    }

    /// The Secrets that are needed.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.lock().secrets.keys().cloned().collect()
    }

    /// When they are to be read again.
    pub(super) fn secrets_due(&self) -> Instant {
        self.lock().secrets_due.unwrap_or_else(|| Instant::now() + SECRETS_EVERY)
    }

    /// What came of reading the Secrets: the Secret, that there is none, or what was wrong.
    pub(super) fn set_secrets(&self, found: Vec<(Key, Result<Option<Secret>, Trouble>)>) {
        let mut state = self.lock();
        let State { objects, secrets, .. } = &mut *state;
        let mut changed = false;
        for (key, answer) in found {
            let Some(progress) = secrets.get_mut(&key.name) else { continue };
            let trouble = match answer {
                Ok(Some(secret)) => {
                    changed |= objects.insert(secret, None) || !progress.read;
                    progress.read = true;
                    None
                }
                Ok(None) => {
                    changed |= objects.remove::<Secret>(&key);
                    Some(Trouble::Failing(format!("there is no Secret {}/{}", key.namespace, key.name)))
                }
                Err(trouble) => Some(trouble),
            };
            changed |= progress.trouble != trouble;
            progress.trouble = trouble;
        }
        let soon = secrets.values().any(|progress| progress.trouble.is_some());
        state.secrets_due = Some(Instant::now() + if soon { SECRETS_SOON } else { SECRETS_EVERY });
        drop(state);
        if changed {
            self.changed.notify_one();
        }
    }

    /// What the tier in `namespace` must be allowed to read all of it.
    pub(super) fn needs(&self, namespace: &str) -> BTreeSet<Need> {
        self.lock().plan.needs(namespace)
    }

    /// The API server says that these permissions are missing, and no others.
    pub(super) fn set_taken(&self, taken: BTreeSet<Denied>) {
        let mut state = self.lock();
        if state.taken != taken {
            state.taken = taken;
            drop(state);
            self.changed.notify_one();
        }
    }

    /// The tier's own configuration, if it has been read.
    pub(super) fn config(&self) -> Option<TierConfigSpec> {
        let state = self.lock();
        let (watch, progress) = state.watches.iter().find(|(watch, _)| watch.kind == Watched::TierConfigs)?;
        let key = progress.keys.iter().find(|key| key.namespace == watch.namespace)?;
        let config = state.objects.get::<TierConfig>(&key.namespace, &key.name)?;
        Some(config.object.spec.clone())
    }

    pub(super) fn view(&self) -> View {
        let config = self.config();
        let configured = config.is_some();
        let state = self.lock();
        // The lists of a new configuration are not even asked for yet.
        let planned = state.planned == config;
        let lists = planned && state.watches.values().all(|progress| progress.complete);
        let secrets = state.secrets.values().all(|progress| progress.read);
        let mut view = View {
            objects: state.objects.clone(),
            configured,
            complete: configured && lists && secrets,
            ..View::default()
        };
        if lists && !configured {
            view.troubles.push("there is no TierConfig of this tier yet; the operator writes it".to_owned());
        }
        for denied in &state.taken {
            view.denied.insert(denied.clone());
            view.troubles.push(denied.to_string());
        }
        let of_secrets = state.secrets.values().filter_map(|progress| progress.trouble.as_ref());
        let of_watches = state.watches.iter().filter_map(|(watch, progress)| Some((watch, progress.trouble.as_ref()?)));
        let told =
            of_watches.map(|(watch, trouble)| (Some(watch), trouble)).chain(of_secrets.map(|trouble| (None, trouble)));
        for (watch, trouble) in told {
            let words = match (trouble, watch) {
                (Trouble::Denied(denied), _) => {
                    view.denied.insert(denied.clone());
                    denied.to_string()
                }
                // A cluster without the Gateway API has no routes; that is its right.
                (Trouble::Absent, _) => continue,
                (Trouble::Failing(why), Some(watch)) => {
                    format!("{:?} of {:?} cannot be read: {why}", watch.kind, watch.namespace)
                }
                (Trouble::Failing(why), None) => why.clone(),
            };
            view.troubles.push(words);
        }
        view.troubles.sort();
        view.troubles.dedup();
        view
    }
}

fn put<K: Kind>(objects: &mut Objects, progress: &mut Progress, object: K) -> bool {
    progress.keys.insert(key(&object));
    objects.insert(object, None)
}

fn key<K: Kind>(object: &K) -> Key {
    Key::new(object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use bailey_kit::kube::Denied;
    use serde_json::json;

    use super::*;
    use crate::source::kubernetes::plan::plan;
    use crate::tier::Role;

    fn role() -> Role {
        Role::Outer { topology: "main".to_owned() }
    }

    fn config(secrets: &[&str]) -> TierConfig {
        let value = json!({"metadata": {"name": "main-outer", "namespace": "out"}, "spec": {"role": "Outer", "certificates": secrets}});
        serde_json::from_value(value).unwrap()
    }

    fn watch(store: &Store, kind: Watched) -> Watch {
        store.lock().watches.keys().find(|watch| watch.kind == kind).unwrap().clone()
    }

    #[test]
    fn it_is_whole_when_every_list_and_every_secret_was_read() {
        let store = Store::default();
        store.expect(&plan(&role(), "out", None), None);
        let configs = watch(&store, Watched::TierConfigs);
        store.change(&configs, Change::All(vec![config(&["site"])]));
        assert!(!store.view().complete, "the lists that follow from the configuration are not known yet");
        store.expect(&plan(&role(), "out", store.config().as_ref()), store.config());
        assert!(!store.view().complete);
        let bindings = watch(&store, Watched::HostnameBindings);
        store.change(&bindings, Change::<bailey_crds::HostnameBinding>::All(Vec::new()));
        assert!(!store.view().complete);
        store.set_secrets(vec![(Key::new("out", "site"), Ok(None))]);
        assert_eq!(
            (store.view().complete, store.view().troubles),
            (false, vec!["there is no Secret out/site".to_owned()])
        );
        let secret: Secret = serde_json::from_value(json!({"metadata": {"name": "site", "namespace": "out"}})).unwrap();
        store.set_secrets(vec![(Key::new("out", "site"), Ok(Some(secret)))]);
        assert!(store.view().complete && store.view().troubles.is_empty());
    }

    #[test]
    fn a_watch_that_is_refused_keeps_what_it_told_and_says_who_may_not_what() {
        let store = Store::default();
        store.expect(&plan(&role(), "out", None), None);
        let configs = watch(&store, Watched::TierConfigs);
        store.change(&configs, Change::All(vec![config(&[])]));
        let denied = Denied {
            verb: "watch".to_owned(),
            resource: "tierconfigs.bailey.dev".to_owned(),
            namespace: "out".to_owned(),
            subject: "u".to_owned(),
        };
        store.trouble(&configs, Some(Trouble::Denied(denied.clone())));
        let view = store.view();
        assert!(view.denied.contains(&denied) && view.objects.get::<TierConfig>("out", "main-outer").is_some());
        assert_eq!(view.troubles, ["u may not watch tierconfigs.bailey.dev in namespace out"]);
    }

    #[test]
    fn a_permission_that_is_taken_away_under_an_open_watch_is_told_until_it_is_back() {
        let store = Store::default();
        store.expect(&plan(&role(), "out", None), None);
        let denied = Denied {
            verb: "watch".to_owned(),
            resource: "tierconfigs.bailey.dev".to_owned(),
            namespace: "out".to_owned(),
            subject: "u".to_owned(),
        };
        store.set_taken([denied.clone()].into());
        let view = store.view();
        assert!(view.denied.contains(&denied));
        assert_eq!(view.troubles, ["u may not watch tierconfigs.bailey.dev in namespace out"]);
        store.set_taken(BTreeSet::new());
        assert!(store.view().denied.is_empty() && store.view().troubles.is_empty());
    }

    #[test]
    fn a_list_that_is_needed_no_more_is_forgotten() {
        let store = Store::default();
        store.expect(&plan(&role(), "out", None), None);
        let configs = watch(&store, Watched::TierConfigs);
        store.change(&configs, Change::All(vec![config(&[])]));
        store.expect(&Plan::default(), None);
        assert!(store.view().objects.get::<TierConfig>("out", "main-outer").is_none());
    }
}
