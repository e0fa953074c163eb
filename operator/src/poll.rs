//! Asks every proxy what it serves, at `/served` of its admin port, while this replica leads. What the answers mean is
//! decided in [`crate::proxies`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bailey_kit::admin::served::{self, Served};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::observe::Observed;
use crate::validate::ADMIN_PORT;

/// How often each is asked. With the five seconds after which a proxy knows of a permission that was taken away, a topology
/// says so within ten.
const EVERY: Duration = Duration::from_secs(4);
/// New proxies are asked sooner.
const SOON: Duration = Duration::from_millis(500);
/// How long one has to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Proxies asked at once.
const AT_ONCE: usize = 32;
/// The longest answer: a thousand certificates with their names.
const LONGEST: usize = 4 << 20;

/// Why a proxy's answer is not known. Short and without addresses and times, so that the same trouble has the same words.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// Nobody accepts the connection, or it breaks.
    #[error("the admin port cannot be reached")]
    Unreachable,
    /// It takes too long.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    /// It answers something else.
    #[error("the admin port answers {0}")]
    Status(StatusCode),
    /// The answer is not what a proxy says.
    #[error("the answer cannot be read")]
    Unreadable,
}

/// Asks for ever.
pub async fn poll(observed: Arc<Observed>) {
    loop {
        let asked = futures_util::stream::iter(observed.proxies()).map(|(key, address)| {
            let observed = observed.clone();
            async move {
                let told = ask(SocketAddr::new(address, ADMIN_PORT)).await;
                observed.told(&key, address, told.map(Arc::new).map_err(|error| error.to_string()));
            }
        });
        asked.buffer_unordered(AT_ONCE).collect::<()>().await;
        tokio::select! {
            () = sleep(EVERY) => {}
            () = observed.proxy_appeared.notified() => sleep(SOON).await,
        }
    }
}

/// What the proxy with this admin port serves.
pub async fn ask(address: SocketAddr) -> Result<Served, PollError> {
    timeout(PATIENCE, exchange(address)).await.unwrap_or(Err(PollError::Late))
}

async fn exchange(address: SocketAddr) -> Result<Served, PollError> {
    let socket = TcpStream::connect(address).await.map_err(|_| PollError::Unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(|_| PollError::Unreachable)?;
    // Dropped with this future, whether it comes to its end or not.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let request = Request::get(served::PATH)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| PollError::Unreadable)?;
    let answer = sender.send_request(request).await.map_err(|_| PollError::Unreachable)?;
    if answer.status() != StatusCode::OK {
        return Err(PollError::Status(answer.status()));
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(|_| PollError::Unreadable)?;
    serde_json::from_slice(&body.to_bytes()).map_err(|_| PollError::Unreadable)
}

/// The address of a Pod, if it has one that can be parsed.
pub fn address_of(pod: &k8s_openapi::api::core::v1::Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use bailey_kit::admin::{AdminOptions, AdminServer};
    use bailey_kit::readiness::Readiness;

    use super::*;

    async fn server(served: Option<served::Tell>) -> AdminServer {
        let metrics = Arc::new(String::new);
        let options = AdminOptions { readiness: Readiness::new(), metrics, served, pages: None, token: None };
        AdminServer::start(([127, 0, 0, 1], 0).into(), options).await.unwrap()
    }

    #[tokio::test]
    async fn a_proxy_says_what_it_serves() {
        let served = Served { tier: "outer".to_owned(), generation: 3, ..Served::default() };
        let told = served.clone();
        let server = server(Some(Arc::new(move || told.clone()))).await;
        assert_eq!(ask(server.address()).await.unwrap(), served);
    }

    #[tokio::test]
    async fn whoever_says_something_else_or_nothing_is_told_apart() {
        let other = server(None).await;
        assert_eq!(ask(other.address()).await.unwrap_err().to_string(), "the admin port answers 404 Not Found");
        let gone = other.address();
        drop(other);
        tokio::task::yield_now().await;
        assert_eq!(ask(gone).await.unwrap_err().to_string(), "the admin port cannot be reached");
        // A listener that never accepts: the connection is made and nothing comes.
        let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let error = ask(silent.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer within 2 s");
    }
}
