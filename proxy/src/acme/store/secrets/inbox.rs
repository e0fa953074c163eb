//! What the watch of the Secrets has told and the driver has not asked for yet. One value for each record: however long
//! nobody asks, it does not grow beyond what there is.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use bailey_kit::kube::{Change, Trouble};
use k8s_openapi::api::core::v1::Secret;
use tokio::sync::{Notify, watch};

use super::super::{Changes, Name};
use super::object;

/// Takes what a watch tells.
pub(super) struct Inbox {
    topology: String,
    state: Mutex<State>,
    news: Notify,
    /// The version of the proofs that was seen last.
    proofs: watch::Sender<String>,
}

#[derive(Default)]
struct State {
    changes: Changes,
    names: BTreeSet<Name>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl Inbox {
    pub(super) fn new(topology: String) -> Self {
        Self { topology, state: Mutex::default(), news: Notify::new(), proofs: watch::Sender::default() }
    }

    /// What has changed; waits until something has. May be dropped at any time.
    pub(super) async fn changed(&self) -> Changes {
        loop {
            let changes = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut state.changes)
            };
            if !changes.is_empty() {
                return changes;
            }
            self.news.notified().await;
        }
    }

    /// Tells the version of the proofs as the watch sees it.
    pub(super) fn proofs(&self) -> watch::Receiver<String> {
        self.proofs.subscribe()
    }

    /// The watch tells something. `known` says which version of a record is known already.
    pub(super) fn take(&self, change: Change<Secret>, known: impl Fn(&Name) -> Option<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Put(secret) => drop(self.put(&mut state, &secret, &known)),
            Change::Gone(secret) => {
                if let Some(name) = object::name_of(&secret, &self.topology) {
                    state.lose(&name);
                }
            }
            Change::All(secrets) => {
                let before = std::mem::take(&mut state.names);
                let now: BTreeSet<Name> =
                    secrets.iter().filter_map(|secret| self.put(&mut state, secret, &known)).collect();
                before.difference(&now).for_each(|gone| state.lose(gone));
            }
        }
        drop(state);
        self.news.notify_one();
    }

    fn put(&self, state: &mut State, secret: &Secret, known: impl Fn(&Name) -> Option<String>) -> Option<Name> {
        let name = object::name_of(secret, &self.topology)?;
        let version = object::version_of(secret);
        state.names.insert(name.clone());
        if known(&name).as_ref() != Some(&version)
            && let Some(record) = object::record(secret)
            && let Err(why) = state.changes.take(&name, Some(record))
        {
            tracing::error!(record = %name, "what another replica has kept cannot be read: {why}");
        }
        if name == Name::Proofs {
            self.proofs.send_replace(version);
        }
        Some(name)
    }
}

impl State {
    fn lose(&mut self, name: &Name) {
        self.names.remove(name);
        // That nothing is there can always be read.
        let _ = self.changes.take(name, None);
    }
}

/// Says what keeps the watch from being live, once for each new trouble.
pub(super) fn say(told: &mut Option<Trouble>, trouble: Option<Trouble>) {
    if *told == trouble {
        return;
    }
    match &trouble {
        Some(Trouble::Denied(denied)) => tracing::error!("the certificate store cannot be watched: {denied}"),
        Some(Trouble::Absent) => {
            tracing::error!("the certificate store cannot be watched: the server knows no Secrets");
        }
        Some(Trouble::Failing(why)) => tracing::warn!("the certificate store cannot be watched: {why}"),
        None => tracing::info!("the certificate store is watched again"),
    }
    *told = trouble;
}
