//! TLS between the tiers: both ends prove by certificate who they are within one topology.
//!
//! The outer tier accepts only the tenant it means to reach, an inner tier only its topology's outer. A certificate
//! counts if it chains to the topology's own roots and its one URI name is exactly the expected identity; DNS names and
//! the world's certificate authorities mean nothing here. Sessions are never resumed, so that a withdrawn identity is
//! gone with the next connection.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

#[cfg(test)]
mod tests;

/// ALPN name of the link protocol.
pub const ALPN_LINK: &[u8] = b"bailey/1";

/// Why the certificates of a link cannot be used. The ones in use stay in use.
#[derive(Debug, thiserror::Error)]
pub enum LinkTlsError {
    /// The text is not PEM, or holds nothing of the kind.
    #[error("{0} cannot be read as PEM")]
    Pem(&'static str, #[source] rustls::pki_types::pem::Error),
    /// There is no root certificate.
    #[error("there is no root certificate")]
    NoRoot,
    /// Our certificate does not name the identity of this tier.
    #[error("the certificate is not for {0}")]
    WrongIdentity(String),
    /// rustls refused them: wrong key, bad certificate.
    #[error("the certificates cannot be used")]
    Refused(#[source] Error),
    /// The roots cannot verify anybody.
    #[error("the root certificates cannot be used")]
    Roots(#[source] rustls::server::VerifierBuilderError),
}

/// The name of a tier within its topology, as its certificate carries it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(String);

impl Identity {
    /// The outer tier of a topology.
    pub fn outer(topology: &str) -> Self {
        Self(format!("bailey://{topology}/outer"))
    }

    /// The inner tier of a tenant.
    pub fn tenant(topology: &str, tenant: &str) -> Self {
        Self(format!("bailey://{topology}/tenant/{tenant}"))
    }

    /// Whether this is the one URI name of a certificate.
    pub fn is_named_by(&self, certificate: &CertificateDer<'_>) -> bool {
        let Ok((rest, parsed)) = X509Certificate::from_der(certificate) else { return false };
        let Ok(Some(names)) = parsed.subject_alternative_name() else { return false };
        let mut uris = names.value.general_names.iter().filter_map(|name| {
            let GeneralName::URI(uri) = name else { return None };
            Some(*uri)
        });
        rest.is_empty() && uris.next() == Some(self.0.as_str()) && uris.next().is_none()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The certificates of one tier for its links; may be replaced while running.
pub struct LinkTls {
    topology: String,
    own: Identity,
    material: ArcSwap<Material>,
}

struct Material {
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// For an inner tier: who may dial in.
    server: Arc<ServerConfig>,
    /// For an outer tier: one configuration per tenant that was dialled.
    clients: Mutex<HashMap<Box<str>, Arc<ClientConfig>>>,
}

impl fmt::Debug for LinkTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkTls").field("own", &self.own).finish_non_exhaustive()
    }
}

impl LinkTls {
    /// Reads the PEM files of a tier: the topology's roots, the tier's chain, its key. `own` must be what the
    /// certificate says.
    pub fn new(topology: &str, own: Identity, roots: &[u8], chain: &[u8], key: &[u8]) -> Result<Self, LinkTlsError> {
        let material = ArcSwap::from_pointee(Material::read(topology, &own, roots, chain, key)?);
        Ok(Self { topology: topology.to_owned(), own, material })
    }

    /// Replaces the certificates. Connections that exist go on.
    pub fn reload(&self, roots: &[u8], chain: &[u8], key: &[u8]) -> Result<(), LinkTlsError> {
        self.material.store(Arc::new(Material::read(&self.topology, &self.own, roots, chain, key)?));
        Ok(())
    }

    /// When our certificate ends, in seconds since 1970; `None`: it does not say.
    pub fn not_after(&self) -> Option<i64> {
        let material = self.material.load();
        let (_, leaf) = X509Certificate::from_der(material.chain.first()?).ok()?;
        Some(leaf.validity().not_after.timestamp())
    }

    /// For an inner tier: accepts only the outer tier of this topology.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.material.load().server.clone()
    }

    /// For an outer tier: accepts only this tenant's inner tier.
    pub fn client(&self, tenant: &str) -> Result<Arc<ClientConfig>, LinkTlsError> {
        let material = self.material.load();
        let mut clients = material.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get(tenant) {
            return Ok(known.clone());
        }
        let made = Arc::new(material.make_client(Identity::tenant(&self.topology, tenant))?);
        clients.insert(tenant.into(), made.clone());
        Ok(made)
    }

    /// The name to dial with. It is neither sent nor checked: the identity is.
    pub fn server_name() -> ServerName<'static> {
        ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
    }
}

impl Material {
    fn read(topology: &str, own: &Identity, roots: &[u8], chain: &[u8], key: &[u8]) -> Result<Self, LinkTlsError> {
        let mut store = RootCertStore::empty();
        for root in certificates(roots, "the root certificate")? {
            store.add(root).map_err(LinkTlsError::Refused)?;
        }
        if store.is_empty() {
            return Err(LinkTlsError::NoRoot);
        }
        let chain = certificates(chain, "the certificate")?;
        if !chain.first().is_some_and(|leaf| own.is_named_by(leaf)) {
            return Err(LinkTlsError::WrongIdentity(own.to_string()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| LinkTlsError::Pem("the key", error))?;
        let roots = Arc::new(store);
        let server = make_server(Identity::outer(topology), roots.clone(), chain.clone(), key.clone_key())?;
        Ok(Self { roots, chain, key, server: Arc::new(server), clients: Mutex::default() })
    }

    fn make_client(&self, peer: Identity) -> Result<ClientConfig, LinkTlsError> {
        let provider = super::provider();
        let verifier = PeerIsTenant { identity: peer, roots: self.roots.clone(), provider: provider.clone() };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(LinkTlsError::Refused)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(LinkTlsError::Refused)?;
        config.alpn_protocols = vec![ALPN_LINK.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(config)
    }
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, LinkTlsError> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| LinkTlsError::Pem(what, error))
}

fn make_server(
    peer: Identity,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, LinkTlsError> {
    let provider = super::provider();
    let chains =
        WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build().map_err(LinkTlsError::Roots)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(LinkTlsError::Refused)?
        .with_client_cert_verifier(Arc::new(PeerIsOuter { identity: peer, chains }))
        .with_single_cert(chain, key)
        .map_err(LinkTlsError::Refused)?;
    config.alpn_protocols = vec![ALPN_LINK.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Whether the other end of a completed handshake speaks the link protocol.
pub fn check_alpn(connection: &rustls::CommonState) -> io::Result<()> {
    if connection.alpn_protocol() == Some(ALPN_LINK) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the peer does not speak the link protocol"))
}

fn require(identity: &Identity, certificate: &CertificateDer<'_>) -> Result<(), Error> {
    if identity.is_named_by(certificate) {
        return Ok(());
    }
    Err(Error::InvalidCertificate(CertificateError::NotValidForName))
}

/// At an inner tier: the client is the outer tier of this topology.
#[derive(Debug)]
struct PeerIsOuter {
    identity: Identity,
    chains: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for PeerIsOuter {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chains.verify_client_cert(leaf, intermediates, now)?;
        require(&self.identity, leaf)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// At the outer tier: the server is the inner tier of this tenant.
#[derive(Debug)]
struct PeerIsTenant {
    identity: Identity,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PeerIsTenant {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let parsed = ParsedCertificate::try_from(leaf)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        require(&self.identity, leaf)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("the link speaks TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
