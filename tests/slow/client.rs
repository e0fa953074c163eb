//! An independent client: hyper over tokio-rustls, one connection at a time, and raw TLS for what hyper would not send.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::origin::{Body, full};
use crate::site::HOST;

pub(crate) type H1 = http1::SendRequest<Body>;
pub(crate) type H2 = http2::SendRequest<Body>;

/// The versions of HTTP that clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    H1,
    H2,
}

pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::H1, Protocol::H2];

/// Where to, and whom to trust.
#[derive(Clone)]
pub(crate) struct Client {
    to: SocketAddr,
    h1: TlsConnector,
    h2: TlsConnector,
}

/// One connection of either protocol. When this is dropped it ends with its last request.
pub(crate) enum Connection {
    H1(H1),
    H2(H2),
}

impl Client {
    pub(crate) fn new(to: SocketAddr, root: &CertificateDer<'static>) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root.clone()).expect("a root");
        let connector = |protocol: &[u8]| {
            let config = rustls::ClientConfig::builder().with_root_certificates(roots.clone());
            let mut config = config.with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Self { to, h1: connector(b"http/1.1"), h2: connector(b"h2") }
    }

    /// TCP only, to see whether somebody listens.
    pub(crate) async fn tcp(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.to).await
    }

    pub(crate) async fn tls(&self, protocol: Protocol) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.tcp().await?;
        stream.set_nodelay(true)?;
        let connector = match protocol {
            Protocol::H1 => &self.h1,
            Protocol::H2 => &self.h2,
        };
        connector.connect(ServerName::try_from(HOST).expect("a name"), stream).await
    }

    pub(crate) async fn connect(&self, protocol: Protocol) -> io::Result<Connection> {
        let io = TokioIo::new(self.tls(protocol).await?);
        Ok(match protocol {
            Protocol::H1 => {
                let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
                tokio::spawn(connection.with_upgrades());
                Connection::H1(sender)
            }
            Protocol::H2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.initial_stream_window_size(256 * 1024).initial_connection_window_size(1024 * 1024);
                let (sender, connection) = builder.handshake(io).await.map_err(io::Error::other)?;
                tokio::spawn(connection);
                Connection::H2(sender)
            }
        })
    }
}

impl Connection {
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::H1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::H2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

/// A request as this protocol writes it.
pub(crate) fn request(protocol: Protocol, method: &str, path: &str, body: Body) -> Request<Body> {
    let request = Request::builder().method(method);
    let request = match protocol {
        Protocol::H1 => request.uri(path).header("host", HOST),
        Protocol::H2 => request.uri(format!("https://{HOST}{path}")),
    };
    request.body(body).expect("a request")
}

pub(crate) fn get(protocol: Protocol, path: &str) -> Request<Body> {
    request(protocol, "GET", path, full(Bytes::new()))
}
