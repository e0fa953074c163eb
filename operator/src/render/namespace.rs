//! The namespace of an inner tier that does not run among its tenant's applications.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;

use crate::manifest::{At, Child, Manifests, Rendered};
use crate::tier::Tier;
use crate::validate::ValidTopology;

pub(super) fn add(topology: &ValidTopology, tier: &Tier, out: &mut Manifests<Rendered>) {
    let mut labels = tier.labels();
    let restricted = ["enforce", "audit", "warn"]
        .map(|mode| (format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned()));
    labels.extend(BTreeMap::from(restricted));
    out.add(topology, Child::Namespace, At::new("", &tier.namespace), &labels, &Namespace::default());
}
