//! What is left when a tenant, a namespace or a topology goes, and that what was kept is taken up again.

use serde_json::{Value, json};

use crate::bed::{Place, bed};
use crate::kubernetes::{Kubernetes, reference, until};
use crate::site::{Site, application, ask_https, route, secret, topology};
use crate::traffic::Ask;

const NAME: &str = "leaving";
const OUTER: &str = "ingress-leaving";
/// Every kind that the operator makes.
pub(crate) const KINDS: [(&str, &str); 15] = [
    ("v1", "ServiceAccount"),
    ("v1", "Service"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Secret"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("bailey.dev/v1alpha1", "TierConfig"),
    ("bailey.dev/v1alpha1", "HostnameBinding"),
];

fn host(tenant: &str) -> String {
    format!("{tenant}.example.com")
}

fn leaving(tenants: &[&str]) -> Value {
    let tenant = |name: &&str| json!({"name": name, "namespaces": {"names": [name]}, "hostnames": [host(name)]});
    let mut leaving = topology(NAME);
    leaving["spec"] = json!({
        "outer": {
            "namespace": OUTER,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}, {"name": "https", "port": 443, "protocol": "HTTPS"}],
            "certificates": {"store": {"volume": {"size": "1Mi"}}, "secrets": ["site"]},
        },
        "tenants": tenants.iter().map(tenant).collect::<Vec<_>>(),
    });
    leaving
}

/// What exists with these labels, as kind and name.
async fn children(cluster: &Kubernetes, labels: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (version, kind) in KINDS {
        for object in cluster.labelled(version, kind, labels).await {
            found.push(format!("{kind} {}", object.metadata.name.unwrap_or_default()));
        }
    }
    found
}

async fn only(cluster: &Kubernetes, labels: &str, left: &[&str]) {
    let mut last = Vec::new();
    until(&format!("nothing but {left:?} is left of {labels}"), async || {
        let now = children(cluster, labels).await;
        if now != last {
            eprintln!("{labels}: {} objects are left", now.len());
            last.clone_from(&now);
        }
        (now == left).then_some(())
    })
    .await;
}

async fn tenant(cluster: &Kubernetes, name: &str) {
    cluster.namespace(name).await;
    application(cluster, name, "shop").await;
    cluster.apply_one(&route(NAME, name, "shop", &host(name), "/", "shop")).await.unwrap();
}

async fn ready(cluster: &Kubernetes, tenants: &[&str]) -> String {
    let address = cluster.topology_ready(NAME).await;
    for name in tenants {
        ask_https(&address, &host(name), "/").answers(200).await;
    }
    address
}

pub(crate) fn what_goes_leaves_nothing_but_the_kept_volume() {
    bed().run(async |cluster| {
        Site::up(cluster.clone()).await;
        cluster.namespace(OUTER).await;
        cluster.apply_one(&secret(OUTER)).await.unwrap();
        tenant(&cluster, "going").await;
        tenant(&cluster, "staying").await;
        cluster.apply_one(&leaving(&["going", "staying"])).await.unwrap();
        let address = ready(&cluster, &["going", "staying"]).await;

        // A namespace, and what it held; the topology says so and serves the others.
        cluster.delete_namespace("going").await;
        cluster.condition_of(NAME, "Ready", "False", "going").await;
        let answer = ask_https(&address, &host("going"), "/").from(Place::Client).await.unwrap();
        assert!(answer.status().is_server_error(), "{answer:?}");
        ask_https(&address, &host("staying"), "/").answers(200).await;
        tenant(&cluster, "going").await;
        ready(&cluster, &["going", "staying"]).await;

        // A tenant. Its hostname is held for it, so that nobody takes over its traffic at once.
        cluster.apply_one(&leaving(&["staying"])).await.unwrap();
        only(&cluster, "bailey.dev/topology=leaving,bailey.dev/tenant=going,bailey.dev/binding!=released", &[]).await;
        ask_https(&address, &host("staying"), "/").answers(200).await;
        // By https nobody has the name, so there is no answer at all.
        Ask::http(format!("{address}:80").parse().unwrap(), &host("going"), "/").answers(404).await;
        ask_https(&address, &host("going"), "/").from(Place::Client).await.unwrap_err();

        // The topology.
        let claim = reference("v1", "PersistentVolumeClaim", OUTER, "leaving-outer-certificates");
        let kept = cluster.get(&claim).await.unwrap();
        cluster.delete(&topology(NAME)).await;
        only(&cluster, "bailey.dev/topology=leaving", &["PersistentVolumeClaim leaving-outer-certificates"]).await;

        // Again: the volume is the same.
        cluster.apply_one(&leaving(&["staying"])).await.unwrap();
        ready(&cluster, &["staying"]).await;
        let now = cluster.get(&claim).await.unwrap();
        assert_eq!(now["metadata"]["uid"], kept["metadata"]["uid"]);
        assert_eq!(now["spec"]["volumeName"], kept["spec"]["volumeName"]);
        cluster.delete(&topology(NAME)).await;
        for namespace in ["going", "staying", OUTER] {
            cluster.delete_namespace(namespace).await;
        }
    });
}
