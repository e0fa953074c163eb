//! GRPCRoute: the same filters and backends as HTTPRoute, matched by service and method.

use super::filter::{BackendRef, RouteFilter};
use super::http::{ValueMatch, ValueMatchType};
use super::object::kind;
use super::reference::ParentReference;
use crate::unknown::tolerant;

kind!(
    /// A route for gRPC calls.
    GrpcRoute, GrpcRouteSpec, "GRPCRoute", "grpcroutes", k8s_openapi::NamespaceResourceScope
);

tolerant! {
    /// What a GRPCRoute asks for.
    pub struct GrpcRouteSpec {
        /// The Gateways it wants to attach to.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub parent_refs: Vec<ParentReference>,
        /// The hosts it is for; empty means every host of the listener.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub hostnames: Vec<String>,
        /// The rules.
        #[serde(default)]
        pub rules: Vec<GrpcRouteRule>,
    }

    /// Matches, filters and backends.
    pub struct GrpcRouteRule {
        /// Name of the rule, unique in the route.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// A call matches when one of these does; empty matches every call.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub matches: Vec<GrpcRouteMatch>,
        /// What is done to matching calls. The filters that only HTTP has are not allowed here.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub filters: Vec<RouteFilter>,
        /// Where matching calls go, by weight.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub backend_refs: Vec<BackendRef>,
    }

    /// Conditions that must all hold.
    #[derive(Default)]
    pub struct GrpcRouteMatch {
        /// Service and method; absent means all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub method: Option<GrpcMethodMatch>,
        /// Metadata (header fields).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub headers: Vec<ValueMatch>,
    }

    /// A match on service and method.
    pub struct GrpcMethodMatch {
        /// How the texts are compared; absent means `Exact`.
        #[serde(rename = "type", default)]
        pub type_: ValueMatchType,
        /// The full service name; absent means every service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub service: Option<String>,
        /// The method name; absent means every method.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub method: Option<String>,
    }
}
