//! From `spec.outer.acme.challenge.dns01` and its credentials to who writes records. What is wrong is named with its field, never with its
//! value.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bailey_acme::Secret;
use bailey_crds::topology::{Dns01, DnsWebhook};
use data_encoding::BASE64;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};
use http::Uri;

use super::rfc2136::Rfc2136;
use super::webhook::Webhook;
use super::zone::Resolver;
use super::{Dns, DnsRecords};
use crate::acme::settings::roots;
use crate::acme::{Material, SettingsError};

const DNS: &str = "spec.outer.acme.challenge.dns01";
/// The provider that is a protocol.
const RFC2136: &str = "rfc2136";
/// How far the clocks of both ends may be apart, in seconds (RFC 8945 section 10 recommends it).
const FUDGE: u16 = 300;
/// How long a record may take to be seen, where the topology does not say.
const WITHIN: Duration = Duration::from_mins(2);

/// The words of `provider`.
pub(super) fn known() -> Vec<&'static str> {
    #[cfg(feature = "dns-providers")]
    let others = super::providers::ALL.iter().map(|known| known.name);
    #[cfg(not(feature = "dns-providers"))]
    let others = std::iter::empty();
    let mut all: Vec<&str> = others.chain([RFC2136]).collect();
    all.sort_unstable();
    all
}

/// The entries of the credentials' Secret.
pub(super) struct Credentials<'a> {
    material: &'a Material,
    /// The Secret's name.
    name: &'a str,
}

impl Credentials<'_> {
    fn wrong(&self, why: &str) -> SettingsError {
        SettingsError::Dns { field: format!("{DNS}.credentialsRef"), why: format!("the Secret {} {why}", self.name) }
    }

    /// An entry that must be there.
    pub(super) fn needs(&self, key: &str) -> Result<String, SettingsError> {
        self.takes(key)?.ok_or_else(|| {
            let there: Vec<&str> = self.material.dns_credentials.keys().map(String::as_str).collect();
            self.wrong(&format!("has no entry {key}; it has: {}", there.join(", ")))
        })
    }

    /// An entry that may be there.
    pub(super) fn takes(&self, key: &str) -> Result<Option<String>, SettingsError> {
        let Some(value) = self.material.dns_credentials.get(key) else { return Ok(None) };
        let text = std::str::from_utf8(value.expose())
            .map_err(|_| self.wrong(&format!("has bytes in {key} that are no text")));
        match text?.trim() {
            "" => Err(self.wrong(&format!("has nothing in {key}"))),
            text => Ok(Some(text.to_owned())),
        }
    }

    /// The provider does not take them.
    #[cfg(feature = "dns-providers")]
    pub(super) fn unusable(&self, provider: &str, why: &str) -> SettingsError {
        self.wrong(&format!("does not do for {provider}: {why}"))
    }
}

/// What writes records, and how it is watched.
pub(super) fn dns(spec: &Dns01, material: &Material) -> Result<Dns, SettingsError> {
    let resolver = resolver(spec)?;
    let name = spec.credentials_ref.as_ref().map(|one| one.name.as_str()).unwrap_or_default();
    let credentials = Credentials { material, name };
    let records: Box<dyn DnsRecords> = match (&spec.provider, &spec.webhook) {
        (_, Some(webhook)) => Box::new(by_webhook(webhook, material, &credentials)?),
        (Some(provider), None) if provider == RFC2136 => Box::new(by_update(&credentials)?),
        (Some(provider), None) => by_provider(provider, &credentials, &resolver)?,
        (None, None) => {
            return Err(wrong("", "name a provider, or a webhook".to_owned()));
        }
    };
    let within = spec.propagation.as_ref().map_or(WITHIN, |one| Duration::from_secs(one.timeout_seconds.into()));
    Ok(Dns { records, resolver, within, secrets: material.dns_credentials.values().cloned().collect() })
}

fn wrong(field: &str, why: String) -> SettingsError {
    SettingsError::Dns { field: format!("{DNS}{field}"), why }
}

fn resolver(spec: &Dns01) -> Result<Resolver, SettingsError> {
    let given = spec.propagation.as_ref().map(|one| one.nameservers.as_slice()).unwrap_or_default();
    if given.is_empty() {
        return Ok(Resolver::System);
    }
    let address = |text: &String| {
        let whole = text.parse::<SocketAddr>().ok();
        let bare = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        whole.or_else(|| bare.map(|address| (address, 53).into())).ok_or_else(|| {
            wrong(
                ".propagation.nameservers",
                format!("{text} is no address; write one like 192.0.2.53 or 192.0.2.53:5353"),
            )
        })
    };
    Ok(Resolver::Given(given.iter().map(address).collect::<Result<_, _>>()?))
}

fn by_webhook(spec: &DnsWebhook, material: &Material, credentials: &Credentials<'_>) -> Result<Webhook, SettingsError> {
    let field = ".webhook.url";
    let url: Uri = spec.url.parse().map_err(|_| wrong(field, "it is no URL".to_owned()))?;
    if url.host().is_none() || !matches!(url.scheme_str(), Some("https" | "http")) {
        return Err(wrong(field, "it must begin with https:// or http:// and name a host".to_owned()));
    }
    let token = credentials.takes("token")?.map(|token| Secret::new(token.into_bytes()));
    if token.is_some() && url.scheme_str() != Some("https") {
        return Err(wrong(
            field,
            "a token is sent by https:// only: change the URL, or remove the entry token".to_owned(),
        ));
    }
    let roots = material.dns_roots.as_ref().map(roots).transpose()?;
    Webhook::new(url, token, roots.as_ref()).map_err(|error| wrong(".webhook", error.to_string()))
}

fn by_update(credentials: &Credentials<'_>) -> Result<Rfc2136, SettingsError> {
    let server = credentials.needs("server")?;
    let bare: Option<IpAddr> = server.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let server = match bare {
        Some(address) => SocketAddr::from((address, 53)).to_string(),
        None if server.contains(':') => server,
        None => format!("{server}:53"),
    };
    let key_name = Name::from_ascii(credentials.needs("keyName")?);
    let key_name = key_name.map_err(|_| credentials.wrong("has no name of DNS in keyName"))?;
    let key = BASE64.decode(credentials.needs("key")?.as_bytes()).ok().filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| credentials.wrong("has no base64 in key"))?;
    let algorithm = match credentials.takes("algorithm")?.as_deref() {
        None | Some("hmac-sha256") => TsigAlgorithm::HmacSha256,
        Some("hmac-sha384") => TsigAlgorithm::HmacSha384,
        Some("hmac-sha512") => TsigAlgorithm::HmacSha512,
        Some(_) => {
            let why = "has another word in algorithm than hmac-sha256, hmac-sha384 and hmac-sha512";
            return Err(credentials.wrong(why));
        }
    };
    let key = TSigner::new(key, algorithm, key_name, FUDGE);
    Ok(Rfc2136 { server, key: key.map_err(|error| credentials.wrong(&format!("cannot be used: {error}")))? })
}

#[cfg(feature = "dns-providers")]
fn by_provider(
    provider: &str,
    credentials: &Credentials<'_>,
    resolver: &Resolver,
) -> Result<Box<dyn DnsRecords>, SettingsError> {
    let known = super::providers::ALL.iter().find(|known| known.name == provider).ok_or_else(|| unknown(provider))?;
    Ok(Box::new(super::providers::Provider::of(known, credentials, resolver.clone())?))
}

#[cfg(not(feature = "dns-providers"))]
fn by_provider(provider: &str, _: &Credentials<'_>, _: &Resolver) -> Result<Box<dyn DnsRecords>, SettingsError> {
    Err(unknown(provider))
}

fn unknown(provider: &str) -> SettingsError {
    let known = known();
    let near = known.iter().map(|name| (strsim::jaro(name, provider), *name)).filter(|(near, _)| *near > 0.8);
    let near =
        near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| format!("; did you mean {name}?")).unwrap_or_default();
    let built = if cfg!(feature = "dns-providers") {
        ""
    } else {
        ". This program is built without the interfaces of DNS providers: use an image that was built with DNS_PROVIDERS=1"
    };
    wrong(".provider", format!("{provider} is not known{near} Known are: {}{built}", known.join(", ")))
}
