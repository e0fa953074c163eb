//! How objects name each other, with the API's defaults for group and kind filled in.

use super::object::GATEWAY_GROUP;
use crate::unknown::tolerant;

tolerant! {
    /// The Gateway (or other parent) a route wants to attach to.
    pub struct ParentReference {
        /// API group of the parent; the Gateway API's own unless said otherwise.
        #[serde(default = "gateway_group")]
        pub group: String,
        /// Kind of the parent; `Gateway` unless said otherwise.
        #[serde(default = "gateway_kind")]
        pub kind: String,
        /// Namespace of the parent; absent means the route's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        /// Name of the parent.
        pub name: String,
        /// One listener of the parent by name; absent means all that fit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub section_name: Option<String>,
        /// The listeners of the parent with this port; absent means any port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub port: Option<u16>,
    }

    /// An object in the same namespace.
    pub struct LocalObjectReference {
        /// API group of the object; empty is the core group.
        #[serde(default)]
        pub group: String,
        /// Kind of the object.
        pub kind: String,
        /// Name of the object.
        pub name: String,
    }

    /// An object of any kind, in any namespace.
    pub struct ObjectReference {
        /// API group of the object; empty is the core group.
        #[serde(default)]
        pub group: String,
        /// Kind of the object.
        pub kind: String,
        /// Name of the object.
        pub name: String,
        /// Namespace of the object; absent means that of the one who refers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
    }

    /// An object that holds a certificate, a Secret unless said otherwise.
    pub struct SecretReference {
        /// API group of the object; empty is the core group.
        #[serde(default)]
        pub group: String,
        /// Kind of the object; `Secret` unless said otherwise.
        #[serde(default = "secret_kind")]
        pub kind: String,
        /// Name of the object.
        pub name: String,
        /// Namespace of the object; absent means that of the one who refers. Another one needs a `ReferenceGrant`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
    }
}

pub(super) fn gateway_group() -> String {
    GATEWAY_GROUP.to_owned()
}

fn gateway_kind() -> String {
    "Gateway".to_owned()
}

fn secret_kind() -> String {
    "Secret".to_owned()
}
