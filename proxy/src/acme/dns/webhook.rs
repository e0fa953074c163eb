//! Records by a service of the user's own: a POST with JSON for each, answered with a status.
//!
//! ```text
//! POST URL            {"action": "add", "name": "_acme-challenge.a.example.com", "text": "…"}
//! 2xx                 done; anything else: the words of `message` in a JSON answer, or the answer itself, are shown
//! ```

use std::time::Duration;

use bailey_acme::Secret;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use serde_json::{Value, json};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{DnsError, DnsRecords};
use crate::acme::client;

/// The longest that a request may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest answer, and how much of one is shown.
const LONGEST: (usize, usize) = (64 * 1024, 200);

/// A service that sets records.
pub(super) struct Webhook {
    url: Uri,
    token: Option<Secret>,
    http: Hyper<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Webhook {
    pub(super) fn new(url: Uri, token: Option<Secret>, roots: Option<&RootCertStore>) -> std::io::Result<Self> {
        let http =
            Hyper::builder(TokioExecutor::new()).build(client::connector(roots, url.scheme_str() == Some("http"))?);
        Ok(Self { url, token, http })
    }

    async fn ask(&self, action: &'static str, name: &str, text: &str) -> Result<(), DnsError> {
        let why = match timeout(DEADLINE, self.post(action, name, text)).await {
            Ok(Ok((status, _))) if status.is_success() => return Ok(()),
            Ok(Ok((status, body))) => format!("{status}: {}", words(&body)),
            Ok(Err(error)) => error,
            Err(_) => format!("no answer within {} s", DEADLINE.as_secs()),
        };
        Err(DnsError::Refused { who: self.who(), action, name: name.to_owned(), why })
    }

    async fn post(&self, action: &str, name: &str, text: &str) -> Result<(StatusCode, Bytes), String> {
        let body = json!({"action": action, "name": name, "text": text}).to_string();
        let mut request = Request::post(&self.url).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            let mut value = Zeroizing::new(b"Bearer ".to_vec());
            value.extend_from_slice(token.expose());
            let value = header::HeaderValue::from_bytes(&value).map(|mut value| {
                value.set_sensitive(true);
                value
            });
            request = request
                .header(header::AUTHORIZATION, value.map_err(|_| "the token has bytes that no header may have")?);
        }
        let request = request.body(Full::from(body)).map_err(|error| error.to_string())?;
        let answer = self.http.request(request).await.map_err(|error| client::chain(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST.0).collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }
}

fn words(body: &[u8]) -> String {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    if let Some(message) = value.as_ref().and_then(|value| value.get("message")?.as_str()) {
        return message.to_owned();
    }
    String::from_utf8_lossy(&body[..body.len().min(LONGEST.1)]).trim().to_owned()
}

impl DnsRecords for Webhook {
    fn who(&self) -> String {
        format!("the webhook at {}", self.url.authority().map(ToString::to_string).unwrap_or_default())
    }

    fn add<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.ask("add", name, text))
    }

    fn remove<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.ask("remove", name, text))
    }
}
