//! Whom an inner tier lets in: its own topology's outer tier, by certificate, and nobody else in the cluster. The test's network enforces
//! no `NetworkPolicy`, so the certificates alone hold here.

use serde_json::{Value, json};

use crate::bed::{Place, bed};
use crate::kubernetes::{Kubernetes, echo_pod, reference};
use crate::site::{HOST_A, OUTER, Site};
use crate::traffic::{Ask, seen};

const NAMESPACE: &str = "stranger";

/// A Pod of the namespace, with the link certificate of another namespace's tier if one is given.
async fn caller(cluster: &Kubernetes, name: &str, certificate_of: Option<&str>) -> String {
    let mut pod = echo_pod(NAMESPACE, name, &json!({}));
    if let Some(of) = certificate_of {
        let theirs = cluster.get(&reference("v1", "Secret", of, "bailey-link")).await.expect("a link certificate");
        let mut copy = reference("v1", "Secret", NAMESPACE, name);
        copy["data"] = theirs["data"].clone();
        cluster.apply_one(&copy).await.unwrap();
        pod["spec"]["volumes"] = json!([{"name": "certificate", "secret": {"secretName": name}}]);
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "certificate", "mountPath": "/certificate"}]);
    }
    cluster.apply_one(&pod).await.unwrap();
    cluster.ready(NAMESPACE, name).await.status.unwrap().pod_ip.unwrap()
}

/// What becomes of a call of team-a's inner tier by a Pod.
async fn call(pod: &str, tier: &str) -> String {
    let ask = Ask::http(format!("{pod}:8080").parse().unwrap(), "x", &format!("/?link={tier}"));
    let answer = ask.from(Place::Node).await.unwrap();
    seen(&answer)["link"].as_str().unwrap().to_owned()
}

pub(crate) fn an_inner_tier_lets_in_its_own_outer_tier_alone() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        cluster.namespace(NAMESPACE).await;
        let service = cluster.get(&reference("v1", "Service", "team-a", "main-team-a")).await.unwrap();
        let port = service.pointer("/spec/ports/0/port").and_then(Value::as_u64).unwrap();
        let tier = format!("main-team-a.team-a.svc.cluster.local:{port}");
        let nobody = caller(&cluster, "nobody", None).await;
        let tenant = caller(&cluster, "tenant", Some("team-b")).await;
        let outer = caller(&cluster, "outer", Some(OUTER)).await;
        for (who, pod) in [("no certificate", &nobody), ("team-b's certificate", &tenant)] {
            let said = call(pod, &tier).await;
            assert!(said.starts_with("refused: remote error: tls"), "{who}: {said}");
        }
        // The same call with the right certificate is let in, so the others were refused for theirs.
        let said = call(&outer, &tier).await;
        assert!(said.starts_with("let in: "), "{said}");
        site.answers(HOST_A, 200).await;
        cluster.delete_namespace(NAMESPACE).await;
    });
}
