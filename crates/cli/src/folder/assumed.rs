//! What files that are meant for a cluster usually lack, and what is taken in its place.
//!
//! The rule: a kind of which the files have no object at all is taken as kept elsewhere, and what refers to it as well. A kind
//! of which they have some is taken as complete. Every assumption is said, so that nobody takes it for a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use bailey_crds::IngressTopology;
use bailey_crds::gateway::{BackendRef, Gateway, GrpcRoute, HttpRoute, ParentReference, RouteFilter};
use bailey_translate::{Code, Diagnostic, Entry, Key, Kind, Object, Objects};
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::Serialize;
use serde_json::{Value, json};

/// Something that was taken to be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Assumption {
    /// No `IngressTopology` and no `Gateway`: routes are read as if theirs took everything.
    Gateways {
        /// Those that routes name, as `namespace/name`.
        names: Vec<String>,
    },
    /// No Service: every backend is taken to exist, with the port that is named.
    Services,
    /// No `EndpointSlice`: every Service is taken to have a ready endpoint.
    Endpoints,
    /// No Secret: every certificate is taken to be there.
    Certificates,
    /// No Namespace: which of them a selector finds is not known.
    Namespaces,
    /// Secrets of a cluster that may not be read: every certificate is taken to be there.
    UnreadCertificates,
    /// Namespaces of a cluster that may not be read: which of them a selector finds is not known.
    UnreadNamespaces,
}

impl Assumption {
    /// Whether nothing is known of certificates that are kept elsewhere.
    pub fn of_certificates(assumed: &[Self]) -> bool {
        assumed.iter().any(|one| matches!(one, Self::Certificates | Self::UnreadCertificates))
    }
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateways { names } => write!(
                f,
                "there is no IngressTopology and no Gateway among the files: listeners, hostnames, tenants and certificates cannot be \
                 checked, and {} is taken to accept every route",
                names.join(", ")
            ),
            Self::Services => f.write_str(
                "there is no Service among the files: every backend is taken to exist and to have the port that is named",
            ),
            Self::Endpoints => f.write_str(
                "there is no EndpointSlice among the files: every Service is taken to have a ready endpoint",
            ),
            Self::Certificates => {
                f.write_str("there is no Secret among the files: every certificate is taken to exist and to be valid")
            }
            Self::UnreadCertificates => {
                f.write_str("Secrets may not be read: every certificate in one is taken to exist and to be valid")
            }
            Self::UnreadNamespaces => f.write_str(
                "Namespaces may not be read: which of them a selector finds cannot be said, so tenants that select theirs have no \
                 inner tier here",
            ),
            Self::Namespaces => f.write_str(
                "there is no Namespace among the files: which namespaces a selector finds cannot be said, so tenants that select \
                 theirs have no inner tier here",
            ),
        }
    }
}

/// Whether a diagnostic is about something that an assumption takes to be well.
pub(super) fn excuses(assumed: &[Assumption], found: &Diagnostic) -> bool {
    let certificates = Assumption::of_certificates(assumed);
    let namespaces = assumed.iter().any(|one| matches!(one, Assumption::Namespaces | Assumption::UnreadNamespaces));
    // A listener that names no certificate at all has no index in its field.
    (found.code == Code::CertificateNotFound && certificates && found.field.ends_with(']'))
        || (found.code == Code::NoNamespaces && namespaces)
}

/// Adds what is missing.
pub(super) fn add(objects: &mut Objects, address: IpAddr) -> Vec<Assumption> {
    let mut assumed = Vec::new();
    if none::<IngressTopology>(objects) && none::<Gateway>(objects) {
        let names = gateways(objects);
        if !names.is_empty() {
            assumed.push(Assumption::Gateways { names });
        }
    }
    if none::<Service>(objects) && services(objects) {
        assumed.push(Assumption::Services);
    }
    if none::<EndpointSlice>(objects) && endpoints(objects, address) {
        assumed.push(Assumption::Endpoints);
    }
    if none::<Secret>(objects) && wants_certificates(objects) {
        assumed.push(Assumption::Certificates);
    }
    if none::<Namespace>(objects) && selects_namespaces(objects) {
        assumed.push(Assumption::Namespaces);
    }
    assumed
}

fn none<T: Kind>(objects: &Objects) -> bool {
    objects.all::<T>().next().is_none()
}

/// What a parentRef may ask of a Gateway's listeners: `sectionName` and `port`.
type Section = (Option<String>, Option<u16>);

/// A Gateway that takes everything for each that a route names.
fn gateways(objects: &mut Objects) -> Vec<String> {
    let mut wanted: BTreeMap<(String, String), BTreeSet<Section>> = BTreeMap::new();
    let mut note = |namespace: &str, parents: &[ParentReference]| {
        for parent in parents.iter().filter(|parent| parent.group == Gateway::GROUP && parent.kind == Gateway::KIND) {
            let namespace = parent.namespace.clone().unwrap_or_else(|| namespace.to_owned());
            let sections = wanted.entry((namespace, parent.name.clone())).or_default();
            sections.insert((parent.section_name.clone(), parent.port));
        }
    };
    objects.all::<HttpRoute>().for_each(|(key, route)| note(&key.namespace, &route.object.spec.parent_refs));
    objects.all::<GrpcRoute>().for_each(|(key, route)| note(&key.namespace, &route.object.spec.parent_refs));
    let names = wanted.keys().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
    for ((namespace, name), sections) in wanted {
        let listeners: Vec<_> =
            (50_000u16..).zip(sections).map(|(free, (section, port))| listener(section, port, free)).collect();
        put(
            objects,
            json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"namespace": namespace, "name": name},
                "spec": {"gatewayClassName": "bailey", "listeners": listeners},
            }),
        );
    }
    names
}

/// Listeners of one host need ports of their own, so one whose port nobody names gets a `free` one.
fn listener(section: Option<String>, port: Option<u16>, free: u16) -> Value {
    let (name, port) = match (section, port) {
        (None, None) => ("http".to_owned(), 80),
        (None, Some(port)) => (format!("http-{port}"), port),
        (Some(name), port) => (name, port.unwrap_or(free)),
    };
    json!({"name": name, "port": port, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}})
}

fn put(objects: &mut Objects, value: Value) {
    let object = Object::from_value(value).expect("an object made here is of its kind");
    objects.insert_any(object, None);
}

/// A Service for every backend that a route names, and whether there is any.
fn services(objects: &mut Objects) -> bool {
    let mut wanted: BTreeMap<(String, String), BTreeSet<u16>> = BTreeMap::new();
    let mut note = |route: &str, group: &str, kind: &str, namespace: Option<&str>, name: &str, port: Option<u16>| {
        if let Some(port) = port.filter(|_| group.is_empty() && kind == Service::KIND) {
            wanted.entry((namespace.unwrap_or(route).to_owned(), name.to_owned())).or_default().insert(port);
        }
    };
    let mut rule = |route: &str, backends: &[BackendRef], filters: &[RouteFilter]| {
        for backend in backends {
            note(route, &backend.group, &backend.kind, backend.namespace.as_deref(), &backend.name, backend.port);
        }
        let inner = backends.iter().flat_map(|backend| &backend.filters);
        for mirror in filters.iter().chain(inner).filter_map(|filter| filter.request_mirror.as_ref()) {
            let to = &mirror.backend_ref;
            note(route, &to.group, &to.kind, to.namespace.as_deref(), &to.name, to.port);
        }
    };
    for (key, route) in objects.all::<HttpRoute>() {
        route.object.spec.rules.iter().for_each(|one| rule(&key.namespace, &one.backend_refs, &one.filters));
    }
    for (key, route) in objects.all::<GrpcRoute>() {
        route.object.spec.rules.iter().for_each(|one| rule(&key.namespace, &one.backend_refs, &one.filters));
    }
    let any = !wanted.is_empty();
    for ((namespace, name), ports) in wanted {
        let ports: Vec<_> = ports.iter().map(|port| json!({"name": format!("p{port}"), "port": port})).collect();
        put(
            objects,
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name}, "spec": {"ports": ports}}),
        );
    }
    any
}

/// An endpoint for every port of every Service, and whether there is any.
fn endpoints(objects: &mut Objects, address: IpAddr) -> bool {
    let slice = |(key, service): (&Key, &Entry<Service>)| {
        let spec = service.object.spec.as_ref()?;
        let ports: Vec<_> =
            spec.ports.iter().flatten().map(|port| json!({"name": port.name, "port": port.port})).collect();
        Some(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"namespace": key.namespace, "name": key.name, "labels": {"kubernetes.io/service-name": key.name}},
            "endpoints": [{"addresses": [address]}], "ports": ports,
        }))
    };
    let slices: Vec<_> = objects.all::<Service>().filter_map(slice).collect();
    let any = !slices.is_empty();
    for slice in slices {
        put(objects, slice);
    }
    any
}

fn wants_certificates(objects: &Objects) -> bool {
    let listeners = objects.all::<Gateway>().flat_map(|(_, gateway)| &gateway.object.spec.listeners);
    let mut tls = listeners.filter_map(|listener| listener.tls.as_ref());
    let given =
        |topology: &IngressTopology| topology.spec.outer.certificates.as_ref().is_some_and(|c| !c.secrets.is_empty());
    tls.any(|tls| !tls.certificate_refs.is_empty())
        || objects.all::<IngressTopology>().any(|(_, entry)| given(&entry.object))
}

fn selects_namespaces(objects: &Objects) -> bool {
    let mut tenants = objects.all::<IngressTopology>().flat_map(|(_, entry)| &entry.object.spec.tenants);
    tenants.any(|tenant| tenant.namespaces.selector.is_some())
}
