//! The objects that a topology comes to, as they are sent to the API server.
//!
//! [`Child`] is the one table of kinds that the operator makes: what it writes, what it watches to see drift, and what its
//! role allows, all come from it. `Manifests<Rendered>` become `Manifests<Applied>` by being applied, and only those can be
//! reported.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use kube::api::ApiResource;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::labels::Labels;
use crate::validate::ValidTopology;

/// The annotation with the digest of what was rendered. It tells that a field is not asked for any more.
pub const DIGEST: &str = "bailey.dev/rendered";

macro_rules! children {
    ($($(#[$doc:meta])* $name:ident = $group:literal, $version:literal, $plural:literal, namespaced $namespaced:literal;)+) => {
        /// A kind that the operator makes. The order is the order of writing: what others need comes first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Child { $($(#[$doc])* $name,)+ }

        impl Child {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The kind as it is written in YAML.
            pub fn kind(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// Its API group; empty for the core group.
            pub fn group(self) -> &'static str {
                match self { $(Self::$name => $group,)+ }
            }

            /// Its version.
            pub fn version(self) -> &'static str {
                match self { $(Self::$name => $version,)+ }
            }

            /// Its plural, as paths and rules name it.
            pub fn plural(self) -> &'static str {
                match self { $(Self::$name => $plural,)+ }
            }

            /// Whether it lives in a namespace.
            pub fn namespaced(self) -> bool {
                match self { $(Self::$name => $namespaced,)+ }
            }
        }
    };
}

children! {
    /// Of a tenant that is placed in a namespace of Bailey's.
    Namespace = "", "v1", "namespaces", namespaced false;
    /// Of each tier.
    ServiceAccount = "", "v1", "serviceaccounts", namespaced true;
    /// What a tier may read in a namespace.
    RoleBinding = "rbac.authorization.k8s.io", "v1", "rolebindings", namespaced true;
    /// What a tier may read outside of namespaces.
    ClusterRoleBinding = "rbac.authorization.k8s.io", "v1", "clusterrolebindings", namespaced false;
    /// Who may reach a tier, and whom it may reach.
    NetworkPolicy = "networking.k8s.io", "v1", "networkpolicies", namespaced true;
    /// What a tier's proxies read.
    TierConfig = "bailey.dev", "v1alpha1", "tierconfigs", namespaced true;
    /// The volume with the certificates.
    PersistentVolumeClaim = "", "v1", "persistentvolumeclaims", namespaced true;
    /// How a tier is reached.
    Service = "", "v1", "services", namespaced true;
    /// A tier's proxies.
    Deployment = "apps", "v1", "deployments", namespaced true;
    /// The outer tier's proxies on chosen nodes.
    DaemonSet = "apps", "v1", "daemonsets", namespaced true;
    /// How many proxies may be away at once.
    PodDisruptionBudget = "policy", "v1", "poddisruptionbudgets", namespaced true;
    /// How many proxies there are, when load decides.
    HorizontalPodAutoscaler = "autoscaling", "v2", "horizontalpodautoscalers", namespaced true;
    /// By which Gateways say that they are the topology's.
    GatewayClass = "gateway.networking.k8s.io", "v1", "gatewayclasses", namespaced false;
    /// What a tenant's routes name as their parent.
    Gateway = "gateway.networking.k8s.io", "v1", "gateways", namespaced true;
    /// What a tenant's Ingresses name as their class.
    IngressClass = "networking.k8s.io", "v1", "ingressclasses", namespaced false;
}

impl Child {
    /// `group/version`, or the version alone in the core group.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// For kube's dynamic API.
    pub fn resource(self) -> ApiResource {
        ApiResource {
            group: self.group().to_owned(),
            version: self.version().to_owned(),
            api_version: self.api_version(),
            kind: self.kind().to_owned(),
            plural: self.plural().to_owned(),
        }
    }

    /// A kind of the Gateway API, whose definitions may not be installed.
    pub fn is_gateway_api(self) -> bool {
        self.group() == bailey_crds::gateway::GATEWAY_GROUP
    }
}

/// Which child.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildKey {
    /// The kind.
    pub child: Child,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl std::fmt::Display for ChildKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { child, namespace, name } = self;
        match namespace.as_str() {
            "" => write!(f, "{} {name}", child.kind()),
            namespace => write!(f, "{} {namespace}/{name}", child.kind()),
        }
    }
}

/// One object as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Which object.
    pub key: ChildKey,
    /// The whole object, with [`DIGEST`] among its annotations.
    pub object: Value,
    /// The digest.
    pub digest: String,
    /// Deleted with the topology. Not so the volume with the certificates, unless it was asked for.
    pub owned: bool,
}

/// Rendered, and not sent yet.
#[derive(Clone, Copy, Debug)]
pub enum Rendered {}
/// Sent and accepted.
#[derive(Clone, Copy, Debug)]
pub enum Applied {}

/// All objects of a topology in one state, in the order of writing.
#[derive(Clone, Debug)]
pub struct Manifests<State> {
    all: BTreeMap<ChildKey, Manifest>,
    state: PhantomData<State>,
}

impl Manifests<Rendered> {
    /// No objects yet.
    pub fn new() -> Self {
        Self { all: BTreeMap::new(), state: PhantomData }
    }

    /// Adds an object of the topology. Its own annotations stay.
    pub fn add<T: Serialize>(
        &mut self,
        topology: &ValidTopology,
        child: Child,
        at: At<'_>,
        labels: &Labels,
        content: &T,
    ) {
        let mut object = serde_json::to_value(content).expect("Kubernetes objects have string keys only");
        let mut metadata = object.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
        metadata.insert("name".to_owned(), at.name.into());
        if child.namespaced() {
            metadata.insert("namespace".to_owned(), at.namespace.into());
        }
        metadata.insert("labels".to_owned(), json!(labels));
        if at.owned {
            metadata.insert("ownerReferences".to_owned(), json!([owner(topology)]));
        }
        let fields = object.as_object_mut().expect("an object is a map");
        fields.insert("apiVersion".to_owned(), child.api_version().into());
        fields.insert("kind".to_owned(), child.kind().into());
        fields.insert("metadata".to_owned(), Value::Object(metadata));
        let digest = digest_of(&object);
        let annotations = object["metadata"].as_object_mut().expect("it was put there").entry("annotations");
        if let Value::Object(annotations) = annotations.or_insert_with(|| Value::Object(Map::new())) {
            annotations.insert(DIGEST.to_owned(), digest.clone().into());
        }
        let namespace = if child.namespaced() { at.namespace } else { "" };
        let key = ChildKey { child, namespace: namespace.to_owned(), name: at.name.to_owned() };
        self.all.insert(key.clone(), Manifest { key, object, digest, owned: at.owned });
    }

    /// All are as the cluster has them now.
    pub fn applied(self) -> Manifests<Applied> {
        Manifests { all: self.all, state: PhantomData }
    }
}

impl Default for Manifests<Rendered> {
    fn default() -> Self {
        Self::new()
    }
}

impl<State> Manifests<State> {
    /// The objects in the order of writing.
    pub fn iter(&self) -> impl Iterator<Item = &Manifest> {
        self.all.values()
    }

    /// The object of that key.
    pub fn get(&self, key: &ChildKey) -> Option<&Manifest> {
        self.all.get(key)
    }
}

/// Where an object goes.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Its namespace; not looked at for cluster-scoped kinds.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Whether it is deleted with the topology.
    pub owned: bool,
}

impl<'a> At<'a> {
    /// An object that is deleted with its topology.
    pub fn new(namespace: &'a str, name: &'a str) -> Self {
        Self { namespace, name, owned: true }
    }
}

/// The owner reference of a topology's children.
pub fn owner(topology: &ValidTopology) -> Value {
    json!({
        "apiVersion": "bailey.dev/v1alpha1",
        "kind": "IngressTopology",
        "name": topology.name,
        "uid": topology.uid,
        "controller": true,
        "blockOwnerDeletion": false,
    })
}

fn digest_of(object: &Value) -> String {
    let digest = Sha256::digest(object.to_string().as_bytes());
    digest.iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
