//! What a topology asks of its authority. One function for a cluster and for one machine; what cannot be used is said with its field
//! and a remedy.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_acme::Secret;
use bailey_acme::names::Challenge;
use bailey_acme::renewal::Policy;
use bailey_crds::topology::{Acme, UntilIssued};
use data_encoding::BASE64URL_NOPAD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::dns::{self, Dns};
use super::material::{Material, Pem};

#[cfg(test)]
mod tests;

/// Words for authorities that everybody knows.
const WORDS: [(&str, &str); 2] = [
    ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
    ("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
];

/// How certificates are got.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The authority's directory.
    pub directory: String,
    /// What is trusted for it; `None`: what the machine trusts.
    pub roots: Option<RootCertStore>,
    /// Whom the authority may write to.
    pub email: Option<String>,
    /// The account that ours is bound to.
    pub external_account: Option<ExternalAccount>,
    /// How names are proven.
    pub challenge: Challenge,
    /// What writes records in DNS, for dns-01.
    pub dns: Option<Arc<Dns>>,
    /// The profile that is asked for.
    pub profile: Option<String>,
    /// The name of the root that its chain should end in, where the authority has several.
    pub preferred_chain: Option<String>,
    /// Whether the authority is asked when to renew.
    pub ask_authority: bool,
    /// When certificates are renewed otherwise.
    pub policy: Policy,
    /// The most certificates of a tenant, where it has a limit.
    pub most: BTreeMap<Arc<str>, usize>,
    /// Names without a certificate get one that no client trusts.
    pub self_signed: bool,
    /// Whether it is seen from here first that a name leads here, before the authority looks.
    pub looks_first: bool,
    /// What is kept serves, and nothing is ordered.
    pub held_back: bool,
}

/// An account that the authority knows from elsewhere (RFC 8555 section 7.3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAccount {
    /// What the authority calls it.
    pub key_id: String,
    /// Shows that we may use it.
    pub mac: Secret,
}

/// Why certificates cannot be got so.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// What a reference names is not there.
    #[error("{field}: {object} is not in namespace {namespace}; create it, or name another one")]
    Absent {
        /// The reference.
        field: String,
        /// What it names.
        object: String,
        /// Where it should be.
        namespace: String,
    },
    /// What a reference names cannot be read.
    #[error("{object} of namespace {namespace} cannot be read: {why}")]
    Unread {
        /// What it names.
        object: String,
        /// Where it is.
        namespace: String,
        /// Why.
        why: String,
    },
    /// An object lacks an entry.
    #[error("{field}: {object} has no entry {key}; it has: {entries}")]
    NoEntry {
        /// The reference.
        field: String,
        /// The object.
        object: String,
        /// The entry.
        key: String,
        /// Those that are there.
        entries: String,
    },
    /// Roots cannot be used.
    #[error("{from}: {why}; give one or more certificates in PEM")]
    Roots {
        /// Where they are from.
        from: String,
        /// What is wrong.
        why: String,
    },
    /// The MAC key of an external account cannot be used.
    #[error(
        "spec.outer.acme.externalAccount.secretRef: the entry is not a key in base64url; write it as the authority gave it"
    )]
    ExternalAccount,
    /// Not exactly one challenge.
    #[error("spec.outer.acme.challenge: choose exactly one of http01, tlsAlpn01 and dns01")]
    Challenge,
    /// Records in DNS cannot be written so.
    #[error("{field}: {why}")]
    Dns {
        /// Where it is said.
        field: String,
        /// What is wrong, and what helps.
        why: String,
    },
}

impl Settings {
    /// As the topology says, with what its references lead to.
    pub fn of(acme: &Acme, material: &Material) -> Result<Self, SettingsError> {
        let without = Self::held_back(acme)?;
        let dns = acme.challenge.dns01.as_ref().map(|spec| dns::dns(spec, material)).transpose()?;
        let external_account = acme.external_account.as_ref().map(|account| {
            let mac = material.external_account.as_ref().and_then(mac_key).ok_or(SettingsError::ExternalAccount)?;
            Ok::<_, SettingsError>(ExternalAccount { key_id: account.key_id.clone(), mac })
        });
        Ok(Self {
            roots: material.roots.as_ref().map(roots).transpose()?,
            external_account: external_account.transpose()?,
            dns,
            held_back: false,
            ..without
        })
    }

    /// Enough to serve what is kept, for as long as what the references lead to cannot be used.
    pub fn held_back(acme: &Acme) -> Result<Self, SettingsError> {
        let chosen = &acme.challenge;
        let challenge = match (&chosen.http01, &chosen.tls_alpn01, &chosen.dns01) {
            (Some(_), None, None) => Challenge::Http01,
            (None, Some(_), None) => Challenge::TlsAlpn01,
            (None, None, Some(_)) => Challenge::Dns01,
            _ => return Err(SettingsError::Challenge),
        };
        let known = WORDS.iter().find(|(word, _)| *word == acme.directory);
        Ok(Self {
            directory: known.map_or_else(|| acme.directory.clone(), |(_, url)| (*url).to_owned()),
            roots: None,
            email: acme.email.clone(),
            external_account: None,
            challenge,
            dns: None,
            profile: acme.profile.clone(),
            preferred_chain: acme.preferred_chain.clone(),
            ask_authority: acme.renewal.is_none_or(|renewal| renewal.ask_authority),
            policy: Policy { remaining_percent: acme.renewal.and_then(|renewal| renewal.remaining_percent) },
            most: BTreeMap::new(),
            self_signed: acme.until_issued == UntilIssued::SelfSigned,
            looks_first: false,
            held_back: true,
        })
    }
}

/// The key of an external account; padding and white space around it do not matter.
fn mac_key(written: &Secret) -> Option<Secret> {
    let text = written.expose().trim_ascii();
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let key = BASE64URL_NOPAD.decode(&text[..end]).ok().filter(|key| !key.is_empty())?;
    Some(Secret::new(key))
}

/// The certificates of a PEM text, which are trusted and no others.
pub(super) fn roots(pem: &Pem) -> Result<RootCertStore, SettingsError> {
    let failed = |why: String| SettingsError::Roots { from: pem.from.clone(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem.text) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}
