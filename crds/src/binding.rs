//! `HostnameBinding`: who owns a hostname. Its name is the hash of the hostname ([`Hostname::binding_name`]), so that the
//! atomic create of the object is what takes the host.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::common::{InnerService, NameReference};
use crate::hostname::Hostname;

/// The annotation by which a person asks for a new certificate before it is time: the moment of the request (RFC 3339). It is
/// done when the certificate is younger than that.
pub const RENEW_REQUESTED: &str = "bailey.dev/renew-requested";

/// Who owns a hostname, and where its requests go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "bailey.dev",
    version = "v1alpha1",
    kind = "HostnameBinding",
    plural = "hostnamebindings",
    namespaced,
    category = "bailey",
    derive = "PartialEq",
    doc = "The owner of one hostname. Written by the operator into the outer tier's namespace; whoever creates it first has the host.",
    printcolumn(name = "Hostname", type_ = "string", json_path = ".spec.hostname"),
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenant"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct HostnameBindingSpec {
    /// The hostname, in canonical form. It never changes: another host is another object.
    #[x_kube(validation = Rule::new("self == oldSelf").message("the hostname of a binding never changes"))]
    pub hostname: Hostname,
    /// The tenant that owns it.
    #[schemars(length(min = 1, max = 40))]
    pub tenant: String,
    /// The Service of the tenant's inner tier.
    pub service: InnerService,
    /// The TLS Secret, in the namespace of this object, with the host's certificate. Absent: the tier looks for one that
    /// fits among all it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<NameReference>,
}
