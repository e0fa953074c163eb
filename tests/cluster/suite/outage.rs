//! What goes on without the operator, without the API server, and after both are back.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::bed::{Place, bed};
use crate::kubernetes::{Kubernetes, reference, until};
use crate::site::{HOST_A, HOST_B, SYSTEM, Site, TOPOLOGY, route};
use crate::traffic::{Ask, Load, seen};

/// Requests a second while something is away.
const RATE: u32 = 300;

pub(crate) fn routes_and_endpoints_change_without_the_operator() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        let operator = reference("apps/v1", "Deployment", SYSTEM, "bailey-operator");
        cluster.merge(&operator, &json!({"spec": {"replicas": 0}})).await;
        for process in bed().processes(&["/bailey-operator"]) {
            kill(process);
        }
        until("no operator runs", async || bed().processes(&["/bailey-operator"]).is_empty().then_some(())).await;

        let load = Load::start(site.ask(HOST_A, "/"), RATE, 8);
        let added = route(TOPOLOGY, "team-a", "added", HOST_A, "/added", "nowhere");
        cluster.apply_one(&added).await.unwrap();
        site.ask(HOST_A, "/added").answers(500).await;
        cluster.delete(&added).await;
        site.ask(HOST_A, "/added").answers(200).await;
        // Endpoints come and go.
        let shop = reference("apps/v1", "Deployment", "team-a", "shop");
        let first = who_answers(&site).await;
        cluster.merge(&shop, &json!({"spec": {"replicas": 2}})).await;
        until("both Pods of the application answer", async || {
            let both: BTreeSet<_> = [who_answers(&site).await, first.clone()].into();
            (both.len() == 2).then_some(())
        })
        .await;
        cluster.merge(&shop, &json!({"spec": {"replicas": 1}})).await;
        cluster.rolled_out("team-a", "shop").await;
        let tally = load.stop();
        assert_eq!(tally.fates.keys().collect::<Vec<_>>(), ["200"], "{tally:?}");

        cluster.merge(&operator, &json!({"spec": {"replicas": 2}})).await;
        cluster.rolled_out(SYSTEM, "bailey-operator").await;
        cluster.topology_ready(TOPOLOGY).await;
    });
}

/// The Pod that answers the next request.
async fn who_answers(site: &Site) -> String {
    let answer = site.ask(HOST_A, "/").from(Place::Client).await.unwrap();
    seen(&answer)["pod"].as_str().unwrap().to_owned()
}

pub(crate) fn a_tier_that_restarts_without_the_api_server_serves_what_it_last_knew_and_says_so() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        let tier = inner(&cluster).await;
        let stale = Ask::http(format!("{tier}:15000").parse().unwrap(), "x", "/metrics");
        assert_eq!(gauge(&stale, "bailey_config_stale").await, Some(0));

        bed().component("stop", "apiserver");
        let load = Load::start(site.ask(HOST_A, "/"), RATE, 8);
        let other = Load::start(site.ask(HOST_B, "/"), RATE, 8);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let tally = load.stop();
        assert_eq!(tally.fates.keys().collect::<Vec<_>>(), ["200"], "{tally:?}");

        let before = bed().processes(&["--tenant=team-a", "--topology=main"]);
        assert_eq!(before.len(), 1, "{before:?}");
        kill(before[0]);
        until("the kubelet starts the tier again", async || {
            let now = bed().processes(&["--tenant=team-a", "--topology=main"]);
            (now.len() == 1 && now != before).then_some(())
        })
        .await;
        until("the tier serves its last good configuration, and says so", async || {
            (gauge(&stale, "bailey_config_stale").await == Some(1)).then_some(())
        })
        .await;
        site.answers(HOST_A, 200).await;
        let load = Load::start(site.ask(HOST_A, "/"), RATE, 8);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let tally = load.stop();
        assert_eq!(tally.fates.keys().collect::<Vec<_>>(), ["200"], "{tally:?}");
        // The other tenant has noticed nothing.
        let tally = other.stop();
        assert_eq!(tally.fates.keys().collect::<Vec<_>>(), ["200"], "{tally:?}");

        bed().component("start", "apiserver");
        until("the API server answers", async || cluster.client.apiserver_version().await.ok()).await;
        until("the tier reads the cluster again", async || {
            (gauge(&stale, "bailey_config_stale").await == Some(0)).then_some(())
        })
        .await;
        let log = cluster.logs("team-a", &pod(&cluster).await.metadata.name.unwrap()).await;
        assert!(log.contains("serving the last good configuration"), "{log}");
        let added = route(TOPOLOGY, "team-a", "added", HOST_A, "/added", "nowhere");
        cluster.apply_one(&added).await.unwrap();
        site.ask(HOST_A, "/added").answers(500).await;
        cluster.delete(&added).await;
        cluster.rolled_out(SYSTEM, "bailey-operator").await;
        cluster.topology_ready(TOPOLOGY).await;
        site.answers(HOST_A, 200).await;
    });
}

/// The Pod of team-a's inner tier.
async fn pod(cluster: &Kubernetes) -> Pod {
    let mut pods = cluster.pods("team-a", "bailey.dev/topology=main,bailey.dev/tier=inner").await;
    assert_eq!(pods.len(), 1);
    pods.remove(0)
}

async fn inner(cluster: &Kubernetes) -> String {
    pod(cluster).await.status.and_then(|status| status.pod_ip).unwrap()
}

/// A metric that is there once.
async fn gauge(metrics: &Ask, name: &str) -> Option<u64> {
    let answer = metrics.clone().from(Place::Node).await.ok()?;
    let text = String::from_utf8(answer.body().to_vec()).ok()?;
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Ends a process of the test cluster at once.
fn kill(process: u32) {
    let killed = Command::new("kill").args(["-KILL", &process.to_string()]).status().unwrap();
    assert!(killed.success(), "{process}");
}
