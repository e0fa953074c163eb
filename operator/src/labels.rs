//! The labels of everything the operator makes, and by which it knows its own again.

use std::collections::BTreeMap;

/// Labels of an object, or the selector of pods.
pub type Labels = BTreeMap<String, String>;

/// Who writes the children: a label's value, and the field manager of every write.
pub const MANAGER: &str = "bailey-operator";
/// The label that says who manages an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label with the topology's name.
pub const TOPOLOGY: &str = "bailey.dev/topology";
/// The label with the tier: `outer` or `inner`.
pub const TIER: &str = "bailey.dev/tier";
/// The label with the tenant's name.
pub const TENANT: &str = "bailey.dev/tenant";
/// The label of a `HostnameBinding`: [`OWNED`] or [`RELEASED`].
pub const BINDING: &str = "bailey.dev/binding";
/// The tenant has the host.
pub const OWNED: &str = "owned";
/// The tenant gave the host up; nobody else gets it before the hold time is over.
pub const RELEASED: &str = "released";

/// The tier that labels are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// The topology as a whole.
    Topology,
    /// The outer tier.
    Outer,
    /// The inner tier of this tenant.
    Inner(&'a str),
}

/// All labels of a child.
pub fn all(topology: &str, of: Of<'_>) -> Labels {
    let mut labels = selector(topology, of);
    let component = match of {
        Of::Topology => "topology",
        Of::Outer => "outer",
        Of::Inner(_) => "inner",
    };
    for (key, value) in [
        ("app.kubernetes.io/name", "bailey-proxy"),
        ("app.kubernetes.io/instance", topology),
        ("app.kubernetes.io/component", component),
        ("app.kubernetes.io/part-of", "bailey"),
        (MANAGED_BY, MANAGER),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

/// The labels that pick the pods of a tier and never change.
pub fn selector(topology: &str, of: Of<'_>) -> Labels {
    let mut labels = Labels::from([(TOPOLOGY.to_owned(), topology.to_owned())]);
    let tier = match of {
        Of::Topology => return labels,
        Of::Outer => "outer",
        Of::Inner(tenant) => {
            labels.insert(TENANT.to_owned(), tenant.to_owned());
            "inner"
        }
    };
    labels.insert(TIER.to_owned(), tier.to_owned());
    labels
}
