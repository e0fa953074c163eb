//! What a topology asks of its authority.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bailey_acme::names::Challenge;
use bailey_acme::renewal::Policy;
use bailey_crds::topology::{Acme, UntilIssued};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

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
    /// How names are proven.
    pub challenge: Challenge,
    /// The profile that is asked for.
    pub profile: Option<String>,
    /// Whether the authority is asked when to renew.
    pub ask_authority: bool,
    /// When certificates are renewed otherwise.
    pub policy: Policy,
    /// The most certificates of a tenant, where it has a limit.
    pub most: BTreeMap<Arc<str>, usize>,
    /// Names without a certificate get one that no client trusts.
    pub self_signed: bool,
}

/// Why certificates cannot be got so.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The roots cannot be read.
    #[error("{file}: {why}; give a file with one or more certificates in PEM")]
    Roots {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// Something that this version cannot do.
    #[error("{field}: {what} is not supported in this version; {remedy}")]
    Unsupported {
        /// Where it is asked for.
        field: &'static str,
        /// What it is.
        what: &'static str,
        /// What helps.
        remedy: &'static str,
    },
}

impl Settings {
    /// As the topology says.
    pub fn of(acme: &Acme) -> Result<Self, SettingsError> {
        let unsupported = |field, what, remedy| Err(SettingsError::Unsupported { field, what, remedy });
        let challenge = match (&acme.challenge.http01, &acme.challenge.tls_alpn01) {
            (Some(_), _) => Challenge::Http01,
            (None, Some(_)) => Challenge::TlsAlpn01,
            (None, None) => {
                return unsupported("spec.outer.acme.challenge.dns01", "dns-01", "use http01 or tlsAlpn01");
            }
        };
        if acme.external_account.is_some() {
            let field = "spec.outer.acme.externalAccount";
            return unsupported(field, "binding to an account", "use an authority that asks for none");
        }
        let known = WORDS.iter().find(|(word, _)| *word == acme.directory);
        Ok(Self {
            directory: known.map_or_else(|| acme.directory.clone(), |(_, url)| (*url).to_owned()),
            roots: None,
            email: acme.email.clone(),
            challenge,
            profile: acme.profile.clone(),
            ask_authority: acme.renewal.is_none_or(|renewal| renewal.ask_authority),
            policy: Policy { remaining_percent: acme.renewal.and_then(|renewal| renewal.remaining_percent) },
            most: BTreeMap::new(),
            self_signed: acme.until_issued == UntilIssued::SelfSigned,
        })
    }

    /// Trusts the certificates of a PEM file for the directory, and no others.
    pub fn trust(&mut self, file: &Path) -> Result<(), SettingsError> {
        let failed = |why: String| SettingsError::Roots { file: file.display().to_string(), why };
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| failed(error.to_string()))?;
            roots.add(certificate).map_err(|error| failed(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed("there is no certificate in it".to_owned()));
        }
        self.roots = Some(roots);
        Ok(())
    }
}
