use super::*;
use std::future::poll_fn;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tokio::net::{TcpListener, TcpStream};

use crate::io::{Io, Session};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn leaf(&self, uris: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn tier(&self, topology: &str, own: Identity) -> LinkTls {
        let (chain, key) = self.leaf(&[&own.0]);
        LinkTls::new(topology, own, self.0.pem().as_bytes(), chain.as_bytes(), key.as_bytes()).unwrap()
    }
}

/// Whether a link of `outer` to what it takes for tenant `a` comes about, seen from both ends.
async fn link(outer: &LinkTls, inner: &LinkTls) -> (bool, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = TcpStream::connect(listener.local_addr().unwrap());
    let (client, server) = tokio::join!(connect, listener.accept());
    let dial = Session::client(outer.client("a").unwrap(), LinkTls::server_name()).unwrap();
    let mut client = Io::tls(client.unwrap(), dial);
    let mut server = Io::tls(server.unwrap().0, Session::server(inner.server()).unwrap());
    let dialling = async {
        poll_fn(|cx| client.poll_handshake(cx)).await?;
        check_alpn(client.connection().unwrap())?;
        // The server's verdict on our certificate comes after our handshake is complete.
        let mut buf = bytes::BytesMut::new();
        client.queue(b"x");
        poll_fn(|cx| client.poll_flush(cx)).await?;
        poll_fn(|cx| client.poll_read(cx, &mut buf, 1024)).await
    };
    let accepting = async {
        poll_fn(|cx| server.poll_handshake(cx)).await?;
        check_alpn(server.connection().unwrap())?;
        server.queue(b"x");
        poll_fn(|cx| server.poll_flush(cx)).await
    };
    let (dialled, accepted) = tokio::join!(dialling, accepting);
    (dialled.is_ok(), accepted.is_ok())
}

#[tokio::test]
async fn the_outer_reaches_the_tenant_it_means() {
    let ca = Authority::new();
    let (outer, inner) = (ca.tier("main", Identity::outer("main")), ca.tier("main", Identity::tenant("main", "a")));
    assert_eq!(link(&outer, &inner).await, (true, true));
}

#[tokio::test]
async fn another_tenant_is_refused_by_the_outer() {
    let ca = Authority::new();
    let (outer, inner) = (ca.tier("main", Identity::outer("main")), ca.tier("main", Identity::tenant("main", "b")));
    assert_eq!(link(&outer, &inner).await, (false, false));
}

#[tokio::test]
async fn a_tenant_cannot_dial_another_tenant() {
    let ca = Authority::new();
    let (caller, inner) =
        (ca.tier("main", Identity::tenant("main", "b")), ca.tier("main", Identity::tenant("main", "a")));
    assert_eq!(link(&caller, &inner).await, (false, false));
}

#[tokio::test]
async fn the_outer_of_another_topology_is_refused_by_name_and_by_root() {
    let (ca, other) = (Authority::new(), Authority::new());
    let inner = ca.tier("main", Identity::tenant("main", "a"));
    assert!(!link(&other.tier("main", Identity::outer("main")), &inner).await.1);
    let foreign = LinkTls { topology: "main".into(), ..ca.tier("spare", Identity::outer("spare")) };
    assert!(!link(&foreign, &inner).await.1);
}

#[tokio::test]
async fn reloaded_certificates_serve_the_next_connection() {
    let (ca, next) = (Authority::new(), Authority::new());
    let (outer, inner) = (next.tier("main", Identity::outer("main")), ca.tier("main", Identity::tenant("main", "a")));
    assert!(!link(&outer, &inner).await.0);
    let (chain, key) = next.leaf(&["bailey://main/tenant/a"]);
    inner.reload(next.0.pem().as_bytes(), chain.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(link(&outer, &inner).await, (true, true));
}

#[test]
fn an_identity_is_exactly_one_uri_name() {
    let ca = Authority::new();
    let named = |uris: &[&str]| {
        let (pem, _) = ca.leaf(uris);
        Identity::outer("main").is_named_by(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
    };
    assert!(named(&["bailey://main/outer"]));
    assert!(!named(&["bailey://main/outer", "bailey://main/tenant/a"]));
    assert!(!named(&["bailey://main/tenant/a"]));
    assert!(!named(&["bailey://main/outerx"]));
    assert!(!named(&["bailey://MAIN/outer"]));
    assert!(!named(&[]));
}

#[test]
fn unusable_material_is_refused_with_its_reason() {
    let ca = Authority::new();
    let (chain, key) = ca.leaf(&["bailey://main/tenant/a"]);
    let (_, other_key) = ca.leaf(&["bailey://main/tenant/a"]);
    let own = Identity::tenant("main", "a");
    let roots = ca.0.pem();
    let new = |own: &Identity, roots: &str, key: &str| {
        LinkTls::new("main", own.clone(), roots.as_bytes(), chain.as_bytes(), key.as_bytes())
    };
    assert!(matches!(new(&own, "", &key), Err(LinkTlsError::NoRoot)));
    assert!(matches!(new(&own, &roots, "no key"), Err(LinkTlsError::Pem("the key", _))));
    assert!(matches!(new(&own, &roots, &other_key), Err(LinkTlsError::Refused(_))));
    assert!(matches!(new(&Identity::outer("main"), &roots, &key), Err(LinkTlsError::WrongIdentity(_))));
}
