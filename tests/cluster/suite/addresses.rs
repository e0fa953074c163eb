//! Which address an application sees when the client asks it directly, by each way into a cluster. Bailey's claims rest on these.

use std::net::SocketAddr;

use serde_json::json;

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

/// The address that an application of a new namespace sees behind a load balancer of this `externalTrafficPolicy`.
async fn peer_behind(cluster: &Kubernetes, namespace: &str, policy: &str) -> String {
    cluster.namespace(namespace).await;
    cluster.apply_one(&echo_pod(namespace, "echo", &json!({}))).await.unwrap();
    let address = cluster.load_balancer(namespace, "echo", policy, &[(80, 8080)]).await;
    cluster.ready(namespace, "echo").await;
    let peer = peer(&format!("{address}:80")).await;
    cluster.delete_namespace(namespace).await;
    peer
}

pub(crate) fn a_host_port_shows_the_clients_address() {
    bed().run(async |cluster| {
        let namespace = cluster.namespace("host-port").await;
        let ports = json!({"ports": [{"containerPort": 8080, "hostPort": 18080}]});
        cluster.apply_one(&echo_pod(&namespace, "echo", &ports)).await.unwrap();
        cluster.ready(&namespace, "echo").await;
        assert_eq!(peer(&format!("{NODE}:18080")).await, CLIENT);
        cluster.delete_namespace(&namespace).await;
    });
}

pub(crate) fn a_local_load_balancer_shows_the_clients_address() {
    bed().run(async |cluster| assert_eq!(peer_behind(&cluster, "local", "Local").await, CLIENT));
}

pub(crate) fn a_cluster_wide_load_balancer_loses_the_clients_address() {
    bed().run(async |cluster| assert_ne!(peer_behind(&cluster, "anywhere", "Cluster").await, CLIENT));
}
