//! HTTP to a collector, by hyper on the runtime that exports: a deadline for each attempt, few repetitions with growing pauses, and only
//! for what may be repeated (OTLP specification, 4.1: 429, 502, 503, 504, and where there was no answer).

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_http::{HttpClient, HttpError};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// How long one attempt may take.
pub(super) const ATTEMPT: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Connections that wait for the next batch.
const IDLE: Duration = Duration::from_secs(30);
/// Pauses before repetitions.
const PAUSES: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3)];
/// The longest pause that a collector may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What is read of an answer; it says little.
const ANSWER: usize = 64 * 1024;

/// File with the authorities that are believed, in PEM, in place of the system's.
pub(super) const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";

/// Whose certificates a collector may show.
pub(super) enum Trust<'a> {
    /// Of those that the system trusts.
    System,
    /// Of the authorities in this file.
    File(&'a Path),
}

/// A client for one collector.
pub(super) struct Client {
    way: Way,
    cause: Cause,
}

enum Way {
    Plain(legacy::Client<HttpConnector, Full<Bytes>>),
    Tls(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// Why there was no answer the last time: the exporter between keeps it to itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Cause(Arc<Mutex<Option<String>>>);

impl Cause {
    fn note(&self, error: &HttpError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    /// The cause, once.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.way {
            Way::Plain(_) => "Client(http)",
            Way::Tls(_) => "Client(https)",
        })
    }
}

impl Client {
    /// A client; with `trust` for https only. Tells `cause` why it fails.
    pub(super) fn new(trust: Option<&Trust<'_>>, cause: Cause) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE).pool_max_idle_per_host(1).pool_timer(TokioTimer::new());
        let Some(trust) = trust else { return Ok(Self { way: Way::Plain(builder.build(tcp)), cause }) };
        tcp.enforce_http(false);
        let connector = match trust {
            Trust::System => HttpsConnectorBuilder::new().with_native_roots().map_err(|error| {
                format!("the system's root certificates cannot be read: {error}; name a file in {CERTIFICATE}")
            })?,
            Trust::File(path) => HttpsConnectorBuilder::new().with_tls_config(config(path)?),
        };
        let connector = connector.https_only().enable_http1().wrap_connector(tcp);
        Ok(Self { way: Way::Tls(builder.build(connector)), cause })
    }

    async fn attempt(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = request.map(Full::new);
        let answered = async {
            let response = match &self.way {
                Way::Plain(client) => client.request(request).await,
                Way::Tls(client) => client.request(request).await,
            };
            // The library's own words end before the cause, such as a certificate that nobody knows.
            let (head, body) = response.map_err(|error| whole(&error))?.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        tokio::time::timeout(ATTEMPT, answered).await.unwrap_or_else(|late| Err(late.into()))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        for pause in PAUSES {
            let answer = self.attempt(Request::from_parts(head.clone(), body.clone())).await;
            let Some(pause) = again(&answer, pause) else { return answer };
            let reason = reason(&answer);
            tracing::debug!(reason, "the collector is asked again");
            tokio::time::sleep(pause).await;
        }
        self.attempt(Request::from_parts(head, body)).await.inspect_err(|error| self.cause.note(error))
    }
}

/// The pause before another try, if there is to be one: `pause`, or what the collector asks for.
fn again(answer: &Result<Response<Bytes>, HttpError>, pause: Duration) -> Option<Duration> {
    let Ok(response) = answer else { return Some(pause) };
    let repeatable = matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let asked = || response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs);
    repeatable.then(|| asked().unwrap_or(pause).min(LONGEST_PAUSE))
}

/// An error with all its causes.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// TLS that believes the authorities in this file alone.
fn config(path: &Path) -> Result<ClientConfig, String> {
    let failed = |why: String| format!("{CERTIFICATE} names {}: {why}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| failed(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn reason(answer: &Result<Response<Bytes>, HttpError>) -> String {
    match answer {
        Ok(response) => response.status().to_string(),
        Err(error) => error.to_string(),
    }
}
