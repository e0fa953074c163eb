//! The command line against a cluster, as its users run it: what it says of a site that works, of an account that lacks a permission, of what a
//! Pod serves, and where the time of a request went.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::bed::bed;
use crate::kubernetes::{Kubernetes, until};
use crate::site::{HOST_A, OUTER, Site, TOPOLOGY, certificate, read, topology};

/// The program, which `make cluster-test` builds beside the tests.
fn program() -> PathBuf {
    let tests = std::env::current_exe().expect("the path of the tests");
    let folder = tests.ancestors().nth(2).expect("a folder of cargo's");
    folder.join("bailey")
}

/// Runs it where the caller stands, and gives its exit code and all that it printed.
fn bailey(arguments: &[&str]) -> (Option<i32>, String) {
    let kubeconfig = bed().kubeconfig();
    let output = Command::new(program()).args(arguments).arg("--kubeconfig").arg(kubeconfig).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; run by `make cluster-test`", program().display()));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), said)
}

#[track_caller]
fn says(said: &(Option<i32>, String), code: i32, parts: &[&str]) {
    assert_eq!(said.0, Some(code), "{}", said.1);
    for part in parts {
        assert!(said.1.contains(part), "{part:?} is missing:\n{}", said.1);
    }
}

pub(crate) fn a_site_that_works_is_said_to_work() {
    bed().run(async |cluster| {
        let site = Site::up(cluster).await;
        says(&bailey(&["check", "--pre", TOPOLOGY]), 0, &["your rights", "the Gateway API", "those of this release"]);
        says(&bailey(&["status", TOPOLOGY]), 0, &["main  ready", "outer", "team-a", "1/1", &site.address]);
        let checked = bailey(&["check", TOPOLOGY]);
        says(&checked, 0, &["permissions that they need", "main is ready", "serve what the cluster's objects come to"]);
        let url = format!("https://{HOST_A}/");
        says(&bailey(&["explain", &url]), 0, &["HTTPRoute team-a/", "certificate for", "outer tier (main)"]);
        says(&bailey(&["analyze", "--cluster"]), 0, &["0 errors", "of the cluster"]);
    });
}

pub(crate) fn a_pods_configuration_is_shown_and_compared() {
    bed().run(async |cluster| {
        let site = Site::up(cluster).await;
        for (namespace, shown) in [(OUTER, "tenant team-a"), ("team-a", "HTTPRoute team-a/")] {
            let pods = site.cluster.pods(namespace, &format!("bailey.dev/topology={TOPOLOGY}")).await;
            let pod = pods[0].metadata.name.clone().expect("a name");
            says(&bailey(&["config", &pod, "-n", namespace]), 0, &["serves what the cluster says", shown]);
        }
    });
}

pub(crate) fn a_permission_that_is_taken_is_named_by_check() {
    bed().run(async |cluster| {
        let site = Site::up(cluster).await;
        let mut role = role(&site.cluster).await;
        let rules = role["rules"].as_array_mut().expect("rules");
        rules.retain(|rule| rule["resources"] != json!(["httproutes"]));
        site.cluster.apply_one(&role).await.expect("a role");
        until("bailey check names the permission", async || {
            let (code, said) = bailey(&["check", TOPOLOGY]);
            let named = "may not list httproutes.gateway.networking.k8s.io in namespace team-a";
            (code == Some(1) && said.contains("BLY0901 ServiceAccount team-a/main-team-a") && said.contains(named))
                .then_some(())
        })
        .await;
        site.cluster.apply(&read("dist/install.yaml")).await;
        site.cluster.topology_ready(TOPOLOGY).await;
    });
}

async fn role(cluster: &Kubernetes) -> Value {
    let name = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "bailey-inner"}});
    let found = cluster.get(&name).await.expect("the role of inner tiers");
    let mut role = name;
    role["metadata"]["labels"] = found["metadata"]["labels"].clone();
    role["rules"] = found["rules"].clone();
    role
}

pub(crate) fn a_request_is_traced_over_the_pods_of_both_tiers() {
    bed().run(async |cluster| {
        let site = Site::up(cluster).await;
        let mut traced = topology(TOPOLOGY);
        traced["spec"] = crate::site::sample("IngressTopology").remove(0)["spec"].clone();
        // Nobody listens there: the Pods keep the spans themselves.
        traced["spec"]["tracing"] = json!({"endpoint": "http://127.0.0.1:4318", "sampling": 100});
        site.cluster.apply_one(&traced).await.expect("a topology");
        site.cluster.topology_ready(TOPOLOGY).await;
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.crt");
        std::fs::write(&ca, certificate().cert.pem()).unwrap();
        let url = format!("https://{HOST_A}/");
        let said = bailey(&["trace", &url, "--cluster", "--cacert", ca.to_str().unwrap()]);
        says(&said, 0, &["team-a", "outer", "inner", "HTTPRoute/team-a/"]);
        assert!(!said.1.contains("missing:"), "{}", said.1);
        site.cluster.apply(&read(crate::site::SAMPLE)).await;
    });
}
