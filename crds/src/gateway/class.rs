//! `GatewayClass`: which controller answers for a Gateway, and with what parameters.

use super::object::kind;
use crate::unknown::tolerant;

kind!(
    /// A class of Gateways; cluster-scoped.
    GatewayClass, GatewayClassSpec, "GatewayClass", "gatewayclasses", k8s_openapi::ClusterResourceScope
);

tolerant! {
    /// What a `GatewayClass` says.
    pub struct GatewayClassSpec {
        /// The controller that answers for this class, such as `bailey.dev/gateway-controller`.
        pub controller_name: String,
        /// An object that configures the class; for Bailey an `IngressTopology`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub parameters_ref: Option<ParametersReference>,
        /// Free text for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
    }

    /// The object that configures a class.
    pub struct ParametersReference {
        /// API group of the object; empty is the core group.
        pub group: String,
        /// Kind of the object.
        pub kind: String,
        /// Name of the object.
        pub name: String,
        /// Namespace of the object; absent for a cluster-scoped one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
    }
}
