use super::*;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::client::Resumption;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{AlertDescription, ClientConfig, HandshakeKind, RootCertStore};
use tokio::net::TcpListener;

use crate::timer::Wheel;

const HANDSHAKE: Duration = Duration::from_secs(10);

/// Owners by name, which a test may change; the issuer makes what is missing and counts.
#[derive(Debug)]
struct Owners(RwLock<HashMap<String, OwnedName>>);

impl CertificateIndex for Owners {
    fn find(&self, name: &str) -> Option<OwnedName> {
        self.0.read().unwrap().get(name).cloned()
    }
}

#[derive(Debug)]
struct Issuer(Arc<CertifiedKey>, AtomicUsize);

impl CertificateIssuer for Issuer {
    fn issue(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        (name != "refused.test").then(|| self.0.clone())
    }
}

struct Site {
    tls: PublicTls,
    owners: Arc<Owners>,
    issuer: Arc<Issuer>,
    client: ClientConfig,
}

fn site(names: &[(&str, &str)]) -> Site {
    let all: Vec<String> = names.iter().map(|(name, _)| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(all).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let provider = super::super::provider();
    let key = Arc::new(CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).unwrap());
    let owned = |tenant: &str| OwnedName { tenant: tenant.into(), certificate: None };
    let owners = names.iter().map(|(name, tenant)| ((*name).to_owned(), owned(tenant))).collect();
    let owners = Arc::new(Owners(RwLock::new(owners)));
    let issuer = Arc::new(Issuer(key, AtomicUsize::new(0)));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
    Site { tls: PublicTls::new(owners.clone(), Some(issuer.clone())), owners, issuer, client }
}

impl Site {
    /// One connection: what the server made of it, and the client's end or its error.
    async fn connect(
        &self,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> (Result<Handshaken, HandshakeError>, io::Result<Io>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(connect, listener.accept());
        let wheel = Wheel::manual();
        let deadline = wheel.deadline();
        let dial = Session::client(config.clone(), name.to_owned().try_into().unwrap()).unwrap();
        let mut client = Io::tls(client.unwrap(), dial);
        let accepting = async {
            let mut accepted = self.tls.accept(server.unwrap().0, &deadline, HANDSHAKE).await?;
            accepted.io.queue(b"hello");
            poll_fn(|cx| accepted.io.poll_flush(cx)).await.map_err(HandshakeError::Failed)?;
            Ok(accepted)
        };
        let dialling = async {
            poll_fn(|cx| client.poll_handshake(cx)).await?;
            let mut buf = BytesMut::new();
            poll_fn(|cx| client.poll_read(cx, &mut buf, 1024)).await?;
            Ok(client)
        };
        tokio::join!(accepting, dialling)
    }
}

fn alert(result: io::Result<Io>) -> AlertDescription {
    let error = result.err().unwrap();
    let error = error.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
    let rustls::Error::AlertReceived(alert) = error else { panic!("{error}") };
    *alert
}

#[tokio::test]
async fn an_owned_name_gets_its_certificate_and_http2() {
    let site = site(&[("a.test", "a")]);
    let (server, client) = site.connect("A.test", &Arc::new(site.client.clone())).await;
    let server = server.unwrap();
    assert!(client.is_ok());
    assert_eq!((&*server.name, server.h2, server.tls13), ("a.test", true, true));
    assert!(site.issuer.1.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn tls_1_2_is_served_too() {
    let site = site(&[("a.test", "a")]);
    let mut config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
    // The client trusts nobody here, so the handshake fails on its side, with our certificate in hand.
    let (_, client) = site.connect("a.test", &Arc::new(config)).await;
    let error = client.err().unwrap();
    let error = error.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
    assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error}");
}

#[tokio::test]
async fn t8_an_unknown_name_or_none_gets_an_alert_and_no_certificate() {
    let site = site(&[("a.test", "a")]);
    let (server, client) = site.connect("b.test", &Arc::new(site.client.clone())).await;
    assert!(matches!(server, Err(HandshakeError::UnknownName)));
    assert_eq!(alert(client), AlertDescription::UnrecognisedName);
    let (server, client) = site.connect("127.0.0.1", &Arc::new(site.client.clone())).await;
    assert!(matches!(server, Err(HandshakeError::UnknownName)));
    assert_eq!(alert(client), AlertDescription::UnrecognisedName);
}

#[tokio::test]
async fn a_name_whose_certificate_cannot_be_made_is_refused() {
    let site = site(&[("refused.test", "a")]);
    let (server, client) = site.connect("refused.test", &Arc::new(site.client.clone())).await;
    assert!(matches!(server, Err(HandshakeError::NoCertificate)));
    assert_eq!(alert(client), AlertDescription::UnrecognisedName);
}

#[tokio::test]
async fn an_unknown_application_protocol_gets_an_alert() {
    let site = site(&[("a.test", "a")]);
    let mut config = site.client.clone();
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    let (server, client) = site.connect("a.test", &Arc::new(config)).await;
    assert!(matches!(server, Err(HandshakeError::Failed(_))));
    assert_eq!(alert(client), AlertDescription::NoApplicationProtocol);
}

#[tokio::test]
async fn t9_a_session_is_resumed_only_with_the_tenant_that_gave_the_ticket() {
    let site = site(&[("a.test", "a")]);
    let mut config = site.client.clone();
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    let mut kinds = Vec::new();
    for round in 0..3 {
        if round == 2 {
            let moved = OwnedName { tenant: "b".into(), certificate: None };
            site.owners.0.write().unwrap().insert("a.test".into(), moved);
        }
        let (_server, client) = site.connect("a.test", &config).await;
        kinds.push(client.unwrap().connection().unwrap().handshake_kind().unwrap());
    }
    assert_eq!(kinds[1], HandshakeKind::Resumed);
    assert_ne!(kinds[2], HandshakeKind::Resumed);
}

#[tokio::test]
async fn a_slow_client_is_cut_off() {
    let site = site(&[("a.test", "a")]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = TcpStream::connect(listener.local_addr().unwrap());
    let (_client, server) = tokio::join!(connect, listener.accept());
    let wheel = Wheel::manual();
    let deadline = wheel.deadline();
    let pass = async {
        tokio::task::yield_now().await;
        wheel.advance_to(200);
    };
    let (result, ()) = tokio::join!(site.tls.accept(server.unwrap().0, &deadline, HANDSHAKE), pass);
    assert!(matches!(result, Err(HandshakeError::Timeout)));
}
