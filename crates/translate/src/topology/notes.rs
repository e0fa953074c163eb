//! What a topology says that only a cluster can do.

use bailey_crds::IngressTopology;

use super::subject;
use crate::diagnostics::{Code, Diagnostic};
use crate::objects::Entry;

/// One note for each field that is set and has no effect where the tiers run as processes of one machine.
pub fn local_notes(topology: &Entry<IngressTopology>) -> Vec<Diagnostic> {
    let spec = &topology.object.spec;
    let (outer, inner) = (&spec.outer, &spec.inner);
    let fields = [
        ("spec.outer.replicas", outer.replicas != 1),
        ("spec.outer.exposure", outer.exposure.is_some()),
        ("spec.outer.acme", outer.acme.is_some()),
        ("spec.outer.certificates.store", outer.certificates.is_some()),
        ("spec.outer.pod", outer.pod.is_some()),
        ("spec.inner.replicas", inner.replicas != 1),
        ("spec.inner.placement", inner.placement != bailey_crds::topology::Placement::default()),
        ("spec.inner.pod", inner.pod.is_some()),
        ("spec.tracing", spec.tracing.is_some()),
    ];
    let own = spec.tenants.iter().enumerate().filter(|(_, tenant)| tenant.inner.is_some());
    let own = own.map(|(index, _)| format!("spec.tenants[{index}].inner"));
    let general = fields.into_iter().filter(|(_, set)| *set).map(|(field, _)| field.to_owned());
    let note = |field: String| {
        let message = format!("{} has no effect on one machine", field.rsplit('.').next().unwrap_or_default());
        subject(topology).problem(Code::NoEffectHere, field, message)
    };
    general.chain(own).map(note).collect()
}
