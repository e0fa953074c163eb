//! The way to the authority: HTTPS only, roots as configured, a deadline on every request, answers of at most 1 MiB, no
//! redirects. An answer that asks to wait becomes an error that says for how long.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::{ClientConfig, RootCertStore};

/// The longest that a request may take.
const DEADLINE: Duration = if cfg!(test) { Duration::from_secs(5) } else { Duration::from_secs(30) };
/// Who asks, in every request (RFC 8555 section 6.1): authorities refuse those without.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("bailey/", env!("CARGO_PKG_VERSION")));
/// The longest answer.
const LONGEST: usize = 1024 * 1024;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It was never sent.
    #[error("cannot reach the authority: {0}")]
    NotSent(String),
    /// The authority asks to wait.
    #[error("the authority asks to wait: {detail}")]
    Wait {
        /// For how long, if it said.
        wait: Option<Duration>,
        /// In its own words.
        detail: String,
    },
    /// It may have arrived.
    #[error("no answer that can be read from the authority: {0}")]
    Cut(String),
}

/// Sends requests.
pub(super) struct Client(Hyper<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Client {
    /// Trusts these roots, or what the machine trusts.
    pub(super) fn new(roots: Option<&RootCertStore>) -> std::io::Result<Self> {
        Ok(Self(Hyper::builder(TokioExecutor::new()).build(connector(roots, false)?)))
    }

    /// Sends a request; the whole answer.
    pub(super) fn exchange(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> impl Future<Output = Result<(Parts, Bytes), Error>> + Send + use<> {
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        let answer = self.0.request(request);
        async move {
            let whole = async {
                let answer = answer.await.map_err(|error| {
                    let text = chain(&error);
                    if error.is_connect() { Trouble::NotSent(text) } else { Trouble::Cut(text) }
                })?;
                let (parts, body) = answer.into_parts();
                let body = Limited::new(body, LONGEST).collect().await;
                let body = body.map_err(|error| Trouble::Cut(error.to_string()))?.to_bytes();
                asks_to_wait(&parts, &body)?;
                Ok((parts, body))
            };
            let late = |_| Trouble::Cut(format!("no answer within {} s", DEADLINE.as_secs()));
            let result = tokio::time::timeout(DEADLINE, whole).await.map_err(late).and_then(|result| result);
            result.map_err(|trouble| Error::Other(Box::new(trouble)))
        }
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let answer = self.exchange(request);
        Box::pin(async move {
            let (parts, body) = answer.await?;
            Ok(BytesResponse { parts, body: Box::new(body) })
        })
    }
}

/// Connections by TLS that trust these roots, or what the machine trusts; others only where `plain` says so.
pub(super) fn connector(roots: Option<&RootCertStore>, plain: bool) -> std::io::Result<HttpsConnector<HttpConnector>> {
    let builder = HttpsConnectorBuilder::new();
    let builder = match roots {
        Some(roots) => {
            let config = ClientConfig::builder_with_provider(crate::tls::provider())
                .with_safe_default_protocol_versions()
                .map_err(std::io::Error::other)?;
            builder.with_tls_config(config.with_root_certificates(roots.clone()).with_no_client_auth())
        }
        None => builder.with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())?,
    };
    let builder = if plain { builder.https_or_http() } else { builder.https_only() };
    Ok(builder.enable_http1().enable_http2().build())
}

/// 429 and 503 (RFC 8555 section 6.6, RFC 9110 section 15.6.4).
fn asks_to_wait(parts: &Parts, body: &[u8]) -> Result<(), Trouble> {
    if !matches!(parts.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return Ok(());
    }
    let said = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = said.and_then(|text| retry_after(text.trim()));
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    Err(Trouble::Wait { wait, detail: detail.unwrap_or(parts.status.as_str()).to_owned() })
}

/// Seconds, or a moment (RFC 9110 section 10.2.3).
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

/// An error with what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_seconds_or_moments() {
        assert_eq!(retry_after("125"), Some(Duration::from_secs(125)));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        let far = retry_after("Tue, 31 Dec 2999 23:59:59 GMT").map(|wait| wait.as_secs());
        assert!(far > Some(365 * 86_400), "{far:?}");
        for text in ["", "soon", "-5"] {
            assert_eq!(retry_after(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_that_asks_to_wait_says_why_in_the_authoritys_words() {
        let answer =
            |status: u16| http::Response::builder().status(status).header("retry-after", "7").body(()).unwrap();
        let body = br#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"}"#;
        for status in [429, 503] {
            let error = asks_to_wait(&answer(status).into_parts().0, body).unwrap_err();
            assert!(matches!(&error, Trouble::Wait { wait: Some(wait), .. } if wait.as_secs() == 7), "{error}");
            assert!(error.to_string().contains("too many certificates"), "{error}");
        }
        assert!(asks_to_wait(&answer(400).into_parts().0, body).is_ok());
    }
}
