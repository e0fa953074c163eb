//! HTTPRoute: matches, rules, timeouts, retries.

use super::filter::{BackendRef, RouteFilter};
use super::object::kind;
use super::reference::ParentReference;
use crate::unknown::{open_enum, tolerant};

kind!(
    /// A route for HTTP requests.
    HttpRoute, HttpRouteSpec, "HTTPRoute", "httproutes", k8s_openapi::NamespaceResourceScope
);

tolerant! {
    /// What an HTTPRoute asks for.
    pub struct HttpRouteSpec {
        /// The Gateways it wants to attach to.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub parent_refs: Vec<ParentReference>,
        /// The hosts it is for; empty means every host of the listener.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub hostnames: Vec<String>,
        /// The rules; absent means one rule that matches every path.
        #[serde(default = "one_rule")]
        pub rules: Vec<HttpRouteRule>,
    }

    /// Matches, filters and backends.
    #[derive(Default)]
    pub struct HttpRouteRule {
        /// Name of the rule, unique in the route.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// A request matches when one of these does; empty matches every path.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub matches: Vec<HttpRouteMatch>,
        /// What is done to matching requests and their answers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub filters: Vec<RouteFilter>,
        /// Where matching requests go, by weight.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub backend_refs: Vec<BackendRef>,
        /// How long a request may take.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub timeouts: Option<RouteTimeouts>,
        /// When and how often a request is tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub retry: Option<RouteRetry>,
    }

    /// Conditions that must all hold.
    #[derive(Default)]
    pub struct HttpRouteMatch {
        /// The path; absent means every path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub path: Option<HttpPathMatch>,
        /// Header fields.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub headers: Vec<ValueMatch>,
        /// Query parameters.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub query_params: Vec<ValueMatch>,
        /// The method, in capitals; absent means every method.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub method: Option<String>,
    }

    /// A match on the path.
    pub struct HttpPathMatch {
        /// How the path is compared; absent means `PathPrefix`.
        #[serde(rename = "type", default)]
        pub type_: PathMatchType,
        /// What it is compared with; absent means `/`.
        #[serde(default = "root_path")]
        pub value: String,
    }

    /// A match on a named value: a header field, a query parameter, gRPC metadata.
    pub struct ValueMatch {
        /// How the value is compared; absent means `Exact`.
        #[serde(rename = "type", default)]
        pub type_: ValueMatchType,
        /// Name of the field or parameter.
        pub name: String,
        /// What its value is compared with.
        pub value: String,
    }

    /// How long a request may take, as Gateway API durations (GEP-2257: `10s`, `1m30s`; zero means no limit).
    pub struct RouteTimeouts {
        /// From the first byte of the request to the last of the answer, retries included.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub request: Option<String>,
        /// One try at one backend.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub backend_request: Option<String>,
    }

    /// When and how often a request is tried again (GEP-1731).
    pub struct RouteRetry {
        /// Statuses that call for another try.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub codes: Vec<u16>,
        /// Tries after the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub attempts: Option<u32>,
        /// The least time between tries, as a Gateway API duration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub backoff: Option<String>,
    }
}

open_enum! {
    /// How a path is compared.
    #[derive(Default)]
    pub enum PathMatchType {
        /// The whole path.
        Exact = "Exact",
        /// Whole path elements from the left.
        #[default]
        PathPrefix = "PathPrefix",
        /// A regular expression over the whole path.
        RegularExpression = "RegularExpression",
    }

    /// How a value is compared.
    #[derive(Default)]
    pub enum ValueMatchType {
        /// Equal, byte for byte.
        #[default]
        Exact = "Exact",
        /// A regular expression over the whole value.
        RegularExpression = "RegularExpression",
    }
}

fn one_rule() -> Vec<HttpRouteRule> {
    vec![HttpRouteRule::default()]
}

fn root_path() -> String {
    "/".to_owned()
}
