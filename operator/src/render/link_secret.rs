//! The Secrets of the link: a tier's certificate with its key, and the key of the topology's own authority.

use bailey_crds::LINK_SECRET;
use serde_json::{Value, json};

use crate::labels::{self, Of};
use crate::link::{Authorities, LeafPems};
use crate::manifest::owner;
use crate::names;
use crate::tier::Tier;
use crate::validate::ValidTopology;

/// The Secret `bailey-link` of a tier's namespace.
pub fn link_secret(topology: &ValidTopology, tier: &Tier, leaf: &LeafPems) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": LINK_SECRET,
            "namespace": tier.namespace,
            "labels": tier.labels(),
            "ownerReferences": [owner(topology)],
        },
        "data": leaf.data(),
    })
}

/// The Secret with the authority's key, in the operator's own namespace.
pub fn authority_secret(topology: &ValidTopology, namespace: &str, authorities: &Authorities) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bailey.dev/link-authority",
        "metadata": {
            "name": names::link_authority(&topology.name),
            "namespace": namespace,
            "labels": labels::all(&topology.name, Of::Topology),
            "ownerReferences": [owner(topology)],
        },
        "data": authorities.data(),
    })
}
