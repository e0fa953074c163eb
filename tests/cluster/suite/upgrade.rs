//! A new release: the tiers take it one after the other, the inner ones first, and no request is lost.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::bed::bed;
use crate::kubernetes::{Kubernetes, reference, until};
use crate::site::{HOST_A, OUTER, SYSTEM, Site, TOPOLOGY, read};
use crate::traffic::Load;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The images of the "next release": the same ones under another tag.
fn next_images() {
    for program in ["bailey-proxy", "bailey-operator"] {
        let now = format!("bailey.dev/{program}:{VERSION}");
        let tagged = bed().command("tag").args([&now, &format!("{now}-next")]).stdout(Stdio::null()).status();
        assert!(tagged.unwrap().success());
    }
}

/// The image of a tier's proxies, and whether all of them run it and are ready.
async fn state(cluster: &Kubernetes, namespace: &str, name: &str) -> (String, bool) {
    let found = cluster.get(&reference("apps/v1", "Deployment", namespace, name)).await.unwrap();
    let number = |pointer: &str| found.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let image = found.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str).unwrap();
    let settled = number("/status/observedGeneration") >= number("/metadata/generation")
        && ["/status/replicas", "/status/updatedReplicas", "/status/readyReplicas"].iter().all(|one| number(one) == 1);
    (image.to_owned(), settled)
}

/// Waits until every tier runs the image; the outer one is never told before the inner ones run it.
async fn rolls_inner_first(cluster: &Kubernetes, image: &str) {
    until(&format!("every tier runs {image}"), async || {
        // The outer tier is asked first: what is seen of the inner ones is not older.
        let outer = state(cluster, OUTER, "main-outer").await;
        let inners = [state(cluster, "team-a", "main-team-a").await, state(cluster, "team-b", "main-team-b").await];
        let done = |(now, settled): &(String, bool)| now == image && *settled;
        assert!(outer.0 != image || inners.iter().all(done), "the outer tier is ahead: {outer:?} {inners:?}");
        (done(&outer) && inners.iter().all(done)).then_some(())
    })
    .await;
}

pub(crate) fn an_upgrade_rolls_inner_tiers_first_and_loses_no_request() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        next_images();
        let load = Load::start(site.ask(HOST_A, "/"), 1000, 16);
        let now = read("dist/install.yaml");
        let next = ["bailey-proxy", "bailey-operator"].iter().fold(now.clone(), |text, program| {
            let (old, new) = (format!("{program}:{VERSION}"), format!("{program}:{VERSION}-next"));
            assert!(text.contains(&old), "{old} is not in the installation");
            text.replace(&old, &new)
        });
        cluster.apply(&next).await;
        rolls_inner_first(&cluster, &format!("bailey.dev/bailey-proxy:{VERSION}-next")).await;
        cluster.rolled_out(SYSTEM, "bailey-operator").await;
        let found = cluster.topology_status(TOPOLOGY).await;
        let versions: Vec<_> = found["tiers"].as_array().unwrap().iter().map(|tier| tier["version"].clone()).collect();
        assert_eq!(versions, [(); 3].map(|()| format!("bailey-proxy:{VERSION}-next")), "{found}");
        // Old proxies drain.
        tokio::time::sleep(Duration::from_secs(8)).await;
        let tally = load.stop();
        eprintln!("an upgrade: {} requests, the slowest took {} ms", tally.sent, tally.slowest.as_millis());
        assert_eq!(tally.fates.keys().collect::<Vec<_>>(), ["200"], "{tally:?}\n{}", bed().describe());

        cluster.apply(&now).await;
        rolls_inner_first(&cluster, &format!("bailey.dev/bailey-proxy:{VERSION}")).await;
        cluster.rolled_out(SYSTEM, "bailey-operator").await;
    });
}
