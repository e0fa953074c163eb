//! The status of a topology's `GatewayClass`: that it is ours, and what routes may ask for. Pure.

use bailey_crds::conditions::{ConditionType, Reason};
use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::gateway::is_within;
use super::status::{Verdict, conditions};

/// Names of features as the Gateway API's conformance tests have them, in the order that the API demands. Those that need a
/// choice of listeners are not among them: a tenant's route is served on all of them.
const FEATURES: [&str; 24] = [
    "GRPCRoute",
    "Gateway",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendRequestHeaderModification",
    "HTTPRouteBackendTimeout",
    "HTTPRouteCORS",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors",
    "HTTPRouteRequestPercentageMirror",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ReferenceGrant",
];

/// The status, or nothing if the class has it already.
pub(super) fn status(class: &DynamicObject, now: Timestamp) -> Option<Value> {
    let before = class.data.get("status");
    let generation = class.metadata.generation.unwrap_or_default();
    let accepted =
        [Verdict::yes(ConditionType::Accepted, Reason::Accepted.as_str(), "an IngressTopology answers for the class")];
    let features = FEATURES.map(|name| json!({ "name": name }));
    let made = json!({
        "conditions": conditions(before.map(|status| &status["conditions"]), &accepted, generation, now),
        "supportedFeatures": features,
    });
    (!is_within(&made, before)).then_some(made)
}

#[cfg(test)]
mod tests {
    use super::FEATURES;

    #[test]
    fn features_are_sorted_as_the_api_demands() {
        assert!(FEATURES.is_sorted());
    }
}
