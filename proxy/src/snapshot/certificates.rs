//! The certificates of a snapshot: read from TLS Secrets, checked, and found by server name. A certificate that cannot be
//! used is a diagnostic and harms no other. Keys are held in rustls' own types only, which print nothing.

mod shown;

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bailey_routing::RouteTable;
use bailey_routing::ir::{CertificateRef, HostPattern, Listener};
use bailey_translate::{Code, Diagnostic, Objects};
use k8s_openapi::api::core::v1::Secret;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

pub use shown::Shown;

/// All certificates that listeners name.
#[derive(Default)]
pub struct Certificates {
    by_ref: HashMap<CertificateRef, Arc<Loaded>>,
}

/// A certificate that can be used.
struct Loaded {
    /// Of the PEM texts: an unchanged Secret is not parsed again.
    digest: u64,
    names: Box<[HostPattern]>,
    key: Arc<CertifiedKey>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_ref.keys()).finish()
    }
}

/// Why a Secret is not a certificate that can be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0} holds no PEM of the right kind")]
    Pem(&'static str),
    #[error("the key does not belong to the certificate, or is of a kind that is not supported: {0}")]
    Key(rustls::Error),
    #[error("the certificate cannot be parsed")]
    Certificate,
    #[error("the certificate names no host (subjectAltName)")]
    NoNames,
}

impl Certificates {
    /// Reads the certificates that the listeners of `table` name, taking over what has not changed.
    pub(super) fn load(objects: &Objects, table: &RouteTable, previous: &Self, problems: &mut Vec<Diagnostic>) -> Self {
        let mut by_ref = HashMap::new();
        for (_, listener) in table.listeners() {
            for reference in &listener.certificates {
                if by_ref.contains_key(reference) {
                    continue;
                }
                // Translation has reported a Secret that is not there.
                let Some(secret) = objects.get::<Secret>(&reference.namespace, &reference.name) else { continue };
                match read(&secret.object, previous.by_ref.get(reference)) {
                    Ok(loaded) => drop(by_ref.insert(reference.clone(), loaded)),
                    Err(why) => problems.push(Diagnostic {
                        object: secret.reference(),
                        field: "data".to_owned(),
                        code: Code::CertificateUnusable,
                        message: format!("Secret {}/{}: {why}", reference.namespace, reference.name),
                        remedy: "put a PEM chain into tls.crt, leaf first, and its PEM key into tls.key".to_owned(),
                        location: secret.location.clone(),
                    }),
                }
            }
        }
        Self { by_ref }
    }

    /// The certificate of `listener` for a canonical server name: the first in the user's order that names the host, the
    /// exact name before a wildcard. `None`: there is none, and no other may stand in for it.
    pub fn choose(&self, listener: &Listener, name: &str) -> Option<Arc<CertifiedKey>> {
        self.choice(listener, name).map(|(_, key)| key)
    }

    /// The same, with the object it comes from.
    pub fn choice<'l>(&self, listener: &'l Listener, name: &str) -> Option<(&'l CertificateRef, Arc<CertifiedKey>)> {
        let usable = || listener.certificates.iter().filter_map(|at| self.by_ref.get(at).map(|loaded| (at, loaded)));
        let exact = usable().find(|(_, loaded)| {
            loaded.names.iter().any(|host| matches!(host, HostPattern::Exact(exact) if **exact == *name))
        });
        let covered = || usable().find(|(_, loaded)| loaded.names.iter().any(|host| covers(host, name)));
        exact.or_else(covered).map(|(at, loaded)| (at, loaded.key.clone()))
    }

    /// Whether every certificate that a listener names can be used.
    pub fn has_all(&self, listener: &Listener) -> bool {
        listener.certificates.iter().all(|reference| self.by_ref.contains_key(reference))
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.by_ref.is_empty()
    }

    /// What may be shown of all of them, by name.
    pub fn shown(&self) -> Vec<Shown> {
        let source = |reference: &CertificateRef| format!("Secret {}/{}", reference.namespace, reference.name);
        let shown = |(reference, loaded): (&CertificateRef, &Arc<Loaded>)| Shown::of(&loaded.key, &source(reference));
        let mut all: Vec<Shown> = self.by_ref.iter().filter_map(shown).collect();
        all.sort_by(|a, b| (&a.names, &a.source).cmp(&(&b.names, &b.source)));
        all
    }

    /// Equal certificates have equal digests.
    pub fn digest(&self) -> u64 {
        // A sum, since the map has no order.
        self.by_ref.iter().fold(0, |sum, (reference, loaded)| {
            let mut hasher = DefaultHasher::new();
            (reference, loaded.digest).hash(&mut hasher);
            sum.wrapping_add(hasher.finish())
        })
    }
}

/// A wildcard in a certificate stands for exactly one label (RFC 9525 6.3), unlike one in a route.
fn covers(pattern: &HostPattern, name: &str) -> bool {
    match pattern {
        HostPattern::Exact(exact) => **exact == *name,
        HostPattern::Wildcard(suffix) => {
            name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && *rest == **suffix)
        }
        HostPattern::Any => false,
    }
}

fn entry<'a>(secret: &'a Secret, key: &str) -> &'a [u8] {
    let text = secret.string_data.as_ref().and_then(|data| data.get(key)).map(String::as_bytes);
    let data = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice());
    text.or(data).unwrap_or_default()
}

fn read(secret: &Secret, known: Option<&Arc<Loaded>>) -> Result<Arc<Loaded>, Unusable> {
    let (chain, key) = (entry(secret, "tls.crt"), entry(secret, "tls.key"));
    let mut hasher = DefaultHasher::new();
    (chain, key).hash(&mut hasher);
    let digest = hasher.finish();
    if let Some(known) = known.filter(|known| known.digest == digest) {
        return Ok(known.clone());
    }
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|_| Unusable::Pem("tls.crt"))?;
    let names = names_of(chain.first().ok_or(Unusable::Pem("tls.crt"))?)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unusable::Pem("tls.key"))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = CertifiedKey::from_der(chain, key, &provider).map_err(Unusable::Key)?;
    Ok(Arc::new(Loaded { digest, names, key: Arc::new(key) }))
}

fn names_of(leaf: &CertificateDer<'_>) -> Result<Box<[HostPattern]>, Unusable> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| Unusable::Certificate)?;
    let names = certificate.subject_alternative_name().map_err(|_| Unusable::Certificate)?.ok_or(Unusable::NoNames)?;
    let hosts = names.value.general_names.iter().filter_map(|name| {
        let GeneralName::DNSName(host) = name else { return None };
        Some(HostPattern::parse(host))
    });
    let hosts: Box<[HostPattern]> = hosts.collect();
    if hosts.is_empty() { Err(Unusable::NoNames) } else { Ok(hosts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_of_a_certificate_stands_for_one_label() {
        let pattern = HostPattern::parse("*.example.com");
        assert!(covers(&pattern, "a.example.com"));
        for other in ["example.com", "b.a.example.com", ".example.com", "a.example.org"] {
            assert!(!covers(&pattern, other), "{other}");
        }
    }
}
