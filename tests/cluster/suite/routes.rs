//! Changes under load: what a client sees of routes, of rolls and of scaling, and how soon a route works.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::bed::{Place, bed};
use crate::kubernetes::{Kubernetes, reference, until};
use crate::site::{HOST_A, OUTER, Site, TOPOLOGY, application, route, sample, topology};
use crate::traffic::{Load, Tally, Waiter};

/// A host of team-a without any route.
const HOST: &str = "routes.example.com";
/// Requests a second of the load, and its connections.
const RATE: u32 = 1000;
const CONNECTIONS: usize = 16;

/// Gives team-a the host of these tests.
async fn own(cluster: &Kubernetes) {
    let mut tenants = sample("IngressTopology").remove(0)["spec"]["tenants"].clone();
    tenants[0]["hostnames"].as_array_mut().unwrap().push(HOST.into());
    cluster.merge(&topology(TOPOLOGY), &json!({"spec": {"tenants": tenants}})).await;
    cluster.topology_ready(TOPOLOGY).await;
}

/// Nothing but 200, and about as much as was asked for.
fn all_answered(what: &str, tally: &Tally) {
    eprintln!("{what}: {} requests, the slowest took {} ms", tally.sent, tally.slowest.as_millis());
    let fates: Vec<_> = tally.fates.keys().map(String::as_str).collect();
    assert_eq!(fates, ["200"], "{what}: {tally:?}\n{}", bed().describe());
    assert!(tally.sent > u64::from(RATE), "{what}: {tally:?}");
}

pub(crate) fn a_new_route_is_404_then_200_and_404_when_it_is_gone() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        own(&cluster).await;
        site.answers(HOST, 404).await;
        let load = Load::start(site.ask(HOST, "/"), 500, 1);
        let added = route(TOPOLOGY, "team-a", "added", HOST, "/", "shop");
        cluster.apply_one(&added).await.unwrap();
        site.answers(HOST, 200).await;
        cluster.delete(&added).await;
        site.answers(HOST, 404).await;
        let tally = load.stop();
        assert_eq!(tally.turns, ["404", "200", "404"], "{tally:?}");
    });
}

pub(crate) fn a_route_for_a_listener_that_is_not_there_is_refused_and_not_served() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        own(&cluster).await;
        let [wrong, right] = [("wrong", "htps"), ("right", "https")].map(|(name, listener)| {
            let mut route = route(TOPOLOGY, "team-a", name, HOST, &format!("/{name}"), "shop");
            route["spec"]["parentRefs"][0]["sectionName"] = listener.into();
            route
        });
        cluster.apply_one(&wrong).await.unwrap();
        cluster.apply_one(&right).await.unwrap();
        // The later one is served, so the proxy knows the earlier one too.
        site.ask(HOST, "/right").answers(200).await;
        site.ask(HOST, "/wrong").answers(404).await;
        until("the status of the route names the listener", async || {
            let status = cluster.get(&wrong).await?["status"]["parents"][0]["conditions"].clone();
            let accepted = status.as_array()?.iter().find(|one| one["type"] == "Accepted")?.clone();
            let told = accepted["reason"] == "NoMatchingParent" && accepted["message"].as_str()?.contains("htps");
            told.then_some(())
        })
        .await;
        cluster.delete(&wrong).await;
        cluster.delete(&right).await;
    });
}

pub(crate) fn changes_of_routes_lose_no_request() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        application(&cluster, "team-a", "second").await;
        let load = Load::start(site.ask(HOST_A, "/"), RATE, CONNECTIONS);
        let started = Instant::now();
        let mut number = 0;
        while started.elapsed() < Duration::from_secs(10) {
            number += 1;
            let service = ["shop", "second"][number % 2];
            let mut changed = route(TOPOLOGY, "team-a", "shop", HOST_A, "/", service);
            let field = json!({"name": "x-change", "value": number.to_string()});
            let filter = json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [field]}});
            changed["spec"]["rules"][0]["filters"] = json!([filter]);
            cluster.apply_one(&changed).await.unwrap();
            let other = route(TOPOLOGY, "team-a", "other", HOST_A, &format!("/other-{}", number % 3), service);
            if number % 4 == 3 {
                cluster.delete(&other).await;
            } else {
                cluster.apply_one(&other).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let tally = load.stop();
        let last = until("the last change is live", async || {
            let answer = site.ask(HOST_A, "/").from(Place::Client).await.ok()?;
            (*answer.headers().get("x-change")? == *number.to_string()).then_some(answer)
        });
        assert_eq!(last.await.status(), 200);
        all_answered(&format!("{number} changes of routes"), &tally);
        cluster.delete(&route(TOPOLOGY, "team-a", "other", HOST_A, "/", "shop")).await;
        cluster.delete(&reference("apps/v1", "Deployment", "team-a", "second")).await;
        cluster.delete(&reference("v1", "Service", "team-a", "second")).await;
    });
}

pub(crate) fn rolls_lose_no_request() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        for (namespace, name) in [("team-a", "main-team-a"), (OUTER, "main-outer"), ("team-a", "shop")] {
            let before = pods(&cluster, namespace, name).await;
            let load = Load::start(site.ask(HOST_A, "/"), RATE, CONNECTIONS);
            cluster.restart(namespace, name).await;
            cluster.rolled_out(namespace, name).await;
            gone(&cluster, namespace, &before).await;
            all_answered(&format!("a roll of {namespace}/{name}"), &load.stop());
        }
    });
}

pub(crate) fn scaling_loses_no_request() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        let load = Load::start(site.ask(HOST_A, "/"), RATE, CONNECTIONS);
        let tiers = [("team-a", "main-team-a"), (OUTER, "main-outer")];
        for replicas in [3, 1] {
            let before = [pods(&cluster, "team-a", "main-team-a").await, pods(&cluster, OUTER, "main-outer").await];
            let change = json!({"spec": {"outer": {"replicas": replicas}, "inner": {"replicas": replicas}}});
            cluster.merge(&topology(TOPOLOGY), &change).await;
            for (number, (namespace, name)) in tiers.into_iter().enumerate() {
                let at = reference("apps/v1", "Deployment", namespace, name);
                until(&format!("{name} is to have {replicas} proxies"), async || {
                    let found = cluster.get(&at).await?;
                    (found.pointer("/spec/replicas").and_then(Value::as_i64) == Some(replicas)).then_some(())
                })
                .await;
                cluster.rolled_out(namespace, name).await;
                if replicas == 1 {
                    let left = pods(&cluster, namespace, name).await;
                    let ended: Vec<_> = before[number].iter().filter(|pod| !left.contains(pod)).cloned().collect();
                    assert_eq!(ended.len(), 2, "{before:?} {left:?}");
                    gone(&cluster, namespace, &ended).await;
                }
            }
        }
        all_answered("scaling both tiers 1, 3, 1", &load.stop());
        cluster.topology_ready(TOPOLOGY).await;
    });
}

/// The names of a Deployment's Pods.
async fn pods(cluster: &Kubernetes, namespace: &str, deployment: &str) -> Vec<String> {
    let found = cluster.get(&reference("apps/v1", "Deployment", namespace, deployment)).await.unwrap();
    let labels: BTreeMap<String, String> =
        serde_json::from_value(found["spec"]["selector"]["matchLabels"].clone()).unwrap();
    let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let pods = cluster.pods(namespace, &labels.join(",")).await;
    pods.into_iter().filter_map(|pod| pod.metadata.name).collect()
}

/// Waits until these Pods have ended.
async fn gone(cluster: &Kubernetes, namespace: &str, names: &[String]) {
    assert!(!names.is_empty());
    for name in names {
        let pod = reference("v1", "Pod", namespace, name);
        until(&format!("Pod {name} has ended"), async || cluster.get(&pod).await.is_none().then_some(())).await;
    }
}

/// How long it takes from the request to store a route until the client's first 200, over routes that are added one after the other.
pub(crate) fn a_route_works_soon() {
    const ROUTES: usize = 300;
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        own(&cluster).await;
        site.answers(HOST, 404).await;
        let waiter = Waiter::start(site.ask(HOST, "/"));
        let mut took = Vec::new();
        for number in 0..ROUTES {
            let path = format!("/soon-{number}");
            let mut soon = route(TOPOLOGY, "team-a", &path[1..], HOST, &path, "shop");
            soon["metadata"]["labels"] = json!({"soon": "true"});
            let answered = waiter.ask(path);
            let started = Instant::now();
            cluster.apply_one(&soon).await.unwrap();
            took.push(answered.first_200().await.duration_since(started));
        }
        took.sort();
        let at = |share: usize| took[(ROUTES * share / 100).min(ROUTES - 1)].as_millis();
        eprintln!(
            "from apply to the first 200, {ROUTES} routes: p50 {} ms, p99 {} ms, slowest {} ms",
            at(50),
            at(99),
            at(100)
        );
        let api = cluster.api(&route(TOPOLOGY, "team-a", "soon", HOST, "/", "shop")).await;
        api.delete_collection(&DeleteParams::default(), &ListParams::default().labels("soon=true")).await.unwrap();
        site.ask(HOST, &format!("/soon-{}", ROUTES - 1)).answers(404).await;
    });
}
