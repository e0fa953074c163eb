//! The objects of a tier in a cluster. The tier watches them itself, so that routes and endpoints reach it whether or not
//! the operator runs.
//!
//! Decides when what was read is whole: every list that the tier needs has been read once. Which lists these are is
//! decided in [`plan`], what they may hold in the fixed roles of `bailey_crds::access`. A watch that fails later keeps what
//! it told before. A permission that is taken away is asked for, since an open watch does not notice.

pub mod plan;
mod secrets;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bailey_crds::gateway::{GatewayClass, GrpcRoute, HttpRoute, ReferenceGrant};
use bailey_crds::{HostnameBinding, TierConfig, TierConfigSpec};
use bailey_kit::kube::{Denied, follow, keep_asking};
use bailey_translate::{Kind, Objects};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep_until};

use crate::tier::Role;
use plan::{Plan, Select, Watch, Watched};
use store::Store;

/// The least time between two sets of objects while changes keep coming.
const INTERVAL: Duration = Duration::from_millis(50);

/// The objects of one tier, kept up to date until this is dropped.
#[derive(Debug)]
pub struct Source {
    store: Arc<Store>,
    pace: Pace,
    driver: JoinHandle<()>,
    asking: JoinHandle<()>,
}

/// What is known at one moment.
#[derive(Debug, Default)]
pub struct View {
    /// The objects.
    pub objects: Objects,
    /// The tier's own configuration is among them.
    pub configured: bool,
    /// It is, and every list that the tier needs has been read.
    pub complete: bool,
    /// Permissions that are missing.
    pub denied: BTreeSet<Denied>,
    /// All that keeps lists from being read, in words.
    pub troubles: Vec<String>,
}

impl Source {
    /// Begins to watch what the tier `role` in `namespace` needs.
    pub fn start(client: Client, role: Role, namespace: String) -> Self {
        let store = Arc::new(Store::default());
        let (needed, told, own) = (store.clone(), store.clone(), namespace.clone());
        let asking = keep_asking(client.clone(), move || needed.needs(&own), move |taken| told.set_taken(taken));
        let driver = Driver { client, role, namespace, store: store.clone(), running: BTreeMap::new() };
        Self { driver: tokio::spawn(driver.run()), asking: tokio::spawn(asking), store, pace: Pace::default() }
    }

    /// Waits for a change: at once for the first, then at most every 50 ms while they keep coming. May be dropped at any time.
    pub async fn changed(&mut self) {
        self.pace.next(&self.store.changed).await;
    }

    /// What is known now.
    pub fn view(&self) -> View {
        self.store.view()
    }
}

/// When changes are told. What was notified and not yet told is kept here, not in a future that may be dropped.
#[derive(Debug, Default)]
struct Pace {
    last: Option<Instant>,
    due: Option<Instant>,
}

impl Pace {
    async fn next(&mut self, changed: &Notify) {
        let due = if let Some(due) = self.due {
            due
        } else {
            changed.notified().await;
            *self.due.insert(self.last.map_or_else(Instant::now, |last| last + INTERVAL))
        };
        sleep_until(due).await;
        *self = Self { last: Some(Instant::now()), due: None };
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.driver.abort();
        self.asking.abort();
    }
}

/// Keeps the running watches equal to the plan, which follows from the tier's configuration.
struct Driver {
    client: Client,
    role: Role,
    namespace: String,
    store: Arc<Store>,
    running: BTreeMap<Watch, AbortHandle>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.running.values().for_each(AbortHandle::abort);
    }
}

impl Driver {
    async fn run(mut self) {
        let mut planned: Option<TierConfigSpec> = None;
        self.carry_out(&plan::plan(&self.role, &self.namespace, None), None);
        loop {
            let config = self.store.config();
            if config.is_some() && config != planned {
                self.carry_out(&plan::plan(&self.role, &self.namespace, config.as_ref()), config.clone());
                planned = config;
            }
            let due = self.store.secrets_due();
            tokio::select! {
                () = self.store.reconfigured.notified() => {}
                () = sleep_until(due) => secrets::read(&self.client, &self.namespace, &self.store).await,
            }
        }
    }

    fn carry_out(&mut self, plan: &Plan, config: Option<TierConfigSpec>) {
        self.running.retain(|watch, running| {
            let keep = plan.watches.contains(watch);
            if !keep {
                running.abort();
            }
            keep
        });
        self.store.expect(plan, config);
        for watch in &plan.watches {
            if !self.running.contains_key(watch) {
                self.running.insert(watch.clone(), self.start(watch.clone()));
            }
        }
    }

    fn start(&self, watch: Watch) -> AbortHandle {
        match watch.kind {
            Watched::TierConfigs => self.namespaced::<TierConfig>(watch),
            Watched::HostnameBindings => self.namespaced::<HostnameBinding>(watch),
            Watched::HttpRoutes => self.namespaced::<HttpRoute>(watch),
            Watched::GrpcRoutes => self.namespaced::<GrpcRoute>(watch),
            Watched::ReferenceGrants => self.namespaced::<ReferenceGrant>(watch),
            Watched::Ingresses => self.namespaced::<Ingress>(watch),
            Watched::Services => self.namespaced::<Service>(watch),
            Watched::EndpointSlices => self.namespaced::<EndpointSlice>(watch),
            Watched::GatewayClasses => self.follow(Api::<GatewayClass>::all(self.client.clone()), watch),
        }
    }

    fn namespaced<K>(&self, watch: Watch) -> AbortHandle
    where
        K: Kind + Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
        K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync,
    {
        self.follow(Api::<K>::namespaced(self.client.clone(), &watch.namespace), watch)
    }

    fn follow<K>(&self, api: Api<K>, watch: Watch) -> AbortHandle
    where
        K: Kind + Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync,
    {
        let config = match &watch.select {
            Select::All => watcher::Config::default(),
            Select::Name(name) => watcher::Config::default().fields(&format!("metadata.name={name}")),
            Select::Labels(labels) => watcher::Config::default().labels(labels),
        };
        let (store, other) = (self.store.clone(), self.store.clone());
        let (of, about) = (watch.clone(), watch);
        tokio::spawn(async move {
            follow(api, config, |change| store.change(&of, change), |trouble| other.trouble(&about, trouble)).await;
        })
        .abort_handle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_told_though_whoever_waited_for_it_turned_away() {
        let changed = Notify::new();
        let told = Instant::now();
        // Told an hour from now, so that the next is not due while this looks on.
        let mut pace = Pace { last: Some(told + Duration::from_hours(1)), due: None };
        changed.notify_one();
        let turned_away = tokio::select! {
            biased;
            () = pace.next(&changed) => false,
            () = tokio::task::yield_now() => true,
        };
        assert!(turned_away);
        assert_eq!(pace.due, Some(told + Duration::from_hours(1) + INTERVAL), "it is not forgotten");
        pace.due = Some(told);
        pace.next(&changed).await;
    }
}
