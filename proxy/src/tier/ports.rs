//! The ports of a tier: which are open, where, and what a new table changes about that. Sockets are bound here, one per
//! worker, and handed to the workers; a port that stays is never touched.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bailey_routing::RouteTable;
use bailey_routing::ir::ListenerProtocol;

use super::work::Command;
use super::{StartError, TierOptions};
use crate::forward::Listener;
use crate::listen::bind;
use crate::snapshot::{Current, PortNames};
use crate::tls::public::{CertificateIssuer, PublicTls};

/// Where a listener is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name of the port's first listener; `link` for the link of an inner tier.
    pub listener: String,
    /// The port as declared.
    pub port: u16,
    /// The address it is bound to.
    pub address: SocketAddr,
    /// Clients speak TLS to it.
    pub https: bool,
}

/// The ports that are open.
pub(super) struct Ports {
    options: TierOptions,
    current: Arc<Current>,
    issuer: Option<Arc<dyn CertificateIssuer>>,
    open: BTreeMap<u16, Address>,
    pub(super) link: Option<Address>,
}

/// What a new table asks for.
pub(super) struct PortChange {
    opened: Vec<Arc<Listener>>,
    closed: Vec<u16>,
}

impl Ports {
    pub(super) fn new(options: &TierOptions, current: Arc<Current>) -> Self {
        let issuer = options.issuer.clone();
        Self { options: options.clone(), current, issuer, open: BTreeMap::new(), link: None }
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        self.open.values().chain(&self.link).cloned().collect()
    }

    /// What has to change for this table. An inner tier has no ports of its own: its listeners are the outer tier's.
    pub(super) fn plan(&self, table: &RouteTable) -> PortChange {
        let mut wanted: BTreeMap<u16, Arc<Listener>> = BTreeMap::new();
        if !matches!(self.options.role, super::Role::Inner { .. }) {
            for (_, listener) in table.listeners() {
                let https = match listener.protocol {
                    ListenerProtocol::Http => false,
                    ListenerProtocol::Https => true,
                    ListenerProtocol::Tls | ListenerProtocol::Tcp | ListenerProtocol::Udp => continue,
                };
                let known = Listener { name: listener.name.as_ref().into(), port: listener.port, https };
                wanted.entry(listener.port).or_insert_with(|| Arc::new(known));
            }
        }
        let same = |port: &u16, https: bool| self.open.get(port).is_some_and(|open| open.https == https);
        let closed =
            self.open.iter().filter(|(port, open)| wanted.get(*port).is_none_or(|new| new.https != open.https));
        let closed = closed.map(|(port, _)| *port).collect();
        let opened = wanted.into_iter().filter(|(port, new)| !same(port, new.https)).map(|(_, new)| new).collect();
        PortChange { opened, closed }
    }

    /// Opens and closes. What cannot be opened is reported; the next change tries again.
    pub(super) fn carry_out(&mut self, change: PortChange, tell: impl Fn(usize, Command)) -> Vec<StartError> {
        let workers = self.options.workers;
        for port in change.closed {
            self.open.remove(&port);
            (0..workers).for_each(|worker| tell(worker, Command::Close(port)));
        }
        let mut refused = Vec::new();
        for listener in change.opened {
            // What is mapped here is how clients reach the port; what the tier's configuration maps is undone before it.
            let mapped = self.current.load().settings.bind_ports.get(&listener.port).copied();
            let port = self.options.ports.get(&listener.port).copied().or(mapped).unwrap_or(listener.port);
            match self.bind(port) {
                Err((address, source)) => {
                    refused.push(StartError::Listen { address, listener: listener.name.to_string(), source });
                }
                Ok((address, sockets)) => {
                    let (listener_name, port, https) = (listener.name.to_string(), listener.port, listener.https);
                    self.open.insert(port, Address { listener: listener_name, port, address, https });
                    let names = || PortNames::new(self.current.clone(), port);
                    let tls = https.then(|| Arc::new(PublicTls::new(Arc::new(names()), self.issuer.clone())));
                    for (worker, socket) in sockets.into_iter().enumerate() {
                        tell(
                            worker,
                            Command::Listen {
                                listener: listener.clone(),
                                socket,
                                tls: tls.clone(),
                                port: if mapped == Some(address.port()) { port } else { address.port() },
                            },
                        );
                    }
                }
            }
        }
        refused
    }

    /// Binds one socket for each worker, all to the same port.
    pub(super) fn bind(&self, port: u16) -> Result<(SocketAddr, Vec<TcpListener>), (SocketAddr, io::Error)> {
        let mut address = SocketAddr::new(self.options.address, port);
        let mut sockets = Vec::with_capacity(self.options.workers);
        for _ in 0..self.options.workers.max(1) {
            let socket = bind(address).map_err(|error| (address, error))?;
            // With port 0 the first socket decides.
            address = socket.local_addr().map_err(|error| (address, error))?;
            sockets.push(socket);
        }
        Ok((address, sockets))
    }
}

/// What to do about an address that cannot be had.
pub(super) fn hint(error: &io::Error) -> &'static str {
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        "; another program has the port: stop it, or map the port to another one (bailey up: --http-port, --https-port)"
    } else if kind == io::ErrorKind::PermissionDenied {
        "; ports below 1024 need a right of their own: map the port to a higher one (bailey up: --http-port, --https-port)"
    } else if kind == io::ErrorKind::AddrNotAvailable {
        "; this machine does not have the address"
    } else {
        ""
    }
}
