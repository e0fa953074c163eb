//! A permission that is missing is said with verb, resource, namespace and account, and never looks like a 404.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::{Place, bed};
use crate::kubernetes::{Kubernetes, until};
use crate::site::{HOST_A, HOST_B, SYSTEM, Site, TOPOLOGY, read, topology};
use crate::traffic::{Ask, Load};

/// Within this time a permission that is missing has to be said.
const PROMPT: Duration = Duration::from_secs(10);

/// Takes the rules about a resource out of a `ClusterRole`.
async fn cut(cluster: &Kubernetes, role: &str, resource: &str) {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": role}});
    let mut rules = cluster.get(&role).await.unwrap()["rules"].clone();
    let all = rules.as_array().unwrap().len();
    rules.as_array_mut().unwrap().retain(|rule| !rule["resources"].as_array().unwrap().contains(&resource.into()));
    assert!(rules.as_array().unwrap().len() < all, "no rule about {resource}: {rules}");
    cluster.merge(&role, &json!({"rules": rules})).await;
}

/// A metric of the operator that leads, by a part of its line.
async fn metric(cluster: &Kubernetes, parts: &[&str]) -> Option<()> {
    for pod in cluster.pods(SYSTEM, "app.kubernetes.io/name=bailey-operator").await {
        let Some(address) = pod.status.and_then(|status| status.pod_ip) else { continue };
        let ask = Ask::http(format!("{address}:15001").parse().unwrap(), "x", "/metrics");
        let Ok(answer) = ask.from(Place::Node).await else { continue };
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        if text.lines().any(|line| parts.iter().all(|part| line.contains(part)) && line.ends_with(" 1")) {
            return Some(());
        }
    }
    None
}

/// An Event about the topology whose note has these parts.
async fn event(cluster: &Kubernetes, parts: &[&str]) -> Option<()> {
    let events = cluster.labelled("events.k8s.io/v1", "Event", "").await;
    let notes = events.iter().filter(|event| event.data.pointer("/regarding/name") == Some(&json!(TOPOLOGY)));
    let mut notes = notes.filter_map(|event| event.data["note"].as_str());
    notes.any(|note| parts.iter().all(|part| note.contains(part))).then_some(())
}

/// Waits until condition, Event and metric name verb, resource, place and account of a permission that is missing.
async fn said(cluster: &Kubernetes, whose: &str, cut_at: Instant, words: [&str; 4]) {
    let told = cluster.condition_of(TOPOLOGY, "Programmed", "False", words[3]).await;
    let after = cut_at.elapsed();
    eprintln!("a missing permission of {whose} was said after {:.1} s", after.as_secs_f32());
    assert!(after < PROMPT, "{after:?}");
    let message = message(&told, "Programmed");
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
    until("an Event", async || event(cluster, &words).await).await;
    until("a metric", async || metric(cluster, &["bailey_permission_missing", words[0], words[1], words[3]]).await)
        .await;
}

pub(crate) fn a_missing_permission_of_a_tier_is_named_and_is_never_a_404() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        let load = Load::start(site.ask(HOST_A, "/"), 200, 4);
        let cut_at = Instant::now();
        cut(&cluster, "bailey-inner", "httproutes").await;
        let words =
            ["list", "httproutes.gateway.networking.k8s.io", "team-a", "system:serviceaccount:team-a:main-team-a"];
        said(&cluster, "a tier", cut_at, words).await;

        // A tier that has read its routes goes on with them.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let tally = load.stop();
        assert_eq!(tally.fates.keys().collect::<Vec<_>>(), ["200"], "{tally:?}");

        // One that never could says so. Its readiness keeps the old ones serving, so it has to be alone.
        let pods = cluster.pods("team-b", "bailey.dev/topology=main,bailey.dev/tier=inner").await;
        let other = Load::start(site.ask(HOST_B, "/"), 100, 4);
        for pod in pods {
            let pod = crate::kubernetes::reference("v1", "Pod", "team-b", pod.metadata.name.as_deref().unwrap());
            cluster
                .api(&pod)
                .await
                .delete(pod["metadata"]["name"].as_str().unwrap(), &kube::api::DeleteParams::default())
                .await
                .unwrap();
        }
        until("503 tells that the tier cannot load its routes", async || {
            let refused = site.ask(HOST_B, "/").from(Place::Client).await.ok()?;
            let why = refused.headers().get("proxy-status")?.to_str().ok()?;
            (refused.status() == 503 && why.starts_with("bailey-outer;") && why.contains("cannot load its routes"))
                .then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let tally = other.stop();
        assert!(!tally.fates.contains_key("404"), "{tally:?}");

        cluster.apply(&read("dist/install.yaml")).await;
        cluster.topology_ready(TOPOLOGY).await;
        site.answers(HOST_B, 200).await;
        until("the metric is gone", async || {
            metric(&cluster, &["bailey_permission_missing", words[1]]).await.is_none().then_some(())
        })
        .await;
    });
}

pub(crate) fn a_missing_permission_of_the_operator_is_named() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        let cut_at = Instant::now();
        cut(&cluster, "bailey-operator", "services").await;
        // Nothing is written and its watches are open: it notices by asking.
        let words = ["watch", "services", "in the cluster", "system:serviceaccount:bailey-system:bailey-operator"];
        said(&cluster, "the operator", cut_at, words).await;
        site.answers(HOST_A, 200).await;
        cluster.apply(&read("dist/install.yaml")).await;
        cluster.topology_ready(TOPOLOGY).await;
    });
}

/// What somebody takes away from the operator's children comes back.
pub(crate) fn a_binding_that_somebody_deletes_comes_back() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        let labels = "bailey.dev/topology=main,bailey.dev/tenant=team-a";
        let api = "rbac.authorization.k8s.io/v1";
        let bindings = cluster.labelled(api, "RoleBinding", labels).await;
        assert!(!bindings.is_empty());
        let gone_at = Instant::now();
        for binding in &bindings {
            let metadata = &binding.metadata;
            let (namespace, name) = (metadata.namespace.as_deref().unwrap(), metadata.name.as_deref().unwrap());
            let found = crate::kubernetes::reference(api, "RoleBinding", namespace, name);
            cluster.api(&found).await.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
        }
        until("the bindings are back", async || {
            (cluster.labelled(api, "RoleBinding", labels).await.len() == bindings.len()).then_some(())
        })
        .await;
        eprintln!("deleted bindings were back after {:.1} s", gone_at.elapsed().as_secs_f32());
        cluster.topology_ready(TOPOLOGY).await;
        site.answers(HOST_A, 200).await;
        assert!(cluster.get(&topology(TOPOLOGY)).await.is_some());
    });
}

/// The message of a condition.
fn message(topology: &Value, condition: &str) -> String {
    let conditions = topology.pointer("/status/conditions").and_then(Value::as_array).unwrap();
    let of = conditions.iter().find(|one| one["type"] == condition).unwrap();
    of["message"].as_str().unwrap().to_owned()
}
