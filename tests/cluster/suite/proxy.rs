//! The proxy's image in a Pod: one tier, configured by a folder, under the restricted Pod Security profile. It serves the client behind a load balancer and tells
//! the application the client's own address.

use std::time::Duration;

use data_encoding::BASE64;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::bed::{CLIENT, Place, bed};
use crate::kubernetes::{Kubernetes, echo_pod, restricted, until};
use crate::traffic::{Ask, Load, seen};

const NAMESPACE: &str = "tier";
const HOST: &str = "web.example.com";

pub(crate) fn a_tier_from_the_image_serves_a_folder() {
    bed().run(async |cluster| {
        let root = start(&cluster).await;
        let address = cluster.load_balancer(NAMESPACE, "tier", "Local", &[(80, 8080), (443, 8443)]).await;
        let plain = || Ask::http(format!("{address}:80").parse().unwrap(), HOST, "/");
        let https = || Ask::https(format!("{address}:443").parse().unwrap(), HOST, "/", root.clone());
        until("the tier answers", async || plain().from(Place::Client).await.ok()).await;

        for ask in [plain(), https()] {
            let forged =
                ask.with("x-forwarded-for", "192.0.2.66").with("x-real-ip", "192.0.2.66").from(Place::Client).await;
            let answer = forged.unwrap();
            assert_eq!(answer.status(), 200, "{answer:?}");
            let seen = seen(&answer);
            assert_eq!(seen["headers"]["x-forwarded-for"], json!([CLIENT]), "{seen}");
            assert_eq!(seen["headers"]["x-real-ip"], json!([CLIENT]), "{seen}");
        }
        let stranger = Ask::http(format!("{address}:80").parse().unwrap(), "nobody.example.com", "/");
        assert_eq!(stranger.from(Place::Client).await.unwrap().status(), 404);

        let load = Load::start(https(), 200, 8);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let tally = load.stop();
        assert!(tally.sent > 300, "{tally:?}");
        assert_eq!(tally.fates.keys().collect::<Vec<_>>(), ["200"], "{tally:?}");

        let log = cluster.logs(NAMESPACE, "tier").await;
        assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
        cluster.delete_namespace(NAMESPACE).await;
    });
}

/// Starts application and tier, and gives whom the tier's certificate is signed by.
async fn start(cluster: &Kubernetes) -> CertificateDer<'static> {
    cluster.namespace(NAMESPACE).await;
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let restricted =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}});
    cluster.apply_one(&restricted).await.unwrap();
    cluster.apply_one(&echo_pod(NAMESPACE, "echo", &json!({}))).await.unwrap();
    let application = cluster.ready(NAMESPACE, "echo").await.status.and_then(|status| status.pod_ip).unwrap();

    let certified = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": NAMESPACE},
        "data": {"tier.yaml": folder(&application, &certified.cert.pem(), &certified.signing_key.serialize_pem())},
    });
    cluster.apply_one(&map).await.unwrap();
    cluster.apply_one(&pod()).await.unwrap();
    cluster.ready(NAMESPACE, "tier").await;
    certified.cert.der().clone()
}

/// What the tier is told, as one YAML file.
fn folder(application: &str, certificate: &str, key: &str) -> String {
    let (certificate, key) = (BASE64.encode(certificate.as_bytes()), BASE64.encode(key.as_bytes()));
    let text = include_str!("proxy.yaml");
    text.replace("APPLICATION", application).replace("CERTIFICATE", &certificate).replace("KEY", &key)
}

fn pod() -> Value {
    let image = concat!("bailey.dev/bailey-proxy:", env!("CARGO_PKG_VERSION"));
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tier", "namespace": NAMESPACE, "labels": {"app": "tier"}},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "proxy", "image": image,
                "args": ["--tier=gateway", "--gateway=tier/web", "--config=/config", "--port=80=8080", "--port=443=8443",
                         "--admin=0.0.0.0:9090", "--workers=1"],
                "ports": [{"containerPort": 8080}, {"containerPort": 8443}],
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9090}, "periodSeconds": 1},
                "securityContext": restricted(),
                "volumeMounts": [{"name": "config", "mountPath": "/config", "readOnly": true}],
            }],
            "volumes": [{"name": "config", "configMap": {"name": "config"}}],
        },
    })
}
