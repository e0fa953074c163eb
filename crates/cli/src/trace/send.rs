//! One request over a connection of its own, with HTTP/1.1: to the tier that is traced, and to the page.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::TraceArgs;
use crate::output::Exit;
use crate::up::authority::{ROOT_FILE, default_state};

/// The longest body that is read; a longer one is cut off, since only its times are of interest.
const MAX_BODY: usize = 64 << 20;

/// Why a request could not be sent or its answer not be read.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Not a URL of HTTP.
    #[error("{0:?} is not a URL; write it like https://shop.localhost:8443/")]
    Url(String),
    /// Not a method.
    #[error("{0:?} is not a method; write it like GET")]
    Method(String),
    /// Not a field.
    #[error("a header field cannot be read; write it like -H 'x-name: value'")]
    Header,
    /// Not what `--resolve` takes.
    #[error("{0:?} is not HOST:PORT:ADDRESS; write it like shop.example:443:127.0.0.1")]
    Resolve(String),
    /// The CA cannot be read.
    #[error("the CA in {path} cannot be used: {why}; give another with --cacert")]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The name is unknown.
    #[error("{0} has no address; give one with --resolve {0}:PORT:ADDRESS")]
    Name(String),
    /// Nobody answers there.
    #[error("cannot connect to {address}: {source}; is bailey up running?")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// TLS fails.
    #[error(
        "the TLS handshake with {host} failed: {source}; --cacert names the file of the CA that has signed its certificate (bailey up prints its own)"
    )]
    Tls {
        /// The server's name.
        host: String,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("{host} did not answer in HTTP: {source}")]
    Http {
        /// The server's name.
        host: String,
        /// Why.
        source: hyper::Error,
    },
    /// It takes too long.
    #[error("{host} did not answer within {seconds} s; give it longer with --timeout")]
    Timeout {
        /// The server's name.
        host: String,
        /// How long it had.
        seconds: u64,
    },
}

impl SendError {
    /// The exit code of a command that could not send.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Url(_) | Self::Method(_) | Self::Header | Self::Resolve(_) | Self::Ca { .. } => Exit::Usage,
            Self::Name(_) | Self::Connect { .. } | Self::Tls { .. } | Self::Http { .. } | Self::Timeout { .. } => {
                Exit::Unreachable
            }
        }
    }
}

/// A URL, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Url {
    https: bool,
    host: String,
    port: u16,
    authority: String,
    target: String,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, SendError> {
        let wrong = || SendError::Url(text.to_owned());
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(wrong()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Ok(Self {
            https,
            host: authority.host().to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            target: target.to_owned(),
        })
    }
}

impl Url {
    /// The host and the port to connect to.
    pub(crate) fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

/// A request without a body.
pub(crate) struct Get {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) fields: HeaderMap,
    /// Addresses instead of what names say.
    pub(crate) addresses: Vec<(String, u16, IpAddr)>,
    pub(crate) roots: Option<PathBuf>,
    pub(crate) from: Option<IpAddr>,
    /// The server name of the handshake, instead of the URL's host.
    pub(crate) server_name: Option<String>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Bytes,
}

impl Get {
    pub(crate) fn new(url: Url) -> Self {
        let fields = HeaderMap::new();
        Self { url, method: Method::GET, fields, addresses: Vec::new(), roots: None, from: None, server_name: None }
    }

    /// The request that the arguments ask for.
    pub(crate) fn parse(args: &TraceArgs) -> Result<Self, SendError> {
        let mut request = Self::new(Url::parse(&args.url)?);
        request.method =
            Method::from_bytes(args.request.as_bytes()).map_err(|_| SendError::Method(args.request.clone()))?;
        for field in &args.headers {
            let (name, value) = field.split_once(':').ok_or(SendError::Header)?;
            let name = HeaderName::try_from(name.trim()).map_err(|_| SendError::Header)?;
            let value = HeaderValue::try_from(value.trim()).map_err(|_| SendError::Header)?;
            request.fields.append(name, value);
        }
        request.addresses = args.resolve.iter().map(|text| resolve(text)).collect::<Result<_, _>>()?;
        request.roots.clone_from(&args.cacert);
        request.from = args.interface;
        Ok(request)
    }

    /// Sets a field of our own.
    pub(crate) fn field(&mut self, name: &'static str, value: &str) {
        let value = HeaderValue::try_from(value).expect("our own fields are visible ASCII");
        self.fields.insert(name, value);
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn send(self, limit: Duration) -> Result<Answer, SendError> {
        let (host, seconds) = (self.url.host.clone(), limit.as_secs());
        let answer = tokio::time::timeout(limit, self.exchange()).await;
        answer.unwrap_or(Err(SendError::Timeout { host, seconds }))
    }

    async fn exchange(self) -> Result<Answer, SendError> {
        let address = self.address().await?;
        let socket = connect(address, self.from).await.map_err(|source| SendError::Connect { address, source })?;
        if !self.url.https {
            return self.over(socket).await;
        }
        let config = tls(self.roots.clone())?;
        let asked = self.server_name.as_ref().unwrap_or(&self.url.host);
        let bare = asked.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| SendError::Url(self.url.host.clone()))?;
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
        let stream = handshake.map_err(|source| SendError::Tls { host: self.url.host.clone(), source })?;
        self.over(stream).await
    }

    /// Sends it over a connection that is there.
    pub(crate) async fn over(
        self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Answer, SendError> {
        let host = self.url.host.clone();
        let failed = |source| SendError::Http { host: host.clone(), source };
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(failed)?;
        // It ends with the answer; how is told by the answer.
        let driver = tokio::spawn(connection);
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.url.target.parse().map_err(|_| SendError::Url(self.url.target.clone()))?;
        *request.headers_mut() = self.fields;
        if !request.headers().contains_key(http::header::HOST) {
            let host = HeaderValue::try_from(&self.url.authority).map_err(|_| SendError::Url(self.url.host))?;
            request.headers_mut().insert(http::header::HOST, host);
        }
        let answer = sender.send_request(request).await.map_err(failed)?;
        let (status, fields) = (answer.status().as_u16(), answer.headers().clone());
        let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
        driver.abort();
        Ok(Answer { status, fields, body: body.map(http_body_util::Collected::to_bytes).unwrap_or_default() })
    }

    async fn address(&self) -> Result<SocketAddr, SendError> {
        let Url { host, port, .. } = &self.url;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let told = self.addresses.iter().find(|(name, at, _)| name.eq_ignore_ascii_case(bare) && at == port);
        if let Some((_, _, address)) = told {
            return Ok(SocketAddr::new(*address, *port));
        }
        if let Ok(address) = bare.parse() {
            return Ok(SocketAddr::new(address, *port));
        }
        // RFC 6761 6.3: these names are this machine, whatever the system's resolver makes of them.
        let lower = bare.trim_end_matches('.').to_ascii_lowercase();
        if lower == "localhost" || lower.ends_with(".localhost") {
            return Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), *port));
        }
        let found = lookup_host((bare, *port)).await.ok().and_then(|mut found| found.next());
        found.ok_or_else(|| SendError::Name(bare.to_owned()))
    }
}

async fn connect(to: SocketAddr, from: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.connect(to).await
}

/// An entry of `--resolve`.
pub(crate) fn resolve(text: &str) -> Result<(String, u16, IpAddr), SendError> {
    let wrong = || SendError::Resolve(text.to_owned());
    let mut parts = text.splitn(3, ':');
    let (host, port, address) = (parts.next(), parts.next(), parts.next());
    let port = port.and_then(|port| port.parse().ok()).ok_or_else(wrong)?;
    let address = address.unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let host = host.filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    Ok((host.to_owned(), port, address.parse().map_err(|_| wrong())?))
}

fn tls(roots: Option<PathBuf>) -> Result<ClientConfig, SendError> {
    let path = roots.unwrap_or_else(|| default_state().join("ca").join(ROOT_FILE));
    let failed = |why: String| SendError::Ca { path: path.clone(), why };
    let text = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        store.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| failed(error.to_string()))?;
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_or_refused() {
        let url = Url::parse("https://shop.localhost:8443/a?b=c").unwrap();
        assert_eq!((url.https, &*url.host, url.port, &*url.target), (true, "shop.localhost", 8443, "/a?b=c"));
        assert_eq!(Url::parse("http://a").unwrap().port, 80);
        for wrong in ["shop.localhost", "ftp://a/", "https://me:secret@a/", "/x", ""] {
            assert!(Url::parse(wrong).unwrap_err().to_string().contains("write it like"), "{wrong}");
        }
    }

    #[test]
    fn resolve_is_read_as_curl_does() {
        assert_eq!(
            resolve("a.example:443:127.0.0.1").unwrap(),
            ("a.example".to_owned(), 443, Ipv4Addr::LOCALHOST.into())
        );
        assert_eq!(resolve("a:1:[::1]").unwrap().2.to_string(), "::1");
        for wrong in ["a", "a:b:127.0.0.1", "a:1:b", ":1:127.0.0.1"] {
            assert!(resolve(wrong).is_err(), "{wrong}");
        }
    }
}
