//! One list or one object of a cluster. Decides that a refusal and an unknown kind are answers: they are remembered, and whoever
//! prints a result prints them with it, so that nothing is left out silently.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bailey_kit::kube::Denied;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Cluster, ClusterError};

/// Objects of one page of a list.
const PAGE: u32 = 500;
/// Questions under way at once.
const AT_ONCE: usize = 16;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// For more namespaces than these, one list of all of them is tried first.
const MANY: usize = 8;

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<T> {
    /// The answer.
    Is(T),
    /// The person may not ask.
    Refused(Denied),
    /// The cluster does not know the kind.
    Unknown,
}

/// Kinds that can be read: everything of `kube` with a fixed type.
pub trait Readable: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static> Readable for K {}

/// Reads by the person's rights.
#[derive(Clone)]
pub struct Reader {
    cluster: Cluster,
    slots: Arc<Semaphore>,
    unread: Arc<Mutex<Unread>>,
}

/// What could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Rights that the person lacks.
    pub refused: BTreeSet<Denied>,
    /// Kinds that the cluster does not know.
    pub unknown: BTreeSet<String>,
}

impl Unread {
    /// A sentence for each.
    pub fn notes(&self) -> Vec<String> {
        let refused = self.refused.iter().map(|denied| format!("{denied}, so that was not looked at"));
        let unknown = self.unknown.iter().map(|kind| format!("the cluster does not know {kind}, so it has none"));
        refused.chain(unknown).collect()
    }

    /// Whether some objects of this kind may be there unseen.
    pub fn hides(&self, resource: &str) -> bool {
        self.refused.iter().any(|denied| denied.resource == resource)
    }
}

impl Reader {
    /// A reader of `cluster`.
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), slots: Arc::new(Semaphore::new(AT_ONCE)), unread: Arc::default() }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The client.
    pub fn client(&self) -> Client {
        self.cluster.client.clone()
    }

    /// What could not be read so far.
    pub fn unread(&self) -> Unread {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers that something was not read, and gives what stands in its place.
    pub fn note<T: Default, K: Readable>(&self, asked: Asked<T>) -> T {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Asked::Is(answer) => return answer,
            Asked::Refused(denied) => drop(unread.refused.insert(denied)),
            Asked::Unknown => drop(unread.unknown.insert(resource::<K>())),
        }
        T::default()
    }

    /// A whole list.
    pub async fn list<K: Readable>(&self, api: &Api<K>, select: &ListParams) -> Result<Asked<Vec<K>>, ClusterError> {
        let mut params = select.clone().limit(PAGE);
        let mut found = Vec::new();
        loop {
            match self.answer::<K, _>("list", api, api.list(&params)).await? {
                Asked::Is(mut page) => {
                    found.append(&mut page.items);
                    match page.metadata.continue_.filter(|more| !more.is_empty()) {
                        Some(more) => params = params.continue_token(&more),
                        None => return Ok(Asked::Is(found)),
                    }
                }
                Asked::Refused(denied) => return Ok(Asked::Refused(denied)),
                Asked::Unknown => return Ok(Asked::Unknown),
            }
        }
    }

    /// One object, `None` when there is none of that name.
    pub async fn get<K: Readable>(&self, api: &Api<K>, name: &str) -> Result<Asked<Option<K>>, ClusterError> {
        self.answer::<K, _>("get", api, api.get_opt(name)).await
    }

    /// All objects of a kind that belongs to no namespace, or of all namespaces.
    pub async fn everywhere<K: Readable>(&self) -> Result<Asked<Vec<K>>, ClusterError> {
        self.list(&Api::all(self.client()), &ListParams::default()).await
    }

    /// All objects of a kind in these namespaces; what is refused is remembered.
    pub async fn within<K>(&self, namespaces: &BTreeSet<String>) -> Result<Vec<K>, ClusterError>
    where
        K: Readable + Resource<Scope = NamespaceResourceScope>,
    {
        if namespaces.len() > MANY
            && let Asked::Is(mut all) = self.everywhere::<K>().await?
        {
            all.retain(|one| one.meta().namespace.as_ref().is_some_and(|namespace| namespaces.contains(namespace)));
            return Ok(all);
        }
        let list = async |namespace: &String| {
            self.list(&Api::<K>::namespaced(self.client(), namespace), &ListParams::default()).await
        };
        let lists = futures_util::future::try_join_all(namespaces.iter().map(list)).await?;
        Ok(lists.into_iter().flat_map(|asked| self.note::<_, K>(asked)).collect())
    }

    /// Asks by creating something that is not stored: a review.
    pub async fn create<K: Readable + Serialize>(&self, review: &K) -> Result<Asked<K>, ClusterError> {
        let api = Api::<K>::all_with(self.client(), &());
        self.answer::<K, _>("create", &api, api.create(&PostParams::default(), review)).await
    }

    async fn answer<K: Readable, T>(
        &self,
        verb: &str,
        api: &Api<K>,
        question: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<Asked<T>, ClusterError> {
        let _slot = self.slots.acquire().await;
        let answer = timeout(PATIENCE, question).await.map_err(|_| ClusterError::Unreachable {
            server: self.cluster.server.clone(),
            why: format!("no answer within {} s", PATIENCE.as_secs()),
        })?;
        match answer {
            Ok(answer) => Ok(Asked::Is(answer)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Asked::Unknown),
            Err(error) => {
                let failure = self.cluster.failure(&error);
                if let ClusterError::Denied(denied) = failure {
                    return Ok(Asked::Refused(denied));
                }
                if let ClusterError::Answer { code: 403, .. } = failure {
                    // An authorizer that words its refusal otherwise.
                    return Ok(Asked::Refused(Denied {
                        verb: verb.to_owned(),
                        resource: resource::<K>(),
                        namespace: api.namespace().unwrap_or_default().to_owned(),
                        subject: "you".to_owned(),
                    }));
                }
                Err(failure)
            }
        }
    }
}

/// A kind as refusals name it: `httproutes.gateway.networking.k8s.io`.
fn resource<K: Readable>() -> String {
    match K::group(&()).as_ref() {
        "" => K::plural(&()).into_owned(),
        group => format!("{}.{group}", K::plural(&())),
    }
}
