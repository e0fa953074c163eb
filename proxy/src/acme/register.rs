//! Calls of an authority that instant-acme has none for: making an account that is bound to one the authority knows (RFC 8555 section 7.3.4)
//! with a key that is kept before the authority hears of it, or a crash would use up the binding; and reading other chains of a certificate
//! (section 7.4.2).

use bailey_acme::Secret;
use bailey_acme::check::top_issuer;
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

/// The most other chains that are looked at.
const CHAINS: usize = 4;

/// What is needed of an authority's directory (RFC 8555 section 7.1.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    new_account: String,
}

/// Speaks to an authority with the key of an account.
pub(super) struct Messenger {
    client: Client,
    signer: Signer,
    directory: Directory,
    /// Nonces that one message may use up.
    tries: usize,
}

impl Messenger {
    /// Reads the directory.
    pub(super) async fn new(client: Client, directory: &str, key: &Secret, tries: usize) -> Result<Self, Error> {
        let signer = Signer::of(key)?;
        let (_, directory) = ask(&client, Method::GET, directory).await?;
        Ok(Self { client, signer, directory: serde_json::from_slice(&directory)?, tries })
    }

    /// Makes the account of the key; its URL. A key that the authority knows gives the same account again (section 7.3.1).
    pub(super) async fn register(&self, settings: &Settings) -> Result<String, Error> {
        let url = &self.directory.new_account;
        let mut wish = json!({"termsOfServiceAgreed": true});
        if let Some(email) = &settings.email {
            wish["contact"] = json!([format!("mailto:{email}")]);
        }
        if let Some(account) = &settings.external_account {
            wish["externalAccountBinding"] = self.signer.bind(account, url)?;
        }
        let (parts, _) = self.post(url, |nonce| self.signer.introduce(url, nonce, &wish)).await?;
        field(&parts, header::LOCATION.as_str()).ok_or(Error::Str("the authority does not say where the account is"))
    }

    /// The certificate at `url` of `account`, with the chain that ends in `preferred` if the authority has one, else with its first.
    pub(super) async fn certificate(&self, account: &str, url: &str, preferred: &str) -> Result<String, Error> {
        let (parts, first) = self.post(url, |nonce| self.signer.ask(account, url, nonce)).await?;
        let first = text(first)?;
        if top_issuer(first.as_bytes()).as_deref() == Some(preferred) {
            return Ok(first);
        }
        let links = parts.headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
        for other in links.flat_map(alternates).take(CHAINS) {
            let (_, chain) = self.post(other, |nonce| self.signer.ask(account, other, nonce)).await?;
            let chain = text(chain)?;
            if top_issuer(chain.as_bytes()).as_deref() == Some(preferred) {
                return Ok(chain);
            }
        }
        tracing::info!(preferred, "the authority has no such chain: its first one is used");
        Ok(first)
    }

    /// Sends what is signed for a nonce, again as long as only that is refused: the authority has not taken it then (section 6.5).
    async fn post(&self, url: &str, sign: impl Fn(&str) -> Result<Vec<u8>, Error>) -> Result<(Parts, Bytes), Error> {
        let (mut parts, _) = ask(&self.client, Method::HEAD, &self.directory.new_nonce).await?;
        let mut outcome = Err(Error::Str("no nonce was tried"));
        for _ in 0..self.tries {
            let nonce = field(&parts, "replay-nonce").ok_or(Error::Str("the authority gives no nonce"))?;
            let request = Request::post(url).header(header::CONTENT_TYPE, "application/jose+json");
            let body;
            (parts, body) = self.client.exchange(request.body(BodyWrapper::from(sign(&nonce)?))?).await?;
            if parts.status.is_success() {
                return Ok((parts, body));
            }
            outcome = Err(Error::from(serde_json::from_slice::<Problem>(&body)?));
            if !outcome.as_ref().is_err_and(is_bad_nonce) {
                break;
            }
        }
        outcome
    }
}

async fn ask(client: &Client, method: Method, url: &str) -> Result<(Parts, Bytes), Error> {
    client.exchange(Request::builder().method(method).uri(url).body(BodyWrapper::default())?).await
}

fn field(parts: &Parts, name: &str) -> Option<String> {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn text(body: Bytes) -> Result<String, Error> {
    String::from_utf8(body.into()).map_err(|_| Error::Str("the certificate is no text"))
}

/// The addresses of a `Link` field that are called alternates (RFC 8288 section 3).
fn alternates(link: &str) -> impl Iterator<Item = &str> {
    link.split('<').filter_map(|one| {
        let (url, about) = one.split_once('>')?;
        let mut about = about.trim_end_matches([',', ' ']).split(';').map(str::trim);
        about.any(|one| matches!(one, "rel=\"alternate\"" | "rel=alternate")).then_some(url)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_chains_are_found_among_links() {
        let link = "<https://ca.test/dir>;rel=\"index\", <https://ca.test/c/1>; rel=\"alternate\",<https://ca.test/c/2>;rel=alternate";
        assert_eq!(alternates(link).collect::<Vec<_>>(), ["https://ca.test/c/1", "https://ca.test/c/2"]);
        assert_eq!(alternates("<https://ca.test/c/1>; title=alternate").count() + alternates("").count(), 0);
    }
}
