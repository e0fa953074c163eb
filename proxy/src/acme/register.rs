//! Making an account (RFC 8555 section 7.3), bound to one that the authority knows where that is asked for. instant-acme binds only
//! accounts whose key it makes itself; ours is kept before the authority hears of it, or a crash would use up the binding.

use bailey_acme::Secret;
use bytes::Bytes;
use http::response::Parts;
use http::{Method, Request, header};
use instant_acme::{BodyWrapper, Error, Problem};
use serde::Deserialize;
use serde_json::json;

use super::Settings;
use super::authority::is_bad_nonce;
use super::client::Client;
use super::jws::Signer;

/// What is needed of an authority's directory (RFC 8555 section 7.1.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    new_account: String,
}

/// Makes the account of a key; its URL. A key that the authority knows gives the same account again (section 7.3.1).
/// At most `tries` nonces are used.
pub(super) async fn register(
    client: &Client,
    settings: &Settings,
    key: &Secret,
    tries: usize,
) -> Result<String, Error> {
    let signer = Signer::of(key)?;
    let (_, directory) = ask(client, Method::GET, &settings.directory).await?;
    let directory: Directory = serde_json::from_slice(&directory)?;
    let url = &directory.new_account;
    let mut wish = json!({"termsOfServiceAgreed": true});
    if let Some(email) = &settings.email {
        wish["contact"] = json!([format!("mailto:{email}")]);
    }
    if let Some(account) = &settings.external_account {
        wish["externalAccountBinding"] = signer.bind(account, url)?;
    }
    let (mut parts, _) = ask(client, Method::HEAD, &directory.new_nonce).await?;
    let mut outcome = Err(Error::Str("no nonce was tried"));
    for _ in 0..tries {
        let nonce = field(&parts, "replay-nonce").ok_or(Error::Str("the authority gives no nonce"))?;
        let message = signer.introduce(url, &nonce, &wish)?;
        let request = Request::post(url).header(header::CONTENT_TYPE, "application/jose+json");
        let body;
        (parts, body) = client.exchange(request.body(BodyWrapper::from(message))?).await?;
        outcome = if parts.status.is_success() {
            field(&parts, header::LOCATION.as_str())
                .ok_or(Error::Str("the authority does not say where the account is"))
        } else {
            Err(serde_json::from_slice::<Problem>(&body)?.into())
        };
        if !outcome.as_ref().is_err_and(is_bad_nonce) {
            break;
        }
    }
    outcome
}

async fn ask(client: &Client, method: Method, url: &str) -> Result<(Parts, Bytes), Error> {
    client.exchange(Request::builder().method(method).uri(url).body(BodyWrapper::default())?).await
}

fn field(parts: &Parts, name: &str) -> Option<String> {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
