//! TLS towards clients: strict server names, certificates from the snapshot, tickets that belong to one tenant.
//!
//! A name that nobody owns, or no name at all, gets the alert `unrecognized_name` and sees no certificate. Each tenant
//! has its own ticket keys, so that a ticket of one tenant is noise to another; rustls binds it to the name as well.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{Accepted, Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ProtocolVersion, ServerConfig};
use tokio::net::TcpStream;

use crate::io::{Io, Session};
use crate::timer::Deadline;

#[cfg(test)]
mod tests;

/// ALPN name of HTTP/2.
pub const ALPN_H2: &[u8] = b"h2";
/// ALPN name of HTTP/1.1.
pub const ALPN_HTTP1: &[u8] = b"http/1.1";
/// ALPN name by which an ACME authority asks for a proof (RFC 8737).
const ALPN_ACME: &[u8] = b"acme-tls/1";

/// The fatal alert `unrecognized_name` (RFC 6066 section 3) as a record; legal in plain text before our first answer.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A server name that somebody owns.
#[derive(Clone, Debug)]
pub struct OwnedName {
    /// The tenant it belongs to.
    pub tenant: Arc<str>,
    /// Its certificate; `None` while there is none yet.
    pub certificate: Option<Arc<CertifiedKey>>,
}

/// Finds the owner and the certificate of a server name; the snapshot implements it.
pub trait CertificateIndex: Send + Sync + fmt::Debug {
    /// Looks up a canonical name: lower case, no trailing dot. `None`: nobody owns it.
    fn find(&self, name: &str) -> Option<OwnedName>;
}

/// Makes a certificate for an owned name that has none (local mode: the development CA). Called on a worker's thread
/// within a handshake, so it must be quick, and remember what it has made.
pub trait CertificateIssuer: Send + Sync + fmt::Debug {
    /// A certificate for this canonical name, or `None` to refuse.
    fn issue(&self, name: &str) -> Option<Arc<CertifiedKey>>;

    /// The certificate that proves to an ACME authority that this canonical name is ours (RFC 8737); `None`: nobody asked
    /// for one.
    fn challenge(&self, _name: &str) -> Option<Arc<CertifiedKey>> {
        None
    }

    /// Where its certificates come from, for people.
    fn origin(&self) -> &'static str {
        "made by the development CA at the first handshake"
    }

    /// What it has made and remembers.
    fn issued(&self) -> Vec<Arc<CertifiedKey>> {
        Vec::new()
    }
}

/// Why a client did not get through the handshake.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// No server name, or one that nobody here owns.
    #[error("the client named no server of ours")]
    UnknownName,
    /// The name is known, but has no certificate.
    #[error("no certificate for the name the client asked for")]
    NoCertificate,
    /// It took too long.
    #[error("the handshake took too long")]
    Timeout,
    /// The client left or broke the protocol.
    #[error("the handshake failed")]
    Failed(#[source] io::Error),
    /// An ACME authority has seen the proof it wanted, and wants nothing more (RFC 8737 section 3).
    #[error("an ACME authority has looked at its proof")]
    Proven,
    /// rustls refused our own configuration.
    #[error("the configuration of TLS was refused")]
    Configuration(#[source] rustls::Error),
}

/// What came out of a handshake.
pub struct Handshaken {
    /// The connection.
    pub io: Io,
    /// The server name, canonical.
    pub name: Box<str>,
    /// The client chose HTTP/2.
    pub h2: bool,
    /// TLS 1.3 rather than 1.2.
    pub tls13: bool,
}

/// The public TLS state of one process, shared by its workers.
#[derive(Debug)]
pub struct PublicTls {
    names: Arc<Names>,
    by_tenant: RwLock<HashMap<Arc<str>, Arc<ServerConfig>>>,
}

#[derive(Debug)]
struct Names {
    index: Arc<dyn CertificateIndex>,
    issuer: Option<Arc<dyn CertificateIssuer>>,
}

impl Names {
    fn certificate(&self, owned: OwnedName, name: &str) -> Option<Arc<CertifiedKey>> {
        owned.certificate.or_else(|| self.issuer.as_ref()?.issue(name))
    }
}

impl PublicTls {
    /// TLS for the names of `index`; `issuer` may make the certificates that are missing.
    pub fn new(index: Arc<dyn CertificateIndex>, issuer: Option<Arc<dyn CertificateIssuer>>) -> Self {
        Self { names: Arc::new(Names { index, issuer }), by_tenant: RwLock::default() }
    }

    /// Drops what is kept of tenants that are gone. Tickets of those that stay keep working.
    pub fn retain_tenants(&self, keep: impl Fn(&str) -> bool) {
        self.by_tenant.write().unwrap_or_else(PoisonError::into_inner).retain(|tenant, _| keep(tenant));
    }

    /// Does the server's side of the handshake within `limit`. `deadline` is armed here and left disarmed.
    pub async fn accept(
        &self,
        stream: TcpStream,
        deadline: &Deadline,
        limit: Duration,
    ) -> Result<Handshaken, HandshakeError> {
        deadline.set(limit);
        let result = self.accept_within(stream, deadline).await;
        deadline.clear();
        result
    }

    async fn accept_within(&self, stream: TcpStream, deadline: &Deadline) -> Result<Handshaken, HandshakeError> {
        let mut opening = Opening { stream, acceptor: Acceptor::default(), read: BytesMut::new() };
        let hello = within(deadline, |cx| opening.poll_hello(cx)).await?;
        let (name, config) = match self.choose(&hello) {
            Ok(chosen) => chosen,
            Err(error) => {
                // Eight bytes into an empty socket buffer; if even they do not fit, the close says enough.
                let _ = opening.stream.try_write(&UNRECOGNIZED_NAME);
                return Err(error);
            }
        };
        drop(hello);
        let session = match Session::server_after(config, opening.read) {
            Ok(session) => session,
            Err(refused) => {
                let _ = opening.stream.try_write(&refused.alert);
                return Err(HandshakeError::Failed(refused.error));
            }
        };
        let mut io = Io::tls(opening.stream, session);
        within(deadline, |cx| io.poll_handshake(cx)).await?;
        let (h2, tls13) = match io.connection() {
            Some(tls) if tls.alpn_protocol() == Some(ALPN_ACME) => return Err(HandshakeError::Proven),
            Some(tls) => {
                (tls.alpn_protocol() == Some(ALPN_H2), tls.protocol_version() == Some(ProtocolVersion::TLSv1_3))
            }
            None => (false, false),
        };
        Ok(Handshaken { io, name, h2, tls13 })
    }

    fn choose(&self, hello: &Accepted) -> Result<(Box<str>, Arc<ServerConfig>), HandshakeError> {
        let name = canonical(hello.client_hello().server_name().ok_or(HandshakeError::UnknownName)?);
        let owned = self.names.index.find(&name).ok_or(HandshakeError::UnknownName)?;
        if hello.client_hello().alpn().is_some_and(|mut offered| offered.any(|one| one == ALPN_ACME)) {
            let proof = self.names.issuer.as_ref().and_then(|issuer| issuer.challenge(&name));
            let proof = proof.ok_or(HandshakeError::NoCertificate)?;
            return Ok((name, Arc::new(proving(proof).map_err(HandshakeError::Configuration)?)));
        }
        let tenant = owned.tenant.clone();
        self.names.certificate(owned, &name).ok_or(HandshakeError::NoCertificate)?;
        Ok((name, self.config(&tenant)?))
    }

    fn config(&self, tenant: &Arc<str>) -> Result<Arc<ServerConfig>, HandshakeError> {
        if let Some(known) = self.by_tenant.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return Ok(known.clone());
        }
        let made = Arc::new(self.make_config(tenant).map_err(HandshakeError::Configuration)?);
        let mut configs = self.by_tenant.write().unwrap_or_else(PoisonError::into_inner);
        Ok(configs.entry(tenant.clone()).or_insert(made).clone())
    }

    fn make_config(&self, tenant: &Arc<str>) -> Result<ServerConfig, rustls::Error> {
        let resolver = TenantResolver { names: self.names.clone(), tenant: tenant.clone() };
        let mut config = ServerConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
        config.ticketer = Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        Ok(config)
    }
}

/// Shows one certificate, to an authority that speaks of nothing else.
fn proving(certificate: Arc<CertifiedKey>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate)));
    config.alpn_protocols = vec![ALPN_ACME.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// Shows certificates of one tenant only, whatever the index says by the time it is asked again.
#[derive(Debug)]
struct TenantResolver {
    names: Arc<Names>,
    tenant: Arc<str>,
}

impl ResolvesServerCert for TenantResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = canonical(hello.server_name()?);
        let owned = self.names.index.find(&name).filter(|owned| owned.tenant == self.tenant)?;
        self.names.certificate(owned, &name)
    }
}

/// A connection before its `ClientHello` is complete.
struct Opening {
    stream: TcpStream,
    acceptor: Acceptor,
    /// What the acceptor has read: the session begins with it once its configuration is chosen.
    read: BytesMut,
}

impl Opening {
    fn poll_hello(&mut self, cx: &mut std::task::Context<'_>) -> Poll<io::Result<Accepted>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.acceptor.read_tls(&mut Reading { stream: &self.stream, read: &mut self.read }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Poll::Ready(Err(error)),
            }
            match self.acceptor.accept() {
                Ok(Some(hello)) => return Poll::Ready(Ok(hello)),
                Ok(None) => {}
                Err((error, mut alert)) => {
                    let mut bytes = Vec::new();
                    let _ = alert.write_all(&mut bytes);
                    let _ = self.stream.try_write(&bytes);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
            }
        }
    }
}

/// Reads from the socket and remembers what it read.
struct Reading<'a> {
    stream: &'a TcpStream,
    read: &'a mut BytesMut,
}

impl io::Read for Reading<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.try_read(into)?;
        self.read.extend_from_slice(&into[..count]);
        Ok(count)
    }
}

async fn within<T>(
    deadline: &Deadline,
    mut poll: impl FnMut(&mut std::task::Context<'_>) -> Poll<io::Result<T>>,
) -> Result<T, HandshakeError> {
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = poll(cx) {
            return Poll::Ready(done.map_err(HandshakeError::Failed));
        }
        deadline.poll_expired(cx).map(|()| Err(HandshakeError::Timeout))
    })
    .await
}

/// The one spelling of a server name that owners are looked up by.
pub fn canonical(name: &str) -> Box<str> {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into_boxed_str()
}
