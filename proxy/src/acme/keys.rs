//! Keys and what is signed with them here: requests for certificates, the certificates of tls-alpn-01, and those that
//! stand in until there is a real one. Keys are P-256, a new one each time.

use std::sync::Arc;

use bailey_acme::{Secret, challenge};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

/// Why a key or a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    /// Signing failed.
    #[error("cannot sign: {0}")]
    Sign(#[from] rcgen::Error),
    /// The key is not the certificate's.
    #[error("the key does not belong to the certificate: {0}")]
    Mismatch(#[from] rustls::Error),
}

/// A new key, PKCS#8.
pub(super) fn make() -> Result<Secret, KeyError> {
    Ok(Secret::new(KeyPair::generate()?.serialize_der()))
}

fn pair(key: &Secret) -> Result<KeyPair, KeyError> {
    Ok(KeyPair::try_from(&PrivatePkcs8KeyDer::from(key.expose()))?)
}

/// The request for a certificate of one name (PKCS#10, DER).
pub(super) fn request(key: &Secret, host: &str) -> Result<Vec<u8>, KeyError> {
    let mut params = CertificateParams::new(vec![host.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(&pair(key)?)?.der().to_vec())
}

/// The public half, as it stands in certificates.
pub(super) fn public(key: &Secret) -> Result<Vec<u8>, KeyError> {
    Ok(pair(key)?.subject_public_key_info())
}

/// What rustls serves.
pub(super) fn certified(key: &Secret, chain: &[Vec<u8>]) -> Result<Arc<CertifiedKey>, KeyError> {
    let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.expose().to_vec()));
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &crate::tls::provider())?))
}

/// The certificate of tls-alpn-01 (RFC 8737 section 3).
pub(super) fn proof(host: &str, authorization: &str) -> Result<Arc<CertifiedKey>, KeyError> {
    let digest = challenge::digest(authorization);
    self_signed(host, vec![CustomExtension::new_acme_identifier(&digest)])
}

/// A certificate that no client trusts.
pub(super) fn stand_in(host: &str) -> Result<Arc<CertifiedKey>, KeyError> {
    self_signed(host, Vec::new())
}

fn self_signed(host: &str, extensions: Vec<CustomExtension>) -> Result<Arc<CertifiedKey>, KeyError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![host.to_owned()])?;
    params.custom_extensions = extensions;
    let certificate = params.self_signed(&key)?.der().clone();
    // Not `from_der`: it refuses a certificate with a critical extension, and that of a proof must be.
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signing = crate::tls::provider().key_provider.load_private_key(key)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], signing)))
}
