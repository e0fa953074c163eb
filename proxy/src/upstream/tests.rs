//! Real sockets on loopback: origins that behave, and origins that do not.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bailey_http1::{Authority, BodyLength, Method, RequestHead, Target, Upgrade};
use bailey_routing::ir::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

mod h1;
mod h2c;
mod mirror;

/// Runs a test as a worker runs its tasks.
pub(crate) fn on_worker<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(20), test()).await.expect("the test hangs")
    })
}

pub(crate) fn backends() -> Rc<Backends> {
    Backends::new(options(None), Wheel::new())
}

pub(crate) fn options(link: Option<LinkSecurity>) -> BackendOptions {
    BackendOptions {
        link,
        link_settings: Settings::default(),
        balance: Balance::RoundRobin,
        counter: Counter::default(),
    }
}

pub(crate) fn service(addresses: &[SocketAddr], protocol: BackendProtocol) -> Arc<Source> {
    let key = UpstreamKey::Service { namespace: "ns".into(), name: "app".into(), port: 80, protocol };
    upstream(key, addresses)
}

pub(crate) fn upstream(key: UpstreamKey, addresses: &[SocketAddr]) -> Arc<Source> {
    let endpoints = addresses.iter().map(|address| Endpoint { address: *address, weight: 1 }).collect();
    Arc::new(Source { id: UpstreamId::new(key), endpoints })
}

pub(crate) fn request(method: Method, path: &'static str, body: BodyLength) -> RequestHead {
    let target = Target::from_bytes(Bytes::from_static(path.as_bytes())).unwrap();
    RequestHead { body, ..RequestHead::new(method, target, Authority::parse(b"app.test").unwrap()) }
}

pub(crate) fn get(path: &'static str) -> RequestHead {
    request(Method::Get, path, BodyLength::None)
}

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) interim: Vec<u16>,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

pub(crate) async fn next(upstream: &mut Upstream) -> Result<ResponseEvent, ProxyError> {
    poll_fn(|cx| upstream.poll_response(cx)).await
}

pub(crate) async fn finish(upstream: &mut Upstream) -> Result<Got, UpstreamError> {
    let mut got = Got::default();
    loop {
        let Ok(event) = next(upstream).await else { return Err(upstream.failure().unwrap()) };
        match event {
            ResponseEvent::Informational(head) => got.interim.push(head.status),
            ResponseEvent::Head { head, end } => {
                got.status = head.status;
                if end {
                    return Ok(got);
                }
            }
            ResponseEvent::Data { data, end } => {
                got.body.extend_from_slice(&data);
                if end {
                    return Ok(got);
                }
            }
            ResponseEvent::Trailers(fields) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                got.trailers = fields.iter().map(|(name, value)| (text(name), text(value))).collect();
                return Ok(got);
            }
            ResponseEvent::End => return Ok(got),
        }
    }
}

pub(crate) async fn open(backends: &Backends, to: &Arc<Source>, head: &RequestHead) -> Result<Upstream, UpstreamError> {
    backends.open(to, Opening::new(head, &RequestMeta::default())).await
}

pub(crate) async fn ask(backends: &Backends, to: &Arc<Source>, head: &RequestHead) -> Result<Got, UpstreamError> {
    let mut upstream = open(backends, to, head).await?;
    finish(&mut upstream).await
}

/// An origin whose connections are served by a script each.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Rc<Cell<usize>>,
    pub(crate) seen: Rc<RefCell<Vec<u8>>>,
}

impl Origin {
    pub(crate) async fn start<F, Fut>(script: F) -> Self
    where
        F: Fn(TcpStream, usize, Rc<RefCell<Vec<u8>>>) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Rc::new(Cell::new(0));
        let seen = Rc::new(RefCell::new(Vec::new()));
        let origin = Self { address, connections: connections.clone(), seen: seen.clone() };
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.get();
                connections.set(number + 1);
                tokio::task::spawn_local(script(stream, number, seen.clone()));
            }
        });
        origin
    }

    /// Answers every head with the same bytes; closes afterwards if told to.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>, close: bool) -> Self {
        let answer = Rc::new(answer.into());
        Self::start(move |mut stream, _, seen| {
            let answer = answer.clone();
            async move {
                while head(&mut stream, &seen).await {
                    stream.write_all(&answer).await.unwrap();
                    if close {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.borrow()).into_owned()
    }
}

/// Reads up to the empty line; false at the end of the connection.
pub(crate) async fn head(stream: &mut TcpStream, seen: &RefCell<Vec<u8>>) -> bool {
    let mut last = Vec::new();
    while !last.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => {
                last.push(byte);
                seen.borrow_mut().push(byte);
            }
            Err(_) => return false,
        }
    }
    true
}
