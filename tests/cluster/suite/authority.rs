//! An ACME authority in the cluster, Pebble, and the name server of its names (`tests/cluster/go/acme`): the authority looks there for
//! proofs, and whoever proves by DNS sets texts there, by signed updates or by a webhook.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::bed::{Place, bed, repository, script};
use crate::kubernetes::{Kubernetes, restricted, until};
use crate::traffic::Ask;

/// Where both run.
pub(crate) const NAMESPACE: &str = "acme";
/// The zone of all names that it can look up, in the cluster's own resolver too (`inside/init`).
pub(crate) const ZONE: &str = "certs.test";
/// The key of updates (RFC 8945): its name and its secret, in base64.
pub(crate) const UPDATE_KEY: (&str, &str) = ("updates", "c2VlbiBieSBubyBvbmUgYnV0IHRoZSBuYW1lIHNlcnZlcg==");
/// The webhook's token.
pub(crate) const TOKEN: &str = "webhook-token-3c1f9a52";
/// The name server's address, which `inside/names.sh` has too.
pub(crate) const NAME_SERVER: &str = "10.96.0.53";

/// The URL of the authority's directory.
pub(crate) const DIRECTORY: &str = "https://pebble.acme:14000/dir";
/// The URL of the webhook that sets texts.
pub(crate) const WEBHOOK: &str = "https://names.acme:8443/";

const PEBBLE: &str = "pebble.acme";
const NAMES: &str = "names.acme";

/// An authority at work.
pub(crate) struct Authority {
    cluster: Kubernetes,
    /// Whom to trust for its API, and for the webhook.
    pub(crate) api: String,
    /// Whom its certificates lead to.
    pub(crate) root: CertificateDer<'static>,
}

/// Both programs as images, brought into the cluster once.
fn images() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let built = Command::new(script("build")).arg("acme").stderr(Stdio::inherit()).output().expect("build");
        assert!(built.status.success(), "tests/cluster/build acme");
        let programs = PathBuf::from(String::from_utf8(built.stdout).expect("a path").trim());
        let folder = tempfile::tempdir().expect("a folder");
        for program in ["pebble", "names"] {
            let archive = folder.path().join(format!("{program}.tar"));
            let mut pack = Command::new(repository("images/archive.py"));
            pack.arg(&archive).arg(format!("bailey.test/{program}:1")).arg(programs.join(program));
            assert!(pack.status().expect("images/archive.py").success());
            let brought = bed().command("import").arg(&archive).stdout(Stdio::null()).status();
            assert!(brought.expect("tests/cluster/import").success());
        }
    });
}

impl Authority {
    /// Starts it, in place of one that a test before has left. Names lead to the Service at `target`; this share of nonces is refused, in
    /// percent; a proof is looked at up to `slow` seconds later.
    pub(crate) async fn up(cluster: &Kubernetes, target: &str, refused_nonces: u32, slow: u32) -> Self {
        tokio::task::spawn_blocking(images).await.expect("images");
        if cluster
            .get(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}))
            .await
            .is_some()
        {
            cluster.delete_namespace(NAMESPACE).await;
        }
        cluster.namespace(NAMESPACE).await;
        let own = [PEBBLE, NAMES].map(str::to_owned);
        let certified = rcgen::generate_simple_self_signed(own).expect("a certificate");
        let settings = json!({"pebble": {
            "listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/settings/api.pem", "privateKey": "/settings/api.key",
            "httpPort": 80, "tlsPort": 443, "keyAlgorithm": "ecdsa",
            "retryAfter": {"authz": 1, "order": 1},
        }});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "settings", "namespace": NAMESPACE},
            "stringData": {
                "api.pem": certified.cert.pem(), "api.key": certified.signing_key.serialize_pem(), "pebble.json": settings.to_string(),
            },
        });
        cluster.apply_one(&secret).await.expect("a secret");
        for object in [names(target), names_service(), pebble(refused_nonces, slow), pebble_service()] {
            cluster.apply_one(&object).await.unwrap_or_else(|error| panic!("{error}: {object}"));
        }
        cluster.ready(NAMESPACE, "names").await;
        let address =
            cluster.ready(NAMESPACE, "pebble").await.status.and_then(|status| status.pod_ip).expect("an address");
        let api = certified.cert.der().clone();
        let ask = Ask::https(format!("{address}:15000").parse().expect("an address"), PEBBLE, "/roots/0", api);
        let root = until("Pebble tells its root", async || ask.clone().from(Place::Node).await.ok()).await;
        let root = CertificateDer::from_pem_slice(root.body()).expect("a certificate");
        Self { cluster: cluster.clone(), api: certified.cert.pem(), root }
    }

    /// How many orders it has taken.
    pub(crate) async fn orders(&self) -> usize {
        self.said("Added order").await
    }

    /// How many proofs it was told to look at.
    pub(crate) async fn proofs(&self) -> usize {
        self.said("Pulled a task").await
    }

    /// How many certificates it has signed.
    pub(crate) async fn issued(&self) -> usize {
        self.said("Issued certificate").await
    }

    async fn said(&self, words: &str) -> usize {
        self.log().await.matches(words).count()
    }

    /// What it has said.
    pub(crate) async fn log(&self) -> String {
        self.cluster.logs(NAMESPACE, "pebble").await
    }

    /// What the name server has said: which texts came and went.
    pub(crate) async fn texts(&self) -> String {
        self.cluster.logs(NAMESPACE, "names").await
    }

    /// Takes it away.
    pub(crate) async fn down(self) {
        self.cluster.delete_namespace(NAMESPACE).await;
    }
}

fn pod(name: &str, arguments: &[&str], environment: &[(&str, &str)], port: u16) -> Value {
    let environment: Vec<_> = environment.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": name, "image": format!("bailey.test/{name}:1"), "args": arguments, "env": environment,
                "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
                "securityContext": restricted(),
                "volumeMounts": [{"name": "settings", "mountPath": "/settings", "readOnly": true}],
            }],
            "volumes": [{"name": "settings", "secret": {"secretName": "settings"}}],
        },
    })
}

fn pebble(refused_nonces: u32, slow: u32) -> Value {
    let refused = refused_nonces.to_string();
    let sleeps =
        if slow == 0 { ("PEBBLE_VA_NOSLEEP", "1".to_owned()) } else { ("PEBBLE_VA_SLEEPTIME", slow.to_string()) };
    let environment = [("PEBBLE_WFE_NONCEREJECT", &*refused), ("PEBBLE_AUTHZREUSE", "0"), (sleeps.0, &*sleeps.1)];
    let server = format!("{NAME_SERVER}:53");
    pod("pebble", &["-strict", "-config", "/settings/pebble.json", "-dnsserver", &server], &environment, 14000)
}

fn names(target: &str) -> Value {
    let arguments = [
        "-zone",
        ZONE,
        "-self",
        NAME_SERVER,
        "-target",
        target,
        "-key",
        UPDATE_KEY.0,
        "-webhook",
        ":8443",
        "-certificate",
        "/settings/api.pem",
        "-certificate-key",
        "/settings/api.key",
    ];
    pod("names", &arguments, &[("NAMES_KEY", UPDATE_KEY.1), ("NAMES_TOKEN", TOKEN)], 8443)
}

fn names_service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "names", "namespace": NAMESPACE},
        "spec": {"clusterIP": NAME_SERVER, "selector": {"app": "names"}, "ports": [
            {"name": "udp", "port": 53, "targetPort": 8053, "protocol": "UDP"},
            {"name": "tcp", "port": 53, "targetPort": 8053, "protocol": "TCP"},
            {"name": "webhook", "port": 8443, "targetPort": 8443},
        ]},
    })
}

fn pebble_service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "pebble", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "pebble"}, "ports": [{"name": "acme", "port": 14000, "targetPort": 14000}]},
    })
}
