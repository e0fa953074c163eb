//! An independent client: hyper over tokio-rustls, with SNI, Host and source address each chosen freely.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An answer, read whole.
pub type Answer = Response<Bytes>;

/// Where to, from where, and whom to trust.
#[derive(Clone)]
pub struct Client {
    pub https: SocketAddr,
    pub http: SocketAddr,
    pub root: CertificateDer<'static>,
    pub from: IpAddr,
}

/// A connection over either protocol.
pub enum Connection {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

/// Both protocols, for tests that must hold on each.
pub const PROTOCOLS: [&str; 2] = ["http/1.1", "h2"];

impl Client {
    async fn tcp(&self, to: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.from, 0).into())?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A TLS connection that asks for `sni` and offers one protocol.
    pub async fn tls(&self, sni: &str, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        self.tls_after(b"", sni, protocol).await
    }

    /// The same after some bytes in plain text.
    pub async fn tls_after(&self, first: &[u8], sni: &str, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root");
        let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from(sni.to_owned()).expect("a name");
        let mut tcp = self.tcp(self.https).await?;
        tcp.write_all(first).await?;
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }

    /// A connection to the https port.
    pub async fn connect(&self, sni: &str, protocol: &str) -> std::io::Result<Connection> {
        let io = TokioIo::new(self.tls(sni, protocol).await?);
        Ok(if protocol == "h2" {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            Connection::H2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection.with_upgrades());
            Connection::H1(sender)
        })
    }

    /// One GET over https on a connection of its own.
    pub async fn get(&self, host: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut connection = self.connect(host, "http/1.1").await.expect("a connection");
        connection.send(request("GET", host, path, fields, "")).await.expect("an answer")
    }

    /// One request on the plain port.
    pub async fn plain(&self, method: &str, host: &str, path: &str) -> Answer {
        let io = TokioIo::new(self.tcp(self.http).await.expect("a connection"));
        let (sender, connection) = http1::handshake(io).await.expect("a handshake");
        tokio::spawn(connection);
        Connection::H1(sender).send(request(method, host, path, &[], "")).await.expect("an answer")
    }
}

impl Connection {
    /// Sends one request and reads the answer whole.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        let response = match self {
            Self::H1(sender) => {
                let host = request.uri().authority().map(|a| a.as_str().to_owned()).unwrap_or_default();
                let path = request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned();
                *request.uri_mut() = path.parse().expect("a path");
                if !request.headers().contains_key("host") {
                    request.headers_mut().insert("host", host.parse().expect("a host"));
                }
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::H2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, body) = response.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

/// A request for `https://host/path`.
pub fn request(method: &str, host: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(format!("https://{host}{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body.to_owned())).expect("a request")
}

/// The body as JSON: what an echo saw.
pub fn seen(answer: &Answer) -> serde_json::Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|e| panic!("{e}: {} {:?}", answer.status(), answer.body()))
}

/// Waits for something that comes soon, without a bound on how soon.
pub async fn eventually(mut there: impl FnMut() -> bool) {
    for _ in 0..400 {
        if there() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it never came");
}
