//! What a cluster must have before Bailey is installed, and before a topology is applied. Pure: what is known gives the findings.

use std::collections::BTreeMap;

use bailey_crds::IngressTopology;
use bailey_crds::gateway::{Gateway, GatewayClass, GrpcRoute, HttpRoute, ReferenceGrant};
use bailey_crds::topology::ServiceType;
use bailey_translate::{Code, Diagnostic};
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;

use super::finding::found;
use super::report::Section;

/// The oldest API server that has all that is used: `ValidatingAdmissionPolicy` is stable since then.
const OLDEST: (u32, u32) = (1, 30);
/// The annotation that says of which release a definition of the Gateway API is.
const BUNDLE: &str = "gateway.networking.k8s.io/bundle-version";
/// The label by which a namespace enforces a profile (KEP-2579).
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
/// The annotation of the `StorageClass` that is used where none is named.
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// A right of the person who installs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    pub(super) verb: &'static str,
    pub(super) group: String,
    pub(super) resource: String,
    pub(super) namespace: String,
}

/// What is known. `None`: it may not be read.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// `major.minor` of the API server.
    pub(super) version: (u32, u32),
    /// Definitions by name; one that is not there is absent.
    pub(super) definitions: Option<BTreeMap<String, CustomResourceDefinition>>,
    /// `validatingadmissionpolicies` is served.
    pub(super) policies: bool,
    /// Rights that the person lacks, of so many.
    pub(super) lacking: Vec<Right>,
    pub(super) rights: usize,
    pub(super) namespaces: Option<Vec<Namespace>>,
    pub(super) classes: Option<Vec<StorageClass>>,
    /// Services of all namespaces.
    pub(super) services: Option<Vec<Service>>,
    pub(super) topologies: Vec<IngressTopology>,
}

/// Everything there is to say.
pub(super) fn sections(known: &Known) -> Vec<Section> {
    vec![server(known), definitions(known), rights(known), topologies(known)]
}

fn server(known: &Known) -> Section {
    let mut section = Section::new("API server");
    let (major, minor) = known.version;
    let object = ("Server", "", "kube-apiserver");
    if known.version < OLDEST {
        let message = format!("it is {major}.{minor}; the oldest that is supported is {}.{}", OLDEST.0, OLDEST.1);
        section.findings.push(found(Code::ServerTooOld, object, "", message));
    } else {
        section.fine.push(format!("version {major}.{minor} is {}.{} or newer", OLDEST.0, OLDEST.1));
    }
    if known.policies {
        section.fine.push(
            "ValidatingAdmissionPolicy is served: the operator's account can be kept to what it is for".to_owned(),
        );
    } else {
        let message = "admissionregistration.k8s.io/v1 has no validatingadmissionpolicies";
        section.findings.push(found(Code::AdmissionUnsupported, object, "", message));
    }
    section
}

fn definitions(known: &Known) -> Section {
    let mut section = Section::new("definitions");
    let Some(installed) = &known.definitions else { return section };
    let mut bundle = String::new();
    for (name, version) in gateway_api() {
        let object = ("CustomResourceDefinition", "", name.as_str());
        match installed.get(&name) {
            None => section.findings.push(found(Code::DefinitionMissing, object, "", "it is not installed")),
            Some(one) if !serves(one, &version) => {
                let message = format!("it does not serve {version}, which Bailey reads");
                section.findings.push(found(Code::DefinitionMissing, object, "spec.versions", message));
            }
            Some(one) => bundle = one.annotations().get(BUNDLE).cloned().unwrap_or_default(),
        }
    }
    section = section.well(format!("the Gateway API {bundle} is installed").replace("  ", " "));
    let ours = bailey_crds::definitions().unwrap_or_default();
    let there = ours.iter().filter(|one| installed.contains_key(&one.name_any())).count();
    if there == 0 {
        section.fine.push("Bailey's definitions are not installed yet; `bailey generate install` has them".to_owned());
        return section;
    }
    let mut outdated = 0;
    for one in &ours {
        let name = one.name_any();
        let object = ("CustomResourceDefinition", "", name.as_str());
        let message = match installed.get(&name) {
            None => "it is not installed, others of Bailey's are",
            Some(other) if schemas(other) != schemas(one) => "its schema is not that of this release",
            Some(_) => continue,
        };
        outdated += 1;
        section.findings.push(found(Code::DefinitionOutdated, object, "spec.versions", message));
    }
    if outdated == 0 {
        section.fine.push("Bailey's definitions are those of this release".to_owned());
    }
    section
}

/// Definitions of the Gateway API that are read, and the version of each.
fn gateway_api() -> [(String, String); 5] {
    fn of<K: kube::Resource<DynamicType = ()>>() -> (String, String) {
        (format!("{}.{}", K::plural(&()), K::group(&())), K::version(&()).into_owned())
    }
    [of::<GatewayClass>(), of::<Gateway>(), of::<HttpRoute>(), of::<GrpcRoute>(), of::<ReferenceGrant>()]
}

fn serves(definition: &CustomResourceDefinition, version: &str) -> bool {
    definition.spec.versions.iter().any(|one| one.name == version && one.served)
}

/// Schemas by version, without descriptions: another wording refuses nothing.
fn schemas(definition: &CustomResourceDefinition) -> BTreeMap<&str, serde_json::Value> {
    let schema =
        |one: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionVersion| {
            let mut schema = serde_json::to_value(&one.schema).unwrap_or_default();
            drop_descriptions(&mut schema);
            schema
        };
    definition.spec.versions.iter().map(|one| (one.name.as_str(), schema(one))).collect()
}

fn drop_descriptions(schema: &mut serde_json::Value) {
    if let Some(fields) = schema.as_object_mut() {
        // A property of that name is an object.
        fields.retain(|name, value| name != "description" || !value.is_string());
        fields.values_mut().for_each(drop_descriptions);
    } else if let Some(items) = schema.as_array_mut() {
        items.iter_mut().for_each(drop_descriptions);
    }
}

fn rights(known: &Known) -> Section {
    let mut section = Section::new("your rights");
    for right in &known.lacking {
        let Right { verb, group, resource, namespace } = right;
        let kind = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
        let place =
            if namespace.is_empty() { "in the cluster".to_owned() } else { format!("in namespace {namespace}") };
        section.findings.push(found(
            Code::RightMissing,
            ("User", "", "you"),
            "",
            format!("may not {verb} {kind} {place}"),
        ));
    }
    section.well(format!("you have the {} rights that installing and applying take", known.rights))
}

fn topologies(known: &Known) -> Section {
    let mut section = Section::new("topologies");
    for topology in &known.topologies {
        let name = topology.name_any();
        let found = of_topology(topology, known);
        if found.is_empty() {
            section.fine.push(format!("the cluster has what topology {name} needs, as far as you may see"));
        }
        section.findings.extend(found);
    }
    section
}

fn of_topology(topology: &IngressTopology, known: &Known) -> Vec<Diagnostic> {
    let name = topology.name_any();
    let object = ("IngressTopology", "", name.as_str());
    let mut all = Vec::new();
    if let Some(namespaces) = &known.namespaces {
        let exists = |name: &str| namespaces.iter().find(|one| one.name_any() == name);
        let outer = &topology.spec.outer;
        let mut named = vec![("spec.outer.namespace".to_owned(), outer.namespace.clone())];
        for (index, tenant) in topology.spec.tenants.iter().enumerate() {
            let names = tenant.namespaces.names.iter().flatten();
            named.extend(names.map(|name| (format!("spec.tenants[{index}].namespaces.names"), name.clone())));
        }
        for (field, namespace) in named.iter().filter(|(_, namespace)| exists(namespace).is_none()) {
            all.push(found(Code::NamespaceNotFound, object, field, format!("there is no namespace {namespace}")));
        }
        let host_ports = outer.exposure.as_ref().is_some_and(|exposure| exposure.host_ports.is_some());
        let profile = exists(&outer.namespace).and_then(|one| one.labels().get(ENFORCE));
        if let Some(profile) = profile.filter(|profile| host_ports && *profile != "privileged") {
            let message = format!("namespace {} enforces {profile}, which admits no ports of nodes", outer.namespace);
            all.push(found(Code::PodSecurityRefuses, object, "spec.outer.exposure.hostPorts", message));
        }
    }
    all.extend(storage(topology, object, known.classes.as_deref()));
    all.extend(balancer(topology, object, known.services.as_deref()));
    all
}

type Object<'a> = (&'static str, &'a str, &'a str);

fn storage(topology: &IngressTopology, object: Object<'_>, classes: Option<&[StorageClass]>) -> Option<Diagnostic> {
    let volume = topology.spec.outer.certificates.as_ref()?.store.volume.as_ref()?;
    let classes = classes?;
    let message = match &volume.storage_class_name {
        Some(name) if classes.iter().all(|class| class.name_any() != *name) => {
            format!("there is no StorageClass {name}")
        }
        None if !classes.iter().any(|class| class.annotations().get(DEFAULT_CLASS).is_some_and(|is| is == "true")) => {
            "none is named, and the cluster has no default StorageClass".to_owned()
        }
        Some(_) | None => return None,
    };
    let field = "spec.outer.certificates.store.volume.storageClassName";
    Some(found(Code::StorageClassNotFound, object, field, message))
}

/// Nothing in the API says that a load balancer would come; Services that wait for theirs, or have one, do.
fn balancer(topology: &IngressTopology, object: Object<'_>, services: Option<&[Service]>) -> Option<Diagnostic> {
    let exposure = topology.spec.outer.exposure.clone();
    let service = match exposure {
        None => bailey_crds::topology::ServiceExposure::default(),
        Some(exposure) => exposure.service?,
    };
    let wants = |one: &&Service| one.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("LoadBalancer");
    let balanced: Vec<&Service> = services?.iter().filter(wants).collect();
    let has = |one: &&Service| {
        let status = one.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        status.and_then(|status| status.ingress.as_ref()).is_some_and(|ingress| !ingress.is_empty())
    };
    if service.type_ != ServiceType::LoadBalancer || balanced.iter().any(has) {
        return None;
    }
    let message = match balanced.first() {
        Some(one) => format!(
            "Service {}/{} of type LoadBalancer has no address, nor has any other",
            one.namespace().unwrap_or_default(),
            one.name_any()
        ),
        None => "no Service of the cluster is of type LoadBalancer, so whether one would get an address cannot be seen"
            .to_owned(),
    };
    Some(found(Code::LoadBalancerMissing, object, "spec.outer.exposure.service.type", message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Known {
        let mut all: BTreeMap<String, CustomResourceDefinition> =
            bailey_crds::definitions().unwrap().into_iter().map(|one| (one.name_any(), one)).collect();
        for (name, version) in gateway_api() {
            let value = json!({
                "metadata": {"name": name, "annotations": {BUNDLE: "v1.4.0"}},
                "spec": {
                    "group": "gateway.networking.k8s.io", "scope": "Namespaced", "names": {"kind": "K", "plural": "ks"},
                    "versions": [{"name": version, "served": true, "storage": true}],
                },
            });
            all.insert(name, serde_json::from_value(value).unwrap());
        }
        Known { version: (1, 33), definitions: Some(all), policies: true, rights: 3, ..Known::default() }
    }

    fn codes(known: &Known) -> Vec<Code> {
        sections(known).iter().flat_map(|section| section.findings.iter().map(|one| one.code)).collect()
    }

    fn topology(outer: &serde_json::Value) -> IngressTopology {
        let tenant = json!({"name": "a", "namespaces": {"names": ["team-a"]}, "hostnames": ["a.example.com"]});
        serde_json::from_value(json!({"metadata": {"name": "main"}, "spec": {"outer": outer, "tenants": [tenant]}}))
            .unwrap()
    }

    fn namespace(name: &str, profile: Option<&str>) -> Namespace {
        let labels = profile.map(|profile| json!({ENFORCE: profile})).unwrap_or_default();
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
    }

    #[test]
    fn a_fit_cluster_has_no_findings_and_says_what_was_looked_at() {
        assert_eq!(codes(&known()), []);
        let fine: Vec<String> = sections(&known()).into_iter().flat_map(|section| section.fine).collect();
        assert!(fine.contains(&"the Gateway API v1.4.0 is installed".to_owned()), "{fine:?}");
        assert!(fine.contains(&"Bailey's definitions are those of this release".to_owned()), "{fine:?}");
    }

    #[test]
    fn an_old_server_missing_and_outdated_definitions_and_rights_are_told() {
        let old = Known { version: (1, 29), policies: false, ..known() };
        assert_eq!(codes(&old), [Code::ServerTooOld, Code::AdmissionUnsupported]);
        let mut known = known();
        let all = known.definitions.as_mut().unwrap();
        all.remove("httproutes.gateway.networking.k8s.io");
        all.get_mut("ingresstopologies.bailey.dev").unwrap().spec.versions[0].schema = None;
        known.lacking = vec![Right {
            verb: "create",
            group: "apps".to_owned(),
            resource: "deployments".to_owned(),
            namespace: "bailey-system".to_owned(),
        }];
        assert_eq!(codes(&known), [Code::DefinitionMissing, Code::DefinitionOutdated, Code::RightMissing]);
    }

    #[test]
    fn before_the_installation_bailey_has_no_definitions_and_that_is_no_finding() {
        let mut known = known();
        known.definitions.as_mut().unwrap().retain(|name, _| !name.ends_with(".bailey.dev"));
        assert_eq!(codes(&known), []);
    }

    #[test]
    fn what_a_topology_needs_is_looked_for() {
        let ports =
            json!({"namespace": "out", "listeners": [], "exposure": {"hostPorts": {"nodeSelector": {"edge": "true"}}}});
        let volume = json!({
            "namespace": "out", "listeners": [], "exposure": {"service": {"type": "ClusterIP"}},
            "certificates": {"store": {"volume": {"size": "64Mi"}}},
        });
        let both = [namespace("out", Some("restricted")), namespace("team-a", None)];
        let of = |outer: &serde_json::Value, namespaces: &[Namespace]| {
            codes(&Known {
                namespaces: Some(namespaces.to_vec()),
                classes: Some(Vec::new()),
                services: Some(Vec::new()),
                topologies: vec![topology(outer)],
                ..known()
            })
        };
        assert_eq!(of(&ports, &both), [Code::PodSecurityRefuses]);
        assert_eq!(of(&volume, &both), [Code::StorageClassNotFound]);
        assert_eq!(of(&volume, &both[..1]), [Code::NamespaceNotFound, Code::StorageClassNotFound]);
        assert_eq!(of(&json!({"namespace": "out", "listeners": []}), &both), [Code::LoadBalancerMissing]);
    }

    #[test]
    fn what_may_not_be_read_is_not_judged() {
        let topologies = vec![topology(&json!({"namespace": "out", "listeners": []}))];
        assert_eq!(codes(&Known { definitions: None, topologies, ..known() }), []);
    }
}
