//! Small tolerant types for the Gateway API kinds that Bailey serves (`gateway.networking.k8s.io/v1`, release 1.6).
//!
//! They hold every field of the standard channel (and `retry`, which has a GEP but is still experimental), fill in the
//! defaults that the API server would, keep fields they do not know ([`UnknownFields`]), and keep
//! unknown enum values as text (`Other`). They judge nothing: what is unsupported or contradictory is `translate`'s to say.
//! HTTPRoute and GRPCRoute share filters and backends, so a filter that only HTTP has must be reported by whoever reads a
//! GRPCRoute.

mod class;
mod filter;
mod grant;
mod grpc;
mod http;
mod listener;
mod object;
mod reference;

pub use class::{GatewayClass, GatewayClassSpec, ParametersReference};
pub use filter::{
    BackendRef, CorsFilter, FilterType, Fraction, HeaderModifier, HeaderValue, MirrorBackendRef, MirrorFilter,
    PathModifier, PathModifierType, RedirectFilter, RewriteFilter, RouteFilter,
};
pub use grant::{ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo};
pub use grpc::{GrpcMethodMatch, GrpcRoute, GrpcRouteMatch, GrpcRouteRule, GrpcRouteSpec};
pub use http::{
    HttpPathMatch, HttpRoute, HttpRouteMatch, HttpRouteRule, HttpRouteSpec, PathMatchType, RouteRetry, RouteTimeouts,
    ValueMatch, ValueMatchType,
};
pub use listener::{
    AllowedListeners, AllowedRoutes, BackendTls, FromNamespaces, FrontendTls, FrontendTlsPort, FrontendTlsSettings,
    FrontendValidation, Gateway, GatewayAddress, GatewayInfrastructure, GatewaySpec, GatewayTls, Listener,
    ListenerNamespaces, ListenerProtocol, ListenerTls, LocalParametersReference, RouteGroupKind, TlsMode,
    ValidationMode,
};
pub use object::GATEWAY_GROUP;
pub use reference::{LocalObjectReference, ObjectReference, ParentReference, SecretReference};

pub use crate::unknown::UnknownFields;

#[cfg(test)]
mod tests;
