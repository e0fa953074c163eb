//! Filters and backends, shared by HTTPRoute and GRPCRoute.

use super::reference::LocalObjectReference;
use crate::unknown::{open_enum, tolerant};

tolerant! {
    /// A weighted backend with filters of its own.
    pub struct BackendRef {
        /// API group of the backend; empty (the default) is the core group.
        #[serde(default)]
        pub group: String,
        /// Kind of the backend; `Service` unless said otherwise.
        #[serde(default = "service_kind")]
        pub kind: String,
        /// Name of the backend.
        pub name: String,
        /// Namespace of the backend; absent means the route's own. Another one needs a `ReferenceGrant`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        /// Port of the Service (not of its pods); needed when the backend is a Service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub port: Option<u16>,
        /// Share of the requests, relative to the sum of the rule's weights.
        #[serde(default = "one")]
        pub weight: u32,
        /// What is done to requests that go to this backend.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub filters: Vec<RouteFilter>,
    }

    /// A step that requests or answers go through: `type` says which of the other fields holds its settings.
    pub struct RouteFilter {
        /// Which filter this is.
        #[serde(rename = "type")]
        pub type_: FilterType,
        /// Settings of `RequestHeaderModifier`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub request_header_modifier: Option<HeaderModifier>,
        /// Settings of `ResponseHeaderModifier`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub response_header_modifier: Option<HeaderModifier>,
        /// Settings of `RequestMirror`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub request_mirror: Option<MirrorFilter>,
        /// Settings of `RequestRedirect` (HTTP only).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub request_redirect: Option<RedirectFilter>,
        /// Settings of `URLRewrite` (HTTP only).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub url_rewrite: Option<RewriteFilter>,
        /// Settings of `CORS` (HTTP only).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cors: Option<CorsFilter>,
        /// The object behind `ExtensionRef`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub extension_ref: Option<LocalObjectReference>,
    }

    /// Changes to header fields, in the order set, add, remove.
    #[derive(Default)]
    pub struct HeaderModifier {
        /// Fields to set, whatever was there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub set: Vec<HeaderValue>,
        /// Fields to add to what is there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub add: Vec<HeaderValue>,
        /// Names of fields to remove.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub remove: Vec<String>,
    }

    /// A header field.
    pub struct HeaderValue {
        /// Name of the field, in any case.
        pub name: String,
        /// Value of the field.
        pub value: String,
    }

    /// Sends a copy of the request elsewhere and ignores the answer. Percent and fraction exclude each other; with
    /// neither, every request is copied.
    pub struct MirrorFilter {
        /// Where the copy goes.
        pub backend_ref: MirrorBackendRef,
        /// Share of requests in percent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub percent: Option<u32>,
        /// Share of requests as a fraction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub fraction: Option<Fraction>,
    }

    /// Where a mirrored request goes.
    pub struct MirrorBackendRef {
        /// API group of the backend; empty (the default) is the core group.
        #[serde(default)]
        pub group: String,
        /// Kind of the backend; `Service` unless said otherwise.
        #[serde(default = "service_kind")]
        pub kind: String,
        /// Name of the backend.
        pub name: String,
        /// Namespace of the backend; absent means the route's own. Another one needs a `ReferenceGrant`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        /// Port of the Service; needed when the backend is a Service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub port: Option<u16>,
    }

    /// A share: `numerator` of every `denominator`.
    pub struct Fraction {
        /// How many.
        pub numerator: u32,
        /// Of how many; 100 unless said otherwise.
        #[serde(default = "hundred")]
        pub denominator: u32,
    }

    /// Answers with a redirect. What is absent is taken from the request.
    pub struct RedirectFilter {
        /// `http` or `https`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub scheme: Option<String>,
        /// The host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hostname: Option<String>,
        /// The path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub path: Option<PathModifier>,
        /// The port; absent means that of the scheme if one is given, else the listener's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub port: Option<u16>,
        /// The status: 301, 302, 303, 307 or 308.
        #[serde(default = "found")]
        pub status_code: u16,
    }

    /// Changes host or path before the request is forwarded.
    pub struct RewriteFilter {
        /// The `Host` that the backend sees.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hostname: Option<String>,
        /// The path that the backend sees.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub path: Option<PathModifier>,
    }

    /// A change of the path; `type` says which field is used.
    pub struct PathModifier {
        /// Which change this is.
        #[serde(rename = "type")]
        pub type_: PathModifierType,
        /// The whole new path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub replace_full_path: Option<String>,
        /// What the matched prefix becomes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub replace_prefix_match: Option<String>,
    }

    /// Answers preflight requests and marks answers for pages of other origins (GEP-1767).
    pub struct CorsFilter {
        /// Origins that may read the answer; `*` for all, or `scheme://*.domain`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub allow_origins: Vec<String>,
        /// Whether credentials may be sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub allow_credentials: Option<bool>,
        /// Methods that may be used; `*` for all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub allow_methods: Vec<String>,
        /// Header fields that may be sent; `*` for all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub allow_headers: Vec<String>,
        /// Header fields of the answer that the page may read; `*` for all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub expose_headers: Vec<String>,
        /// Seconds for which the answer to a preflight request holds.
        #[serde(default = "five")]
        pub max_age: u32,
    }
}

open_enum! {
    /// Which filter.
    pub enum FilterType {
        /// Changes header fields of the request.
        RequestHeaderModifier = "RequestHeaderModifier",
        /// Changes header fields of the answer.
        ResponseHeaderModifier = "ResponseHeaderModifier",
        /// Sends a copy elsewhere.
        RequestMirror = "RequestMirror",
        /// Answers with a redirect.
        RequestRedirect = "RequestRedirect",
        /// Changes host or path.
        UrlRewrite = "URLRewrite",
        /// Handles requests from pages of other origins.
        Cors = "CORS",
        /// A filter of the implementation's own.
        ExtensionRef = "ExtensionRef",
    }

    /// Which change of the path.
    pub enum PathModifierType {
        /// The whole path is replaced.
        ReplaceFullPath = "ReplaceFullPath",
        /// The matched prefix is replaced.
        ReplacePrefixMatch = "ReplacePrefixMatch",
    }
}

fn service_kind() -> String {
    "Service".to_owned()
}

fn one() -> u32 {
    1
}

fn hundred() -> u32 {
    100
}

fn found() -> u16 {
    302
}

fn five() -> u32 {
    5
}
