//! Whole tiers on loopback: a tier alone, and an outer with an inner behind it over a real link.

use std::net::Ipv4Addr;
use std::time::Duration;

use bailey_translate::Object;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// An application that answers every request with the head it saw.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                loop {
                    let Some(head) = read_head(&mut socket).await else { return };
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nserver: app\r\ncontent-length: {}\r\n\r\n{head}", head.len());
                    if socket.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

async fn read_head(socket: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(socket.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&text).to_ascii_lowercase())
}

/// Sends one request on a new connection and reads the whole answer.
async fn ask(to: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(to).await.unwrap();
    ask_on(&mut socket, request).await
}

async fn ask_on(socket: &mut TcpStream, request: &str) -> String {
    socket.write_all(request.as_bytes()).await.unwrap();
    let head = tokio::time::timeout(Duration::from_secs(10), read_head(socket)).await.unwrap().unwrap_or_default();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8_lossy(&body)
}

fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

fn objects(values: impl IntoIterator<Item = Value>) -> Objects {
    let mut objects = Objects::default();
    for value in values {
        objects.insert_any(Object::from_value(value).unwrap(), None);
    }
    objects
}

fn service(namespace: &str, name: &str, port: u16, at: SocketAddr) -> [Value; 2] {
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
               "spec": {"ports": [{"name": "p", "port": port}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
               "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
               "endpoints": [{"addresses": [at.ip().to_string()]}], "ports": [{"name": "p", "port": at.port()}]}),
    ]
}

fn route(namespace: &str, parent: &str, host: &str, path: &str) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
           "metadata": {"name": "web", "namespace": namespace},
           "spec": {"parentRefs": [{"name": parent}], "hostnames": [host],
                    "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}],
                               "backendRefs": [{"name": "app", "port": 80}]}]}})
}

fn gateway() -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "web", "namespace": "shop"},
           "spec": {"gatewayClassName": "bailey", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}})
}

fn options(role: Role) -> TierOptions {
    TierOptions {
        address: Ipv4Addr::LOCALHOST.into(),
        ports: [(80, 0), (443, 0)].into(),
        link_port: 0,
        local: true,
        access_log: LogTarget::Nowhere,
        admin: Some((Ipv4Addr::LOCALHOST, 0).into()),
        drain: DrainTimes { accept: Duration::ZERO, finish: Duration::from_secs(5) },
        workers: 2,
        ..TierOptions::new(role)
    }
}

fn alone() -> Role {
    Role::Gateway { namespace: "shop".into(), name: "web".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_alone_serves_follows_edits_and_drains() {
    let app = echo().await;
    let with = |path: &str| {
        objects([gateway(), route("shop", "web", "a.example", path)].into_iter().chain(service("shop", "app", 80, app)))
    };
    let (tier, applied) = Tier::start(options(alone()), &with("/")).await.unwrap();
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    assert!(tier.is_ready());
    let to = tier.addresses()[0].address;
    let forged = "GET /x?y=1 HTTP/1.1\r\nhost: A.example.\r\nx-forwarded-for: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\nx-original-url: /admin\r\n\r\n";
    let answer = ask(to, forged).await;
    assert!(answer.starts_with("http/1.1 200 ok"), "{answer}");
    for line in ["get /x?y=1 http/1.1", "host: a.example", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    assert!(!answer.contains("6.6.6.6") && !answer.contains("admin"), "{answer}");
    assert!(ask(to, &get("b.example", "/")).await.starts_with("http/1.1 404"));

    let mut kept = TcpStream::connect(to).await.unwrap();
    assert!(ask_on(&mut kept, &get("a.example", "/old")).await.starts_with("http/1.1 200"));
    assert!(tier.apply(&with("/new")).changed && !tier.apply(&with("/new")).changed);
    assert!(ask_on(&mut kept, &get("a.example", "/old")).await.starts_with("http/1.1 404"));
    assert!(ask_on(&mut kept, &get("a.example", "/new/x")).await.starts_with("http/1.1 200"));

    let metrics = ask(tier.admin_address().unwrap(), &get("admin", "/metrics")).await;
    assert!(metrics.contains("bailey_config_generation{"), "{metrics}");
    assert!(metrics.contains("route=\"HTTPRoute/shop/web\""), "{metrics}");
    assert!(ask(tier.admin_address().unwrap(), &get("admin", "/readyz")).await.starts_with("http/1.1 200"));
    assert!(tier.drain().await);
    assert!(TcpStream::connect(to).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_said_with_a_remedy() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let options = TierOptions { ports: [(80, port)].into(), ..options(alone()) };
    let error = Tier::start(options, &objects([gateway()])).await.err().unwrap().to_string();
    assert!(error.contains("another program has the port"), "{error}");
}

/// A CA and a leaf of it with this identity, as link credentials.
struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self(Issuer::new(params, key), pem)
    }

    fn link(&self, uri: &str) -> LinkCredentials {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let chain = params.signed_by(&key, &self.0).unwrap().pem();
        LinkCredentials { roots: self.1.clone().into(), chain: chain.into(), key: key.serialize_pem().into() }
    }
}

fn topology() -> Value {
    json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "main"},
    "spec": {
        "httpsRedirect": false,
        "outer": {"namespace": "edge", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
                  "clientAddress": {"forwardedFor": {"from": ["127.0.0.0/8"], "hops": 1}}},
        "tenants": [{"name": "team-a", "namespaces": {"names": ["team-a"]}, "hostnames": ["a.example"]}],
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_s_address_crosses_both_tiers_over_a_link() {
    let app = echo().await;
    let authority = Authority::new();
    let common =
        || [topology(), route("team-a", "main", "a.example", "/")].into_iter().chain(service("team-a", "app", 80, app));
    let role = Role::Inner { topology: "main".into(), tenant: "team-a".into() };
    let link = Some(authority.link("bailey://main/tenant/team-a"));
    let (inner, applied) = Tier::start(TierOptions { link, ..options(role) }, &objects(common())).await.unwrap();
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    let at = inner.addresses()[0].address;
    let all = || {
        objects(common().chain(service("team-a", "main-team-a", 8443, at).map(|mut value| {
            if let Some(port) = value.pointer_mut("/ports/0/name").or(None) {
                *port = json!("link");
            }
            value
        })))
    };
    let link = Some(authority.link("bailey://main/outer"));
    let role = Role::Outer { topology: "main".into() };
    let (outer, applied) = Tier::start(TierOptions { link, ..options(role) }, &all()).await.unwrap();
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    let to = outer.addresses()[0].address;

    let mut kept = TcpStream::connect(to).await.unwrap();
    let request =
        "GET /hello HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: 1.1.1.1, 203.0.113.9\r\nx-real-ip: 1.1.1.1\r\n\r\n";
    for _ in 0..3 {
        let answer = ask_on(&mut kept, request).await;
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        assert!(
            answer.contains("x-forwarded-for: 203.0.113.9\r\n") && answer.contains("x-real-ip: 203.0.113.9"),
            "{answer}"
        );
        assert!(!answer.contains("1.1.1.1"), "{answer}");
    }
    assert!(ask_on(&mut kept, &get("b.example", "/")).await.starts_with("http/1.1 404"));
    // An error of the inner tier names it.
    inner.apply(&objects([topology()]));
    let answer = ask_on(&mut kept, &get("a.example", "/")).await;
    assert!(answer.contains("proxy-status: bailey-inner; error=destination_not_found"), "{answer}");
    let strange = ask_on(&mut kept, "GET / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: who\r\n\r\n").await;
    assert!(strange.starts_with("http/1.1 400"), "{strange}");
    assert!(outer.drain().await);
    assert!(inner.drain().await);
}
