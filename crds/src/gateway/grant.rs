//! `ReferenceGrant`: the owner of a namespace lets objects of another namespace refer to its own.

use super::object::kind;
use crate::unknown::tolerant;

kind!(
    /// A permission for references that cross namespaces. `v1` and `v1beta1` have the same fields and are both read.
    ReferenceGrant, ReferenceGrantSpec, "ReferenceGrant", "referencegrants", k8s_openapi::NamespaceResourceScope
);

tolerant! {
    /// Every `from` may refer to every `to`.
    pub struct ReferenceGrantSpec {
        /// Who may refer.
        pub from: Vec<ReferenceGrantFrom>,
        /// To what.
        pub to: Vec<ReferenceGrantTo>,
    }

    /// Objects that may refer.
    pub struct ReferenceGrantFrom {
        /// API group of the objects that refer.
        pub group: String,
        /// Kind of the objects that refer.
        pub kind: String,
        /// Namespace of the objects that refer.
        pub namespace: String,
    }

    /// Objects that may be referred to.
    pub struct ReferenceGrantTo {
        /// API group of the objects; empty is the core group.
        pub group: String,
        /// Kind of the objects.
        pub kind: String,
        /// One object by name; absent means all of the kind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
    }
}
