//! A socket to an inner tier, with the handshake behind it: who may be at the other end is decided in `tls`.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::io::{Io, Session};
use crate::tls::link::{LinkTls, check_alpn};
use crate::upstream::UpstreamError;

/// How links are protected.
#[derive(Clone)]
pub enum LinkSecurity {
    /// Mutual TLS with the topology's certificates.
    Tls(Arc<LinkTls>),
    /// Not at all. Benchmarks and tests.
    #[cfg(any(test, feature = "plaintext-link"))]
    Plain,
}

/// Connects and, where there is TLS, makes sure that the other end is the tenant's tier.
pub(crate) async fn dial(security: &LinkSecurity, tenant: &str, address: SocketAddr) -> Result<Io, UpstreamError> {
    let stream = TcpStream::connect(address).await.map_err(|error| UpstreamError::ConnectFailed(error.kind()))?;
    // Without it small frames would wait for acknowledgements; a socket that cannot do it still works.
    let _ = stream.set_nodelay(true);
    match security {
        LinkSecurity::Tls(tls) => handshake(stream, tls, tenant).await.ok_or(UpstreamError::TlsFailed),
        #[cfg(any(test, feature = "plaintext-link"))]
        LinkSecurity::Plain => Ok(Io::plain(stream)),
    }
}

async fn handshake(stream: TcpStream, tls: &LinkTls, tenant: &str) -> Option<Io> {
    let config = tls.client(tenant).ok()?;
    let session = Session::client(config, LinkTls::server_name()).ok()?;
    let mut io = Io::tls(stream, session);
    if let Err(error) = poll_fn(|cx| io.poll_handshake(cx)).await {
        tracing::debug!(%tenant, %error, "the handshake of a link failed");
        return None;
    }
    check_alpn(io.connection()?).ok()?;
    Some(io)
}
