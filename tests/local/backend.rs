//! Applications for tests: one that answers what a test tells it to, byte by byte, and one that hyper serves.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What reached an application, one text per request head.
#[derive(Clone, Default)]
pub struct Heads(Arc<Mutex<Vec<String>>>);

impl Heads {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn push(&self, head: String) {
        self.0.lock().unwrap().push(head);
    }
}

/// An application. It stops with the test.
pub struct Application {
    pub address: SocketAddr,
    pub heads: Heads,
    connections: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Application {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Application {
    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Connections whose script said that it came to its end.
    pub fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }

    /// As a `LocalBackend`.
    pub fn object(&self, namespace: &str, name: &str) -> String {
        local_backend(namespace, name, &format!("address: '{}'", self.address))
    }

    /// As a `LocalBackend` that speaks HTTP/2 without TLS.
    pub fn h2c(&self, namespace: &str, name: &str) -> String {
        local_backend(namespace, name, &format!("address: '{}', appProtocol: kubernetes.io/h2c", self.address))
    }
}

/// A `LocalBackend` on port 80.
pub fn local_backend(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: bailey.dev/v1alpha1\nkind: LocalBackend\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n"
    )
}

/// One connection to an application that a test scripts.
pub struct Connection {
    /// How many came before it.
    pub number: usize,
    pub tcp: TcpStream,
    heads: Heads,
    rest: Vec<u8>,
    finished: Arc<AtomicUsize>,
}

impl Connection {
    /// The next request head, unless the connection ends first.
    pub async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                let body = self.rest.split_off(end + 4);
                let head = String::from_utf8_lossy(&std::mem::replace(&mut self.rest, body)).into_owned();
                self.heads.push(head.clone());
                return Some(head);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The body that belongs to a head, without chunked's framing undone.
    pub async fn body(&mut self, head: &str) -> Vec<u8> {
        let head = head.to_ascii_lowercase();
        if head.contains("transfer-encoding: chunked") {
            return self.until(b"0\r\n\r\n").await;
        }
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length: usize = length.map_or(0, |text| text.parse().unwrap());
        while self.rest.len() < length && self.more().await {}
        let rest = self.rest.split_off(length.min(self.rest.len()));
        std::mem::replace(&mut self.rest, rest)
    }

    /// Reads more of what the proxy sends; false at the end.
    pub async fn more(&mut self) -> bool {
        matches!(self.tcp.read_buf(&mut self.rest).await, Ok(1..))
    }

    /// Reads until this text has come, and takes everything up to its end.
    pub async fn until(&mut self, text: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.rest.windows(text.len()).position(|window| window == text) {
                let rest = self.rest.split_off(at + text.len());
                return std::mem::replace(&mut self.rest, rest);
            }
            assert!(self.more().await, "{:?} never came", String::from_utf8_lossy(text));
        }
    }

    /// What has come and was not asked for yet.
    pub fn taken(&self) -> &[u8] {
        &self.rest
    }

    /// Forgets what has come.
    pub fn clear(&mut self) {
        self.rest.clear();
    }

    /// Says that the script came to its end.
    pub fn finish(&self) {
        self.finished.fetch_add(1, Ordering::SeqCst);
    }

    /// Reads to the end of the connection.
    pub async fn end(&mut self) {
        while self.more().await {
            self.rest.clear();
        }
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // The proxy may have left already; what it does then is the test's point.
        let _ = self.tcp.write_all(bytes.as_ref()).await;
    }
}

/// An application that does with every connection what the test says.
pub async fn scripted<F, Fut>(serve: F) -> Application
where
    F: Fn(Connection) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let finished = Arc::new(AtomicUsize::new(0));
    let count = finished.clone();
    let mut application = listening(move |number, tcp, heads| {
        serve(Connection { number, tcp, heads, rest: Vec::new(), finished: count.clone() })
    })
    .await;
    application.finished = finished;
    application
}

/// An application that answers every request the same.
pub async fn answering(answer: &'static str) -> Application {
    scripted(move |mut connection| async move {
        while let Some(head) = connection.head().await {
            connection.body(&head).await;
            connection.write(answer).await;
        }
    })
    .await
}

/// The body of an answer of [`serving`].
pub type Body = BoxBody<Bytes, Infallible>;

/// An application over HTTP/1.1 and HTTP/2, as hyper serves it.
pub async fn serving<F, Fut>(answer: F) -> Application
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    listening(move |_, tcp, heads| {
        let answer = answer.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            heads.push(format!("{:?} {} {}", request.version(), request.method(), request.uri()));
            let answered = answer(request);
            async move { Ok::<_, Infallible>(answered.await) }
        });
        async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // A proxy that goes away in the middle is the test's point.
            let _ = server.serve_connection(TokioIo::new(tcp), service).await;
        }
    })
    .await
}

/// A body of fixed bytes.
pub fn fixed(body: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(body.into()).boxed()
}

async fn listening<F, Fut>(serve: F) -> Application
where
    F: Fn(usize, TcpStream, Heads) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, connections) = (Heads::default(), Arc::new(AtomicUsize::new(0)));
    let (log, count) = (heads.clone(), connections.clone());
    let task = tokio::spawn(async move {
        loop {
            let Ok((tcp, _)) = listener.accept().await else { continue };
            tokio::spawn(serve(count.fetch_add(1, Ordering::SeqCst), tcp, log.clone()));
        }
    });
    Application { address, heads, connections, finished: Arc::default(), task }
}
