//! The Pods of the tiers: which there are and where they are asked. What they answer is kept beside them.

use std::net::IpAddr;
use std::sync::Arc;

use bailey_kit::kube::{Change, follow};
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::watcher::Config;
use kube::{Client, ResourceExt as _};
use tokio::task::JoinSet;

use super::{Dirty, Observed, World};
use crate::labels;
use crate::poll::address_of;
use crate::proxies::{Answer, Proxy};

/// Namespace and name of a Pod.
pub type PodKey = (String, String);

pub(super) fn observe(client: &Client, observed: &Arc<Observed>, tasks: &mut JoinSet<()>) {
    const LIST: &str = "pods";
    observed.expect(LIST);
    let (store, other) = (observed.clone(), observed.clone());
    let api: Api<Pod> = Api::all(client.clone());
    tasks.spawn(async move {
        let change = |change: Change<Pod>| {
            let whole = matches!(change, Change::All(_));
            let mut appeared = false;
            store.update(LIST, whole, |world| {
                let (dirty, new) = apply(world, change);
                appeared = new;
                dirty
            });
            if appeared {
                store.proxy_appeared.notify_one();
            }
        };
        let config = Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGER));
        follow(api, config, change, |trouble| other.trouble(LIST, trouble.as_ref())).await;
    });
}

impl Observed {
    /// The proxies that can be asked.
    pub fn proxies(&self) -> Vec<(PodKey, IpAddr)> {
        let state = self.lock();
        state.world.proxies.iter().filter_map(|(key, proxy)| Some((key.clone(), proxy.address?))).collect()
    }

    /// A proxy has answered, or has not. Only what is news to a status makes its topology dirty.
    pub fn told(&self, key: &PodKey, address: IpAddr, told: Answer) {
        let mut state = self.lock();
        let Some(proxy) = state.world.proxies.get_mut(key).filter(|proxy| proxy.address == Some(address)) else {
            return;
        };
        let news = proxy.differs(&told);
        proxy.told = Some(told);
        let names = [proxy.topology.clone()].into();
        drop(state);
        if news {
            self.mark(Dirty { names, ..Dirty::default() });
        }
    }
}

/// Takes over a change, and says what it concerns and whether there is somebody new to ask.
fn apply(world: &mut World, change: Change<Pod>) -> (Dirty, bool) {
    match change {
        Change::Put(pod) => put(world, &pod),
        Change::Gone(pod) => (remove(world, &key_of(&pod)), false),
        Change::All(pods) => {
            let mut before = std::mem::take(&mut world.proxies);
            for pod in &pods {
                let key = key_of(pod);
                if let Some(proxy) = before.remove(&key) {
                    world.proxies.insert(key, proxy);
                }
                put(world, pod);
            }
            (Dirty { all: true, ..Dirty::default() }, true)
        }
    }
}

fn key_of(pod: &Pod) -> PodKey {
    (pod.namespace().unwrap_or_default(), pod.name_any())
}

fn put(world: &mut World, pod: &Pod) -> (Dirty, bool) {
    let key = key_of(pod);
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let over = pod.metadata.deletion_timestamp.is_some() || matches!(phase, Some("Succeeded" | "Failed"));
    let proxy = Proxy::of(pod.labels(), address_of(pod)).filter(|_| !over);
    let Some(proxy) = proxy else { return (remove(world, &key), false) };
    let same = world.proxies.get(&key).is_some_and(|before| before.address == proxy.address);
    if same {
        return (Dirty::default(), false);
    }
    let names = [proxy.topology.clone()].into();
    let reachable = proxy.address.is_some();
    world.proxies.insert(key, proxy);
    (Dirty { names, ..Dirty::default() }, reachable)
}

fn remove(world: &mut World, key: &PodKey) -> Dirty {
    let names = world.proxies.remove(key).map(|proxy| proxy.topology);
    Dirty { names: names.into_iter().collect(), ..Dirty::default() }
}

#[cfg(test)]
mod tests {
    use bailey_kit::admin::served::Served;
    use serde_json::json;

    use super::*;

    fn pod(name: &str, ip: Option<&str>, deleted: bool) -> Pod {
        let mut value = json!({
            "metadata": {"name": name, "namespace": "a", "labels": {"bailey.dev/topology": "main", "bailey.dev/tier": "inner", "bailey.dev/tenant": "a"}},
            "status": {"phase": "Running", "podIP": ip},
        });
        if deleted {
            value["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_pod_is_asked_when_it_has_an_address_and_until_it_is_being_deleted() {
        let observed = Observed::default();
        let put = |pod: Pod| observed.update("pods", false, |world| apply(world, Change::Put(pod)).0);
        put(pod("p", None, false));
        assert!(observed.proxies().is_empty());
        put(pod("p", Some("10.0.0.9"), false));
        let address: IpAddr = "10.0.0.9".parse().unwrap();
        assert_eq!(observed.proxies(), [(("a".to_owned(), "p".to_owned()), address)]);
        observed.take_dirty();
        let served = Arc::new(Served { digest: Some("d".to_owned()), ..Served::default() });
        observed.told(&("a".to_owned(), "p".to_owned()), address, Ok(served.clone()));
        assert!(observed.take_dirty().names.contains("main"));
        let later = Served { generation: 9, ..(*served).clone() };
        observed.told(&("a".to_owned(), "p".to_owned()), address, Ok(Arc::new(later)));
        assert_eq!(observed.take_dirty(), Dirty::default(), "a counter is no news");
        put(pod("p", Some("10.0.0.9"), true));
        assert!(observed.proxies().is_empty());
    }
}
