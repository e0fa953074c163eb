//! A `HostnameBinding`: the entry of the ledger that says whose a hostname is. It is created, not applied: that it could be
//! created is what makes its tenant the owner.

use bailey_crds::HostnameBinding;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::labels::{self, Of};
use crate::manifest::owner;
use crate::validate::ValidTopology;

/// The annotation with the moment in which a hostname was given up.
pub const RELEASED_AT: &str = "bailey.dev/released-at";

/// The binding as it is while its tenant has the hostname. `resolved` is what `bailey_translate::resolve` made.
pub fn binding(topology: &ValidTopology, resolved: &HostnameBinding) -> Value {
    let mut marks = labels::all(&topology.name, Of::Inner(&resolved.spec.tenant));
    marks.insert(labels::BINDING.to_owned(), labels::OWNED.to_owned());
    json!({
        "apiVersion": "bailey.dev/v1alpha1",
        "kind": "HostnameBinding",
        "metadata": {
            "name": resolved.name_any(),
            "namespace": resolved.namespace(),
            "labels": marks,
            "ownerReferences": [owner(topology)],
        },
        "spec": resolved.spec,
    })
}

/// The change that marks a binding as given up: proxies do not read it any more, and nobody else gets the host yet.
pub fn released(at: Timestamp) -> Value {
    json!({"metadata": {
        "labels": {labels::BINDING: labels::RELEASED},
        "annotations": {RELEASED_AT: format!("{at:.0}")},
    }})
}
