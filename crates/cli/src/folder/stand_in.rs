//! Objects that a cluster would have and a folder does not: a Service with its `EndpointSlice` for what listens on this machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bailey_translate::Objects;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Identity;
use super::input::Backend;
use super::plan::Inner;

/// A Service as its clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub name: String,
    /// The port that others name.
    pub port: u16,
    /// The port's name; endpoints are found by it.
    pub port_name: &'static str,
    /// The port's `appProtocol`.
    pub app_protocol: Option<String>,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

/// Names of the ports of stand-ins.
const BACKEND_PORT: &str = "http";
/// Name of the port on which an inner tier waits for links.
pub const LINK_PORT: &str = "link";

impl StandIn {
    /// The Service that a `LocalBackend` stands for.
    pub fn of_backend(identity: &Identity, backend: &Backend, address: SocketAddr) -> Self {
        Self {
            namespace: identity.namespace.clone(),
            name: identity.name.clone(),
            port: backend.port,
            port_name: BACKEND_PORT,
            app_protocol: backend.app_protocol.clone(),
            addresses: vec![address],
        }
    }

    /// The Service by which the outer tier finds an inner one.
    pub fn of_link(inner: &Inner, address: Option<SocketAddr>) -> Self {
        Self {
            namespace: inner.service.namespace.clone(),
            name: inner.service.name.clone(),
            port: inner.port,
            port_name: LINK_PORT,
            app_protocol: None,
            addresses: address.into_iter().collect(),
        }
    }

    /// Adds the Service and its endpoints, unless the folder has a Service of that name: the user's own object stands.
    pub fn insert_into(&self, objects: &mut Objects) {
        if objects.get::<Service>(&self.namespace, &self.name).is_some() {
            return;
        }
        objects.insert(self.service(), None);
        // A slice has one port number, so each address gets a slice of its own.
        for (index, address) in self.addresses.iter().enumerate() {
            objects.insert(self.slice(index, *address), None);
        }
    }

    fn service(&self) -> Service {
        let port = ServicePort {
            name: Some(self.port_name.to_owned()),
            port: i32::from(self.port),
            app_protocol: self.app_protocol.clone(),
            ..ServicePort::default()
        };
        let spec =
            ServiceSpec { ports: Some(vec![port]), type_: Some("ClusterIP".to_owned()), ..ServiceSpec::default() };
        Service { metadata: self.metadata(self.name.clone()), spec: Some(spec), status: None }
    }

    fn slice(&self, index: usize, address: SocketAddr) -> EndpointSlice {
        let mut metadata = self.metadata(format!("{}-{index}", self.name));
        metadata.labels = Some(BTreeMap::from([("kubernetes.io/service-name".to_owned(), self.name.clone())]));
        let ready = EndpointConditions { ready: Some(true), serving: Some(true), terminating: Some(false) };
        EndpointSlice {
            address_type: if address.is_ipv4() { "IPv4" } else { "IPv6" }.to_owned(),
            endpoints: vec![Endpoint {
                addresses: vec![address.ip().to_string()],
                conditions: Some(ready),
                ..Endpoint::default()
            }],
            ports: Some(vec![EndpointPort {
                name: Some(self.port_name.to_owned()),
                port: Some(i32::from(address.port())),
                app_protocol: self.app_protocol.clone(),
                ..EndpointPort::default()
            }]),
            metadata,
        }
    }

    fn metadata(&self, name: String) -> ObjectMeta {
        ObjectMeta { name: Some(name), namespace: Some(self.namespace.clone()), ..ObjectMeta::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_in() -> StandIn {
        let addresses = vec!["127.0.0.1:9001".parse().unwrap(), "127.0.0.1:9002".parse().unwrap()];
        let (namespace, name) = ("a".to_owned(), "app".to_owned());
        StandIn { namespace, name, port: 80, port_name: "http", app_protocol: None, addresses }
    }

    #[test]
    fn a_stand_in_is_a_service_with_its_endpoints() {
        let mut objects = Objects::default();
        stand_in().insert_into(&mut objects);
        assert!(objects.get::<Service>("a", "app").is_some());
        assert_eq!(objects.all::<EndpointSlice>().count(), 2);
    }

    #[test]
    fn the_users_own_service_stands() {
        let mut objects = Objects::default();
        let own = Service { metadata: stand_in().metadata("app".to_owned()), ..Service::default() };
        objects.insert(own, None);
        stand_in().insert_into(&mut objects);
        assert_eq!(objects.all::<EndpointSlice>().count(), 0);
    }
}
