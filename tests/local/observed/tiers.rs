//! The tiers that are looked at: those that work, and those that lack something.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailey::up::authority::Authority;
use bailey::up::certificates::LocalAuthority;
use bailey::up::local::{Local, LocalOptions};
use bailey_proxy::tier::{LogTarget, Role, Tier, TierHandle, TierOptions};
use bailey_translate::{Object, Objects};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::alone;
use crate::backend::{Application, local_backend};
use crate::client::{Client, eventually, request};
use crate::folder::{Running, TWO_TENANTS, start};

/// Two tenants, of which one has objects.
pub struct Started {
    pub local: Local,
    pub folder: PathBuf,
    pub log: PathBuf,
}

/// Starts them in `at`, with their lines in `log` (beside the objects, unless it is a whole path) and their spans to `collector`.
pub async fn started(at: &Path, log: &str, collector: &Application, objects: &str) -> Started {
    let (folder, log) = (at.join("objects"), at.join(log));
    std::fs::create_dir_all(&folder).unwrap();
    let topology = format!("{TWO_TENANTS}  accessLog: {{format: json}}\n");
    for (name, text) in [("topology.yaml", topology.as_str()), ("a.yaml", objects)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let options = LocalOptions {
        access_log: LogTarget::File(log.clone()),
        collector: Some(format!("http://{}", collector.address)),
        ..LocalOptions::for_tests(&folder, &at.join("state"))
    };
    Started { local: Local::start(options).await.unwrap(), folder, log }
}

/// A server that ends each connection without an answer; where it is, and its certificate.
async fn mute() -> (std::net::SocketAddr, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
    let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 1024]).await;
            }
        }
    });
    (address, cert.pem())
}

/// Tiers that order certificates from an authority that never answers.
pub async fn ordering(at: &Path) -> Local {
    let folder = at.join("objects");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("topology.yaml"), TWO_TENANTS).unwrap();
    let (authority, root) = mute().await;
    std::fs::write(at.join("root.pem"), root).unwrap();
    let directory = format!("https://localhost:{}/dir", authority.port());
    let authority = LocalAuthority { directory, roots: Some(at.join("root.pem")) };
    let options = LocalOptions { acme: Some(authority), ..LocalOptions::for_tests(&folder, &at.join("state")) };
    Local::start(options).await.unwrap()
}

/// Makes more spans than may wait for a collector.
pub async fn flooded(client: &Client, host: &'static str) {
    let one = |client: Client| async move {
        let mut connection = client.connect(host, "http/1.1").await.unwrap();
        for _ in 0..1200 {
            connection.send(request("GET", host, "/fine", &[], "")).await.unwrap();
        }
    };
    let all: Vec<_> = (0..4).map(|_| tokio::spawn(one(client.clone()))).collect();
    for one in all {
        one.await.unwrap();
    }
}

/// A Gateway alone, with a certificate of a Secret.
pub async fn with_secret() -> Running {
    let (secret, _) = alone::secret("one", "one.localhost");
    start(&[("g.yaml", alone::GATEWAY), ("app.yaml", &local_backend("a", "app", "echo: {}")), ("one.yaml", &secret)])
        .await
}

const DEAD: &str = "
apiVersion: v1
kind: Service
metadata: {name: main-a, namespace: a}
spec: {ports: [{name: link, port: 8443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: main-a, namespace: a, labels: {kubernetes.io/service-name: main-a}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1]}]
ports: [{name: link, port: 1}]
";

/// An outer tier whose inner tier is gone, after a request that wanted it.
pub async fn lost() -> TierHandle {
    let mut objects = Objects::default();
    let topology = format!("{TWO_TENANTS}  httpsRedirect: false\n");
    for text in [topology.as_str()].into_iter().chain(DEAD.split("---\n")) {
        let value: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        objects.insert_any(Object::from_value(value).unwrap(), None);
    }
    let options = TierOptions {
        address: Ipv4Addr::LOCALHOST.into(),
        ports: [(80, 0), (443, 0)].into(),
        link: Some(Authority::link("main").unwrap().credentials("bailey://main/outer").unwrap()),
        local: true,
        access_log: LogTarget::Nowhere,
        ..TierOptions::new(Role::Outer { topology: "main".into() })
    };
    let (tier, _) = Tier::start(options, &objects).await.unwrap();
    let http = tier.addresses().iter().find(|address| !address.https).unwrap().address;
    let ask = || async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut tcp = tokio::net::TcpStream::connect(http).await.unwrap();
        let text = b"GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n";
        tcp.write_all(text).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = ask().await;
    assert!(answer.starts_with("HTTP/1.1 50"), "{answer}");
    let failed = |tier: &TierHandle| {
        let text = tier.scrape();
        text.lines().any(|line| line.starts_with("bailey_link_failures_total{") && !line.ends_with(" 0"))
    };
    eventually(|| failed(&tier)).await;
    tier
}
