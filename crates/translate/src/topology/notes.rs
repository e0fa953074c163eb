//! What a topology says that has no effect where the tiers are processes of one machine: mostly what only a cluster can do.

use bailey_crds::{IngressTopology, TierLimits};
use serde_json::Value;

use super::subject;
use crate::diagnostics::{Code, Diagnostic};
use crate::objects::Entry;

/// What a cluster does and one machine does not.
const CLUSTER: &str = "has no effect on one machine";
/// What is the business of the other tier.
const CLIENTS: &str =
    "has no effect on inner tiers, which have no clients of their own; set it under spec.outer.limits";
const APPLICATIONS: &str =
    "has no effect on the outer tier, which knows no applications; set it under spec.inner.limits";

/// What is said of the roots in place of a note on all of `acme`.
const ROOTS: &str = "has no effect on one machine; name a file with the roots by --acme-ca";

/// Where the certificates of a topology come from whose tiers are processes of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalCertificates {
    /// They are given, or made by the development CA.
    AtHand,
    /// They are ordered from an ACME authority, as `spec.outer.acme` says.
    Ordered,
}

/// Each field, with `[]` for every entry of a list, and why nothing follows from it. Everything below it is meant too.
const NO_EFFECT: [(&str, &str); 21] = [
    ("spec.outer.replicas", CLUSTER),
    ("spec.outer.autoscaling", CLUSTER),
    ("spec.outer.exposure", CLUSTER),
    ("spec.outer.acme", CLUSTER),
    ("spec.outer.certificates.store", CLUSTER),
    ("spec.outer.pod", CLUSTER),
    ("spec.outer.limits.upstream.firstByteSeconds", APPLICATIONS),
    ("spec.outer.limits.upstream.idleSeconds", APPLICATIONS),
    ("spec.inner.replicas", CLUSTER),
    ("spec.inner.autoscaling", CLUSTER),
    ("spec.inner.placement", CLUSTER),
    ("spec.inner.pod", CLUSTER),
    ("spec.inner.limits.accept.proxyHeaderSeconds", CLIENTS),
    ("spec.inner.limits.accept.proxyHeaderBytes", CLIENTS),
    ("spec.inner.limits.http1", CLIENTS),
    ("spec.inner.limits.http2", CLIENTS),
    ("spec.inner.limits.body", CLIENTS),
    ("spec.inner.limits.connection", CLIENTS),
    ("spec.inner.limits.upstream.inFlight", "has no effect on inner tiers; the outer tier counts a tenant's requests"),
    ("spec.tenants[].inner", CLUSTER),
    ("spec.tenants[].limits.certificates", CLUSTER),
];

/// What has an effect as soon as certificates are ordered.
const FOR_ORDERS: [&str; 2] = ["spec.outer.acme", "spec.tenants[].limits.certificates"];
/// What has none even then.
const NOT_FOR_ORDERS: (&str, &str) = ("spec.outer.acme.caBundleRef", ROOTS);

/// One note for each field that is set and has no effect where the tiers run as processes of one machine.
pub fn local_notes(topology: &Entry<IngressTopology>, certificates: LocalCertificates) -> Vec<Diagnostic> {
    let ordered = certificates == LocalCertificates::Ordered;
    let fields = NO_EFFECT.into_iter().filter(|(path, _)| !(ordered && FOR_ORDERS.contains(path)));
    let object = serde_json::to_value(&*topology.object).unwrap_or_default();
    let mut notes = Vec::new();
    for (path, why) in fields.chain(ordered.then_some(NOT_FOR_ORDERS)) {
        find(&object, "", path, &mut |field, value| {
            if !is_default(field, value) {
                let message = format!("{} {why}", field.rsplit('.').next().unwrap_or_default());
                notes.push(subject(topology).problem(Code::NoEffectHere, field, message));
            }
        });
    }
    notes
}

/// Calls `found` for every field that `path` leads to, with the field's own path.
fn find(value: &Value, at: &str, path: &str, found: &mut dyn FnMut(&str, &Value)) {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, list) = name.strip_suffix("[]").map_or((name, false), |name| (name, true));
    let Some(child) = value.get(name).filter(|child| !child.is_null()) else { return };
    let at = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let mut next = |at: &str, child: &Value| {
        if rest.is_empty() { found(at, child) } else { find(child, at, rest, found) }
    };
    match child.as_array().filter(|_| list) {
        Some(items) => items.iter().enumerate().for_each(|(index, item)| next(&format!("{at}[{index}]"), item)),
        None => next(&at, child),
    }
}

/// Whether the value is what an absent field means. A tier's limits are written out whole as soon as one of them is set.
fn is_default(field: &str, value: &Value) -> bool {
    if let Some((_, limit)) = field.split_once(".limits.").filter(|_| !field.starts_with("spec.tenants")) {
        let defaults = serde_json::to_value(TierLimits::default()).unwrap_or_default();
        return defaults.pointer(&format!("/{}", limit.replace('.', "/"))) == Some(value);
    }
    match field.rsplit('.').next() {
        Some("replicas") => *value == 1,
        Some("placement") => *value == "TenantNamespace",
        _ => false,
    }
}
