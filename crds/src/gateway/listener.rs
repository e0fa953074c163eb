//! Gateway: listeners, who may attach to them, addresses, TLS.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::object::kind;
use super::reference::{ObjectReference, SecretReference, gateway_group};
use crate::unknown::{open_enum, tolerant};

kind!(
    /// A Gateway: the ports and names on which routes may be served.
    Gateway, GatewaySpec, "Gateway", "gateways", k8s_openapi::NamespaceResourceScope
);

tolerant! {
    /// What a Gateway asks for.
    pub struct GatewaySpec {
        /// The `GatewayClass` of this Gateway.
        pub gateway_class_name: String,
        /// Ports, protocols and names.
        #[serde(default)]
        pub listeners: Vec<Listener>,
        /// Addresses asked for; empty leaves the choice to the implementation.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub addresses: Vec<GatewayAddress>,
        /// Labels, annotations and parameters for what is made for this Gateway.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub infrastructure: Option<GatewayInfrastructure>,
        /// Which `ListenerSets` may add listeners; absent means none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub allowed_listeners: Option<AllowedListeners>,
        /// TLS settings of the Gateway as a whole: client certificates, certificate towards backends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tls: Option<GatewayTls>,
    }

    /// One port, protocol and name (pattern).
    pub struct Listener {
        /// Name of the listener, unique in the Gateway; routes name it as `sectionName`.
        pub name: String,
        /// The host or `*.` wildcard this listener is for; absent or empty means every host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hostname: Option<String>,
        /// The port.
        pub port: u16,
        /// The protocol.
        pub protocol: ListenerProtocol,
        /// How TLS is handled; needed for HTTPS and TLS.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tls: Option<ListenerTls>,
        /// Which routes may attach; absent means those of the Gateway's own namespace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub allowed_routes: Option<AllowedRoutes>,
    }

    /// Which routes may attach to a listener.
    pub struct AllowedRoutes {
        /// From which namespaces; absent means the Gateway's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespaces: Option<ListenerNamespaces>,
        /// Of which kinds; empty means all kinds that fit the protocol.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub kinds: Vec<RouteGroupKind>,
    }

    /// A choice of namespaces.
    pub struct ListenerNamespaces {
        /// How the namespaces are chosen; absent is `Same` for routes and `None` for `ListenerSets`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub from: Option<FromNamespaces>,
        /// The labels of the namespaces when `from` is `Selector`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub selector: Option<LabelSelector>,
    }

    /// A kind of route.
    pub struct RouteGroupKind {
        /// API group; the Gateway API's own unless said otherwise.
        #[serde(default = "gateway_group")]
        pub group: String,
        /// Kind, such as `HTTPRoute`.
        pub kind: String,
    }

    /// How a listener handles TLS.
    pub struct ListenerTls {
        /// Who ends TLS; absent means `Terminate`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mode: Option<TlsMode>,
        /// The certificates to serve.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub certificate_refs: Vec<SecretReference>,
        /// Implementation-specific options.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub options: BTreeMap<String, String>,
    }

    /// An address a Gateway asks for.
    pub struct GatewayAddress {
        /// `IPAddress` (the default), `Hostname`, or a domain-prefixed type.
        #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
        pub type_: Option<String>,
        /// The address; absent lets the implementation choose one of the type.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub value: Option<String>,
    }

    /// Labels, annotations and parameters for what is made for a Gateway.
    pub struct GatewayInfrastructure {
        /// Labels for the children.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub labels: BTreeMap<String, String>,
        /// Annotations for the children.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub annotations: BTreeMap<String, String>,
        /// An object of the same namespace that configures this Gateway.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub parameters_ref: Option<LocalParametersReference>,
    }

    /// An object of the same namespace that configures a Gateway.
    pub struct LocalParametersReference {
        /// API group of the object.
        pub group: String,
        /// Kind of the object.
        pub kind: String,
        /// Name of the object.
        pub name: String,
    }

    /// Which `ListenerSets` may attach.
    pub struct AllowedListeners {
        /// From which namespaces; absent means none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespaces: Option<ListenerNamespaces>,
    }

    /// TLS settings of a Gateway as a whole.
    pub struct GatewayTls {
        /// Towards backends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub backend: Option<BackendTls>,
        /// Towards clients.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub frontend: Option<FrontendTls>,
    }

    /// The certificate a Gateway shows to backends.
    pub struct BackendTls {
        /// The certificate; absent means none is shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub client_certificate_ref: Option<SecretReference>,
    }

    /// Client certificates, per port.
    pub struct FrontendTls {
        /// For every port without an entry of its own.
        #[serde(rename = "default")]
        pub default_: FrontendTlsSettings,
        /// For single ports.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub per_port: Vec<FrontendTlsPort>,
    }

    /// Client certificates on one port.
    pub struct FrontendTlsPort {
        /// The port.
        pub port: u16,
        /// The settings for it.
        pub tls: FrontendTlsSettings,
    }

    /// How client certificates are handled.
    pub struct FrontendTlsSettings {
        /// How a client certificate is checked; absent means that none is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub validation: Option<FrontendValidation>,
    }

    /// How a client certificate is checked.
    pub struct FrontendValidation {
        /// The roots a client certificate must lead to.
        #[serde(default)]
        pub ca_certificate_refs: Vec<ObjectReference>,
        /// What happens to a client without a valid certificate; absent means `AllowValidOnly`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mode: Option<ValidationMode>,
    }
}

open_enum! {
    /// The protocol of a listener.
    pub enum ListenerProtocol {
        /// HTTP/1.1 and h2c in plain text.
        Http = "HTTP",
        /// HTTP/1.1 and HTTP/2 over TLS that ends here.
        Https = "HTTPS",
        /// TLS, ended here or passed through.
        Tls = "TLS",
        /// TCP.
        Tcp = "TCP",
        /// UDP.
        Udp = "UDP",
    }

    /// Which namespaces may attach.
    pub enum FromNamespaces {
        /// Every namespace.
        All = "All",
        /// Namespaces with the selector's labels.
        Selector = "Selector",
        /// The Gateway's own namespace.
        Same = "Same",
        /// No namespace.
        None = "None",
    }

    /// Who ends TLS.
    pub enum TlsMode {
        /// The Gateway.
        Terminate = "Terminate",
        /// The backend.
        Passthrough = "Passthrough",
    }

    /// What happens to a client without a valid certificate.
    pub enum ValidationMode {
        /// It is refused.
        AllowValidOnly = "AllowValidOnly",
        /// It is let in; the backend decides.
        AllowInsecureFallback = "AllowInsecureFallback",
    }
}
