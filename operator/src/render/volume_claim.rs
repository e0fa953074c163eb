//! The volume with certificates and the ACME account. It outlives the topology unless `reclaimPolicy: Delete` says
//! otherwise: ordering everything again would use up the authority's rate limits.

use std::collections::BTreeMap;

use bailey_crds::topology::ReclaimPolicy;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::manifest::{At, Child, Manifests, Rendered};
use crate::names;
use crate::validate::ValidTopology;

/// Name of the claim of an outer tier.
pub(super) fn name(tier: &str) -> String {
    names::child(tier, "certificates")
}

pub(super) fn add(topology: &ValidTopology, out: &mut Manifests<Rendered>) {
    let Some(volume) = topology.volume() else { return };
    let claim = PersistentVolumeClaim {
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(volume.size.clone()))])),
                limits: None,
            }),
            storage_class_name: volume.storage_class_name.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    };
    let tier = &topology.outer;
    let name = name(&tier.name);
    let owned = volume.reclaim_policy == ReclaimPolicy::Delete;
    let at = At { namespace: &tier.namespace, name: &name, owned };
    out.add(topology, Child::PersistentVolumeClaim, at, &tier.labels(), &claim);
}
