//! A program between the operator and the API server that makes chosen writes fail. It ends TLS with the API server's own certificate.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::bed::{NODE, bed};

/// Where it listens on the node.
pub(crate) const PORT: u16 = 7443;

type Body = BoxBody<Bytes, hyper::Error>;
type Upstream = tokio::sync::Mutex<SendRequest<Full<Bytes>>>;
type Error = Box<dyn std::error::Error + Send + Sync>;

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Answered 409, not done.
    Conflict,
    /// Answered 429 with Retry-After, not done.
    TooMany,
    /// Answered 500, not done.
    Failing,
    /// The connection is closed, not done.
    Dropped,
    /// Done, and the connection is closed instead of the answer.
    AnswerLost,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [Self::Conflict, Self::TooMany, Self::Failing, Self::Dropped, Self::AnswerLost];

    fn answer(self) -> Option<Response<Body>> {
        let (code, reason) = match self {
            Self::Conflict => (409, "Conflict"),
            Self::TooMany => (429, "TooManyRequests"),
            Self::Failing => (500, "InternalError"),
            Self::Dropped | Self::AnswerLost => return None,
        };
        let status = serde_json::json!({
            "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": "made to fail by a test",
        });
        let body = Full::new(Bytes::from(status.to_string())).map_err(|never| match never {}).boxed();
        let answer =
            Response::builder().status(code).header("content-type", "application/json").header("retry-after", "1");
        Some(answer.body(body).expect("an answer"))
    }
}

/// Writes about one object of the tests: those that contain its name.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// The number of the write that fails, counted from 1, and how.
    pub(crate) fails: Option<(usize, Fault)>,
    /// Every write so far, as method and path.
    pub(crate) writes: Vec<String>,
}

/// The writes that are looked at, by the name that is in them.
pub(crate) type Plan = Arc<Mutex<BTreeMap<String, Watched>>>;

/// Starts to listen; ends with the runtime.
pub(crate) async fn start(plan: Plan) {
    let pki = bed().state().join("pki");
    let chain =
        CertificateDer::pem_file_iter(pki.join("apiserver.crt")).expect("a certificate").map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(pki.join("apiserver.key")).expect("a key");
    let mut config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("a pair");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.join("ca.crt")).expect("a certificate")).expect("a root");
    let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    let listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], PORT))).await.expect("a port");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, connector, plan) = (acceptor.clone(), connector.clone(), plan.clone());
            tokio::spawn(async move { drop(serve(stream, acceptor, connector, plan).await) });
        }
    });
}

/// One connection, with one of its own to the API server.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, connector: TlsConnector, plan: Plan) -> Result<(), Error> {
    let stream = acceptor.accept(stream).await?;
    let upstream = TcpStream::connect((NODE, 6443)).await?;
    let upstream = connector.connect(ServerName::try_from(NODE)?, upstream).await?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(upstream)).await?;
    tokio::spawn(connection);
    let upstream: Arc<Upstream> = Arc::new(tokio::sync::Mutex::new(sender));
    let service = service_fn(move |request| pass(request, upstream.clone(), plan.clone()));
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?;
    Ok(())
}

/// Passes a request on, unless it is to fail. An error closes the connection.
async fn pass(request: Request<Incoming>, upstream: Arc<Upstream>, plan: Plan) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let fault = fault(&plan, &head.method, head.uri.path(), &body);
    if let Some(fault) = fault {
        if let Some(answer) = fault.answer() {
            return Ok(answer);
        }
        if fault == Fault::Dropped {
            return Err("dropped".into());
        }
    }
    let mut request = Request::from_parts(head, Full::new(body));
    request.headers_mut().remove("transfer-encoding");
    let mut upstream = upstream.lock().await;
    upstream.ready().await?;
    let answer = upstream.send_request(request).await?;
    if fault == Some(Fault::AnswerLost) {
        answer.into_body().collect().await?;
        return Err("the answer is lost".into());
    }
    Ok(answer.map(Incoming::boxed))
}

/// Notes a write, and says whether it is the one that fails.
fn fault(plan: &Plan, method: &Method, path: &str, body: &[u8]) -> Option<Fault> {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || path.contains("/leases") || path.contains("reviews") {
        return None;
    }
    let body = String::from_utf8_lossy(body);
    let mut plan = plan.lock().expect("no panic");
    // Names end where another character than theirs begins, so `fault-1` is not seen in `fault-10`.
    let has = |text: &str, name: &str| {
        text.match_indices(name).any(|(at, _)| !text[at + name.len()..].starts_with(|next: char| next.is_ascii_digit()))
    };
    let (_, watched) = plan.iter_mut().find(|(name, _)| has(path, name) || has(&body, name))?;
    watched.writes.push(format!("{method} {path}"));
    watched.fails.filter(|(number, _)| *number == watched.writes.len()).map(|(_, fault)| fault)
}
