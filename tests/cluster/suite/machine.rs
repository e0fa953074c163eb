//! The test bed itself: that its parts are there, do what tests count on, and go away again.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::{Place, bed, leftovers, script, state_of};
use crate::kubernetes::{condition, echo_pod, until};
use crate::traffic::{Ask, seen};

pub(crate) fn the_node_is_ready_and_names_resolve() {
    bed().run(async |cluster| {
        let nodes = kube::Api::<k8s_openapi::api::core::v1::Node>::all(cluster.client.clone());
        let node = nodes.get("node1").await.unwrap();
        assert!(condition(&node, "Ready"), "{node:?}");

        let namespace = cluster.namespace("names").await;
        cluster.apply_one(&echo_pod(&namespace, "echo", &json!({}))).await.unwrap();
        let pod = cluster.ready(&namespace, "echo").await;
        let address = pod.status.unwrap().pod_ip.unwrap();
        let ask = Ask::http(
            format!("{address}:8080").parse().unwrap(),
            "x",
            "/?resolve=kubernetes.default.svc.cluster.local",
        );
        let answer = ask.from(Place::Node).await.unwrap();
        assert_eq!(seen(&answer)["resolved"], json!(["10.96.0.1"]));
        cluster.delete_namespace(&namespace).await;
    });
}

pub(crate) fn the_audit_log_tells_who_wrote_what() {
    bed().run(async |cluster| {
        let since = jiff::Timestamp::now().to_string();
        let namespace = cluster.namespace("audited").await;
        let map =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen", "namespace": namespace}});
        cluster.apply_one(&map).await.unwrap();
        let writes = bed().writes("admin", &since);
        assert!(writes.iter().any(|line| line.contains(" admin patch configmaps audited/seen 201")), "{writes:#?}");
        assert!(bed().writes("nobody", &since).is_empty());
        let later = jiff::Timestamp::now().to_string();
        assert!(bed().writes("admin", &later).is_empty());
        cluster.delete_namespace(&namespace).await;
    });
}

pub(crate) fn the_api_server_can_be_stopped_and_started() {
    bed().run(async |cluster| {
        let namespaces = || kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(cluster.client.clone());
        namespaces().get("default").await.unwrap();
        bed().component("stop", "apiserver");
        namespaces().get("default").await.unwrap_err();
        bed().component("start", "apiserver");
        until("the API server answers again", async || namespaces().get("default").await.ok()).await;
    });
}

/// The holder of a cluster is killed while the cluster starts: all its processes end, and the next start removes its folder.
pub(crate) fn an_interrupted_cluster_leaves_nothing() {
    bed(); // the programs are built and the packages installed
    let name = format!("cut-{}", std::process::id());
    let state = state_of(&name);
    let mut command = Command::new(script("up"));
    let mut held = command.args(["--attached", &name]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let within = |what: &str, there: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !there() {
            assert!(started.elapsed() < Duration::from_mins(1), "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    within("its containerd runs", &|| state.join("containerd.sock").exists());
    held.kill().unwrap(); // SIGKILL: nothing of it can clean up
    held.wait().unwrap();
    let free =
        || Command::new("flock").arg("--nonblock").arg(state.join("lock")).arg("true").status().unwrap().success();
    within("all its processes end", &free);
    let down = Command::new(script("down")).arg(&name).status().unwrap();
    assert!(down.success());
    leftovers(&name, &state).unwrap();
}
