//! The input of a translation: Kubernetes objects by kind, namespace and name, in one order whatever the order of arrival.
//!
//! Objects are shared, so that a copy of the whole set costs one pointer an object. The set knows no meaning: which
//! object refers to which is decided elsewhere.

mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_crds::gateway::{Gateway, GatewayClass, GrpcRoute, HttpRoute, ReferenceGrant};
use bailey_crds::{HostnameBinding, IngressTopology, TierConfig};
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::diagnostics::{Location, ObjectRef, Subject};

pub use read::ObjectError;

/// Which object of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Key {
    /// The key of `namespace/name`; the namespace of a cluster-scoped object is empty.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// An object and where it came from.
#[derive(Debug)]
pub struct Entry<T> {
    /// The object.
    pub object: Arc<T>,
    /// Where its document begins, when it was read from a file.
    pub location: Option<Location>,
    /// Fields of one of Bailey's own kinds that the kind does not have. Gateway API's types keep such fields themselves.
    pub(crate) unknown: Vec<String>,
    digest: u128,
}

// Written out because a derive would ask for `T: Clone`.
impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self {
            object: Arc::clone(&self.object),
            location: self.location.clone(),
            unknown: self.unknown.clone(),
            digest: self.digest,
        }
    }
}

/// The objects of one kind.
pub type Set<T> = BTreeMap<Key, Entry<T>>;

/// A kind that an [`Objects`] holds.
pub trait Kind: ResourceExt + Serialize + Sized + 'static {
    /// The kind as it is written in YAML.
    const KIND: &'static str;
    /// The API group; empty for the core group.
    const GROUP: &'static str;
    /// Whether objects of the kind live in a namespace.
    const NAMESPACED: bool;

    #[doc(hidden)]
    fn set(objects: &Objects) -> &Set<Self>;
    #[doc(hidden)]
    fn set_mut(objects: &mut Objects) -> &mut Set<Self>;
}

macro_rules! kinds {
    ($($field:ident: $kind:ident as $name:literal in $group:literal, namespaced $namespaced:literal;)+) => {
        /// The input of a translation. Equal content has an equal [`Objects::digest`].
        #[derive(Clone, Debug, Default)]
        pub struct Objects {
            digest: u128,
            $($field: Set<$kind>,)+
        }

        impl Objects {
            /// Every object as it would be written in YAML, such that [`Object::from_value`] reads it back.
            pub fn to_values(&self) -> Vec<serde_json::Value> {
                let mut values = Vec::new();
                $(values.extend(self.$field.values().map(|entry| written(entry.object.as_ref())));)+
                values
            }
        }

        $(impl Kind for $kind {
            const KIND: &'static str = $name;
            const GROUP: &'static str = $group;
            const NAMESPACED: bool = $namespaced;

            fn set(objects: &Objects) -> &Set<Self> {
                &objects.$field
            }

            fn set_mut(objects: &mut Objects) -> &mut Set<Self> {
                &mut objects.$field
            }
        })+

        /// An object of any of the kinds that an [`Objects`] holds.
        #[derive(Clone, Debug)]
        pub struct Object {
            typed: Typed,
            unknown: Vec<String>,
        }

        #[derive(Clone, Debug)]
        enum Typed { $($kind(Box<$kind>),)+ }

        impl Object {
            /// The kind as it is written in YAML.
            pub fn kind(&self) -> &'static str {
                match self.typed { $(Typed::$kind(_) => $kind::KIND,)+ }
            }

            /// Which object of its kind.
            pub fn key(&self) -> Key {
                match &self.typed { $(Typed::$kind(object) => key_of(object.as_ref()),)+ }
            }

            /// The typed object that `value` holds, by its `apiVersion` and `kind`.
            pub fn from_value(value: serde_json::Value) -> Result<Self, ObjectError> {
                let header = read::Header::of(&value)?;
                $(if header.is($group, $kind::KIND) {
                    let (object, unknown) = read::typed(&header, value)?;
                    return Ok(Self { typed: Typed::$kind(Box::new(object)), unknown });
                })+
                Err(header.unknown())
            }

            fn insert_into(self, objects: &mut Objects, location: Option<Location>) -> bool {
                match self.typed {
                    $(Typed::$kind(object) => objects.insert_entry(*object, location, self.unknown),)+
                }
            }
        }
    };
}

kinds! {
    gateway_classes: GatewayClass as "GatewayClass" in "gateway.networking.k8s.io", namespaced false;
    gateways: Gateway as "Gateway" in "gateway.networking.k8s.io", namespaced true;
    http_routes: HttpRoute as "HTTPRoute" in "gateway.networking.k8s.io", namespaced true;
    grpc_routes: GrpcRoute as "GRPCRoute" in "gateway.networking.k8s.io", namespaced true;
    reference_grants: ReferenceGrant as "ReferenceGrant" in "gateway.networking.k8s.io", namespaced true;
    ingresses: Ingress as "Ingress" in "networking.k8s.io", namespaced true;
    services: Service as "Service" in "", namespaced true;
    endpoint_slices: EndpointSlice as "EndpointSlice" in "discovery.k8s.io", namespaced true;
    secrets: Secret as "Secret" in "", namespaced true;
    namespaces: Namespace as "Namespace" in "", namespaced false;
    topologies: IngressTopology as "IngressTopology" in "bailey.dev", namespaced false;
    tier_configs: TierConfig as "TierConfig" in "bailey.dev", namespaced true;
    hostname_bindings: HostnameBinding as "HostnameBinding" in "bailey.dev", namespaced true;
}

impl Objects {
    /// Adds `object`, or replaces the one of its name. Returns whether anything that matters to a translation changed.
    pub fn insert<T: Kind>(&mut self, object: T, location: Option<Location>) -> bool {
        self.insert_entry(object, location, Vec::new())
    }

    fn insert_entry<T: Kind>(&mut self, object: T, location: Option<Location>, unknown: Vec<String>) -> bool {
        let key = key_of(&object);
        let digest = digest_of(&object);
        let old = T::set_mut(self).insert(key, Entry { object: Arc::new(object), location, unknown, digest });
        // A sum modulo 2^128 does not depend on the order, and lets one object be replaced without reading the others.
        let before = old.map_or(0, |entry| entry.digest);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(digest);
        before != digest
    }

    /// [`Objects::insert`] for an object whose kind is known only when it arrives.
    pub fn insert_any(&mut self, object: Object, location: Option<Location>) -> bool {
        object.insert_into(self, location)
    }

    /// Removes the object of that key, and returns whether it was there.
    pub fn remove<T: Kind>(&mut self, key: &Key) -> bool {
        let Some(entry) = T::set_mut(self).remove(key) else { return false };
        self.digest = self.digest.wrapping_sub(entry.digest);
        true
    }

    /// The object `namespace/name`; the namespace of a cluster-scoped object is empty.
    pub fn get<T: Kind>(&self, namespace: &str, name: &str) -> Option<&Entry<T>> {
        T::set(self).get(&Key::new(namespace, name))
    }

    /// All objects of a kind, ordered by namespace and name.
    pub fn all<T: Kind>(&self) -> impl Iterator<Item = (&Key, &Entry<T>)> {
        T::set(self).iter()
    }

    /// The objects of a kind in one namespace, ordered by name.
    pub fn within<'a, T: Kind>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a Key, &'a Entry<T>)> {
        T::set(self).range(Key::new(namespace, "")..).take_while(move |(key, _)| key.namespace == namespace)
    }

    /// A value that equal sets share, whatever the order of insertion: status, managed fields and versions do not count.
    pub fn digest(&self) -> u128 {
        self.digest
    }
}

impl<T: Kind> Entry<T> {
    /// The object's name for a diagnostic.
    pub fn reference(&self) -> ObjectRef {
        let Key { namespace, name } = key_of(self.object.as_ref());
        ObjectRef { kind: T::KIND, namespace, name }
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject { object: self.reference(), location: self.location.clone() }
    }
}

/// The key of an object. One of a namespaced kind without a namespace is in `default`, as kubectl has it.
pub(crate) fn key_of<T: Kind>(object: &T) -> Key {
    let namespace =
        if T::NAMESPACED { object.namespace().unwrap_or_else(|| "default".to_owned()) } else { String::new() };
    Key { namespace, name: object.name_any() }
}

/// An object as it would be written, without what only a server keeps about it.
fn written<T: Kind>(object: &T) -> serde_json::Value {
    let mut value = serde_json::to_value(object).expect("Kubernetes objects have string keys only");
    if let Some(metadata) = value.get_mut("metadata").and_then(|metadata| metadata.as_object_mut()) {
        metadata.remove("managedFields");
    }
    value
}

/// A digest of what a translation can depend on.
fn digest_of<T: Kind>(object: &T) -> u128 {
    let mut value = serde_json::to_value(object).expect("Kubernetes objects have string keys only");
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(|metadata| metadata.as_object_mut()) {
            metadata.remove("managedFields");
            metadata.remove("resourceVersion");
            metadata.remove("generation");
        }
    }
    let hash = Sha256::new().chain_update(T::KIND).chain_update(value.to_string()).finalize();
    hash.iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests;
