//! Edits are live soon, bad edits change nothing, and nobody notices either.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::client::{Client, PROTOCOLS, request, seen};
use crate::folder::{app, client, two_tenants};

/// Asks until the answer is as wanted; the bound is generous, speed is measured elsewhere.
async fn until(client: &Client, host: &str, path: &str, wanted: impl Fn(&crate::client::Answer) -> bool) {
    for _ in 0..200 {
        if wanted(&client.get(host, path, &[]).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{host}{path} never answered as wanted");
}

fn with_prefix(prefix: &str) -> String {
    app("a").replace(
        "- backendRefs",
        &format!("- matches: [{{path: {{type: PathPrefix, value: {prefix}}}}}]\n      backendRefs"),
    )
}

#[tokio::test]
async fn an_edit_becomes_live_and_a_broken_one_changes_nothing() {
    let mut running = two_tenants().await;
    let client = client(&running.local);
    let file = running.folder.join("a.yaml");
    fs::write(&file, with_prefix("/only")).unwrap();
    running.local.reload().await.unwrap();
    until(&client, "a.localhost", "/only/x", |answer| answer.status() == 200).await;
    until(&client, "a.localhost", "/other", |answer| answer.status() == 404).await;

    fs::write(&file, "apiVersion: [broken\n").unwrap();
    let problems = running.local.reload().await.unwrap_err();
    let text = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(text.contains("a.yaml:"), "{text}");
    assert_eq!(client.get("a.localhost", "/only/x", &[]).await.status(), 200);
    assert_eq!(seen(&client.get("b.localhost", "/", &[]).await)["backend"], "app-b");

    fs::remove_file(&file).unwrap();
    running.local.reload().await.unwrap();
    until(&client, "a.localhost", "/only/x", |answer| answer.status() == 404).await;
}

#[tokio::test]
async fn a_new_tenant_and_a_removed_one_come_and_go_without_a_restart() {
    let mut running = two_tenants().await;
    let client = client(&running.local);
    let topology = running.folder.join("topology.yaml");
    let before = fs::read_to_string(&topology).unwrap();
    let more = format!("{before}    - {{name: c, namespaces: {{names: [c]}}, hostnames: [\"c.localhost\"]}}\n");
    fs::write(&topology, more).unwrap();
    fs::write(running.folder.join("c.yaml"), app("c")).unwrap();
    running.local.reload().await.unwrap();
    until(&client, "c.localhost", "/", |answer| answer.status() == 200).await;
    fs::write(&topology, before).unwrap();
    fs::remove_file(running.folder.join("c.yaml")).unwrap();
    running.local.reload().await.unwrap();
    assert!(client.tls("c.localhost", "h2").await.is_err());
    assert_eq!(client.get("a.localhost", "/", &[]).await.status(), 200);
}

#[tokio::test]
async fn edits_under_load_lose_no_request() {
    let mut running = two_tenants().await;
    let client = client(&running.local);
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut loads = Vec::new();
    for protocol in PROTOCOLS {
        let (client, stop, done) = (client.clone(), stop.clone(), done.clone());
        loads.push(tokio::spawn(async move {
            let mut connection = client.connect("a.localhost", protocol).await.unwrap();
            while !stop.load(Ordering::Relaxed) {
                let answer = connection.send(request("GET", "a.localhost", "/", &[], "")).await.unwrap();
                assert_eq!(answer.status(), 200, "{protocol}");
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for edit in 0..20 {
        let extra = format!(
            "{}---\n{}",
            app("a"),
            app("a").replace("name: web", &format!("name: web-{edit}")).split("---").next().unwrap()
        );
        fs::write(running.folder.join("a.yaml"), extra).unwrap();
        running.local.reload().await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for load in loads {
        load.await.unwrap();
    }
    assert!(done.load(Ordering::Relaxed) > 0);
}
