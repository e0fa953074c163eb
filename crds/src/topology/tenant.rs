//! Tenants and their inner tiers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Autoscaling, PodSettings};
use crate::hostname::Hostname;
use crate::limits::{TenantLimits, TierLimits};
use crate::schema::embedded;
use crate::tracing::TenantTracing;

/// Who may use which hostnames, from which namespaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tenant {
    /// Name of the tenant; part of its certificate's identity and of its tier's name. The same name in two topologies means
    /// the same tenant, which may have a hostname in both; two tenants never have one, whatever their topologies.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The namespaces whose routes count. The inner tier runs in the first, unless it is placed elsewhere.
    pub namespaces: TenantNamespaces,
    /// The hostnames that the tenant's routes may use.
    #[serde(default)]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "set"))]
    pub hostnames: Vec<Hostname>,
    /// What differs from `spec.inner` for this tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<InnerOverride>,
    /// What the tenant may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TenantLimits>,
    /// What differs from `spec.tracing` for this tenant; without that, nothing is traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TenantTracing>,
    /// Whether the tenant is switched off: its hostnames stay its own and are answered 503.
    #[serde(default)]
    pub suspended: bool,
}

/// A choice of namespaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.names) != has(self.selector)")
        .message("exactly one of names and selector chooses the tenant's namespaces")
)]
pub struct TenantNamespaces {
    /// By name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub names: Option<Vec<String>>,
    /// By label. The home namespace is then the first by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "embedded::<LabelSelector>")]
    pub selector: Option<LabelSelector>,
}

/// Defaults for every inner tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Inner {
    /// Number of proxies of each inner tier.
    #[schemars(range(min = 0, max = 100))]
    pub replicas: u16,
    /// Lets the number of proxies of each inner tier follow their load, instead of `replicas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// Where inner tiers run.
    pub placement: Placement,
    /// Whether applications get RFC 7239's `Forwarded` field, beside the `X-Forwarded-*` fields that they always get.
    pub forwarded: bool,
    /// Limits of each inner tier. What is absent has its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<TierLimits>,
    /// Settings of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSettings>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            replicas: 1,
            autoscaling: None,
            placement: Placement::default(),
            forwarded: false,
            limits: None,
            pod: None,
        }
    }
}

/// What differs from `spec.inner` for one tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InnerOverride {
    /// Number of proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: Option<u16>,
    /// Lets the number of proxies follow their load, instead of `replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// Where the tier runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Settings of the pods, in place of those of `spec.inner.pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSettings>,
}

/// Where an inner tier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Placement {
    /// In the tenant's first namespace.
    #[default]
    TenantNamespace,
    /// In a namespace that Bailey makes for it.
    Managed,
}
