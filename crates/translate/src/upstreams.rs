//! From a port of a Service to the endpoints behind it.
//!
//! Decides what makes a Service usable as a backend and which of its endpoints count. Whether a route may refer to the
//! Service at all has been decided before. Every Service port that some route uses becomes one upstream, however many
//! routes use it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bailey_routing::ir::{BackendProtocol, Endpoint, Upstream, UpstreamId, UpstreamKey};
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint as SliceEndpoint, EndpointSlice};

use crate::addresses::refusal;
use crate::diagnostics::{Code, Sink};
use crate::objects::{Entry, Key, Objects};
use crate::topology::LINK;

/// The label by which an EndpointSlice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The upstreams of one translation, made as they are asked for.
pub(crate) struct Upstreams<'a> {
    objects: &'a Objects,
    slices: BTreeMap<Key, Vec<&'a Entry<EndpointSlice>>>,
    local: bool,
    made: BTreeMap<UpstreamKey, Arc<Upstream>>,
}

/// Why a Service port is not a backend.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl<'a> Upstreams<'a> {
    pub(crate) fn new(objects: &'a Objects, local: bool) -> Self {
        let mut slices: BTreeMap<Key, Vec<&Entry<EndpointSlice>>> = BTreeMap::new();
        for (key, entry) in objects.all::<EndpointSlice>() {
            let labels = entry.object.metadata.labels.as_ref();
            if let Some(service) = labels.and_then(|labels| labels.get(SERVICE_NAME)) {
                slices.entry(Key::new(&key.namespace, service)).or_default().push(entry);
            }
        }
        Self { objects, slices, local, made: BTreeMap::new() }
    }

    /// The upstream of a Service port, for a route that speaks `protocol` when the port does not say otherwise.
    pub(crate) fn service(
        &mut self,
        at: &Key,
        port: u16,
        protocol: BackendProtocol,
        sink: &mut Sink,
    ) -> Result<UpstreamId, Unusable> {
        let service = self.objects.get::<Service>(&at.namespace, &at.name).ok_or_else(|| Unusable {
            code: Code::BackendNotFound,
            message: format!("there is no Service {}/{}", at.namespace, at.name),
        })?;
        let service_port = usable_port(service, at, port)?;
        let protocol = spoken(service_port, at, protocol)?;
        let (namespace, name) = (at.namespace.as_str().into(), at.name.as_str().into());
        let key = UpstreamKey::Service { namespace, name, port, protocol };
        if let Some(made) = self.made.get(&key) {
            return Ok(made.id.clone());
        }
        let id = UpstreamId::new(key.clone());
        let wanted = service_port.name.as_deref().unwrap_or_default();
        let endpoints = self.endpoints(at, |name, _| name == wanted, sink);
        if endpoints.is_empty() {
            let message = format!("port {port} has no ready endpoint");
            sink.push(service.subject().problem(Code::NoReadyEndpoints, "", message));
        }
        self.made.insert(key, Arc::new(Upstream { id: id.clone(), endpoints }));
        Ok(id)
    }

    /// The upstream of the link to a tenant's inner tier, whose Service is `inner`, and whether it has an endpoint.
    pub(crate) fn link(&mut self, tenant: &str, inner: &Key, port: u16, sink: &mut Sink) -> (UpstreamId, bool) {
        let key = UpstreamKey::Link { tenant: tenant.into() };
        if let Some(made) = self.made.get(&key) {
            return (made.id.clone(), !made.endpoints.is_empty());
        }
        let id = UpstreamId::new(key.clone());
        // The outer tier does not read the Service, so the port is known by the link's name or number.
        let endpoints = self.endpoints(inner, |name, number| name == LINK || number == i32::from(port), sink);
        let ready = !endpoints.is_empty();
        self.made.insert(key, Arc::new(Upstream { id: id.clone(), endpoints }));
        (id, ready)
    }

    pub(crate) fn finish(self) -> Vec<Arc<Upstream>> {
        self.made.into_values().collect()
    }

    /// The ready endpoints of a Service on the slice port that `wanted` picks by name and number.
    fn endpoints(&self, service: &Key, wanted: impl Fn(&str, i32) -> bool, sink: &mut Sink) -> Box<[Endpoint]> {
        let mut found = BTreeSet::new();
        for slice in self.slices.get(service).into_iter().flatten() {
            let ports = slice.object.ports.iter().flatten();
            let number = ports
                .filter_map(|port| Some((port.name.as_deref().unwrap_or_default(), port.port?)))
                .find_map(|(name, number)| wanted(name, number).then_some(number));
            let Some(port) = number.and_then(|number| u16::try_from(number).ok()) else { continue };
            for address in self.ready_addresses(slice, sink) {
                found.insert(Endpoint { address: SocketAddr::new(address, port), weight: 1 });
            }
        }
        found.into_iter().collect()
    }

    fn ready_addresses(&self, slice: &Entry<EndpointSlice>, sink: &mut Sink) -> Vec<IpAddr> {
        let mut found = Vec::new();
        for (at, endpoint) in slice.object.endpoints.iter().enumerate() {
            // Absent means ready: the field is optional and its absence is defined so.
            if endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) == Some(false) {
                continue;
            }
            if let Some(namespace) = foreign_pod(slice, endpoint) {
                let message = format!("the endpoint is a Pod of namespace {namespace}");
                sink.push(slice.subject().problem(
                    Code::EndpointRefused,
                    format!("endpoints[{at}].targetRef"),
                    message,
                ));
                continue;
            }
            for (index, text) in endpoint.addresses.iter().enumerate() {
                let why = match text.parse::<IpAddr>() {
                    Ok(address) => match refusal(address, self.local) {
                        None => {
                            found.push(address.to_canonical());
                            continue;
                        }
                        Some(why) => why,
                    },
                    Err(_) => "not an IP address",
                };
                let field = format!("endpoints[{at}].addresses[{index}]");
                sink.push(slice.subject().problem(Code::EndpointRefused, field, format!("{text:?} is {why}")));
            }
        }
        found
    }
}

/// The namespace of the endpoint's Pod when it is not the slice's own. Whoever may write EndpointSlices could otherwise
/// reach the Pods of others through his own routes.
fn foreign_pod<'a>(slice: &Entry<EndpointSlice>, endpoint: &'a SliceEndpoint) -> Option<&'a str> {
    let namespace = endpoint.target_ref.as_ref().and_then(|target| target.namespace.as_deref())?;
    (slice.object.metadata.namespace.as_deref() != Some(namespace)).then_some(namespace)
}

/// The port of the Service, if traffic can be sent to it.
fn usable_port<'a>(service: &'a Entry<Service>, at: &Key, port: u16) -> Result<&'a ServicePort, Unusable> {
    let Key { namespace, name } = at;
    let spec = service.object.spec.as_ref();
    if spec.and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
        let message = format!("Service {namespace}/{name} is of type ExternalName");
        return Err(Unusable { code: Code::ExternalNameRefused, message });
    }
    let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let Some(found) = ports.iter().find(|candidate| candidate.port == i32::from(port)) else {
        let known = ports.iter().map(|port| port.port.to_string()).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "no ports".to_owned() } else { format!("ports {known}") };
        let message = format!("Service {namespace}/{name} has {known}, not {port}");
        return Err(Unusable { code: Code::BackendPortUnknown, message });
    };
    match found.protocol.as_deref() {
        None | Some("TCP") => Ok(found),
        Some(other) => {
            let message = format!("port {port} of Service {namespace}/{name} is {other}");
            Err(Unusable { code: Code::BackendTransport, message })
        }
    }
}

/// What the pods behind the port speak (KEP-3726 names), `otherwise` if the port does not say.
fn spoken(port: &ServicePort, at: &Key, otherwise: BackendProtocol) -> Result<BackendProtocol, Unusable> {
    match port.app_protocol.as_deref() {
        None | Some("http" | "kubernetes.io/ws") => Ok(otherwise),
        Some("kubernetes.io/h2c" | "grpc") => Ok(BackendProtocol::H2c),
        Some(other) => {
            let message = format!("port {} of Service {}/{} speaks {other:?}", port.port, at.namespace, at.name);
            Err(Unusable { code: Code::UnsupportedAppProtocol, message })
        }
    }
}
