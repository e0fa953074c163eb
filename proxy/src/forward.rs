//! The life of one request, on any tier.

pub mod address;
pub mod headers;

use std::net::SocketAddr;
use std::sync::Arc;

/// What is known of a client's connection before its first request. Made by the front when the connection is accepted
/// (after PROXY protocol and the TLS handshake), and the same for each request on it.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// The listener that accepted it.
    pub listener: Arc<Listener>,
    /// The other end of the socket.
    pub peer: SocketAddr,
    /// Our end of the socket.
    pub local: SocketAddr,
    /// The client's address as PROXY protocol gave it. `None` where the listener does not expect it, or for `LOCAL`.
    /// The front has checked that the peer is listed.
    pub proxied: Option<SocketAddr>,
    /// The TLS handshake, on an HTTPS listener.
    pub tls: Option<TlsInfo>,
}

/// What the TLS handshake told.
#[derive(Debug, Clone)]
pub struct TlsInfo {
    /// The server name, canonical: lower case, no trailing dot.
    pub sni: Box<str>,
    /// TLS 1.3 rather than 1.2.
    pub tls13: bool,
}

/// What a request needs to know of the listener it came through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in the topology or Gateway.
    pub name: Box<str>,
    /// The port that clients know it by, for `X-Forwarded-Port` and redirects.
    pub port: u16,
    /// Whether clients speak TLS to it.
    pub https: bool,
}
