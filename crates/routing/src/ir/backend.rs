//! Where requests go: upstreams, their endpoints, references to them, and references that lead nowhere.

use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use super::Filter;
use crate::hash::hash_of;

/// Something the user got wrong, as a value: whatever meets it answers `status`. It keeps its share of traffic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Invalid {
    /// What the client gets. Gateway API asks for 500 for a bad reference or filter.
    pub status: u16,
    /// For the access log and the debug page, never for the client.
    pub reason: Arc<str>,
}

/// One weighted backend of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Backend {
    /// Where to.
    pub target: Target,
    /// Its share is `weight / sum of weights`; 0 takes nothing.
    pub weight: u32,
    /// Applied after the rule's own filters, only when this backend is chosen.
    pub filters: Box<[Filter]>,
}

/// The end of a reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// An upstream of the same [`Ir`](super::Ir). One that the `Ir` does not hold answers 500.
    Upstream(UpstreamId),
    /// A reference that does not resolve or is not permitted.
    Invalid(Arc<Invalid>),
}

/// A name for an upstream that stays the same from one table to the next. Cheap to clone, hash and compare.
#[derive(Debug, Clone)]
pub struct UpstreamId {
    hash: u64,
    key: Arc<UpstreamKey>,
}

/// What makes two upstreams the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UpstreamKey {
    /// A port of a Service. The protocol is part of it: an `HTTPRoute` and a `GRPCRoute` may use one port differently.
    Service {
        /// Namespace of the Service.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
        /// The Service's port (not the pod's).
        port: u16,
        /// What the pods speak there.
        protocol: BackendProtocol,
    },
    /// The link to a tenant's inner tier.
    Link {
        /// The tenant.
        tenant: Arc<str>,
    },
}

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BackendProtocol {
    /// HTTP/1.1, WebSocket and other upgrades included (`appProtocol: kubernetes.io/ws` is this).
    Http1,
    /// HTTP/2 in plain text with prior knowledge (`kubernetes.io/h2c`, every `GRPCRoute` backend).
    H2c,
}

/// A set of endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Its name.
    pub id: UpstreamId,
    /// Ready endpoints. None: requests answer 503.
    pub endpoints: Box<[Endpoint]>,
}

/// One address that answers for an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Where to connect.
    pub address: SocketAddr,
    /// Its share among the endpoints; 1 unless the source says otherwise.
    pub weight: u32,
}

impl Invalid {
    /// A 500 for `reason`.
    pub fn internal(reason: impl Into<Arc<str>>) -> Self {
        Self { status: 500, reason: reason.into() }
    }
}

impl UpstreamId {
    /// The id of the upstream `key`.
    pub fn new(key: UpstreamKey) -> Self {
        Self { hash: hash_of(&key), key: Arc::new(key) }
    }

    /// The key.
    pub fn key(&self) -> &UpstreamKey {
        &self.key
    }

    /// A fixed hash of the key, the same in every process of one release.
    pub fn hash64(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for UpstreamId {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.key, &other.key) || self.key == other.key)
    }
}

impl Eq for UpstreamId {}

impl Hash for UpstreamId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl From<UpstreamKey> for UpstreamId {
    fn from(key: UpstreamKey) -> Self {
        Self::new(key)
    }
}
