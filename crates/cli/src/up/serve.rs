//! Runs what `LocalBackend`s describe: small HTTP servers on loopback (HTTP/1.1, h2c, WebSocket echo). Off the data path, so hyper serves them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::folder::Identity;
use crate::folder::backend::{Behaviour, Fixed};

/// How much of a body an echo repeats; the rest is counted only.
const ECHOED_BODY: usize = 4096;

/// A running local backend; dropping it stops the server.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Starts a backend on a free loopback port; one that runs elsewhere is taken as it is.
pub async fn start(identity: Identity, behaviour: Behaviour) -> std::io::Result<Running> {
    if let Behaviour::Address(address) = behaviour {
        return Ok(Running { address, task: None });
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let answer = Arc::new((identity, behaviour));
    Ok(Running { address, task: Some(tokio::spawn(accept(listener, answer))) })
}

async fn accept(listener: TcpListener, answer: Arc<(Identity, Behaviour)>) {
    loop {
        let Ok((socket, peer)) = listener.accept().await else { continue };
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(answer.clone(), peer, request));
            let server = auto::Builder::new(TokioExecutor::new());
            // A client that goes away in the middle is its own affair.
            let _ = server.serve_connection_with_upgrades(TokioIo::new(socket), service).await;
        });
    }
}

async fn respond(
    answer: Arc<(Identity, Behaviour)>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (identity, behaviour) = &*answer;
    Ok(match behaviour {
        Behaviour::Fixed(fixed) => fixed_answer(fixed),
        Behaviour::Echo | Behaviour::Address(_) if asks_for_websocket(request.headers()) => websocket(request),
        Behaviour::Echo | Behaviour::Address(_) => echo(identity, peer, request).await,
    })
}

fn fixed_answer(fixed: &Fixed) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(fixed.body.clone()));
    *response.status_mut() = StatusCode::from_u16(fixed.status).unwrap_or(StatusCode::OK);
    for (name, value) in &fixed.headers {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// What the application saw, as JSON.
#[derive(Serialize)]
struct Seen<'a> {
    backend: &'a str,
    namespace: &'a str,
    client_address: Option<String>,
    peer: SocketAddr,
    method: String,
    path: String,
    query: Option<String>,
    protocol: String,
    host: Option<String>,
    headers: BTreeMap<String, Vec<String>>,
    body_bytes: usize,
    body: String,
}

async fn echo(identity: &Identity, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, mut incoming) = request.into_parts();
    let (mut length, mut kept) = (0, Vec::new());
    while let Some(Ok(frame)) = incoming.frame().await {
        if let Some(data) = frame.data_ref() {
            length += data.len();
            kept.extend_from_slice(&data[..data.len().min(ECHOED_BODY - kept.len())]);
        }
    }
    let text = |name: &str| head.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let seen = Seen {
        backend: &identity.name,
        namespace: &identity.namespace,
        client_address: text("x-forwarded-for"),
        peer,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        protocol: format!("{:?}", head.version),
        host: text("host").or_else(|| head.uri.authority().map(ToString::to_string)),
        headers: listed(&head.headers),
        body_bytes: length,
        body: String::from_utf8_lossy(&kept).into_owned(),
    };
    let mut json = serde_json::to_vec_pretty(&seen).unwrap_or_default();
    json.push(b'\n');
    let mut response = Response::new(Full::from(json));
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// All values of each name, in order: a second `x-forwarded-for` must be seen.
fn listed(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        all.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    all
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"websocket"));
    upgrade && headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

/// Answers 101 (RFC 6455) and repeats every message.
fn websocket(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, http::HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, http::HeaderValue::from_static("upgrade"));
    if let Some(Ok(accept)) = key.map(http::HeaderValue::try_from) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}
