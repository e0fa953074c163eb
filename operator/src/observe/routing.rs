//! What routes are made of: the objects of tenants that a route's status follows from, with the same types as in the proxies.
//! Endpoints are not among them: a status does not depend on them.

use std::sync::Arc;

use bailey_crds::gateway::{Gateway, GrpcRoute, HttpRoute, ReferenceGrant};
use bailey_kit::kube::{Change, follow};
use bailey_translate::{Key, Kind, Objects};
use k8s_openapi::api::core::v1::Service;
use kube::api::Api;
use kube::runtime::watcher::Config;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::{Dirty, Observed, World};

pub(super) fn observe(client: &Client, observed: &Arc<Observed>, tasks: &mut JoinSet<()>) {
    watch::<Gateway>(client, observed, "gateways", tasks);
    watch::<HttpRoute>(client, observed, "httproutes", tasks);
    watch::<GrpcRoute>(client, observed, "grpcroutes", tasks);
    watch::<ReferenceGrant>(client, observed, "referencegrants", tasks);
    watch::<Service>(client, observed, "services", tasks);
}

fn watch<K>(client: &Client, observed: &Arc<Observed>, list: &'static str, tasks: &mut JoinSet<()>)
where
    K: Kind + Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync,
{
    observed.expect(list);
    let (store, other) = (observed.clone(), observed.clone());
    let api: Api<K> = Api::all(client.clone());
    tasks.spawn(async move {
        let change = |change: Change<K>| {
            let whole = matches!(change, Change::All(_));
            store.update(list, whole, |world| apply(world, change));
        };
        follow(api, Config::default(), change, |trouble| other.trouble(list, trouble.as_ref())).await;
    });
}

/// Takes over a change, and says in which namespaces routes may have to be looked at again.
fn apply<K: Kind + Clone>(world: &mut World, change: Change<K>) -> Dirty {
    let objects = Arc::make_mut(&mut world.routing);
    let mut dirty = Dirty::default();
    match change {
        Change::Put(object) => {
            let namespace = object.namespace().unwrap_or_default();
            if put(objects, object) {
                dirty.namespaces.insert(namespace);
            }
        }
        Change::Gone(object) => {
            let namespace = object.namespace().unwrap_or_default();
            if objects.remove::<K>(&Key::new(&namespace, object.name_any())) {
                dirty.namespaces.insert(namespace);
            }
        }
        Change::All(all) => {
            let before: Vec<Key> = objects.all::<K>().map(|(key, _)| key.clone()).collect();
            for gone in &before {
                objects.remove::<K>(gone);
            }
            for object in all {
                put(objects, object);
            }
            dirty.routes = true;
        }
    }
    dirty
}

/// Keeps what is needed of an object, and returns whether it is another than before. For what has a status of ours that is
/// every change, since somebody else may have written it.
fn put<K: Kind + Clone>(objects: &mut Objects, mut object: K) -> bool {
    let reported = K::KIND != Service::KIND && K::KIND != ReferenceGrant::KIND;
    object.meta_mut().managed_fields = None;
    if !reported {
        object.meta_mut().annotations = None;
        object.meta_mut().labels = None;
    }
    objects.insert(object, None) || reported
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(port: u16, status: &str) -> Service {
        let value = json!({
            "metadata": {"name": "app", "namespace": "a", "labels": {"seen": status}},
            "spec": {"ports": [{"port": port}]},
            "status": {"loadBalancer": {"ingress": [{"hostname": status}]}},
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_what_a_route_s_status_depends_on_makes_a_namespace_dirty() {
        let mut world = World::default();
        let of_a = Dirty { namespaces: ["a".to_owned()].into(), ..Dirty::default() };
        assert_eq!(apply(&mut world, Change::Put(service(80, "one"))), of_a);
        assert_eq!(apply(&mut world, Change::Put(service(80, "two"))), Dirty::default());
        assert_eq!(apply(&mut world, Change::Put(service(81, "two"))), of_a);
        let route: HttpRoute =
            serde_json::from_value(json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {}})).unwrap();
        assert_eq!(apply(&mut world, Change::Put(route.clone())), of_a);
        assert_eq!(apply(&mut world, Change::Put(route)), of_a, "its status may be another's work");
        let kept = world.clone();
        assert_eq!(apply(&mut world, Change::Gone(service(81, "two"))), of_a);
        assert!(
            world.routing.get::<Service>("a", "app").is_none() && kept.routing.get::<Service>("a", "app").is_some()
        );
        assert!(apply(&mut world, Change::All(vec![service(80, "one")])).routes);
        assert!(world.routing.get::<HttpRoute>("a", "web").is_some());
    }
}
