//! What a tier may read: the one table behind its watches and the fixed `ClusterRole`s that allow them.
//!
//! The roles are installed once and never changed; the operator only binds them, each to one service account in one
//! namespace. Secrets can be read by name only and no row lets a tier write, but for [`STORE`]: an outer tier that keeps the
//! certificates it orders in Secrets has to.

/// One kind that may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// The kind in plural, as rules name it.
    pub resource: &'static str,
    /// What may be done with it.
    pub verbs: &'static [&'static str],
}

/// A `ClusterRole` of fixed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedRole {
    /// Name of the `ClusterRole`.
    pub name: &'static str,
    /// What its bindings' names end in.
    pub suffix: &'static str,
    /// What it allows.
    pub may: &'static [Access],
}

const WATCH: &[&str] = &["get", "list", "watch"];
const GATEWAY: &str = "gateway.networking.k8s.io";

const fn watch(group: &'static str, resource: &'static str) -> Access {
    Access { group, resource, verbs: WATCH }
}

/// An inner tier, in each namespace of its tenant and where it runs.
pub const INNER: FixedRole = FixedRole {
    name: "bailey-inner",
    suffix: "inner",
    may: &[
        watch(GATEWAY, "httproutes"),
        watch(GATEWAY, "grpcroutes"),
        watch(GATEWAY, "referencegrants"),
        watch("networking.k8s.io", "ingresses"),
        watch("", "services"),
        watch("discovery.k8s.io", "endpointslices"),
        watch(crate::GROUP, "tierconfigs"),
    ],
};

/// An outer tier, in its own namespace.
pub const OUTER: FixedRole = FixedRole {
    name: "bailey-outer",
    suffix: "outer",
    may: &[
        watch(crate::GROUP, "tierconfigs"),
        watch(crate::GROUP, "hostnamebindings"),
        // Roots to trust for an ACME directory.
        Access { group: "", resource: "configmaps", verbs: &["get"] },
    ],
};

/// An outer tier, where an inner tier of its runs.
pub const ENDPOINTS: FixedRole = FixedRole {
    name: "bailey-endpoints-reader",
    suffix: "endpoints",
    may: &[watch("discovery.k8s.io", "endpointslices")],
};

/// An outer tier, in the namespaces that hold its certificates.
pub const CERTIFICATES: FixedRole = FixedRole {
    name: "bailey-certificate-reader",
    suffix: "certificates",
    may: &[Access { group: "", resource: "secrets", verbs: &["get"] }],
};

/// An inner tier, for what belongs to no namespace and is no secret.
pub const CLASSES: FixedRole =
    FixedRole { name: "bailey-class-reader", suffix: "classes", may: &[watch(GATEWAY, "gatewayclasses")] };

/// An outer tier that orders certificates and keeps them in Secrets, in its own namespace, which is dedicated to it. RBAC
/// cannot tell Secrets apart by label, so this is all of them there. The Lease elects who orders.
pub const STORE: FixedRole = FixedRole {
    name: "bailey-certificate-store",
    suffix: "store",
    may: &[
        Access { group: "", resource: "secrets", verbs: &["get", "list", "watch", "create", "update", "delete"] },
        Access { group: "coordination.k8s.io", resource: "leases", verbs: &["get", "create", "patch"] },
    ],
};

/// All of them.
pub const TIER_ROLES: [FixedRole; 6] = [INNER, OUTER, ENDPOINTS, CERTIFICATES, CLASSES, STORE];
