//! Whether what the authority gave is the certificate that was asked for: its name, our key, its dates, its chain. Anything
//! else is refused and the certificate before goes on serving.

use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::Time;
use crate::renewal::Life;

#[cfg(test)]
mod tests;

/// The longest chain, and the most bytes of one, in PEM.
const LONGEST: (usize, usize) = (8, 64 * 1024);
/// How far the authority's clock may be ahead of ours.
const SKEW: Duration = Duration::from_mins(10);
/// A certificate with less than this left is not worth serving.
const SHORTEST: Duration = Duration::from_hours(1);

/// What a good certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Leaf first, DER; empty where the chain was given.
    pub chain: Vec<Vec<u8>>,
    /// From when until when.
    pub life: Life,
    /// Who signed it, as its common name or else its whole name.
    pub issuer: String,
    /// In hexadecimal.
    pub serial: String,
    /// What it is called in a renewal (RFC 9773 section 4.1).
    pub renewal_id: Option<String>,
}

/// Why a certificate is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not a chain of certificates at all.
    #[error("the authority's answer is no chain of at most 8 certificates in PEM within 64 KiB")]
    Malformed,
    /// It is for other names.
    #[error("the certificate is for {found:?}, and {wanted} was ordered")]
    Names {
        /// What was ordered.
        wanted: String,
        /// What is in it.
        found: Vec<String>,
    },
    /// It is for another key.
    #[error("the certificate is for a key that is not ours")]
    Key,
    /// It is not valid yet, or not any more, or not for long enough.
    #[error("the certificate is valid from {} to {} (seconds since 1970), which does not cover the next hour", .0.begins.0, .0.ends.0)]
    Dates(Life),
    /// It may not be used by a server.
    #[error("the certificate is not one for servers")]
    Purpose,
    /// One certificate of the chain did not sign the one before it.
    #[error("certificate {0} of the chain is not signed by the one after it")]
    Chain(usize),
}

/// Looks at a chain in PEM, as the authority sends it. `public_key` is the `SubjectPublicKeyInfo` of our key, DER.
pub fn check(pem: &[u8], host: &str, public_key: &[u8], now: Time) -> Result<Facts, Unusable> {
    if pem.len() > LONGEST.1 {
        return Err(Unusable::Malformed);
    }
    let blocks: Result<Vec<Pem>, _> = Pem::iter_from_buffer(pem).take(LONGEST.0 + 1).collect();
    let blocks = blocks.map_err(|_| Unusable::Malformed)?;
    if blocks.len() > LONGEST.0 || blocks.iter().any(|block| block.label != "CERTIFICATE") {
        return Err(Unusable::Malformed);
    }
    let chain: Vec<Vec<u8>> = blocks.into_iter().map(|block| block.contents).collect();
    let facts = check_chain(&chain, host, public_key, now)?;
    Ok(Facts { chain, ..facts })
}

/// Who signed the last certificate of a chain in PEM, as the facts name an issuer.
pub fn top_issuer(pem: &[u8]) -> Option<String> {
    let blocks: Vec<Pem> = Pem::iter_from_buffer(pem).take(LONGEST.0 + 1).collect::<Result<_, _>>().ok()?;
    parse(&blocks.last()?.contents).ok().map(|top| issuer(&top))
}

/// What a kept chain says, in DER. It was checked when it came; whether it still holds is for who serves it.
pub fn read_chain(chain: &[Vec<u8>]) -> Result<Facts, Unusable> {
    let leaf = parse(chain.first().ok_or(Unusable::Malformed)?)?;
    Ok(facts(&leaf))
}

fn check_chain(chain: &[Vec<u8>], host: &str, public_key: &[u8], now: Time) -> Result<Facts, Unusable> {
    let parsed: Result<Vec<X509Certificate<'_>>, _> = chain.iter().map(|der| parse(der)).collect();
    let parsed = parsed?;
    let leaf = parsed.first().ok_or(Unusable::Malformed)?;
    let found = names(leaf)?;
    if found.len() != 1 || found.first().map(String::as_str) != Some(host) {
        return Err(Unusable::Names { wanted: host.to_owned(), found });
    }
    if leaf.public_key().raw != public_key {
        return Err(Unusable::Key);
    }
    let life = life(leaf);
    if life.begins > now.after(SKEW) || life.ends < now.after(SHORTEST) {
        return Err(Unusable::Dates(life));
    }
    let usage = leaf.extended_key_usage().map_err(|_| Unusable::Malformed)?;
    if leaf.is_ca() || usage.is_some_and(|usage| !(usage.value.server_auth || usage.value.any)) {
        return Err(Unusable::Purpose);
    }
    for (at, pair) in parsed.windows(2).enumerate() {
        let [below, above] = pair else { continue };
        let signed = below.issuer() == above.subject()
            && above.is_ca()
            && below.verify_signature(Some(above.public_key())).is_ok();
        if !signed {
            return Err(Unusable::Chain(at));
        }
    }
    Ok(facts(leaf))
}

fn facts(leaf: &X509Certificate<'_>) -> Facts {
    Facts {
        chain: Vec::new(),
        life: life(leaf),
        issuer: issuer(leaf),
        serial: HEXLOWER.encode(leaf.raw_serial()),
        renewal_id: renewal_id(leaf),
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Unusable> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(Unusable::Malformed),
    }
}

/// The names of a certificate, all of them; what is no DNS name stays recognisable as something else.
fn names(leaf: &X509Certificate<'_>) -> Result<Vec<String>, Unusable> {
    let names = leaf.subject_alternative_name().map_err(|_| Unusable::Malformed)?;
    let text = |name: &GeneralName<'_>| {
        if let GeneralName::DNSName(host) = name { host.to_ascii_lowercase() } else { name.to_string() }
    };
    Ok(names.map(|names| names.value.general_names.iter().map(text).collect()).unwrap_or_default())
}

fn life(leaf: &X509Certificate<'_>) -> Life {
    let moment = |at: i64| Time(u64::try_from(at).unwrap_or_default());
    let validity = leaf.validity();
    Life { begins: moment(validity.not_before.timestamp()), ends: moment(validity.not_after.timestamp()) }
}

fn issuer(leaf: &X509Certificate<'_>) -> String {
    let name = leaf.issuer();
    let common = name.iter_common_name().next().and_then(|name| name.as_str().ok());
    common.map_or_else(|| name.to_string(), str::to_owned)
}

fn renewal_id(leaf: &X509Certificate<'_>) -> Option<String> {
    let key = leaf.iter_extensions().find_map(|extension| {
        let ParsedExtension::AuthorityKeyIdentifier(identifier) = extension.parsed_extension() else { return None };
        identifier.key_identifier.as_ref()
    })?;
    Some(format!("{}.{}", BASE64URL_NOPAD.encode(key.0), BASE64URL_NOPAD.encode(leaf.raw_serial())))
}
