//! TLS on both sides of a tier: the public side with its certificates by name, the link with its identities.
//!
//! Decides who is let in and which certificate is shown; never falls back to a default. Moves no bytes.

pub mod link;
pub mod public;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The one cryptography provider of the process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use std::sync::OnceLock;
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())).clone()
}
