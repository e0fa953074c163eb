//! One tier as a thing to start: what it is told, and what its owner can ask of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Which tier of what this process is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// The tier that faces the internet.
    Outer {
        /// Name of the `IngressTopology`.
        topology: String,
    },
    /// The tier of one tenant, reached only through links.
    Inner {
        /// Name of the `IngressTopology`.
        topology: String,
        /// Name of the tenant.
        tenant: String,
    },
    /// Both in one, without a link: a plain Gateway.
    Gateway {
        /// Namespace of the `Gateway`.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// Everything a tier is told at its start. What may change later comes from the source.
#[derive(Debug, Clone)]
pub struct TierOptions {
    /// Which tier it is.
    pub role: Role,
    /// The folder of YAML it is configured from.
    pub config: PathBuf,
    /// Worker threads, each with its own listeners.
    pub workers: usize,
    /// The address listeners are bound to.
    pub address: IpAddr,
    /// Ports as declared → ports as bound, where they differ (a declared 443 bound as 8443 without root).
    pub ports: BTreeMap<u16, u16>,
    /// Folder with `ca.crt`, `tls.crt`, `tls.key` of the link. Not needed by a tier alone.
    pub link: Option<PathBuf>,
    /// Address of `/healthz`, `/readyz`, `/metrics`.
    pub admin: Option<SocketAddr>,
    /// File of the last good configuration.
    pub last_good: Option<PathBuf>,
    /// How long each step of a shutdown takes.
    pub drain: DrainTimes,
}

/// The steps of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainTimes {
    /// How long connections are still accepted after readiness is gone, so that balancers notice first.
    pub accept: Duration,
    /// How long requests in progress may take after that.
    pub finish: Duration,
}

impl Default for DrainTimes {
    fn default() -> Self {
        Self { accept: Duration::from_secs(5), finish: Duration::from_secs(30) }
    }
}
