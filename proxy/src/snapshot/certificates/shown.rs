//! What may be shown of a certificate: everything but its key.

use jiff::Timestamp;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

/// A certificate without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The names it is for.
    pub names: Vec<String>,
    /// Where it comes from.
    pub source: String,
    /// Who has signed it.
    pub issuer: String,
    /// From when it holds, in seconds since 1970.
    pub not_before: i64,
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
    /// The same for people (RFC 3339).
    pub not_after_text: String,
}

impl Shown {
    /// What may be shown of the leaf of `key`; `None`: it cannot be read.
    pub fn of(key: &CertifiedKey, source: &str) -> Option<Self> {
        let (_, leaf) = X509Certificate::from_der(key.cert.first()?).ok()?;
        let alternative = leaf.subject_alternative_name().ok()??;
        let names = alternative.value.general_names.iter().filter_map(|name| {
            let GeneralName::DNSName(host) = name else { return None };
            Some((*host).to_owned())
        });
        let not_after = leaf.validity().not_after.timestamp();
        Some(Self {
            names: names.collect(),
            source: source.to_owned(),
            issuer: common_name(leaf.issuer()),
            not_before: leaf.validity().not_before.timestamp(),
            not_after,
            not_after_text: Timestamp::from_second(not_after).map(|at| at.to_string()).unwrap_or_default(),
        })
    }
}

/// The common name, or all of the name where it has none.
fn common_name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().find_map(|attribute| attribute.as_str().ok());
    common.map_or_else(|| name.to_string(), str::to_owned)
}
