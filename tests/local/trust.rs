//! An inner tier talks to its own topology's outer tier and to nobody else.

use std::net::SocketAddr;
use std::sync::Arc;

use bailey::up::authority::Authority;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::folder::two_tenants;

#[derive(Debug)]
struct Anybody(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the inner tier lets a caller with this certificate in: it then sends its HELLO.
async fn is_let_in(inner: SocketAddr, certificate: Option<(&Authority, &str)>) -> bool {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some((authority, identity)) => {
            let leaf = authority.tier(identity).unwrap();
            builder.with_client_auth_cert(leaf.chain, leaf.key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"bailey/1".to_vec()];
    let tcp = TcpStream::connect(inner).await.unwrap();
    let name = ServerName::try_from("inner.invalid").unwrap();
    let Ok(mut tls) = TlsConnector::from(Arc::new(config)).connect(name, tcp).await else { return false };
    matches!(tls.read(&mut [0; 64]).await, Ok(1..))
}

#[tokio::test]
async fn only_the_topologys_own_outer_tier_is_let_in() {
    let running = two_tenants().await;
    let inner = running.local.inner("main", "a").unwrap();
    let own = running.local.link_authority("main").unwrap();
    let foreign = Authority::link("other").unwrap();
    assert!(is_let_in(inner, Some((own, "bailey://main/outer"))).await, "the control: the right certificate is let in");
    assert!(!is_let_in(inner, None).await, "no certificate");
    assert!(!is_let_in(inner, Some((own, "bailey://main/tenant/b"))).await, "another tenant's inner tier");
    assert!(!is_let_in(inner, Some((own, "bailey://other/outer"))).await, "another topology's name");
    assert!(!is_let_in(inner, Some((&foreign, "bailey://main/outer"))).await, "another topology's CA");
}

#[tokio::test]
async fn an_inner_tier_does_not_speak_plain_http() {
    use tokio::io::AsyncWriteExt as _;
    let running = two_tenants().await;
    let mut tcp = TcpStream::connect(running.local.inner("main", "a").unwrap()).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{:?}", String::from_utf8_lossy(&answer));
}
