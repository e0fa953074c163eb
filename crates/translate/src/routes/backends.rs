//! Where a rule sends its requests: backend references to upstreams.
//!
//! A reference that is not valid keeps its weight and answers 500, so that its share of the requests does not move to the
//! other backends unseen.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailey_crds::gateway::BackendRef;
use bailey_routing::ir::{Backend, BackendProtocol, Invalid, RouteKind, Target};
use k8s_openapi::api::core::v1::Service;

use super::filters::{self, Place};
use super::rule::Problems;
use crate::diagnostics::Code;
use crate::objects::{Key, Kind, Objects};
use crate::references::{From, To, permitted};
use crate::upstreams::Upstreams;

/// Largest weight that Gateway API allows.
const MAX_WEIGHT: u32 = 1_000_000;

/// What the references of one route are resolved against.
pub(super) struct References<'a, 'b> {
    pub(super) objects: &'a Objects,
    pub(super) upstreams: &'b mut Upstreams<'a>,
    /// The namespaces that the tier can see; all of them if `None`.
    pub(super) visible: Option<&'b BTreeSet<String>>,
    pub(super) kind: RouteKind,
    pub(super) group: &'static str,
    pub(super) namespace: &'b str,
    pub(super) protocol: BackendProtocol,
}

/// A reference to a backend, as rules and mirrors have it.
pub(super) struct Wanted<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) port: Option<u16>,
}

/// The backends of a rule.
pub(super) fn translate(
    wanted: &[BackendRef],
    at: &str,
    by_prefix: bool,
    references: &mut References<'_, '_>,
    problems: &mut Problems<'_>,
) -> Vec<Backend> {
    let backends = wanted.iter().enumerate().map(|(index, backend)| {
        let at = format!("{at}[{index}]");
        let place = Place { kind: references.kind, backend: true, by_prefix };
        let filters = filters::translate(&backend.filters, &format!("{at}.filters"), place, references, problems);
        let target = weighted_target(backend, &at, references, problems);
        Backend { target, weight: backend.weight.min(MAX_WEIGHT), filters: filters.into() }
    });
    let backends: Vec<Backend> = backends.collect();
    if !backends.is_empty() && backends.iter().all(|backend| backend.weight == 0) {
        problems.found(Code::NoWeight, at, "every weight is 0".to_owned());
    }
    backends
}

fn weighted_target(
    backend: &BackendRef,
    at: &str,
    references: &mut References<'_, '_>,
    problems: &mut Problems<'_>,
) -> Target {
    let BackendRef { group, kind, name, namespace, port, weight, .. } = backend;
    if *weight > MAX_WEIGHT {
        let message = format!("{weight} is more than {MAX_WEIGHT}");
        let invalid = Invalid::internal(format!("{}: {at}.weight: {message}", Code::InvalidWeight.id()));
        problems.found(Code::InvalidWeight, &format!("{at}.weight"), message);
        return Target::Invalid(Arc::new(invalid));
    }
    target(&Wanted { group, kind, name, namespace: namespace.as_deref(), port: *port }, at, references, problems)
}

/// The end of one reference.
pub(super) fn target(
    wanted: &Wanted<'_>,
    at: &str,
    references: &mut References<'_, '_>,
    problems: &mut Problems<'_>,
) -> Target {
    match resolve(wanted, at, references, problems) {
        Ok(target) => target,
        Err((code, field, message)) => Target::Invalid(problems.reference(code, &field, message)),
    }
}

type Refusal = (Code, String, String);

fn resolve(
    wanted: &Wanted<'_>,
    at: &str,
    references: &mut References<'_, '_>,
    problems: &mut Problems<'_>,
) -> Result<Target, Refusal> {
    let Wanted { group, kind, name, .. } = *wanted;
    if group != Service::GROUP || kind != Service::KIND {
        let message = format!("{} {name} is not a Service", qualified(group, kind));
        return Err((Code::BackendKind, format!("{at}.kind"), message));
    }
    let namespace = wanted.namespace.unwrap_or(references.namespace);
    check_namespace(namespace, name, references)
        .map_err(|(code, message)| (code, format!("{at}.namespace"), message))?;
    let Some(port) = wanted.port else {
        let message = format!("no port of Service {namespace}/{name} is named");
        return Err((Code::BackendPortMissing, format!("{at}.port"), message));
    };
    let key = Key::new(namespace, name);
    let upstream = references.upstreams.service(&key, port, references.protocol, problems.sink());
    upstream.map(Target::Upstream).map_err(|unusable| {
        let by_name = matches!(unusable.code, Code::BackendNotFound | Code::ExternalNameRefused);
        let field = if by_name { "name" } else { "port" };
        (unusable.code, format!("{at}.{field}"), unusable.message)
    })
}

/// Whether the route may refer to a Service of that namespace.
fn check_namespace(namespace: &str, name: &str, references: &References<'_, '_>) -> Result<(), (Code, String)> {
    if references.visible.is_some_and(|visible| !visible.contains(namespace)) {
        let message = format!("namespace {namespace} is not one of the tenant's, so its Services are out of reach");
        return Err((Code::BackendOutOfReach, message));
    }
    let from = From { group: references.group, kind: references.kind.as_str(), namespace: references.namespace };
    if permitted(references.objects, from, To::object::<Service>(namespace, name)) {
        return Ok(());
    }
    let (kind, own) = (from.kind, from.namespace);
    let message = format!("no ReferenceGrant in {namespace} lets {kind}s of {own} refer to Service {name}");
    Err((Code::BackendNotPermitted, message))
}

fn qualified(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{group}/{kind}") }
}
