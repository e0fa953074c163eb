//! Secrets of the outer tier's namespace, for many replicas of which one orders.
//!
//! A Lease says which replica leads. It leads to nothing but a try: to write, a replica takes over the Secret with the
//! budget, by its version and with a fencing number higher than any that is there. Every other write names the version of the
//! object that it replaces, as it was read since then, or creates an object that is not there. Since the budget is written before
//! every order, a replica that was taken over places none: its version is not the one that is there any more. And where
//! one that was taken over has written something meanwhile, the next write of that record fails, and all is read again.
//!
//! Nothing is kept on disk: keys are in Secrets and in memory only. All replicas watch the Secrets.

mod inbox;
mod object;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bailey_acme::budget::Budget;
use bailey_acme::challenge::Proofs;
use bailey_acme::names::CertificateId;
use bailey_acme::record::Record as _;
use bailey_kit::kube::{Candidate, Leadership, follow};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Changes, Contents, Item, Name, Store, StoreError, Unread, Until};
use inbox::Inbox;

#[cfg(test)]
mod tests;

/// The Lease.
const LEASE: &str = "bailey-acme";
/// The longest that one call of the API server may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a write is tried whose object has changed under it.
const TRIES: usize = 3;
/// Secrets that are listed with one call.
const PAGE: u32 = 500;
/// As large as a certificate with a long chain.
const PROBE: usize = 32 * 1024;
/// How much later than here a proof is surely in all other replicas.
const MARGIN: Duration = Duration::from_secs(1);
/// Between two tries to take part in the choice of a leader.
const STAND_AGAIN: Duration = Duration::from_secs(5);

/// Certificates in Secrets.
pub struct Secrets {
    api: Api<Secret>,
    topology: String,
    leads: watch::Receiver<bool>,
    state: Arc<Mutex<State>>,
    inbox: Arc<Inbox>,
    tasks: Vec<JoinHandle<()>>,
}

/// What is known of the Secrets since they were listed.
#[derive(Default)]
struct State {
    /// The right to write.
    fence: Option<u64>,
    known: HashMap<Name, Known>,
    /// The proofs that were written last.
    shown: Option<Arc<Proofs>>,
}

/// A Secret, as it was when this replica read or wrote it.
#[derive(Clone)]
struct Known {
    version: String,
    /// There is more in it than the record that is replaced.
    read_first: bool,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("topology", &self.topology).finish_non_exhaustive()
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Secrets {
    /// The store of a topology in its outer namespace. `replica` is another one for each: the Pod's name.
    pub fn start(client: Client, namespace: &str, topology: &str, replica: &str) -> Self {
        let candidate = Candidate {
            namespace: namespace.to_owned(),
            lease: LEASE.to_owned(),
            identity: replica.to_owned(),
            manager: "bailey-proxy".to_owned(),
        };
        let (sender, leads) = watch::channel(false);
        let standing = tokio::spawn(stand(client.clone(), candidate, sender));
        let mut store = Self::led(client, namespace, topology, leads);
        store.tasks.push(standing);
        store
    }

    /// The same, where something else says who leads.
    fn led(client: Client, namespace: &str, topology: &str, leads: watch::Receiver<bool>) -> Self {
        let api: Api<Secret> = Api::namespaced(client, namespace);
        let state: Arc<Mutex<State>> = Arc::default();
        let inbox = Arc::new(Inbox::new(topology.to_owned()));
        let (told, seen, mut trouble) = (inbox.clone(), state.clone(), None);
        let known = move |name: &Name| lock(&seen).known.get(name).map(|known| known.version.clone());
        let config = watcher::Config::default().labels(&selector(topology));
        let watching = follow(
            api.clone(),
            config,
            move |change| told.take(change, &known),
            move |now| inbox::say(&mut trouble, now),
        );
        Self { api, topology: topology.to_owned(), leads, state, inbox, tasks: vec![tokio::spawn(watching)] }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The right to write.
    fn fence(&self) -> Result<u64, StoreError> {
        self.state().fence.ok_or(StoreError::Follows)
    }

    async fn list(&self) -> Result<Vec<Secret>, StoreError> {
        let mut params = ListParams::default().labels(&selector(&self.topology)).limit(PAGE);
        let mut secrets = Vec::new();
        loop {
            let page = within("list", "bailey-acme-*", self.api.list(&params)).await?;
            let page = page.map_err(|error| failed("list", "bailey-acme-*", error))?;
            secrets.extend(page.items);
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(secrets);
            }
        }
    }

    /// Takes the right to write. `None`: somebody has written since these were listed.
    async fn take_over(&self, listed: &mut Vec<Secret>) -> Result<Option<u64>, StoreError> {
        let highest = listed.iter().map(object::fence_of).max().unwrap_or(0);
        let fence = highest.saturating_add(1);
        let name = object::secret_name(&Name::Budget);
        let at = listed.iter().position(|secret| object::name_of(secret, &self.topology) == Some(Name::Budget));
        let taken = if let Some(at) = at {
            let secret = object::with_fence(listed.swap_remove(at), fence);
            within("replace", &name, self.api.replace(&name, &PostParams::default(), &secret)).await?
        } else {
            let secret = object::new(&self.topology, &name, Name::Budget.kind(), fence, None);
            within("create", &name, self.api.create(&PostParams::default(), &secret)).await?
        };
        match taken {
            Ok(secret) => {
                listed.push(secret);
                Ok(Some(fence))
            }
            Err(error) if is(&error, 409) || is(&error, 404) => Ok(None),
            Err(error) => Err(failed("take over", &name, error)),
        }
    }

    /// What was listed, as records; remembers which versions they are.
    fn read(&self, listed: &[Secret], fence: Option<u64>) -> Contents {
        let mut contents = Contents { leads: fence.is_some(), ..Contents::default() };
        let mut known = HashMap::with_capacity(listed.len());
        for secret in listed {
            let Some(name) = object::name_of(secret, &self.topology) else { continue };
            if let Some(Err(why)) = object::record(secret).map(|record| contents.take(&name, record)) {
                contents.unreadable.push(Unread { name: object::secret_name(&name), why, aside: None });
                if let Some(before) = object::previous(secret) {
                    // Of two that cannot be read, the first was told.
                    let _ = contents.take(&name, before);
                }
            }
            let read_first = object::must_be_read_first(secret, &name);
            known.insert(name, Known { version: object::version_of(secret), read_first });
        }
        // Where there is nothing but a fencing number, nothing was spent.
        let used = |name: &Name| matches!(name, Name::Certificate(_) | Name::Order(_));
        if contents.budget.is_none() && contents.unreadable.is_empty() && !known.keys().any(used) {
            contents.budget = Some(Budget::default());
        }
        *self.state() = State { fence, known, shown: None };
        contents
    }

    /// Writes a record in place of the one that is known; the version that came of it.
    async fn write(&self, name: &Name, encode: impl Fn(u64) -> Zeroizing<Vec<u8>>) -> Result<String, StoreError> {
        let fence = self.fence()?;
        let (object, record) = (object::secret_name(name), encode(fence));
        for _ in 0..TRIES {
            let known = self.state().known.get(name).cloned();
            let mut secret = object::new(&self.topology, &object, name.kind(), fence, Some(&record));
            let written = match known {
                None => within("create", &object, self.api.create(&PostParams::default(), &secret)).await?,
                Some(known) => {
                    secret.metadata.resource_version = Some(known.version);
                    if known.read_first {
                        match self.again(name, fence, &record).await? {
                            Again::Written(version) => return Ok(version),
                            Again::Gone => continue,
                            Again::There(current) => secret = object::with_record(*current, name, fence, &record),
                        }
                    }
                    within("replace", &object, self.api.replace(&object, &PostParams::default(), &secret)).await?
                }
            };
            match written {
                Ok(secret) => return Ok(self.remember(name, &secret)),
                // Somebody else has written, or this replica, and the answer was lost.
                Err(error) if is(&error, 409) => {
                    if let Again::Written(version) = self.again(name, fence, &record).await? {
                        return Ok(version);
                    }
                }
                Err(error) if is(&error, 404) => drop(self.state().known.remove(name)),
                Err(error) => return Err(failed("write", &object, error)),
            }
        }
        Err(self.changed_under(name))
    }

    /// Reads a Secret again that is to be written over, and sees that nobody else has written it.
    async fn again(&self, name: &Name, fence: u64, record: &[u8]) -> Result<Again, StoreError> {
        let object = object::secret_name(name);
        let found = within("read", &object, self.api.get_opt(&object)).await?;
        let Some(secret) = found.map_err(|error| failed("read", &object, error))? else {
            self.state().known.remove(name);
            return Ok(Again::Gone);
        };
        if object::name_of(&secret, &self.topology).as_ref() != Some(name) {
            return Err(StoreError::Foreign { name: object });
        }
        let theirs = object::fence_of(&secret);
        if theirs > fence {
            self.state().fence = None;
            return Err(StoreError::Fenced { ours: fence, theirs });
        }
        let version = object::version_of(&secret);
        let same = self.state().known.get(name).is_some_and(|known| known.version == version);
        if theirs < fence && !same {
            return Err(self.changed_under(name));
        }
        self.remember(name, &secret);
        let written = theirs == fence && object::record(&secret) == Some(record);
        Ok(if written { Again::Written(version) } else { Again::There(Box::new(secret)) })
    }

    fn remember(&self, name: &Name, secret: &Secret) -> String {
        let version = object::version_of(secret);
        let read_first = object::must_be_read_first(secret, name);
        self.state().known.insert(name.clone(), Known { version: version.clone(), read_first });
        version
    }

    fn changed_under(&self, name: &Name) -> StoreError {
        self.state().fence = None;
        StoreError::Changed { name: object::secret_name(name) }
    }

    /// Deletes a Secret if it is the one that is known.
    async fn remove(&self, name: &Name) -> Result<(), StoreError> {
        let fence = self.fence()?;
        let object = object::secret_name(name);
        for _ in 0..TRIES {
            let Some(known) = self.state().known.get(name).cloned() else { return Ok(()) };
            let preconditions = Preconditions { resource_version: Some(known.version), uid: None };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            match within("delete", &object, self.api.delete(&object, &params)).await? {
                Err(error) if !is(&error, 404) && !is(&error, 409) => return Err(failed("delete", &object, error)),
                Err(error) if is(&error, 409) => drop(self.again(name, fence, &[]).await?),
                Ok(_) | Err(_) => {
                    self.state().known.remove(name);
                    return Ok(());
                }
            }
        }
        Err(self.changed_under(name))
    }
}

/// What a second look at a Secret finds.
enum Again {
    /// It is gone: it can be created.
    Gone,
    /// It is what was to be written, in this version.
    Written(String),
    /// It may be written over.
    There(Box<Secret>),
}

#[async_trait]
impl Store for Secrets {
    fn leads(&self) -> watch::Receiver<bool> {
        self.leads.clone()
    }

    async fn load(&self) -> Result<Contents, StoreError> {
        let leads = *self.leads.borrow();
        self.state().fence = None;
        for _ in 0..TRIES {
            let mut listed = self.list().await?;
            if !leads {
                return Ok(self.read(&listed, None));
            }
            if let Some(fence) = self.take_over(&mut listed).await? {
                return Ok(self.read(&listed, Some(fence)));
            }
        }
        Err(self.changed_under(&Name::Budget))
    }

    async fn save(&self, item: Item) -> Result<(), StoreError> {
        let name = item.name();
        if item.is_nothing() {
            return self.remove(&name).await;
        }
        self.write(&name, |fence| item.encode(fence)).await.map(drop)
    }

    async fn delete(&self, id: CertificateId) -> Result<(), StoreError> {
        self.remove(&Name::Certificate(id.clone())).await?;
        self.remove(&Name::Order(id)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let fence = self.fence()?;
        let name = "bailey-acme-probe";
        let secret = object::new(&self.topology, name, "probe", fence, Some(&vec![b'x'; PROBE]));
        let params = PostParams::default();
        let create = || within("create", name, self.api.create(&params, &secret));
        let delete =
            || within("delete", name, async { self.api.delete(name, &DeleteParams::default()).await.map(drop) });
        let gone = |result: Result<(), kube::Error>| match result {
            Err(error) if !is(&error, 404) => Err(failed("delete", name, error)),
            Ok(()) | Err(_) => Ok(()),
        };
        let mut created = create().await?;
        if created.as_ref().is_err_and(|error| is(error, 409)) {
            // Left over from a crash.
            gone(delete().await?)?;
            created = create().await?;
        }
        created.map_err(|error| failed("create", name, error))?;
        gone(delete().await?)
    }

    async fn show(&self, proofs: Arc<Proofs>, until: Until) -> Result<Duration, StoreError> {
        let mut seen = self.inbox.proofs();
        let (shown, known) = {
            let state = self.state();
            (state.shown.clone(), state.known.get(&Name::Proofs).map(|known| known.version.clone()))
        };
        let version = match known {
            None if proofs.is_empty() => return Ok(Duration::ZERO),
            Some(version) if shown.as_ref() == Some(&proofs) => version,
            Some(_) | None => self.write(&Name::Proofs, |fence| proofs.encode(fence)).await?,
        };
        self.state().shown = Some(proofs);
        if until == Until::Seen {
            let object = object::secret_name(&Name::Proofs);
            let come = within("see", &object, seen.wait_for(|seen| *seen == version)).await?;
            come.map_err(|_| StoreError::Ending)?;
        }
        Ok(MARGIN)
    }

    async fn changed(&self) -> Changes {
        self.inbox.changed().await
    }
}

/// Takes part in the choice of a leader for ever.
async fn stand(client: Client, candidate: Candidate, leads: watch::Sender<bool>) {
    loop {
        match Leadership::stand(client.clone(), &candidate).await {
            Ok(mut leadership) => {
                while let Some(now) = leadership.changed().await {
                    leads.send_replace(now);
                }
            }
            Err(error) => tracing::warn!("no certificates are ordered by this replica: {error}"),
        }
        leads.send_replace(false);
        tokio::time::sleep(STAND_AGAIN).await;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn selector(topology: &str) -> String {
    format!("{}={topology},{}", object::TOPOLOGY, object::KIND)
}

async fn within<T>(action: &'static str, name: &str, call: impl Future<Output = T>) -> Result<T, StoreError> {
    let late = |_| StoreError::Late { action, name: name.to_owned(), seconds: DEADLINE.as_secs() };
    timeout(DEADLINE, call).await.map_err(late)
}

fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

fn failed(action: &'static str, name: &str, error: kube::Error) -> StoreError {
    StoreError::Api { action, name: name.to_owned(), source: Box::new(error) }
}
