//! Looks at a topology against an API server that fails: whatever goes wrong with whichever write, the next looks bring the
//! cluster to the same state, and then nothing is written any more.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Api, Fault};
use bailey_crds::access::TIER_ROLES;
use bailey_crds::{HostnameBinding, IngressTopology};
use bailey_kit::admin::served::Served;
use bailey_operator::apply::Cluster;
use bailey_operator::manifest::{Child, ChildKey};
use bailey_operator::metrics::Metrics;
use bailey_operator::observe::{Observed, World};
use bailey_operator::permissions;
use bailey_operator::proxies::Proxy;
use bailey_operator::reconcile::{Reconciler, Settings};
use bailey_operator::report::Reporter;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

const TOPOLOGY: &str = "/apis/bailey.dev/v1alpha1/ingresstopologies/main";

struct Bed {
    api: Api,
    reconciler: Reconciler,
    /// Seconds since 1970.
    now: i64,
}

impl Bed {
    fn new(fault: Option<(usize, Fault)>) -> Self {
        let api = Api::default();
        let topology = json!({
            "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology",
            "metadata": {"name": "main", "uid": "u", "generation": 1},
            "spec": {
                "outer": {"namespace": "out", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
                "tenants": [{"name": "a", "namespaces": {"names": ["team-a"]}, "hostnames": ["a.example.com"]}],
            },
        });
        let mut state = api.0.lock().unwrap();
        state.objects.insert(TOPOLOGY.to_owned(), topology);
        state.fault = fault;
        drop(state);
        Self { reconciler: reconciler(&api), api, now: 1_800_000_000 }
    }

    /// What the watches would know now.
    fn world(&self) -> World {
        let mut world = World::default();
        for name in ["out", "team-a"] {
            let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
            world.namespaces.insert(namespace, None);
        }
        for role in TIER_ROLES {
            let rules = role.may.iter().map(permissions::rule).collect();
            world.roles.insert(role.name.to_owned(), ClusterRole { rules: Some(rules), ..ClusterRole::default() });
        }
        for object in self.api.0.lock().unwrap().objects.values() {
            let kind = object["kind"].as_str().unwrap();
            if kind == "HostnameBinding" {
                let binding: HostnameBinding = serde_json::from_value(object.clone()).unwrap();
                let key = (binding.namespace().unwrap(), binding.name_any());
                world.bindings.insert(key, Arc::new(binding));
            } else if let Some(child) = Child::ALL.iter().find(|child| child.kind() == kind) {
                let found: DynamicObject = serde_json::from_value(object.clone()).unwrap();
                let key = ChildKey {
                    child: *child,
                    namespace: found.namespace().unwrap_or_default(),
                    name: found.name_any(),
                };
                world.children.insert(key, Arc::new(found));
            }
        }
        world
    }

    /// One look; the writes that it made.
    async fn look(&mut self) -> Vec<String> {
        let topology: IngressTopology = serde_json::from_value(self.object(TOPOLOGY)).unwrap();
        let world = self.world();
        self.api.0.lock().unwrap().writes.clear();
        self.reconciler.look(&world, &topology, Timestamp::from_second(self.now).unwrap()).await;
        self.api.0.lock().unwrap().writes.clone()
    }

    async fn settle(&mut self) {
        for _ in 0..8 {
            if self.look().await.is_empty() {
                return;
            }
        }
        panic!("it keeps writing: {:?}", self.look().await);
    }

    fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        change(self.api.0.lock().unwrap().objects.get_mut(path).unwrap());
    }

    fn object(&self, path: &str) -> Value {
        self.api.0.lock().unwrap().objects[path].clone()
    }

    /// Everything but what is another at every run: keys, and what the server counts.
    fn state(&self) -> BTreeMap<String, Value> {
        let mut objects = self.api.0.lock().unwrap().objects.clone();
        for object in objects.values_mut() {
            object["metadata"]["resourceVersion"] = Value::Null;
            object["data"] = Value::Null;
        }
        objects
    }

    fn condition(&self, type_: &str) -> (String, String, String) {
        let topology = self.object(TOPOLOGY);
        let conditions = topology["status"]["conditions"].as_array().unwrap();
        let found = conditions.iter().find(|one| one["type"] == type_).unwrap();
        let text = |key: &str| found[key].as_str().unwrap().to_owned();
        (text("status"), text("reason"), text("message"))
    }
}

fn reconciler(api: &Api) -> Reconciler {
    let (client, metrics) = (api.client(), Arc::new(Metrics::default()));
    let cluster = Cluster { client: client.clone(), observed: Arc::new(Observed::default()), metrics: metrics.clone() };
    let settings = Settings { namespace: "bailey-system".to_owned(), proxy_image: "proxy:1".to_owned() };
    Reconciler::new(cluster, settings, Reporter::new(client, "test".to_owned(), metrics))
}

#[tokio::test]
async fn everything_is_made_and_then_nothing_is_written() {
    let mut bed = Bed::new(None);
    bed.settle().await;
    let state = bed.state();
    for path in [
        "/apis/apps/v1/namespaces/out/deployments/main-outer",
        "/apis/apps/v1/namespaces/team-a/deployments/main-a",
        "/api/v1/namespaces/out/secrets/bailey-link",
        "/api/v1/namespaces/team-a/secrets/bailey-link",
        "/api/v1/namespaces/bailey-system/secrets/main-link-authority",
        "/apis/gateway.networking.k8s.io/v1/namespaces/team-a/gateways/main",
    ] {
        assert!(state.contains_key(path), "{path} is missing in {:?}", state.keys());
    }
    assert_eq!(bed.condition("Programmed").0, "True");
    assert_eq!(bed.condition("Ready").1, "ProxiesNotReady");
    // A replica that has just become leader remembers nothing and writes nothing either.
    bed.reconciler = reconciler(&bed.api);
    assert_eq!(bed.look().await, Vec::<String>::new());
}

#[tokio::test]
async fn whichever_write_fails_however_the_same_state_is_reached() {
    let mut good = Bed::new(None);
    let writes = good.look().await.len();
    good.settle().await;
    let expected = good.state();
    let faults = [Fault::Refused(409), Fault::AnswerLost, Fault::Refused(429), Fault::Dropped, Fault::Refused(500)];
    for number in 0..writes {
        // Two of the faults for each write; each of them meets every kind in the end.
        for fault in [number, number + 1].map(|index| faults[index % faults.len()]) {
            let mut bed = Bed::new(Some((number, fault)));
            bed.settle().await;
            assert!(bed.state() == expected, "write {number} with {fault:?} led somewhere else");
        }
    }
}

#[tokio::test]
async fn a_missing_permission_is_named_and_the_rest_is_made() {
    let mut bed = Bed::new(None);
    let service = "/api/v1/namespaces/team-a/services/main-a";
    // The number of the write of this Service.
    let number = bed.look().await.iter().position(|write| write == &format!("PATCH {service}")).unwrap();
    let mut bed = Bed::new(Some((number, Fault::Refused(403))));
    bed.look().await;
    let (status, reason, message) = bed.condition("Programmed");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "PermissionMissing"));
    assert!(message.contains("bailey-operator may not patch services in namespace team-a"), "{message}");
    assert!(bed.state().contains_key("/apis/apps/v1/namespaces/team-a/deployments/main-a"));
    assert_eq!(bed.condition("Ready").1, "PermissionMissing");
}

#[tokio::test]
async fn a_strangers_object_of_our_name_is_left_alone() {
    let mut bed = Bed::new(None);
    let path = "/api/v1/namespaces/out/services/main-outer";
    let foreign = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "main-outer", "namespace": "out", "uid": "x", "labels": {"app.kubernetes.io/managed-by": "Helm"}}});
    bed.api.0.lock().unwrap().objects.insert(path.to_owned(), foreign.clone());
    bed.look().await;
    assert_eq!(bed.object(path), foreign);
    let (_, reason, message) = bed.condition("Programmed");
    assert_eq!(reason, "NameConflict");
    assert!(message.contains("Service out/main-outer exists and belongs to Helm"), "{message}");
}

#[tokio::test]
async fn drift_is_put_back_and_a_fight_is_given_up_but_for_a_write_a_minute() {
    let mut bed = Bed::new(None);
    bed.settle().await;
    let path = "/apis/apps/v1/namespaces/team-a/deployments/main-a";
    let mut written = 0;
    for _ in 0..10 {
        bed.edit(path, |deployment| deployment["spec"]["replicas"] = 9.into());
        written += bed.look().await.iter().filter(|write| write.ends_with("deployments/main-a")).count();
    }
    assert!((2..=4).contains(&written), "{written} writes");
    let (_, reason, message) = bed.condition("Programmed");
    assert_eq!(reason, "Contested");
    assert!(message.contains("spec.replicas keeps being changed"), "{message}");
}

#[tokio::test]
async fn a_link_certificate_that_somebody_changes_or_deletes_is_put_right_within_ten_seconds() {
    let mut bed = Bed::new(None);
    bed.settle().await;
    let path = "/api/v1/namespaces/team-a/secrets/bailey-link";
    let good = bed.object(path)["data"]["tls.crt"].clone();
    bed.edit(path, |secret| secret["data"]["tls.crt"] = "bm8gY2VydGlmaWNhdGU=".into());
    bed.now += 9;
    assert_eq!(bed.look().await, [format!("PATCH {path}")]);
    let again = bed.object(path)["data"]["tls.crt"].clone();
    assert!(again != "bm8gY2VydGlmaWNhdGU=" && again != good, "it is a new one");
    bed.api.0.lock().unwrap().objects.remove(path);
    bed.now += 9;
    assert_eq!(bed.look().await, [format!("PATCH {path}")]);
    bed.now += 9;
    assert_eq!(bed.look().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_proxy_may_not_read_and_what_it_serves_stand_in_the_status() {
    let mut bed = Bed::new(None);
    bed.settle().await;
    let denied = bailey_kit::kube::Denied {
        verb: "watch".to_owned(),
        resource: "httproutes.gateway.networking.k8s.io".to_owned(),
        namespace: "team-a".to_owned(),
        subject: "system:serviceaccount:team-a:main-a".to_owned(),
    };
    let served = Served { digest: Some("d".to_owned()), denied: vec![denied], ..Served::default() };
    let mut world = bed.world();
    let proxy = Proxy {
        topology: "main".to_owned(),
        tenant: Some("a".to_owned()),
        address: Some([10, 0, 0, 1].into()),
        told: Some(Ok(Arc::new(served))),
    };
    world.proxies.insert(("team-a".to_owned(), "p".to_owned()), proxy);
    let topology: IngressTopology = serde_json::from_value(bed.object(TOPOLOGY)).unwrap();
    bed.reconciler.look(&world, &topology, Timestamp::from_second(bed.now).unwrap()).await;
    let (_, reason, message) = bed.condition("Programmed");
    assert_eq!(reason, "PermissionMissing");
    assert!(
        message.contains("main-a may not watch httproutes.gateway.networking.k8s.io in namespace team-a"),
        "{message}"
    );
    assert_eq!(bed.object(TOPOLOGY)["status"]["tiers"][1]["digest"], "d");
}

#[tokio::test]
async fn what_is_not_asked_for_any_more_is_deleted_and_its_hostname_is_held() {
    let mut bed = Bed::new(None);
    bed.settle().await;
    let tenants = json!([{"name": "b", "namespaces": {"names": ["team-a"]}, "hostnames": ["a.example.com"]}]);
    bed.edit(TOPOLOGY, |topology| {
        topology["spec"]["tenants"] = tenants;
        topology["metadata"]["generation"] = 2.into();
    });
    bed.settle().await;
    let state = bed.state();
    assert!(!state.contains_key("/apis/apps/v1/namespaces/team-a/deployments/main-a"));
    assert!(state.contains_key("/apis/apps/v1/namespaces/team-a/deployments/main-b"));
    let binding = state.iter().find(|(path, _)| path.contains("hostnamebindings")).unwrap().1;
    assert_eq!(
        (&binding["spec"]["tenant"], &binding["metadata"]["labels"]["bailey.dev/binding"]),
        (&json!("a"), &json!("released"))
    );
    let (status, reason, message) = bed.condition("Accepted");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "HostnameOwned"));
    assert!(message.contains("tenant a of topology main gave a.example.com up"), "{message}");
}

#[tokio::test]
async fn a_fixed_role_that_was_cut_down_is_told_with_verb_resource_namespace_and_subject() {
    let mut bed = Bed::new(None);
    bed.settle().await;
    let topology: IngressTopology = serde_json::from_value(bed.object(TOPOLOGY)).unwrap();
    let mut world = bed.world();
    world.roles.get_mut("bailey-inner").unwrap().rules.as_mut().unwrap().remove(0);
    bed.reconciler.look(&world, &topology, Timestamp::from_second(1_800_000_000).unwrap()).await;
    let (_, reason, message) = bed.condition("Programmed");
    assert_eq!(reason, "PermissionMissing");
    let expected = "system:serviceaccount:team-a:main-a may not get, list, watch httproutes.gateway.networking.k8s.io in namespace team-a";
    assert!(message.contains(expected), "{message}");
}

#[tokio::test]
async fn an_operator_that_may_not_see_enough_says_so_and_does_nothing() {
    let bed = Bed::new(None);
    let mut world = bed.world();
    let topology: IngressTopology = serde_json::from_value(bed.object(TOPOLOGY)).unwrap();
    world.topologies.insert("main".to_owned(), Arc::new(topology));
    world.denied.insert(bailey_kit::kube::Denied {
        verb: "list".to_owned(),
        resource: "services".to_owned(),
        namespace: String::new(),
        subject: "system:serviceaccount:bailey-system:bailey-operator".to_owned(),
    });
    bed.reconciler.blocked(&world, Timestamp::UNIX_EPOCH).await;
    assert_eq!(bed.condition("Ready").1, "PermissionMissing");
    assert!(bed.condition("Programmed").2.contains("bailey-operator may not list services in the cluster"));
    let writes = bed.api.0.lock().unwrap().writes.clone();
    assert_eq!(writes, [format!("PATCH {TOPOLOGY}/status")]);
}
