//! A folder that runs, asked by a client of its own that writes exactly what a question says.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailey::up::local::{Local, LocalOptions};
use bailey_proxy::explain::{DEVELOPMENT_CA, Explanation, Question, World, explain};
use bailey_routing::ir::Scheme;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

/// The client's address: none that a part of Bailey has.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 9, 8, 7));

/// Two tenants, one of them with two namespaces.
pub const TOPOLOGY: &str = "
apiVersion: bailey.dev/v1alpha1
kind: IngressTopology
metadata: {name: main}
spec:
  outer:
    namespace: edge
    exposure: {service: {type: LoadBalancer}}
    listeners:
      - {name: http, port: 80, protocol: HTTP}
      - {name: https, port: 443, protocol: HTTPS}
    certificates: {store: {volume: {size: 64Mi}}}
  tenants:
    - {name: a, namespaces: {names: [a, a2]}, hostnames: [a.localhost, '*.a.localhost']}
    - {name: b, namespaces: {names: [b]}, hostnames: [b.localhost]}
";

/// A running folder. The servers stop with it.
pub struct Running {
    pub local: Local,
    folder: PathBuf,
    _kept: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What an echo saw.
    pub fn seen(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Running {
    /// Starts what these files describe.
    pub async fn start(files: &[(&str, &str)]) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path().join("objects");
        fs::create_dir(&folder).unwrap();
        write(&folder, files);
        let options = LocalOptions::for_tests(&folder, &kept.path().join("state"));
        let local = Local::start(options).await.unwrap_or_else(|e| panic!("{e}"));
        Self { local, folder, _kept: kept }
    }

    /// Changes files and takes them over.
    pub async fn change(&mut self, files: &[(&str, &str)]) {
        write(&self.folder, files);
        self.local.reload().await.unwrap_or_else(|problems| panic!("{problems:?}"));
    }

    pub fn explain(&self, question: &Question) -> Explanation {
        let (fronts, inners) = self.local.sites();
        let (objects, diagnostics) = (self.local.objects(), self.local.diagnostics());
        explain(
            &World { fronts: &fronts, inners: &inners, objects, diagnostics, issuer: Some(DEVELOPMENT_CA) },
            question,
        )
    }

    /// Sends what the question says. `None`: no connection, or no answer in HTTP.
    pub async fn ask(&self, question: &Question) -> Option<Answer> {
        let (fronts, _) = self.local.sites();
        let bound = fronts.iter().find_map(|site| site.ports.get(&question.port)).copied().unwrap_or(question.port);
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((question.from.ip(), 0).into()).unwrap();
        let stream = socket.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound)).await.ok()?;
        if question.scheme == Scheme::Http {
            return exchange(stream, question).await;
        }
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.local.root().clone()).unwrap();
        let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        if question.http2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let name = question.sni.clone().unwrap_or_else(|| question.host.clone());
        let tls = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await;
        exchange(tls.ok()?, question).await
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
}

async fn exchange(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, question: &Question) -> Option<Answer> {
    if question.http2 { over_http2(io, question).await } else { over_http1(io, question).await }
}

async fn over_http2(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, question: &Question) -> Option<Answer> {
    let (sender, connection) = h2::client::handshake(io).await.ok()?;
    let driver = tokio::spawn(connection);
    let uri = format!("{}://{}{}", question.scheme.as_str(), question.authority(), question.target);
    let mut request = http::Request::builder().method(&*question.method).uri(uri).version(http::Version::HTTP_2);
    for (name, value) in &question.headers {
        request = request.header(name, value);
    }
    let (answer, _) = sender.ready().await.ok()?.send_request(request.body(()).unwrap(), true).ok()?;
    let (head, mut body) = answer.await.ok()?.into_parts();
    let mut bytes = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        bytes.extend_from_slice(&data);
    }
    driver.abort();
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let fields = head.headers.iter().map(field).collect();
    Some(Answer { status: head.status.as_u16(), fields, body: String::from_utf8_lossy(&bytes).into_owned() })
}

async fn over_http1(mut io: impl AsyncRead + AsyncWrite + Unpin, question: &Question) -> Option<Answer> {
    let mut text = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", question.method, question.target, question.host);
    for (name, value) in &question.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("Connection: close\r\n\r\n");
    io.write_all(text.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    // The peer may end TCP without a TLS alert after close; what came before counts.
    let _ = io.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(Answer { status, fields: lines.filter_map(field).collect(), body: body.to_owned() })
}
