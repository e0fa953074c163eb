//! What is known of a client's connection before its first request.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::limits::Place;

/// A client's connection. Made by the front when it is accepted (after PROXY protocol and the TLS handshake), and the
/// same for each request on it.
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
    /// What the connection counts for, where only its requests tell.
    pub places: Places,
}

/// The tenants that a connection without TLS counts for: those whose hosts it has asked.
#[derive(Debug, Clone, Default)]
pub struct Places(Rc<RefCell<Vec<Counted>>>);

/// A tenant, and its place if it has a limit.
type Counted = (Arc<str>, Option<Place>);

impl Places {
    pub(super) fn has(&self, tenant: &Arc<str>) -> bool {
        self.0.borrow().iter().any(|(known, _)| known == tenant)
    }

    pub(super) fn keep(&self, tenant: &Arc<str>, place: Option<Place>) {
        self.0.borrow_mut().push((tenant.clone(), place));
    }
}

/// What the TLS handshake told.
#[derive(Debug, Clone)]
pub struct TlsInfo {
    /// The server name, canonical: lower case, no trailing dot.
    pub sni: Rc<str>,
    /// TLS 1.3 rather than 1.2.
    pub tls13: bool,
}

/// What a request needs to know of the port it came in by. A port may have several listeners that differ by hostname;
/// which of them a request belongs to is decided for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Name of the port's first listener, for logs.
    pub name: Box<str>,
    /// The port as the topology or Gateway declares it.
    pub port: u16,
    /// Whether clients speak TLS to it.
    pub https: bool,
}
