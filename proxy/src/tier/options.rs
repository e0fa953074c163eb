//! What a tier is told at its start. What may change later comes with the objects.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bailey_crds::DrainLimits;
use bailey_kit::admin::AdminToken;
use bailey_translate::Scope;

use super::LinkCredentials;
use crate::access_log::{self, Appender, Reopen};
use crate::acme::Hold;
use crate::forward::Identity;
use crate::forward::headers::id_text;
use crate::forward::ids::Ids;
use crate::page::Board;
use crate::telemetry::{SpanOrigin, TracingOptions};
use crate::tls::public::CertificateIssuer;

/// Which tier of what this is.
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

impl Role {
    /// What is translated for it.
    pub fn scope(&self) -> Scope {
        match self.clone() {
            Self::Outer { topology } => Scope::Outer { topology },
            Self::Inner { topology, tenant } => Scope::Inner { topology, tenant },
            Self::Gateway { namespace, name } => Scope::Gateway { namespace, name },
        }
    }

    /// How it names itself in logs and in `Proxy-Status`.
    pub fn identity(&self) -> Identity {
        let (tier, name) = match self {
            Self::Outer { .. } => ("outer", "bailey-outer"),
            Self::Inner { .. } => ("inner", "bailey-inner"),
            Self::Gateway { .. } => ("gateway", "bailey"),
        };
        Identity { tier, name }
    }

    /// The labels that all its metrics carry.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        match self.clone() {
            Self::Outer { topology } => vec![("tier", "outer".to_owned()), ("topology", topology)],
            Self::Inner { topology, tenant } => {
                vec![("tier", "inner".to_owned()), ("topology", topology), ("tier_tenant", tenant)]
            }
            Self::Gateway { namespace, name } => {
                vec![("tier", "gateway".to_owned()), ("gateway", format!("{namespace}/{name}"))]
            }
        }
    }

    /// Who it is, in its spans.
    pub(super) fn span_origin(&self) -> SpanOrigin {
        let (tier, topology, tenant) = match self {
            Self::Outer { topology } => ("outer", Some(topology), None),
            Self::Inner { topology, tenant } => ("inner", Some(topology), Some(tenant)),
            Self::Gateway { .. } => ("gateway", None, None),
        };
        let shared = |name: &String| name.as_str().into();
        SpanOrigin { tier: tier.into(), topology: topology.map(shared), tenant: tenant.map(shared) }
    }

    /// Who sends its spans. Every process of the tier is another instance.
    pub(super) fn span_resource(&self, service: &str) -> Vec<(&'static str, String)> {
        let mut resource = vec![
            ("service.name", service.to_owned()),
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", instance()),
        ];
        match self {
            Self::Outer { topology } | Self::Inner { topology, .. } => {
                resource.push(("service.namespace", topology.clone()));
            }
            Self::Gateway { namespace, .. } => resource.push(("service.namespace", namespace.clone())),
        }
        resource
    }
}

/// An id for this run of a tier: a random UUID.
fn instance() -> String {
    let text = id_text(&Ids::new().request());
    String::from_utf8_lossy(&text).into_owned()
}

/// Everything a tier is told at its start.
#[derive(Debug, Clone)]
pub struct TierOptions {
    /// Which tier it is.
    pub role: Role,
    /// Worker threads, each with its own listeners.
    pub workers: usize,
    /// The address that listeners, and the link of an inner tier, are bound to.
    pub address: IpAddr,
    /// Ports as declared → ports as bound, where they differ because this is how clients reach them (a declared 443 as
    /// 8443 without root; 0 for any). Redirects name the latter.
    pub ports: BTreeMap<u16, u16>,
    /// The port an inner tier waits for links on.
    pub link_port: u16,
    /// Certificates of the link. Not needed by a tier alone.
    pub link: Option<LinkCredentials>,
    /// Links without TLS: for comparison with proxies that speak plain text to each other.
    #[cfg(any(test, feature = "plaintext-link"))]
    pub plaintext_link: bool,
    /// Makes certificates for names that have none (local mode: the development CA).
    pub issuer: Option<Arc<dyn CertificateIssuer>>,
    /// Gets certificates for the tier, and answers authorities.
    pub acme: Option<Arc<Hold>>,
    /// Everything is on this machine: endpoints on loopback are allowed, missing certificates are the issuer's business.
    pub local: bool,
    /// Where access logs go.
    pub access_log: LogTarget,
    /// How requests are logged when the objects do not say; `None`: they are not.
    pub log_requests: Option<access_log::Options>,
    /// What is said of traces beside the objects.
    pub tracing: TracingOptions,
    /// Address of `/healthz`, `/readyz`, `/metrics`.
    pub admin: Option<SocketAddr>,
    /// What must be shown to see the pages of the admin port; without it they are seen over loopback only.
    pub admin_token: Option<AdminToken>,
    /// Where the tier is shown, with others or alone.
    pub board: Arc<Board>,
    /// How long each step of a shutdown takes, where the limits of the tier are not what is wanted.
    pub drain: DrainTimes,
}

impl TierOptions {
    /// A tier with one worker on every address, the port of the link as in a cluster, and no admin port.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            workers: 1,
            address: Ipv4Addr::UNSPECIFIED.into(),
            ports: BTreeMap::new(),
            link_port: 8443,
            link: None,
            #[cfg(any(test, feature = "plaintext-link"))]
            plaintext_link: false,
            issuer: None,
            acme: None,
            local: false,
            access_log: LogTarget::Stdout,
            log_requests: None,
            tracing: TracingOptions::default(),
            admin: None,
            admin_token: None,
            board: Board::new(),
            drain: DrainTimes::default(),
        }
    }
}

/// Where access logs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output, which a container's runtime collects.
    Stdout,
    /// The end of this file.
    File(PathBuf),
    /// Nowhere, whatever the objects say.
    Nowhere,
}

impl LogTarget {
    /// Opens it; a file is opened anew when `reopen` asks for that.
    pub(super) fn open(&self, reopen: &Reopen) -> Option<Box<dyn Write + Send>> {
        match self {
            Self::Stdout => Some(Box::new(std::io::stdout())),
            Self::Nowhere => None,
            Self::File(path) => match Appender::open(path, reopen.clone()) {
                Ok(file) => Some(Box::new(file)),
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "no access log: the file cannot be opened");
                    None
                }
            },
        }
    }
}

/// How long the steps of a shutdown take, where that is not left to the limits of the tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DrainTimes {
    /// How long connections are still accepted after readiness is gone, so that balancers notice first.
    pub accept: Option<Duration>,
    /// How long requests in progress may take after that.
    pub finish: Option<Duration>,
}

impl DrainTimes {
    /// Both times, of a tier with these limits.
    pub(super) fn within(self, limits: DrainLimits) -> (Duration, Duration) {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        (
            self.accept.unwrap_or_else(|| seconds(limits.accept_seconds)),
            self.finish.unwrap_or_else(|| seconds(limits.drain_seconds)),
        )
    }
}
