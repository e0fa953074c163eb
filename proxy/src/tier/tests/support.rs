//! An application, clients, objects: what the tests of whole tiers are made of.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bailey_translate::{Object, Objects};
use bytes::BytesMut;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::*;
use crate::io::{Io, Session};

/// An application that answers every request with the head it saw.
pub(super) async fn echo() -> SocketAddr {
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

pub(super) async fn read_head(socket: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(socket.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&text).to_ascii_lowercase())
}

/// Sends one request on a new connection and reads the whole answer.
pub(super) async fn ask(to: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(to).await.unwrap();
    ask_on(&mut socket, request).await
}

pub(super) async fn ask_on(socket: &mut TcpStream, request: &str) -> String {
    socket.write_all(request.as_bytes()).await.unwrap();
    let head = tokio::time::timeout(Duration::from_secs(10), read_head(socket)).await.unwrap().unwrap_or_default();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8_lossy(&body)
}

pub(super) fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

pub(super) fn objects(values: impl IntoIterator<Item = Value>) -> Objects {
    let mut objects = Objects::default();
    for value in values {
        objects.insert_any(Object::from_value(value).unwrap(), None);
    }
    objects
}

pub(super) fn service(namespace: &str, name: &str, port: u16, at: SocketAddr) -> [Value; 2] {
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
               "spec": {"ports": [{"name": "p", "port": port}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
               "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
               "endpoints": [{"addresses": [at.ip().to_string()]}], "ports": [{"name": "p", "port": at.port()}]}),
    ]
}

pub(super) fn route(namespace: &str, parent: &str, host: &str, path: &str) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
           "metadata": {"name": "web", "namespace": namespace},
           "spec": {"parentRefs": [{"name": parent}], "hostnames": [host],
                    "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}],
                               "backendRefs": [{"name": "app", "port": 80}]}]}})
}

pub(super) fn gateway() -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "web", "namespace": "shop"},
           "spec": {"gatewayClassName": "bailey", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}})
}

pub(super) fn options(role: Role) -> TierOptions {
    TierOptions {
        address: Ipv4Addr::LOCALHOST.into(),
        ports: [(80, 0), (443, 0)].into(),
        link_port: 0,
        local: true,
        access_log: LogTarget::Nowhere,
        admin: Some((Ipv4Addr::LOCALHOST, 0).into()),
        drain: DrainTimes { accept: Some(Duration::ZERO), finish: Some(Duration::from_secs(5)) },
        workers: 2,
        ..TierOptions::new(role)
    }
}

pub(super) fn alone() -> Role {
    Role::Gateway { namespace: "shop".into(), name: "web".into() }
}

/// A CA and a leaf of it with this identity, as link credentials.
pub(super) struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self(Issuer::new(params, key), pem)
    }

    pub(crate) fn link(&self, uri: &str) -> LinkCredentials {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let chain = params.signed_by(&key, &self.0).unwrap().pem();
        LinkCredentials { roots: self.1.clone().into(), chain: chain.into(), key: key.serialize_pem().into() }
    }
}

pub(super) fn topology() -> Value {
    json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "main"},
    "spec": {
        "httpsRedirect": false,
        "outer": {"namespace": "edge", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
                  "clientAddress": {"forwardedFor": {"from": ["127.0.0.0/8"], "hops": 1}}},
        "tenants": [{"name": "team-a", "namespaces": {"names": ["team-a"]}, "hostnames": ["a.example"]}],
    }})
}

/// The Service of the first tenant's inner tier.
pub(super) fn link_service(at: SocketAddr) -> [Value; 2] {
    service("team-a", "main-team-a", 8443, at).map(|mut value| {
        if let Some(name) = value.pointer_mut("/ports/0/name") {
            *name = json!("link");
        }
        value
    })
}

/// Sends one request on a new connection and reads the head of the answer.
pub(super) async fn ask_head(to: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(to).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), read_head(&mut socket)).await.unwrap().unwrap_or_default()
}

/// A client that speaks TLS with a server name of its choice, and HTTP/1.1 with any host.
pub(super) struct TlsClient(Io, BytesMut);

impl TlsClient {
    /// Connects; an error is the server's alert. `roots`: PEM of the certificates that are believed.
    pub(crate) async fn connect(to: SocketAddr, name: &str, roots: &[String]) -> io::Result<Self> {
        use rustls::pki_types::pem::PemObject;
        let mut store = RootCertStore::empty();
        for pem in roots {
            store.add(rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(store).with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = Session::client(Arc::new(config), name).unwrap();
        let mut io = Io::tls(TcpStream::connect(to).await.unwrap(), connection);
        poll_fn(|cx| io.poll_handshake(cx)).await?;
        Ok(Self(io, BytesMut::new()))
    }

    /// Sends a request and returns the head and what came with it.
    pub(crate) async fn ask(&mut self, request: &str) -> String {
        self.0.queue(request.as_bytes());
        poll_fn(|cx| self.0.poll_flush(cx)).await.unwrap();
        self.1.clear();
        while !String::from_utf8_lossy(&self.1).contains("\r\n\r\n") {
            if poll_fn(|cx| self.0.poll_read(cx, &mut self.1, 4096)).await.unwrap() == 0 {
                break;
            }
        }
        // What the tests look at fits into a record with the head, but need not have come with it.
        let wanted = |text: &str| {
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
            Some(body.len() < length)
        };
        while wanted(&String::from_utf8_lossy(&self.1)) == Some(true) {
            poll_fn(|cx| self.0.poll_read(cx, &mut self.1, 4096)).await.unwrap();
        }
        String::from_utf8_lossy(&self.1).to_ascii_lowercase()
    }
}

/// A TLS Secret with a certificate for these hosts, and the certificate.
pub(super) fn tls_secret(namespace: &str, name: &str, hosts: &[&str]) -> (Value, String) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(hosts).unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()},
    });
    (secret, made.cert.pem())
}

/// An application that reads a request and then does as it is told.
pub(super) async fn application<F, Fut>(behave: F) -> SocketAddr
where
    F: Fn(TcpStream, String) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let behave = behave.clone();
            tokio::spawn(async move {
                if let Some(head) = read_head(&mut socket).await {
                    behave(socket, head).await;
                }
            });
        }
    });
    address
}
