//! The envelope around every Gateway API object: type, metadata, and the status that others wrote.

/// The API group of all Gateway API kinds here.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// Defines one kind: its struct, its place in the API, and the walk for unknown fields (the spec and the root; the status
/// is other writers' and is kept as it came).
macro_rules! kind {
    ($(#[$meta:meta])* $name:ident, $spec:ty, $kind:literal, $plural:literal, $scope:ty) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Group and version as written; items of a list have none and get the served one.
            #[serde(default = "api_version")]
            pub api_version: String,
            /// Always this type's kind; items of a list have none and get it.
            #[serde(default = "kind")]
            pub kind: String,
            /// Name, namespace, labels, annotations and what the API server keeps about the object.
            #[serde(default)]
            pub metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
            /// What the owner asks for.
            pub spec: $spec,
            /// What controllers reported, as it came. Routing never reads it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub status: Option<serde_json::Value>,
            /// Fields beside `spec` that this type does not know, kept so that they can be reported.
            #[serde(flatten)]
            pub unknown: std::collections::BTreeMap<String, serde_json::Value>,
        }

        fn api_version() -> String {
            format!("{}/v1", $crate::gateway::GATEWAY_GROUP)
        }

        fn kind() -> String {
            $kind.to_owned()
        }

        impl k8s_openapi::Resource for $name {
            const API_VERSION: &'static str = "gateway.networking.k8s.io/v1";
            const GROUP: &'static str = $crate::gateway::GATEWAY_GROUP;
            const KIND: &'static str = $kind;
            const VERSION: &'static str = "v1";
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = $scope;
        }

        impl k8s_openapi::Metadata for $name {
            type Ty = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

            fn metadata(&self) -> &Self::Ty {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut Self::Ty {
                &mut self.metadata
            }
        }

        impl $crate::unknown::UnknownFields for $name {
            fn collect_unknown(&self, path: &str, found: &mut Vec<String>) {
                $crate::unknown::UnknownFields::collect_unknown(&self.spec, &$crate::unknown::child(path, "spec"), found);
                found.extend(self.unknown.keys().cloned());
            }
        }
    };
}
pub(super) use kind;
