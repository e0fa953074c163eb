//! From nothing to a request of the client through both tiers, by the commands of the README; and whose address the application sees by
//! each way to expose the outer tier.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::bed::{CLIENT, NODE, Place, bed, repository, script};
use crate::kubernetes::{Kubernetes, until};
use crate::site::{
    HOST_A, HOST_B, OUTER, SYSTEM, Site, TOPOLOGY, application, ask_https, certificate, route, secret, topology,
};
use crate::traffic::{Answer, Ask, seen};

/// The `sh` blocks of the README below this heading.
fn commands(heading: &str) -> String {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let part = readme.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    part.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Runs commands as a person would who has a checkout, a certificate, a kubeconfig, and stands outside of the cluster.
fn shell(commands: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for part in ["dist", "samples"] {
        std::os::unix::fs::symlink(repository(part).canonicalize().unwrap(), at(part)).unwrap();
    }
    std::fs::write(at("tls.crt"), certificate().cert.pem()).unwrap();
    std::fs::write(at("tls.key"), certificate().signing_key.serialize_pem()).unwrap();
    std::fs::create_dir(at("bin")).unwrap();
    program(&at("bin/kubectl"), &format!("exec {} \"$@\"", script("kubectl").display()));
    program(
        &at("bin/curl"),
        &format!("exec {} client /usr/bin/curl --silent --show-error --fail \"$@\"", script("enter").display()),
    );
    let path = format!("{}:{}", at("bin").display(), std::env::var("PATH").unwrap());
    let mut bash = bed().command("/bin/bash");
    let output = bash.args(["-euxc", commands]).env("PATH", path).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}\n{}", bed().describe());
    said
}

fn program(path: &Path, line: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn the_readmes_commands_make_a_site() {
    bed().run(async |cluster| {
        let started = Instant::now();
        let said = shell(&commands("In a cluster"));
        eprintln!("the README's commands took {:.1} s", started.elapsed().as_secs_f32());
        assert!(said.contains("condition met"), "{said}");
        // What the application saw, as curl printed it.
        assert!(said.contains(&format!(r#""x-forwarded-for":["{CLIENT}"]"#)), "{said}");
        let namespace =
            cluster.get(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})).await;
        let enforced = &namespace.unwrap()["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
        assert_eq!(enforced, "restricted");
        assert_eq!(cluster.pods(SYSTEM, "app.kubernetes.io/name=bailey-operator").await.len(), 2);
    });
}

/// Fields by which a client may claim another address, and the field by which it may try to have ours removed.
const FORGED: [(&str, &str); 8] = [
    ("x-forwarded-for", "192.0.2.66"),
    ("x-real-ip", "192.0.2.66"),
    ("forwarded", "for=192.0.2.66"),
    ("x-forwarded-host", "other.example.com"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-port", "1"),
    ("true-client-ip", "192.0.2.66"),
    ("connection", "x-forwarded-for, x-real-ip"),
];

/// Asks with forged fields, and holds what the application was told of the client.
async fn unforgeable(ask: Ask, proto: &str, client: impl Fn(&str) -> bool) {
    let host = ask.host.clone();
    let ask = FORGED.iter().fold(ask, |ask, (name, value)| ask.with(name, value));
    let answer = ask.from(Place::Client).await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    let seen = seen(&answer);
    let field = |name: &str| {
        let values = seen["headers"][name].as_array().cloned().unwrap_or_default();
        assert_eq!(values.len(), 1, "{name}: {seen}");
        values[0].as_str().unwrap().to_owned()
    };
    assert!(client(&field("x-forwarded-for")), "{seen}");
    assert_eq!(field("x-forwarded-for"), field("x-real-ip"), "{seen}");
    assert_eq!((field("x-forwarded-proto"), field("x-forwarded-host")), (proto.to_owned(), host), "{seen}");
    assert!(!seen.to_string().contains("192.0.2.66"), "{seen}");
}

pub(crate) fn the_application_sees_the_client_through_both_tiers() {
    bed().run(async |cluster| {
        let site = Site::up(cluster).await;
        for host in [HOST_A, HOST_B, "any.b.example.com"] {
            unforgeable(site.ask(host, "/"), "https", |client| client == CLIENT).await;
        }
        let plain = |host: &str| Ask::http(format!("{}:80", site.address).parse().unwrap(), host, "/x?y");
        let moved = plain(HOST_A).from(Place::Client).await.unwrap();
        assert!(moved.status().is_redirection(), "{moved:?}");
        assert_eq!(moved.headers()["location"], format!("https://{HOST_A}/x?y"));
        for stranger in ["nobody.example.com", "x.a.example.com", "bexample.com"] {
            let answer = plain(stranger).from(Place::Client).await.unwrap();
            assert!(answer.status() == 404 || answer.status() == 421, "{stranger}: {answer:?}");
        }
    });
}

/// A topology `edge` with the outer tier on the node's own ports.
async fn edge(cluster: &Kubernetes) {
    for namespace in ["ingress-edge", "team-edge"] {
        cluster.namespace(namespace).await;
    }
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}});
    cluster.merge(&node, &json!({"metadata": {"labels": {"edge": "true"}}})).await;
    cluster.apply_one(&secret("ingress-edge")).await.unwrap();
    application(cluster, "team-edge", "shop").await;
    let mut edge = topology("edge");
    edge["spec"] = json!({
        "outer": {
            "namespace": "ingress-edge",
            "exposure": {"hostPorts": {"nodeSelector": {"edge": "true"}}},
            "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}],
            "certificates": {"store": {"secrets": {}}, "secrets": ["site"]},
        },
        "tenants": [{"name": "edge", "namespaces": {"names": ["team-edge"]}, "hostnames": ["edge.example.com"]}],
    });
    cluster.apply_one(&edge).await.unwrap();
    let route = route("edge", "team-edge", "shop", "edge.example.com", "/", "shop");
    cluster.apply_one(&route).await.unwrap();
}

pub(crate) fn host_ports_show_the_clients_address() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        edge(&cluster).await;
        cluster.topology_ready("edge").await;
        let ask = || ask_https(NODE, "edge.example.com", "/");
        ask().answers(200).await;
        unforgeable(ask(), "https", |client| client == CLIENT).await;
        // The other topology's hosts are not here, and its load balancer is still its own.
        let stranger = ask_https(NODE, HOST_A, "/").from(Place::Client).await;
        assert!(stranger.as_ref().map_or(true, |answer: &Answer| answer.status() != 200), "{stranger:?}");
        site.answers(HOST_A, 200).await;
        cluster.delete(&topology("edge")).await;
        for namespace in ["team-edge", "ingress-edge"] {
            cluster.delete_namespace(namespace).await;
        }
    });
}

pub(crate) fn a_cluster_wide_load_balancer_is_said_to_lose_the_address() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        let exposure = |policy: &str| {
            json!({"spec": {"outer": {"exposure": {"service": {"type": "LoadBalancer", "externalTrafficPolicy": policy}}}}})
        };
        cluster.merge(&topology(TOPOLOGY), &exposure("Cluster")).await;
        let lossy = "externalTrafficPolicy Cluster replaces the client's address by a node's";
        cluster.condition_of(TOPOLOGY, "Ready", "True", lossy).await;
        until("the Service follows", async || policy(&cluster).await.filter(|now| now == "Cluster")).await;
        let told = |answer: &Answer| seen(answer)["headers"]["x-forwarded-for"][0].as_str().unwrap().to_owned();
        until("the client's address is lost", async || {
            let answer = site.ask(HOST_A, "/").from(Place::Client).await.ok()?;
            (told(&answer) != CLIENT).then_some(())
        })
        .await;
        cluster.merge(&topology(TOPOLOGY), &exposure("Local")).await;
        cluster.condition_of(TOPOLOGY, "Ready", "True", "every tier serves").await;
        until("the client's address is back", async || {
            let answer = site.ask(HOST_A, "/").from(Place::Client).await.ok()?;
            (told(&answer) == CLIENT).then_some(())
        })
        .await;
    });
}

/// The `externalTrafficPolicy` of the site's Service.
async fn policy(cluster: &Kubernetes) -> Option<String> {
    let labels = format!("bailey.dev/topology={TOPOLOGY},bailey.dev/tier=outer");
    let services = cluster.labelled("v1", "Service", &labels).await;
    let of = services.into_iter().find(|service| service.metadata.namespace.as_deref() == Some(OUTER))?;
    of.data.pointer("/spec/externalTrafficPolicy").and_then(Value::as_str).map(str::to_owned)
}
