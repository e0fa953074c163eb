//! The development CA as the proxy asks it: a certificate for an owned name, at the first handshake that asks for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bailey_proxy::tls::public::CertificateIssuer;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;

use super::authority::Authority;

/// Names that are remembered. The proxy asks only for owned names, so this is a bound on wildcards.
const MAX_NAMES: usize = 10_000;

/// Makes and remembers certificates.
pub struct DevelopmentIssuer {
    authority: Arc<Authority>,
    made: Mutex<HashMap<Box<str>, Arc<CertifiedKey>>>,
}

impl fmt::Debug for DevelopmentIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DevelopmentIssuer")
    }
}

impl DevelopmentIssuer {
    /// Nothing made yet.
    pub fn new(authority: Arc<Authority>) -> Arc<Self> {
        Arc::new(Self { authority, made: Mutex::default() })
    }

    fn make(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let leaf = match self.authority.server(name) {
            Ok(leaf) => leaf,
            Err(error) => {
                tracing::warn!("{error}");
                return None;
            }
        };
        let key = any_supported_type(&leaf.key).ok()?;
        Some(Arc::new(CertifiedKey::new(leaf.chain, key)))
    }
}

impl CertificateIssuer for DevelopmentIssuer {
    fn issue(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(name) {
            return Some(known.clone());
        }
        let new = self.make(name)?;
        if made.len() >= MAX_NAMES {
            made.clear();
        }
        made.insert(name.into(), new.clone());
        Some(new)
    }

    fn issued(&self) -> Vec<Arc<CertifiedKey>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
