//! Bailey's Kubernetes API types, their validation rules and the condition vocabulary.
//!
//! This crate says what an object looks like and what a valid one is. It decides nothing about routing and does no I/O.

#![allow(
    clippy::doc_markdown,
    reason = "doc comments of API types are shown by kubectl explain, where backticks are noise"
)]
#![allow(unreachable_pub, reason = "the schema derive repeats each struct inside a function")]
#![allow(clippy::duplicated_attributes, reason = "kube's printcolumn attribute repeats its keys for each column")]

pub mod access;
mod binding;
mod common;
pub mod conditions;
pub mod gateway;
mod hostname;
mod limits;
mod manifest;
mod schema;
mod tier;
pub mod topology;
mod tracing;
pub mod unknown;
#[cfg(any(feature = "cel", test))]
mod validate;

pub use binding::{HostnameBinding, HostnameBindingSpec, RENEW_REQUESTED};
pub use common::{
    ACCESS_LOG_FIELDS, AccessLog, AccessLogFields, AccessLogFormat, ClientAddress, ForwardedFor, InnerService,
    KeyReference, NameReference, ProxyProtocol,
};
pub use hostname::{Hostname, HostnameError, MAX_HOSTNAME};
pub use limits::{
    AcceptLimits, BodyLimits, ConnectionLimits, DrainLimits, Http1Limits, Http2Limits, TenantLimits, TierLimits,
    UpstreamLimits,
};
pub use manifest::{manifests, yaml};
pub use tier::{
    LINK_SECRET, LinkTrust, OuterListener, Role, TierAcme, TierConfig, TierConfigSpec, TierListener, TierProtocol,
    TierStore, TierTenant, outer_identity, tenant_identity,
};
pub use topology::{IngressTopology, IngressTopologySpec};
pub use tracing::{AlwaysTraced, Percent, TenantTracing, TracePropagation, Tracing};

#[cfg(any(feature = "cel", test))]
pub use validate::{Violation, complete, validate};

/// The API group of Bailey's own kinds.
pub const GROUP: &str = "bailey.dev";
/// The version of Bailey's own kinds.
pub const VERSION: &str = "v1alpha1";

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// The definitions of Bailey's own kinds, as they are applied to a cluster.
pub fn definitions() -> Result<Vec<CustomResourceDefinition>, serde_json::Error> {
    [IngressTopology::crd(), TierConfig::crd(), HostnameBinding::crd()].iter().map(schema::polish).collect()
}
