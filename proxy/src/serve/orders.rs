//! Certificates by ACME for an outer tier in a cluster: what its `TierConfig` asks for, with what the references in it lead to, is handed
//! to an [`Ordering`] whenever one of them changes.
//!
//! References are read by name, like TLS Secrets, and again now and then. Decides what is said while something is missing, and
//! that a tier is ready only when it has read the certificates it has.

mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailey_acme::Time;
use bailey_crds::{HostnameBinding, RENEW_REQUESTED, Role, TierAcme, TierConfig, TierConfigSpec, TierStore};
use bailey_translate::Objects;
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::acme::store::{Disk, Secrets, Store, Volume};
use crate::acme::{Asked, Hold, Ordering, OrderingError};

/// How often references are read again, since they are not watched.
const AGAIN: Duration = Duration::from_secs(10);
/// How often while something keeps certificates from being ordered.
const SOON: Duration = Duration::from_secs(2);

/// How a tier comes to what it needs.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) client: Client,
    /// The tier's own.
    pub(super) namespace: String,
    pub(super) topology: String,
    /// Names this process among the replicas.
    pub(super) replica: Option<String>,
    /// Where certificates are kept that are not kept in Secrets.
    pub(super) folder: Option<PathBuf>,
}

/// Orders for one tier. Dropping it ends them.
pub(super) struct Orders {
    wanted: watch::Sender<Wanted>,
    told: Arc<Told>,
    hold: Arc<Hold>,
    task: JoinHandle<()>,
}

impl Drop for Orders {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the tier's configuration says.
#[derive(Clone, Debug, Default, PartialEq)]
enum Wanted {
    /// There is none yet.
    #[default]
    Unknown,
    /// Nothing is ordered.
    Nothing,
    /// This.
    Certificates(Box<(TierAcme, BTreeMap<Arc<str>, usize>)>),
}

/// What has become of it.
#[derive(Default)]
struct Told {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// All certificates that there are have been read.
    loaded: bool,
    /// Why none is ordered.
    trouble: Option<String>,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, state: State) {
        let mut known = self.lock();
        if *known == state {
            return;
        }
        match &state.trouble {
            Some(trouble) if known.trouble != state.trouble => tracing::error!("no certificate is ordered: {trouble}"),
            None if known.trouble.is_some() => tracing::info!("certificates are ordered again"),
            Some(_) | None => {}
        }
        *known = state;
        drop(known);
        self.changed.notify_one();
    }
}

impl Orders {
    /// Waits for a configuration.
    pub(super) fn start(means: Means, hold: Arc<Hold>) -> Self {
        let (wanted, follow) = watch::channel(Wanted::default());
        let told = Arc::<Told>::default();
        let worker = Worker { means, store: None, ordering: Ordering::new(hold.clone()), told: told.clone() };
        Self { wanted, told, hold, task: tokio::spawn(worker.run(follow)) }
    }

    /// Follows a configuration that is served; call when it is, so that the names are known. What is wrong with requests in it is told.
    pub(super) fn follow(&self, objects: &Objects) -> Vec<String> {
        let wanted = wanted(objects);
        self.wanted.send_if_modified(|before| {
            let changed = *before != wanted;
            *before = wanted;
            changed
        });
        let (asked, problems) = renewals(objects);
        self.hold.request_renewals(asked);
        problems
    }

    /// Waits until something else is to be said. May be dropped at any time.
    pub(super) async fn changed(&self) {
        self.told.changed.notified().await;
    }

    /// All certificates that there are have been read.
    pub(super) fn are_loaded(&self) -> bool {
        self.told.lock().loaded
    }

    /// Why no certificate is ordered, if one should be.
    pub(super) fn trouble(&self) -> Option<String> {
        self.told.lock().trouble.clone()
    }
}

/// What the outer tier's configuration among `objects` asks for.
fn wanted(objects: &Objects) -> Wanted {
    let mut configs = objects.all::<TierConfig>().map(|(_, entry)| &entry.object.spec);
    let Some(config) = configs.find(|config| config.role == Role::Outer) else { return Wanted::Unknown };
    match &config.acme {
        Some(acme) => Wanted::Certificates(Box::new((acme.clone(), most(config)))),
        None => Wanted::Nothing,
    }
}

fn most(config: &TierConfigSpec) -> BTreeMap<Arc<str>, usize> {
    let limited = config.tenants.iter().filter_map(|tenant| Some((tenant, tenant.limits.certificates?)));
    limited.map(|(tenant, most)| (Arc::from(tenant.name.as_str()), most as usize)).collect()
}

/// Which hosts' certificates people ask to have renewed, since when; and which requests cannot be read.
fn renewals(objects: &Objects) -> (BTreeMap<Arc<str>, Time>, Vec<String>) {
    let (mut asked, mut problems) = (BTreeMap::new(), Vec::new());
    for (key, entry) in objects.all::<HostnameBinding>() {
        let Some(text) = entry.object.annotations().get(RENEW_REQUESTED) else { continue };
        match text.parse::<Timestamp>() {
            Ok(at) => {
                let at = Time(u64::try_from(at.as_second()).unwrap_or_default());
                asked.insert(Arc::from(entry.object.spec.hostname.as_str()), at);
            }
            Err(_) => problems.push(format!(
                "HostnameBinding {}/{}: the annotation {RENEW_REQUESTED} is not a moment such as 2026-01-31T12:00:00Z; use bailey cert renew, or take it away",
                key.namespace, key.name
            )),
        }
    }
    (asked, problems)
}

struct Worker {
    means: Means,
    /// One store for the whole run: it holds the right to write.
    store: Option<(TierStore, Arc<dyn Store>)>,
    ordering: Ordering,
    told: Arc<Told>,
}

impl Worker {
    async fn run(mut self, mut wanted: watch::Receiver<Wanted>) {
        loop {
            let now = wanted.borrow_and_update().clone();
            let state = match now {
                Wanted::Unknown => State::default(),
                Wanted::Nothing => {
                    self.ordering.end().await;
                    self.store = None;
                    State { loaded: true, trouble: None }
                }
                Wanted::Certificates(asked) => self.order(&asked.0, &asked.1).await,
            };
            let wait = if state.trouble.is_some() { SOON } else { AGAIN };
            self.told.tell(state);
            match timeout(wait, wanted.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(_)) => return,
            }
        }
    }

    async fn order(&mut self, wanted: &TierAcme, most: &BTreeMap<Arc<str>, usize>) -> State {
        let store = match self.store(wanted.store).await {
            Ok(store) => store,
            // Where nothing can be kept there is nothing to be read either.
            Err(trouble) => return State { loaded: true, trouble: Some(trouble) },
        };
        let material = read::material(&self.means.client, &self.means.namespace, &wanted.acme).await;
        let result = match material {
            Ok(material) => {
                let asked = Asked { acme: wanted.acme.clone(), most: most.clone(), material, looks_first: true };
                self.ordering.follow(asked, store.clone()).await
            }
            Err(why) => Err(why),
        };
        let trouble = match result {
            Ok(()) => None,
            Err(OrderingError::Settings(why)) => {
                let why = why.to_string();
                // What is kept serves all the same.
                let served = self.ordering.serve_only(&wanted.acme, store).await;
                Some(served.err().map_or(why, |error| error.to_string()))
            }
            Err(error @ OrderingError::Driver(_)) => Some(error.to_string()),
        };
        State { loaded: self.ordering.is_loaded(), trouble }
    }

    async fn store(&mut self, kind: TierStore) -> Result<Arc<dyn Store>, String> {
        if let Some((known, store)) = &self.store
            && *known == kind
        {
            return Ok(store.clone());
        }
        // What was read from the one before goes on serving until the new one is read.
        let store: Arc<dyn Store> = match kind {
            TierStore::Volume => {
                let folder = self.means.folder.clone().ok_or(
                    "certificates are to be kept on a volume, and there is none: start the proxy with --certificates",
                )?;
                let opened = tokio::task::spawn_blocking(move || {
                    Disk::at(&folder).map(Volume::open).map_err(|error| (folder, error))
                });
                let opened = opened.await.map_err(|_| "the process is ending")?;
                Arc::new(opened.map_err(|(folder, error)| {
                    format!(
                        "certificates cannot be kept in {}: {error}; the volume must be writable for group 65532 (a hostPath volume \
                         knows no fsGroup: chown it, or choose another storageClassName or certificates.store.secrets)",
                        folder.display()
                    )
                })?)
            }
            TierStore::Secrets => {
                let Means { client, namespace, topology, replica, .. } = self.means.clone();
                let replica = replica.ok_or("the proxy needs a name among its replicas: start it with --replica")?;
                Arc::new(Secrets::start(client, &namespace, &topology, &replica))
            }
        };
        self.store = Some((kind, store.clone()));
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use bailey_translate::Object;
    use serde_json::{Value, json};

    use super::*;

    fn objects(values: &[Value]) -> Objects {
        let mut objects = Objects::default();
        for value in values {
            objects.insert_any(Object::from_value(value.clone()).unwrap(), None);
        }
        objects
    }

    fn config(acme: &Value) -> Value {
        let mut value = json!({
            "apiVersion": "bailey.dev/v1alpha1", "kind": "TierConfig", "metadata": {"name": "main-outer", "namespace": "out"},
            "spec": {"role": "Outer", "topology": "main", "tenants": [
                {"name": "a", "identity": "bailey://main/tenant/a", "service": {"namespace": "a", "name": "a", "port": 8443}, "limits": {"certificates": 3}},
                {"name": "b", "identity": "bailey://main/tenant/b", "service": {"namespace": "b", "name": "b", "port": 8443}},
            ]},
        });
        value["spec"]["acme"] = acme.clone();
        value
    }

    #[test]
    fn what_is_wanted_stands_in_the_tiers_configuration() {
        assert_eq!(wanted(&Objects::default()), Wanted::Unknown);
        assert_eq!(wanted(&objects(&[config(&Value::Null)])), Wanted::Nothing);
        let acme = json!({"directory": "letsencrypt", "challenge": {"http01": {}}, "store": "Secrets"});
        let Wanted::Certificates(asked) = wanted(&objects(&[config(&acme)])) else { panic!("it asks for some") };
        assert_eq!((asked.0.store, asked.0.acme.directory.as_str()), (TierStore::Secrets, "letsencrypt"));
        assert_eq!(asked.1, BTreeMap::from([(Arc::from("a"), 3)]));
    }

    #[test]
    fn a_request_to_renew_is_an_annotation_and_one_that_cannot_be_read_is_told() {
        let binding = |name: &str, host: &str, asked: &str| {
            json!({
                "apiVersion": "bailey.dev/v1alpha1", "kind": "HostnameBinding",
                "metadata": {"name": name, "namespace": "out", "annotations": {"bailey.dev/renew-requested": asked}},
                "spec": {"hostname": host, "tenant": "a", "service": {"namespace": "a", "name": "a", "port": 8443}},
            })
        };
        let all = [binding("x", "a.example.com", "1970-01-01T00:01:40Z"), binding("y", "b.example.com", "now")];
        let (asked, problems) = renewals(&objects(&all));
        assert_eq!(asked, BTreeMap::from([(Arc::from("a.example.com"), Time(100))]));
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].starts_with("HostnameBinding out/y: the annotation bailey.dev/renew-requested is not"),
            "{problems:?}"
        );
    }

    /// Waits until what is to be said is as wished.
    async fn until(orders: &Orders, wished: impl Fn(&Orders) -> bool) {
        let waiting = async {
            while !wished(orders) {
                orders.changed().await;
            }
        };
        timeout(Duration::from_mins(1), waiting).await.unwrap_or_else(|_| panic!("{:?}", orders.trouble()));
    }

    #[tokio::test]
    async fn certificates_are_read_before_references_and_what_is_missing_is_said_until_it_is_not_asked_for() {
        bailey_kit::kube::use_provider();
        // Nobody answers there.
        let client = Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let means = |folder| Means {
            client: client.clone(),
            namespace: "out".to_owned(),
            topology: "main".to_owned(),
            replica: None,
            folder,
        };
        let hold = Arc::<Hold>::default();
        let orders = Orders::start(means(Some(folder.path().join("certificates"))), hold.clone());
        assert!(!orders.are_loaded());
        let acme = json!({"directory": "https://127.0.0.1:1/dir", "challenge": {"http01": {}}, "store": "Volume"});
        orders.follow(&objects(&[config(&acme)]));
        until(&orders, |orders| orders.are_loaded() && orders.trouble().is_none()).await;
        let mut with_roots = acme.clone();
        with_roots["caBundleRef"] = json!({"name": "ca", "key": "ca.crt"});
        orders.follow(&objects(&[config(&with_roots)]));
        let unread = "the ConfigMap ca of namespace out cannot be read";
        until(&orders, |orders| orders.trouble().is_some_and(|why| why.contains(unread))).await;
        assert!(orders.are_loaded(), "what is kept serves");
        orders.follow(&objects(&[config(&Value::Null)]));
        until(&orders, |orders| orders.trouble().is_none()).await;
        let nowhere = Orders::start(means(None), hold);
        nowhere.follow(&objects(&[config(&acme)]));
        until(&nowhere, |orders| orders.trouble().is_some_and(|why| why.contains("--certificates"))).await;
        assert!(nowhere.are_loaded(), "there is nothing to be read");
        let in_secrets = json!({"directory": acme["directory"], "challenge": {"http01": {}}, "store": "Secrets"});
        nowhere.follow(&objects(&[config(&in_secrets)]));
        until(&nowhere, |orders| orders.trouble().is_some_and(|why| why.contains("--replica"))).await;
    }
}
