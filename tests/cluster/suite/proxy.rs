//! The proxy's image in a Pod: one tier, configured by a ConfigMap, under the restricted Pod Security profile.

use serde_json::{Value, json};

use crate::bed::{NODE, Place, bed, repository};
use crate::kubernetes::until;
use crate::traffic::Ask;

pub(crate) fn a_tier_from_the_image_serves_a_folder() {
    let config = std::fs::read_to_string(repository("tests/cluster/suite/proxy.yaml")).unwrap();
    bed().run(async |cluster| {
        let namespace = "tier";
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        cluster.namespace(namespace).await;
        cluster
            .apply_one(
                &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}),
            )
            .await
            .unwrap();
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": namespace},
            "data": {"tier.yaml": config},
        });
        cluster.apply_one(&map).await.unwrap();
        cluster.apply_one(&pod(namespace)).await.unwrap();
        cluster.ready(namespace, "tier").await;
        // A redirect is answered by the tier itself, so no backend is needed to see it serve.
        let ask = Ask::http(format!("{NODE}:18081").parse().unwrap(), "web.example.com", "/old");
        let answer = until("the tier answers", async || ask.clone().from(Place::Client).await.ok()).await;
        assert_eq!(answer.status(), 302);
        assert_eq!(answer.headers()["location"], "http://web.example.com/new");
        let unknown = Ask::http(format!("{NODE}:18081").parse().unwrap(), "nobody.example.com", "/")
            .from(Place::Client)
            .await
            .unwrap();
        assert_eq!(unknown.status(), 404);
        cluster.delete_namespace(namespace).await;
    });
}

fn pod(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tier", "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "proxy", "image": concat!("bailey.dev/bailey-proxy:", env!("CARGO_PKG_VERSION")),
                "args": ["--tier=gateway", "--gateway=tier/web", "--config=/config", "--port=80=8080", "--admin=0.0.0.0:9090", "--workers=1"],
                "ports": [{"containerPort": 8080, "hostPort": 18081}],
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9090}, "periodSeconds": 1},
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "config", "mountPath": "/config", "readOnly": true}],
            }],
            "volumes": [{"name": "config", "configMap": {"name": "config"}}],
        },
    })
}
