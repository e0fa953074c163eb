//! Certificates that an outer tier gets by itself: by each challenge, kept through restarts, scaling and the death of the replica that
//! orders, and each ordered once, which the authority's log tells.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::authority::{Authority, DIRECTORY, NAME_SERVER, TOKEN, UPDATE_KEY, WEBHOOK, ZONE};
use crate::bed::{Place, bed};
use crate::kubernetes::{Kubernetes, reference, until, within};
use crate::site::{Site, application, route, topology};
use crate::traffic::Ask;

const NAME: &str = "certs";
const OUTER: &str = "ingress-certs";
const DEPLOYMENT: &str = "certs-outer";
const TENANTS: [&str; 2] = ["certs-a", "certs-b"];
/// How long orders may take: the authority refuses nonces, a challenge by DNS waits until the record is seen, a dead leader's lease has
/// to run out.
const PATIENCE: Duration = Duration::from_mins(3);

/// The certificates of all names, by name.
type Leaves = BTreeMap<String, CertificateDer<'static>>;

/// A topology with two tenants, whose names are served once they have certificates.
struct Edge {
    cluster: Kubernetes,
    authority: Authority,
    store: Value,
    replicas: u32,
    challenge: Value,
    /// Names with the tenant that owns each; wildcards too.
    names: Vec<(&'static str, String)>,
}

impl Edge {
    async fn up(cluster: Kubernetes, store: Value, replicas: u32, slow: u32) -> Self {
        Site::up(cluster.clone()).await;
        let target = format!("{DEPLOYMENT}.{OUTER}.svc.cluster.local");
        let authority = Authority::up(&cluster, &target, 30, slow).await;
        for namespace in TENANTS.iter().chain([&OUTER]) {
            cluster.namespace(namespace).await;
        }
        let objects = [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority", "namespace": OUTER},
                "data": {"ca.crt": authority.api}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "updates", "namespace": OUTER},
                "stringData": {"server": format!("{NAME_SERVER}:53"), "keyName": UPDATE_KEY.0, "key": UPDATE_KEY.1}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "webhook", "namespace": OUTER},
                "stringData": {"token": TOKEN}}),
        ];
        for object in &objects {
            cluster.apply_one(object).await.unwrap();
        }
        for tenant in TENANTS {
            application(&cluster, tenant, "shop").await;
            let mut all = route(NAME, tenant, "shop", "any", "/", "shop");
            all["spec"].as_object_mut().unwrap().remove("hostnames");
            cluster.apply_one(&all).await.unwrap();
        }
        Self { cluster, authority, store, replicas, challenge: Value::Null, names: Vec::new() }
    }

    /// Applies the topology with a challenge and more names, given as tenant and what stands before the zone.
    async fn order(&mut self, challenge: Value, more: &[(&'static str, &str)]) {
        self.challenge = challenge;
        self.names.extend(more.iter().map(|(tenant, label)| (*tenant, format!("{label}.{ZONE}"))));
        self.apply().await;
    }

    async fn apply(&self) {
        let tenant = |name: &&str| {
            let own = self.names.iter().filter(|(tenant, _)| tenant == name);
            let hosts: Vec<_> = own.map(|(_, host)| host).collect();
            json!({"name": name, "namespaces": {"names": [name]}, "hostnames": hosts})
        };
        let mut edge = topology(NAME);
        edge["spec"] = json!({
            "outer": {
                "namespace": OUTER,
                "replicas": self.replicas,
                "listeners": [
                    {"name": "http", "port": 80, "protocol": "HTTP"}, {"name": "https", "port": 443, "protocol": "HTTPS"},
                ],
                "acme": {
                    "directory": DIRECTORY, "challenge": self.challenge,
                    "caBundleRef": {"name": "authority", "key": "ca.crt"},
                },
                "certificates": {"store": self.store},
            },
            "tenants": TENANTS.iter().map(tenant).collect::<Vec<_>>(),
        });
        self.cluster.apply_one(&edge).await.unwrap();
    }

    /// Hosts that the names stand for.
    fn hosts(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|(_, name)| name.replace('*', "any"))
    }

    async fn address(&self) -> String {
        until("the load balancer's address", async || {
            let found = self.cluster.get(&topology(NAME)).await?;
            found.pointer("/status/addresses/0/value").and_then(Value::as_str).map(str::to_owned)
        })
        .await
    }

    /// Waits until all names are served to a client that trusts the authority alone, and each was ordered once.
    async fn serves(&self) -> Leaves {
        let address = self.address().await;
        let mut leaves = Leaves::new();
        for host in self.hosts() {
            let ask = || Ask::https(format!("{address}:443").parse().unwrap(), &host, "/", self.authority.root.clone());
            let what = format!("a certificate for {host}");
            let leaf = within(PATIENCE, &what, async || ask().shown(Place::Client).await.ok()).await;
            ask().answers(200).await;
            leaves.insert(host, leaf);
        }
        self.ordered_once().await;
        leaves
    }

    async fn ordered_once(&self) {
        let (orders, issued) = (self.authority.orders().await, self.authority.issued().await);
        let all = self.names.len();
        assert_eq!((orders, issued), (all, all), "{}\n{}", self.authority.log().await, bed().describe());
    }

    /// Waits until each replica shows these certificates.
    async fn each_replica_shows(&self, leaves: &Leaves) {
        let what = format!("{} replicas show all {} certificates", self.replicas, leaves.len());
        until(&what, async || {
            let pods = self.pods().await;
            if pods.len() != self.replicas as usize {
                return None;
            }
            for pod in pods {
                let address = pod.status.and_then(|status| status.pod_ip)?;
                for (host, leaf) in leaves {
                    let root = self.authority.root.clone();
                    let ask = Ask::https(format!("{address}:8443").parse().unwrap(), host, "/", root);
                    (ask.shown(Place::Node).await.ok()? == *leaf).then_some(())?;
                }
            }
            Some(())
        })
        .await;
    }

    async fn pods(&self) -> Vec<Pod> {
        self.cluster.pods(OUTER, &format!("bailey.dev/topology={NAME},bailey.dev/tier=outer")).await
    }

    /// Ends a Pod as a crash of its node would: without notice.
    async fn kill(&self, pod: &str) {
        let pods = Api::<Pod>::namespaced(self.cluster.client.clone(), OUTER);
        pods.delete(pod, &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }).await.unwrap();
    }

    async fn scale(&mut self, replicas: u32) {
        self.replicas = replicas;
        self.apply().await;
        until("the Deployment follows", async || {
            let found = self.cluster.get(&reference("apps/v1", "Deployment", OUTER, DEPLOYMENT)).await?;
            (found["spec"]["replicas"] == replicas).then_some(())
        })
        .await;
        self.cluster.rolled_out(OUTER, DEPLOYMENT).await;
    }

    async fn restart(&self) {
        self.cluster.restart(OUTER, DEPLOYMENT).await;
        self.cluster.rolled_out(OUTER, DEPLOYMENT).await;
    }

    /// Status, Events and metrics tell of every certificate.
    async fn is_told(&self) {
        let found = self.cluster.condition_of(NAME, "CertificatesReady", "True", "").await;
        let listed = found["status"]["certificates"].as_array().unwrap();
        for (_, name) in &self.names {
            let of = |one: &&Value| one["hosts"].as_array().is_some_and(|hosts| hosts.contains(&json!(name)));
            let one = listed.iter().find(of).unwrap_or_else(|| panic!("{name} is not in {listed:#?}"));
            assert!(one["notAfter"].is_string() && one["nextStep"].is_string(), "{one}");
            assert!(one["lastError"].is_null(), "{one}");
        }
        until("an Event tells of each certificate", async || {
            let events = self.cluster.labelled("events.k8s.io/v1", "Event", "").await;
            let notes: Vec<_> = events.iter().filter_map(|event| event.data["note"].as_str()).collect();
            self.names.iter().all(|(_, name)| notes.iter().any(|note| note.contains(name))).then_some(())
        })
        .await;
        for pod in self.pods().await {
            let address = pod.status.and_then(|status| status.pod_ip).unwrap();
            let ask = Ask::http(format!("{address}:15000").parse().unwrap(), "x", "/metrics");
            let text = String::from_utf8(ask.from(Place::Node).await.unwrap().body().to_vec()).unwrap();
            for (_, name) in &self.names {
                let of = |line: &str| {
                    line.starts_with("bailey_certificate_not_after_timestamp_seconds{") && line.contains(&**name)
                };
                assert!(text.lines().any(of), "no metric of {name}:\n{text}");
            }
        }
    }

    /// Nothing that the proxies say has a key, a token or what is made of them.
    async fn tells_no_secret(&self) {
        let mut said = String::new();
        for pod in self.pods().await {
            said += &self.cluster.logs(OUTER, pod.metadata.name.as_deref().unwrap()).await;
        }
        assert!(said.contains("a certificate is live"), "{said}");
        let log = self.authority.log().await;
        let tokens =
            log.split("/.well-known/acme-challenge/").skip(1).filter_map(|rest| rest.split_whitespace().next());
        for secret in tokens.chain([UPDATE_KEY.1, TOKEN]) {
            assert!(!said.contains(secret.trim_matches('"')), "{secret} is in a log:\n{said}");
        }
    }

    /// Every text that was set for a proof is gone again.
    async fn left_no_text(&self) {
        until("the texts of proofs are gone", async || {
            let texts = self.authority.texts().await;
            let [added, removed] = ["text added", "text removed"].map(|what| texts.matches(what).count());
            (added > 0 && added == removed).then_some(())
        })
        .await;
    }

    async fn down(self) {
        self.cluster.delete(&topology(NAME)).await;
        for namespace in TENANTS.iter().chain([&OUTER]) {
            self.cluster.delete_namespace(namespace).await;
        }
        self.authority.down().await;
    }
}

pub(crate) fn every_challenge_proves_names_and_one_replica_keeps_them_on_a_volume() {
    bed().run(async |cluster| {
        let mut edge = Edge::up(cluster, json!({"volume": {"size": "1Mi"}}), 1, 0).await;
        let updates = json!({"dns01": {"provider": "rfc2136", "credentialsRef": {"name": "updates"}}});
        let mut leaves = Leaves::new();
        for (challenge, more) in [
            (json!({"http01": {}}), [("certs-a", "http.a"), ("certs-b", "http.b")]),
            (json!({"tlsAlpn01": {}}), [("certs-a", "alpn.a"), ("certs-b", "alpn.b")]),
            (updates, [("certs-a", "dns.a"), ("certs-b", "*.wild.b")]),
        ] {
            edge.order(challenge, &more).await;
            let now = edge.serves().await;
            assert!(leaves.iter().all(|(host, leaf)| now[host] == *leaf), "another challenge changes no certificate");
            leaves = now;
        }
        edge.is_told().await;
        edge.left_no_text().await;
        edge.tells_no_secret().await;

        edge.restart().await;
        assert!(edge.serves().await == leaves, "after a restart");
        let pod = edge.pods().await.remove(0).metadata.name.unwrap();
        edge.kill(&pod).await;
        edge.cluster.rolled_out(OUTER, DEPLOYMENT).await;
        assert!(edge.serves().await == leaves, "after a crash");
        edge.down().await;
    });
}

/// The replica that orders.
async fn leader(cluster: &Kubernetes) -> String {
    let leases = async || cluster.get(&reference("coordination.k8s.io/v1", "Lease", OUTER, "bailey-acme")).await;
    until("a replica leads", async || leases().await?["spec"]["holderIdentity"].as_str().map(str::to_owned)).await
}

pub(crate) fn three_replicas_order_each_name_once_and_share_it_by_secrets() {
    bed().run(async |cluster| {
        let mut edge = Edge::up(cluster, json!({"secrets": {}}), 3, 0).await;
        let webhook = json!({"dns01": {"credentialsRef": {"name": "webhook"}, "webhook": {
            "url": WEBHOOK, "caBundleRef": {"name": "authority", "key": "ca.crt"},
        }}});
        let mut leaves = Leaves::new();
        for (challenge, more) in [
            (json!({"http01": {}}), [("certs-a", "http.a"), ("certs-b", "http.b")]),
            (json!({"tlsAlpn01": {}}), [("certs-a", "alpn.a"), ("certs-b", "alpn.b")]),
            (webhook, [("certs-a", "*.wild.a"), ("certs-b", "dns.b")]),
        ] {
            edge.order(challenge, &more).await;
            let now = edge.serves().await;
            assert!(leaves.iter().all(|(host, leaf)| now[host] == *leaf), "another challenge changes no certificate");
            leaves = now;
            edge.each_replica_shows(&leaves).await;
        }
        edge.is_told().await;
        edge.left_no_text().await;
        edge.tells_no_secret().await;

        edge.restart().await;
        edge.each_replica_shows(&leaves).await;
        edge.scale(1).await;
        assert!(edge.serves().await == leaves, "by one replica");
        edge.scale(3).await;
        edge.each_replica_shows(&leaves).await;
        edge.ordered_once().await;

        // At rest, when a replica has taken over from those that are gone, nothing is written but the lease.
        until("one of the replicas leads", async || {
            let holder = leader(&edge.cluster).await;
            edge.pods().await.iter().any(|pod| pod.metadata.name.as_ref() == Some(&holder)).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let since = jiff::Timestamp::now().to_string();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let writes = bed().writes(OUTER, &since);
        assert!(writes.iter().all(|line| line.contains(" leases ")), "{writes:#?}");
        edge.down().await;
    });
}

pub(crate) fn a_leader_killed_in_mid_order_loses_nothing_and_repeats_no_order() {
    bed().run(async |cluster| {
        let mut edge = Edge::up(cluster, json!({"secrets": {}}), 3, 8).await;
        edge.order(json!({"http01": {}}), &[("certs-a", "first.a")]).await;
        let before = edge.serves().await;
        // The authority looks for the proof some seconds after it was told to, and by then nobody leads.
        for (label, challenge) in [("second.a", json!({"http01": {}})), ("third.a", json!({"tlsAlpn01": {}}))] {
            let proofs = edge.authority.proofs().await;
            edge.order(challenge, &[("certs-a", label)]).await;
            let begun = format!("the order of {label} is under way");
            within(PATIENCE, &begun, async || (edge.authority.proofs().await > proofs).then_some(())).await;
            let leader = leader(&edge.cluster).await;
            edge.kill(&leader).await;
            let leaves = edge.serves().await;
            assert!(before.iter().all(|(host, leaf)| leaves[host] == *leaf), "the others serve on");
            edge.each_replica_shows(&leaves).await;
        }
        edge.down().await;
    });
}
