//! Where every test of Bailey itself begins: the installation, the sample with two teams, and a certificate for their names.
//!
//! [`Site::up`] brings the cluster there from wherever the test before has left it, so each test can be run alone.

use std::sync::OnceLock;

use kube::api::PostParams;
use rcgen::CertifiedKey;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::bed::{Place, bed, repository};
use crate::kubernetes::{Kubernetes, documents, reference, until};
use crate::traffic::{Answer, Ask};

/// The sample that every test begins with.
pub(crate) const SAMPLE: &str = "samples/cluster/two-tenants.yaml";
/// Its topology.
pub(crate) const TOPOLOGY: &str = "main";
/// The namespace of its outer tier.
pub(crate) const OUTER: &str = "ingress-main";
/// The operator's namespace.
pub(crate) const SYSTEM: &str = "bailey-system";
/// The hosts of its two teams.
pub(crate) const HOST_A: &str = "a.example.com";
pub(crate) const HOST_B: &str = "b.example.com";

/// The sample, ready.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) cluster: Kubernetes,
    /// The load balancer of its outer tier.
    pub(crate) address: String,
}

/// The certificate of every host of the tests. It is made anew in each run.
pub(crate) fn certificate() -> &'static CertifiedKey<rcgen::KeyPair> {
    static MADE: OnceLock<CertifiedKey<rcgen::KeyPair>> = OnceLock::new();
    let names = ["example.com", "*.example.com", "*.b.example.com"].map(str::to_owned);
    MADE.get_or_init(|| rcgen::generate_simple_self_signed(names).expect("a certificate"))
}

/// Whom to trust to reach the site by https.
pub(crate) fn root() -> CertificateDer<'static> {
    certificate().cert.der().clone()
}

/// The Secret `site` with the certificate, in a namespace.
pub(crate) fn secret(namespace: &str) -> Value {
    let certificate = certificate();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "site", "namespace": namespace},
        "stringData": {"tls.crt": certificate.cert.pem(), "tls.key": certificate.signing_key.serialize_pem()},
    })
}

/// A reference to a topology.
pub(crate) fn topology(name: &str) -> Value {
    json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": name}})
}

impl Site {
    /// Installs Bailey and applies the sample, unless they are there, and waits until it serves.
    pub(crate) async fn up(cluster: Kubernetes) -> Self {
        let install = read("dist/install.yaml");
        cluster.apply(&install).await;
        for deployment in documents(&install).iter().filter(|object| object["kind"] == "Deployment") {
            cluster.put_back(deployment).await;
        }
        for other in cluster.labelled("bailey.dev/v1alpha1", "IngressTopology", "").await {
            if let Some(name) = other.metadata.name.filter(|name| name != TOPOLOGY) {
                cluster.delete(&topology(&name)).await;
            }
        }
        cluster.apply(&read(SAMPLE)).await;
        cluster.put_back(&sample("IngressTopology").remove(0)).await;
        cluster.apply_one(&secret(OUTER)).await.expect("a secret");
        let address = cluster.topology_ready(TOPOLOGY).await;
        let site = Self { cluster, address };
        for (host, deployment, namespace) in [(HOST_A, "shop", "team-a"), (HOST_B, "blog", "team-b")] {
            site.cluster.rolled_out(namespace, deployment).await;
            site.answers(host, 200).await;
        }
        site
    }

    /// A request to a host of the site by https.
    pub(crate) fn ask(&self, host: &str, path: &str) -> Ask {
        ask_https(&self.address, host, path)
    }

    /// Waits until the host answers the client with this status.
    pub(crate) async fn answers(&self, host: &str, status: u16) -> Answer {
        self.ask(host, "/").answers(status).await
    }
}

/// A request by https to the load balancer or node at `address`.
pub(crate) fn ask_https(address: &str, host: &str, path: &str) -> Ask {
    Ask::https(format!("{address}:443").parse().expect("an address"), host, path, root())
}

impl Ask {
    /// Asks from the client until the answer has this status.
    pub(crate) async fn answers(self, status: u16) -> Answer {
        let (host, path) = (self.host.clone(), self.path.clone());
        let here = tokio::time::Instant::now();
        loop {
            let last = match self.clone().from(Place::Client).await {
                Ok(answer) if answer.status() == status => return answer,
                Ok(answer) => format!("{} {:?}", answer.status(), answer.headers().get("proxy-status")),
                Err(error) => error,
            };
            let late = here.elapsed() > crate::kubernetes::SOON;
            assert!(!late, "{host}{path} did not answer {status}, last: {last}\n{}", bed().describe());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

impl Kubernetes {
    /// Waits until the topology is ready in its newest generation, and gives its first address (empty for host ports).
    pub(crate) async fn topology_ready(&self, name: &str) -> String {
        let found = self.condition_of(name, "Ready", "True", "").await;
        found.pointer("/status/addresses/0/value").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Takes away what tests have added to an object's `spec` by other means than applying it.
    async fn put_back(&self, object: &Value) {
        let (api, name) = (self.api(object).await, object["metadata"]["name"].as_str().expect("a name"));
        until(&format!("{name} is as its file has it"), async || {
            let mut found = api.get(name).await.expect("an answer");
            found.data["spec"] = object["spec"].clone();
            // Nothing is stored when nothing differs. Its status may have been written in between.
            api.replace(name, &PostParams::default(), &found).await.ok()
        })
        .await;
    }

    /// The status of a topology that is ready in its newest generation.
    pub(crate) async fn topology_status(&self, name: &str) -> Value {
        self.condition_of(name, "Ready", "True", "").await["status"].clone()
    }

    /// Waits until a condition of the topology's newest generation has this status and its message this part; gives the topology.
    pub(crate) async fn condition_of(&self, name: &str, condition: &str, status: &str, part: &str) -> Value {
        until(&format!("topology {name}: {condition} is {status}, with {part:?} in its message"), async || {
            let found = self.get(&topology(name)).await?;
            let generation = &found["metadata"]["generation"];
            let conditions = found.pointer("/status/conditions").and_then(Value::as_array)?;
            let of = conditions.iter().find(|one| one["type"] == condition)?;
            let message = of["message"].as_str().unwrap_or_default();
            let holds = of["status"] == status && of["observedGeneration"] == *generation && message.contains(part);
            holds.then_some(found)
        })
        .await
    }
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The objects of the sample of this kind, to vary.
pub(crate) fn sample(kind: &str) -> Vec<Value> {
    documents(&read(SAMPLE)).into_iter().filter(|object| object["kind"] == kind).collect()
}

/// A Deployment of the echo application with a Service of its name.
pub(crate) async fn application(cluster: &Kubernetes, namespace: &str, name: &str) {
    let mut deployment = sample("Deployment").remove(0);
    let mut service = sample("Service").remove(0);
    for object in [&mut deployment, &mut service] {
        object["metadata"] = json!({"name": name, "namespace": namespace});
    }
    let labels = json!({"app": name});
    service["spec"]["selector"] = labels.clone();
    deployment["spec"]["selector"]["matchLabels"] = labels.clone();
    deployment["spec"]["template"]["metadata"]["labels"] = labels;
    for object in [&deployment, &service] {
        cluster.apply_one(object).await.expect("applied");
    }
    cluster.rolled_out(namespace, name).await;
}

/// A route of the topology for a host and a path prefix, to a Service at port 80.
pub(crate) fn route(topology: &str, namespace: &str, name: &str, host: &str, path: &str, service: &str) -> Value {
    let mut route = reference("gateway.networking.k8s.io/v1", "HTTPRoute", namespace, name);
    route["spec"] = json!({
        "parentRefs": [{"name": topology}],
        "hostnames": [host],
        "rules": [{
            "matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "backendRefs": [{"name": service, "port": 80}],
        }],
    });
    route
}
