//! The one table of everything that can be reported about an object.
//!
//! A code is never reused or renumbered, so that a search for it keeps finding the same answer. The first two digits
//! are the area: 01 any object, 02 matches and rules, 03 backends, 04 filters, 05 hostnames, 06 listeners and
//! attachment, 07 topologies, 08 certificates, 09 what `bailey check` finds of a cluster.

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something the user asked for does not work.
    Error,
    /// It works, though probably not as its author thinks.
    Warning,
    /// Nothing is wrong; worth knowing.
    Info,
}

impl Severity {
    /// The lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

macro_rules! reasons {
    ($($name:ident: $doc:literal,)+) => {
        /// The word that a condition carries. Those of Gateway API keep its spelling.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $doc] $name,)+ }

        impl Reason {
            /// The word itself.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

reasons! {
    Accepted: "Nothing is wrong.",
    ResolvedRefs: "Every reference leads to something that may be used.",
    BackendNotFound: "A reference names an object that does not exist.",
    InvalidKind: "A reference names a kind that cannot be used there.",
    RefNotPermitted: "A reference crosses namespaces without a `ReferenceGrant`.",
    UnsupportedProtocol: "A protocol that Bailey does not speak there.",
    UnsupportedValue: "A field or value that is not supported or not valid.",
    IncompatibleFilters: "Filters that contradict each other.",
    NoMatchingParent: "A parentRef finds no Gateway or no listener of it.",
    NoMatchingListenerHostname: "No hostname of the route is one of the listener's.",
    NotAllowedByListeners: "The listener admits no routes from that namespace or of that kind.",
    InvalidRouteKinds: "A listener lists a route kind that its protocol cannot carry.",
    InvalidCertificateRef: "A listener's certificate cannot be used.",
    ProtocolConflict: "Two listeners want one port with different protocols.",
    HostnameConflict: "Two listeners, or two tenants, want the same hostname.",
    HostnameNotGranted: "The topology does not grant the hostname to this tenant.",
    RouteConflict: "Another route of another kind has the hostname.",
    UnsupportedAddress: "An address that Bailey will not connect to.",
    NotReady: "Something that is needed is not there yet.",
    Invalid: "The object contradicts itself.",
    NoEffect: "The field is valid and does nothing here.",
}

macro_rules! codes {
    ($($id:literal $name:ident $severity:ident $reason:ident: $doc:literal => $remedy:literal;)+) => {
        /// What is wrong. See [`Code::doc`] for the meaning of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $doc] $name,)+ }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable identifier, such as `BLY0203`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// The name as it is written here.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// The word that a condition carries for it.
            pub fn reason(self) -> Reason {
                match self { $(Self::$name => Reason::$reason,)+ }
            }

            /// What it means, for the documentation.
            pub fn doc(self) -> &'static str {
                match self { $(Self::$name => $doc,)+ }
            }

            /// What to do about it in general; a diagnostic may know better.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }
        }
    };
}

codes! {
    "BLY0101" UnknownField Warning UnsupportedValue:
        "The kind has no such field. The API server drops it on write (a strict kubectl refuses the object)."
        => "remove the field or correct its spelling";
    "BLY0102" UnsupportedField Warning UnsupportedValue:
        "The field exists in the API, and this version of Bailey does nothing with it."
        => "remove the field; everything else in the object works";
    "BLY0103" UnsupportedKind Warning UnsupportedValue:
        "Objects of this kind are not translated in this version."
        => "use an HTTPRoute or GRPCRoute";
    "BLY0104" NoEffectHere Info NoEffect:
        "The field is valid and has no effect where this configuration runs."
        => "";
    "BLY0105" InvalidDocument Error Invalid:
        "The document is not YAML, not a Kubernetes object, breaks the schema of its kind, or repeats another object. Nothing is \
         served from a folder with such a document in it."
        => "correct the document";
    "BLY0106" NotRead Info NoEffect:
        "Objects of this kind are none of Bailey's business. They are passed over."
        => "";
    "BLY0201" HostInMatch Error UnsupportedValue:
        "A match holds a hostname. HTTPRouteMatch has no such field: the API server prunes it (a strict kubectl \
         refuses the object), and the rule then matches every host of the route."
        => "move the name to spec.hostnames; a rule for another host needs a route of its own";
    "BLY0202" InvalidPath Error UnsupportedValue:
        "A path match that no request can meet, or whose form the specification forbids."
        => "begin the path with '/', without '//', '/./', '/../', %2f or '#'";
    "BLY0203" InvalidRegex Error UnsupportedValue:
        "A regular expression that does not compile. The dialect is RE2's: no look-around, no back-references."
        => "correct the expression";
    "BLY0204" InvalidHeaderMatch Error UnsupportedValue:
        "A header match whose name is not a header name."
        => "use letters, digits and hyphens";
    "BLY0205" InvalidMethod Error UnsupportedValue:
        "A method that is none of HTTP's."
        => "use GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE or PATCH";
    "BLY0206" InvalidMatchType Error UnsupportedValue:
        "A match type that does not exist."
        => "use one of the types the API lists";
    "BLY0207" InvalidDuration Error UnsupportedValue:
        "A duration that is not of the form Gateway API uses (GEP-2257): up to four of h, m, s, ms, each a whole number."
        => "write it like 1h30m or 500ms";
    "BLY0208" TimeoutOrder Error UnsupportedValue:
        "The backend request timeout is longer than the request timeout that contains it."
        => "lower backendRequest or raise request";
    "BLY0209" InvalidRetry Error UnsupportedValue:
        "A retry setting outside what the API allows."
        => "use codes 400 to 599 and at least one attempt";
    "BLY0210" NoBackends Warning Accepted:
        "A rule that neither forwards nor answers by a filter. Its requests are answered 500."
        => "add backendRefs, or a RequestRedirect filter";
    "BLY0211" DuplicateRuleName Error UnsupportedValue:
        "Two rules of one route have the same name."
        => "give every rule a name of its own";
    "BLY0212" InvalidQueryMatch Error UnsupportedValue:
        "A query parameter match without a name."
        => "name the parameter";
    "BLY0213" InvalidGrpcMethod Error UnsupportedValue:
        "A gRPC method match without service and method, or with characters that gRPC names do not have."
        => "give a service such as shop.v1.Cart, a method such as Get, or both";
    "BLY0214" MatchRepeated Warning UnsupportedValue:
        "A list names the same header or query parameter twice. Only the first entry counts."
        => "remove the second entry";
    "BLY0215" RuleUnreachable Warning NoEffect:
        "No request reaches the rule: on every host, others come first for all that it matches."
        => "remove the rule, or let it match something that the others do not";
    "BLY0216" MatchUnreachable Warning NoEffect:
        "No request reaches the rule by this match: others come first for all that it matches. The rule's other matches work."
        => "remove the match, or let it match something that the others do not";
    "BLY0217" MatchShadowed Info NoEffect:
        "On some of its hosts, no request reaches the rule by this match: others come first there for all that it matches."
        => "remove those hosts from the route, or let the rule match something that the others do not";
    "BLY0301" BackendNotFound Error BackendNotFound:
        "A backend names a Service that does not exist. Its share of the requests is answered 500."
        => "create the Service or correct the name";
    "BLY0302" BackendKind Error InvalidKind:
        "A backend is of a kind other than Service. Its share of the requests is answered 500."
        => "name a Service";
    "BLY0303" BackendNotPermitted Error RefNotPermitted:
        "A backend is in another namespace, and no `ReferenceGrant` there allows it. Its share is answered 500."
        => "create a ReferenceGrant in the Service's namespace";
    "BLY0304" BackendPortMissing Error UnsupportedValue:
        "A backend that is a Service has no port."
        => "set port";
    "BLY0305" BackendPortUnknown Error BackendNotFound:
        "The Service does not have the port. The backend's share of the requests is answered 500."
        => "use one of the Service's ports, or add it there";
    "BLY0306" ExternalNameRefused Error UnsupportedAddress:
        "A backend is a Service of type `ExternalName`, which could lead anywhere. Its share is answered 500."
        => "use a Service with endpoints of its own";
    "BLY0307" EndpointRefused Warning UnsupportedAddress:
        "An endpoint is loopback, link-local, multicast, a cloud's metadata service, or a Pod of another namespace. Bailey \
         does not connect to it."
        => "let the Service select Pods";
    "BLY0308" NoReadyEndpoints Warning NotReady:
        "A Service has no ready endpoints. Its share of the requests is answered 503."
        => "see why the Pods are not ready";
    "BLY0309" UnsupportedAppProtocol Error UnsupportedProtocol:
        "The Service port has an appProtocol that Bailey does not speak."
        => "use kubernetes.io/h2c, kubernetes.io/ws or http";
    "BLY0310" NoWeight Warning UnsupportedValue:
        "Every backend of a rule has weight 0, so no request can be forwarded. They are answered 500."
        => "give one backend a weight";
    "BLY0311" BackendTransport Error UnsupportedProtocol:
        "The Service port is not a TCP port."
        => "use a TCP port";
    "BLY0312" InvalidWeight Error UnsupportedValue:
        "A weight outside 0 to 1,000,000. The backend's share of the requests is answered 500."
        => "use a weight from 0 to 1,000,000";
    "BLY0313" BackendOutOfReach Error RefNotPermitted:
        "A backend is in a namespace that is not one of the tenant's. Its share of the requests is answered 500."
        => "use a Service in one of the tenant's namespaces";
    "BLY0401" FilterIncomplete Error UnsupportedValue:
        "A filter names a type and lacks the field of that type. The rule answers 500."
        => "add the field that belongs to the filter's type";
    "BLY0402" FilterUnknown Error UnsupportedValue:
        "A filter of a type that does not exist. The rule answers 500."
        => "use one of the types the API lists";
    "BLY0403" FilterConflict Error IncompatibleFilters:
        "Two filters of one rule contradict each other, or one that may stand once stands twice. The rule answers 500."
        => "keep one of them";
    "BLY0404" InvalidRedirect Error UnsupportedValue:
        "A redirect with a status, scheme, hostname or port that is not allowed. The rule answers 500."
        => "use 301, 302, 303, 307 or 308, http or https, and a port from 1 to 65535";
    "BLY0405" ExtensionRefUnsupported Error UnsupportedValue:
        "A filter refers to an object of a kind Bailey does not know. The rule answers 500."
        => "remove the filter";
    "BLY0406" InvalidHeaderEdit Error UnsupportedValue:
        "A header filter with a name or value that cannot be a header. The rule answers 500."
        => "use a name and value that a message may carry; hosts are changed by URLRewrite";
    "BLY0407" PrefixWithoutMatch Error IncompatibleFilters:
        "replacePrefixMatch is used in a rule that does not match by exactly one path prefix. The rule answers 500."
        => "match by one PathPrefix, or use replaceFullPath";
    "BLY0408" InvalidMirror Error UnsupportedValue:
        "A mirror with both percent and fraction, or a share beyond the whole. The request itself is unaffected."
        => "use percent 0 to 100, or a fraction whose numerator is not above its denominator";
    "BLY0409" InvalidCors Error UnsupportedValue:
        "A CORS filter with a value that the API does not allow. The rule answers 500."
        => "correct the value";
    "BLY0410" RedirectWithBackends Error IncompatibleFilters:
        "A rule both redirects and names backends. The redirect wins."
        => "remove the backendRefs";
    "BLY0411" InvalidRewrite Error UnsupportedValue:
        "A rewrite with a hostname or path that is not valid. The rule answers 500."
        => "use a hostname without wildcard, and a path that begins with '/'";
    "BLY0412" FilterNotHere Error UnsupportedValue:
        "A filter that cannot stand at this place, such as a redirect on one backend. Its requests are answered 500."
        => "remove the filter, or move it to where it can stand";
    "BLY0501" InvalidHostname Error UnsupportedValue:
        "Not a DNS name, or a wildcard anywhere but as the whole first label. The name is left out."
        => "use a name like a.example.com or *.example.com";
    "BLY0502" HostNotGranted Error HostnameNotGranted:
        "The hostname is outside what the topology grants to this tenant. The route's other hostnames work."
        => "ask the owner of the topology to grant the hostname to the tenant";
    "BLY0503" HostOfOtherTenant Error HostnameNotGranted:
        "The hostname belongs to another tenant of the topology. The route's other hostnames work."
        => "use a hostname of your own tenant";
    "BLY0504" NoMatchingHostname Error NoMatchingListenerHostname:
        "No hostname of the route can reach the parent it names, so the route is not attached there."
        => "use a hostname that the listener covers";
    "BLY0505" HostClaimedTwice Error HostnameConflict:
        "Two tenants claim the same hostname, or one claims a name under the other's wildcard. The first claim holds."
        => "leave the hostname to one of them";
    "BLY0506" HostOfTwoTopologies Warning HostnameConflict:
        "Tenants of two topologies are granted names in common. In a cluster the tenant that had them first keeps them, and the other does not get them."
        => "leave the hostname to one tenant; the same tenant, by name, may have it in both topologies";
    "BLY0507" HostUnused Info NoEffect:
        "A hostname is granted to a tenant, and no route of the tenant has it. Requests for it are answered 404."
        => "add a route for it, or take it from the tenant";
    "BLY0601" ParentNotFound Error NoMatchingParent:
        "A parentRef names a Gateway that does not exist."
        => "correct the parentRef or create the Gateway";
    "BLY0602" NotAllowedByListeners Error NotAllowedByListeners:
        "No listener that the parentRef selects admits routes from this namespace or of this kind."
        => "widen allowedRoutes of the listener (only its own namespace may attach by default), or move the route";
    "BLY0603" NoMatchingListener Error NoMatchingParent:
        "The parentRef's sectionName or port selects no listener of the Gateway."
        => "use the name or port of one of its listeners";
    "BLY0604" ListenerProtocolConflict Error ProtocolConflict:
        "Two listeners of one Gateway want the same port with protocols that cannot share it. Both are left out."
        => "give them different ports";
    "BLY0605" ListenerHostnameConflict Error HostnameConflict:
        "Two listeners of one Gateway have the same port and hostname. Both are left out."
        => "give them different hostnames or ports";
    "BLY0606" ListenerProtocol Error UnsupportedProtocol:
        "A listener of a protocol that this version does not serve. It is left out."
        => "use HTTP or HTTPS";
    "BLY0607" ListenerRouteKinds Error InvalidRouteKinds:
        "A listener lists a route kind that its protocol cannot carry. Only the others can attach."
        => "list HTTPRoute or GRPCRoute";
    "BLY0608" TlsMode Error UnsupportedValue:
        "A listener asks for a TLS mode that its protocol does not have, or for none where one is needed."
        => "use mode Terminate with an HTTPS listener";
    "BLY0609" InvalidSelector Error UnsupportedValue:
        "A label selector with an operator that does not exist, or that contradicts itself. It selects nothing."
        => "give a selector with the operators In, NotIn, Exists or DoesNotExist";
    "BLY0610" RouteConflict Error RouteConflict:
        "An HTTPRoute and a GRPCRoute have the same hostname on one listener. Gateway API gives it to the older route."
        => "use a hostname of its own for each kind";
    "BLY0611" GatewayNotOurs Info NoEffect:
        "The Gateway's class belongs to another controller."
        => "";
    "BLY0612" ParentKind Info NoEffect:
        "A parentRef names something that is not a Gateway. Another controller may act on it."
        => "";
    "BLY0613" DuplicateListener Error Invalid:
        "Two listeners have the same name. The second is left out."
        => "give every listener a name of its own";
    "BLY0614" NamespaceOfNoTenant Warning NoMatchingParent:
        "A route names a topology's Gateway, and its namespace belongs to no tenant of the topology. Nothing serves it."
        => "add the namespace to a tenant, or move the route";
    "BLY0615" TooManyRoutes Error NotAllowedByListeners:
        "The tenant has more routes than the topology grants it. The oldest are served, this one is not."
        => "remove routes, or ask the owner of the topology for more (tenants[].limits.routes)";
    "BLY0616" ListenerUnused Info NoEffect:
        "No route is attached to the listener. Its requests are answered 404."
        => "attach a route to it, or remove it";
    "BLY0701" TopologyNotFound Error NotReady:
        "The topology or its tier configuration does not exist."
        => "create the IngressTopology";
    "BLY0702" TenantNotFound Error NotReady:
        "The topology has no tenant of that name."
        => "add the tenant to the topology";
    "BLY0703" NamespaceShared Error Invalid:
        "Two tenants have the same namespace. It belongs to the tenant that is listed first."
        => "leave the namespace to one tenant";
    "BLY0704" NoNamespaces Warning NotReady:
        "No namespace belongs to the tenant, so it has no inner tier."
        => "create a namespace that the tenant names or selects";
    "BLY0705" TenantNameRepeated Error Invalid:
        "Two tenants of one topology have the same name. The first is used."
        => "give every tenant a name of its own";
    "BLY0706" InnerNotReady Warning NotReady:
        "No ready endpoint of the tenant's inner tier is known. The outer answers 503 for the tenant's hostnames."
        => "see why the inner tier's Pods are not ready";
    "BLY0707" TenantSuspended Info NotReady:
        "The tenant is suspended. All its hostnames answer 503."
        => "";
    "BLY0708" LogFieldUnknown Warning UnsupportedValue:
        "The access log has no such field, or the field cannot be changed that way. The entry is left out."
        => "use a field of the log, or header.<name> for a field of the request in keep and redact";
    "BLY0709" InvalidTopology Error Invalid:
        "The topology breaks a rule that its API definition states."
        => "correct the field";
    "BLY0710" ClientAddressHidden Warning NoEffect:
        "Nodes pass connections on with their own address, and nothing tells the outer tier the client's. Applications, limits and \
         logs see a node's address instead."
        => "set externalTrafficPolicy to Local, or say in spec.outer.clientAddress who tells the client's address";
    "BLY0801" CertificateNotFound Error InvalidCertificateRef:
        "A listener's certificate Secret does not exist. The listener shows no certificate and refuses connections."
        => "create the Secret or correct the name";
    "BLY0802" CertificateNotPermitted Error RefNotPermitted:
        "A listener's certificate Secret is in another namespace, and no `ReferenceGrant` there allows it."
        => "create a ReferenceGrant in the Secret's namespace";
    "BLY0803" CertificateKind Error InvalidCertificateRef:
        "A listener's certificate reference is not to a Secret."
        => "name a Secret of type kubernetes.io/tls";
    "BLY0804" CertificateUnusable Error InvalidCertificateRef:
        "The Secret lacks tls.crt or tls.key, or they are not PEM."
        => "store a PEM certificate chain in tls.crt and its key in tls.key";
    "BLY0805" HostWithoutCertificate Warning InvalidCertificateRef:
        "A host is served over HTTPS, no certificate of the listener names it, and nothing orders one. Clients that ask for it are \
         refused in the handshake."
        => "give the listener a certificate that names the host";
    "BLY0901" PermissionMissing Error NotReady:
        "The account of the operator or of a tier lacks a permission that it needs, so it cannot see or make something."
        => "apply the installation again (bailey generate install), or restore the role or the binding that gave it";
    "BLY0902" PermissionsUnknown Warning NotReady:
        "Whether the accounts of the operator and the tiers have their permissions cannot be told: you may neither ask for others \
         nor read roles and bindings."
        => "let somebody check who may create subjectaccessreviews, or who may list roles and bindings";
    "BLY0903" RightMissing Error NotReady:
        "You lack a right that installing Bailey or applying a topology needs."
        => "ask an administrator of the cluster for it, or let one install";
    "BLY0904" ServerTooOld Error UnsupportedValue:
        "The API server is older than this version of Bailey supports."
        => "use Kubernetes 1.30 or newer";
    "BLY0905" DefinitionMissing Error NotReady:
        "A custom resource definition is not installed, or does not serve the version that Bailey reads."
        => "install it: the Gateway API's standard channel from its release page, Bailey's own with `bailey generate install`";
    "BLY0906" DefinitionOutdated Warning NotReady:
        "One of Bailey's custom resource definitions is of another release: fields of this one are dropped, or refused."
        => "apply the installation of this release (bailey generate install)";
    "BLY0907" AdmissionUnsupported Error UnsupportedValue:
        "The API server does not serve `ValidatingAdmissionPolicy`, by which the operator's account is kept to what it is for."
        => "enable the API admissionregistration.k8s.io/v1 with ValidatingAdmissionPolicy (on by default since Kubernetes 1.30)";
    "BLY0908" NamespaceNotFound Error NotReady:
        "A topology names a namespace that does not exist."
        => "create the namespace, or take it out of the topology";
    "BLY0909" StorageClassNotFound Error NotReady:
        "Certificates are to be kept in a volume, and there is no `StorageClass` to make it: none of that name, or no default."
        => "create the StorageClass, name another in certificates.store.volume.storageClassName, or use certificates.store.secrets";
    "BLY0910" LoadBalancerMissing Warning NotReady:
        "The outer tier wants a load balancer, and no Service of the cluster seems to get an address from one."
        => "install a load balancer for the cluster, or choose spec.outer.exposure.hostPorts or a Service of type NodePort";
    "BLY0911" PodSecurityRefuses Error NotReady:
        "The Pod Security profile that a namespace enforces does not admit the tier's Pods: ports of nodes need `privileged`."
        => "label the namespace pod-security.kubernetes.io/enforce=privileged, or reach the outer tier by a Service";
    "BLY0912" OperatorNotRunning Error NotReady:
        "The operator is not installed, or none of its Pods is ready: nothing that changes in topologies takes effect."
        => "install it (bailey generate install), or see why its Pods are not ready";
    "BLY0913" PodNotReady Error NotReady:
        "A Pod of a tier or of the operator is not ready."
        => "see what the Pod waits for: kubectl describe pod, kubectl logs";
    "BLY0914" TopologyNotReady Error NotReady:
        "The operator says that the topology is not in order."
        => "do what the condition's message says";
    "BLY0915" HostOwnedByOther Error HostnameConflict:
        "A tenant asks for a hostname that another tenant owns. Whoever took it first keeps it."
        => "leave the hostname to its owner, or let the owner give it up";
    "BLY0916" HostNotResolved Warning NotReady:
        "A hostname has no address in DNS as this machine sees it, so clients do not find it."
        => "create a DNS record for it that leads to the outer tier";
    "BLY0917" HostElsewhere Warning NotReady:
        "A hostname leads to addresses that are not the outer tier's, as this machine sees DNS."
        => "point its DNS record to the outer tier, unless something stands in front on purpose";
    "BLY0918" ServesOther Warning NotReady:
        "A proxy serves another configuration than the cluster's objects come to."
        => "see by what: bailey config POD";
    "BLY0919" ServesStale Warning NotReady:
        "A proxy serves the last good configuration from disk, because it cannot read the API."
        => "see why it cannot: its log and bailey config POD name the list";
    "BLY0920" PodUnreachable Warning NotReady:
        "What a proxy serves cannot be asked of it."
        => "see that the Pod runs, and that you may create pods/portforward in its namespace";
}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::BTreeSet;

    #[test]
    fn no_identifier_is_used_twice() {
        let ids: BTreeSet<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
    }

    #[test]
    fn identifiers_are_in_order_so_that_a_new_one_is_easy_to_choose() {
        assert!(Code::ALL.is_sorted_by_key(|code| code.id()));
    }

    #[test]
    fn every_code_says_what_it_means() {
        assert!(Code::ALL.iter().all(|code| code.doc().ends_with('.')));
    }
}
