//! Which address an application sees when the client asks it directly, by each way into a cluster. Bailey's claims rest on these.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::bed::{CLIENT, NODE, Place, bed};
use crate::kubernetes::{Kubernetes, echo_pod, until};
use crate::traffic::{Ask, seen};

/// The peer's address that the echo application sees when the client connects to `to`.
async fn peer(to: &str) -> String {
    let to: SocketAddr = to.parse().unwrap();
    let answer =
        until("the application answers", async || Ask::http(to, "x", "/").from(Place::Client).await.ok()).await;
    let peer = seen(&answer)["peer"].as_str().unwrap().to_owned();
    peer.parse::<SocketAddr>().unwrap().ip().to_string()
}

/// The address of a load balancer for the echo application of a new namespace.
async fn load_balancer(cluster: &Kubernetes, namespace: &str, policy: &str) -> String {
    cluster.namespace(namespace).await;
    cluster.apply_one(&echo_pod(namespace, "echo", json!({}))).await.unwrap();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "echo", "namespace": namespace},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": policy, "selector": {"app": "echo"},
                 "ports": [{"port": 80, "targetPort": 8080}]},
    });
    cluster.apply_one(&service).await.unwrap();
    cluster.ready(namespace, "echo").await;
    until("the load balancer's address", async || {
        let service = serde_json::to_value(cluster.api(&service).await.get("echo").await.unwrap()).unwrap();
        service.pointer("/status/loadBalancer/ingress/0/ip").and_then(Value::as_str).map(str::to_owned)
    })
    .await
}

pub(crate) fn a_host_port_shows_the_clients_address() {
    bed().run(async |cluster| {
        let namespace = cluster.namespace("host-port").await;
        let ports = json!({"ports": [{"containerPort": 8080, "hostPort": 18080}]});
        cluster.apply_one(&echo_pod(&namespace, "echo", ports)).await.unwrap();
        cluster.ready(&namespace, "echo").await;
        assert_eq!(peer(&format!("{NODE}:18080")).await, CLIENT);
        cluster.delete_namespace(&namespace).await;
    });
}

pub(crate) fn a_local_load_balancer_shows_the_clients_address() {
    bed().run(async |cluster| {
        let address = load_balancer(&cluster, "local", "Local").await;
        assert_eq!(peer(&format!("{address}:80")).await, CLIENT);
        cluster.delete_namespace("local").await;
    });
}

pub(crate) fn a_cluster_wide_load_balancer_loses_the_clients_address() {
    bed().run(async |cluster| {
        let address = load_balancer(&cluster, "anywhere", "Cluster").await;
        assert_ne!(peer(&format!("{address}:80")).await, CLIENT);
        cluster.delete_namespace("anywhere").await;
    });
}
