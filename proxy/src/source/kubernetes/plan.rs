//! Which lists a tier needs. Pure: its role and its configuration give the plan.

use std::collections::BTreeSet;

use bailey_crds::access::{self, Access};
use bailey_crds::{TierAcme, TierConfigSpec, TierStore};
use bailey_kit::kube::Need;
use bailey_translate::names;

use crate::tier::Role;

/// The label by which an `EndpointSlice` names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A kind that tiers watch: the rows of `bailey_crds::access` whose verbs allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// `TierConfig`
    TierConfigs,
    /// `HostnameBinding`
    HostnameBindings,
    /// `HTTPRoute`
    HttpRoutes,
    /// `GRPCRoute`
    GrpcRoutes,
    /// `ReferenceGrant`
    ReferenceGrants,
    /// `Ingress`
    Ingresses,
    /// `Service`
    Services,
    /// `EndpointSlice`
    EndpointSlices,
    /// `GatewayClass`
    GatewayClasses,
}

impl Watched {
    /// The kind of a row, if it may be watched.
    pub fn of(access: &Access) -> Option<Self> {
        match access.resource {
            _ if !access.verbs.contains(&"watch") => None,
            "tierconfigs" => Some(Self::TierConfigs),
            "hostnamebindings" => Some(Self::HostnameBindings),
            "httproutes" => Some(Self::HttpRoutes),
            "grpcroutes" => Some(Self::GrpcRoutes),
            "referencegrants" => Some(Self::ReferenceGrants),
            "ingresses" => Some(Self::Ingresses),
            "services" => Some(Self::Services),
            "endpointslices" => Some(Self::EndpointSlices),
            "gatewayclasses" => Some(Self::GatewayClasses),
            _ => None,
        }
    }

    /// The row that allows to watch it.
    pub fn access(self) -> Option<&'static Access> {
        access::TIER_ROLES.iter().flat_map(|role| role.may).find(|access| Self::of(access) == Some(self))
    }
}

/// Which objects of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Select {
    /// All of them.
    All,
    /// The one of this name.
    Name(String),
    /// Those with these labels.
    Labels(String),
}

/// One list that is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watch {
    /// The kind.
    pub kind: Watched,
    /// The namespace; empty for kinds without one.
    pub namespace: String,
    /// Which of its objects.
    pub select: Select,
}

/// All that a tier reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The lists.
    pub watches: BTreeSet<Watch>,
    /// TLS Secrets of the tier's own namespace, which are read by name.
    pub secrets: BTreeSet<String>,
    /// Secrets with what an ACME authority or a DNS provider has given, likewise.
    pub credentials: BTreeSet<String>,
    /// `ConfigMap`s of that namespace, likewise: roots to trust for an ACME authority.
    pub config_maps: BTreeSet<String>,
    /// Certificates that are ordered are kept in Secrets of that namespace.
    pub keeps_secrets: bool,
}

impl Plan {
    /// What the account of the tier in `namespace` must be allowed, for all of it to be read.
    pub fn needs(&self, namespace: &str) -> BTreeSet<Need> {
        let need = |namespace: &str, access: &Access, verb: &str, name: &str| Need {
            namespace: namespace.to_owned(),
            group: access.group.to_owned(),
            resource: access.resource.to_owned(),
            verb: verb.to_owned(),
            name: name.to_owned(),
        };
        let mut needs = BTreeSet::new();
        for watch in &self.watches {
            let Some(access) = watch.kind.access() else { continue };
            needs.extend(["list", "watch"].map(|verb| need(&watch.namespace, access, verb, "")));
        }
        for access in access::CERTIFICATES.may {
            let named = self.secrets.union(&self.credentials);
            needs.extend(named.map(|name| need(namespace, access, "get", name)));
        }
        for access in access::OUTER.may.iter().filter(|access| access.resource == "configmaps") {
            needs.extend(self.config_maps.iter().map(|name| need(namespace, access, "get", name)));
        }
        for access in access::STORE.may.iter().filter(|_| self.keeps_secrets) {
            needs.extend(access.verbs.iter().map(|verb| need(namespace, access, verb, "")));
        }
        needs
    }
}

/// What the tier `role` in `namespace` reads, as far as it follows from its configuration: without one, only that.
pub fn plan(role: &Role, namespace: &str, config: Option<&TierConfigSpec>) -> Plan {
    let mut plan = Plan::default();
    let mut watch = |kind, namespace: &str, select| {
        plan.watches.insert(Watch { kind, namespace: namespace.to_owned(), select });
    };
    match role {
        Role::Outer { topology } => {
            watch(Watched::TierConfigs, namespace, Select::Name(names::outer(topology)));
            let owned = format!("bailey.dev/topology={topology},bailey.dev/binding=owned");
            watch(Watched::HostnameBindings, namespace, Select::Labels(owned));
            let Some(config) = config else { return plan };
            for tenant in &config.tenants {
                let slices = format!("{SERVICE_NAME}={}", tenant.service.name);
                watch(Watched::EndpointSlices, &tenant.service.namespace, Select::Labels(slices));
            }
            plan.secrets = config.certificates.iter().cloned().collect();
            if let Some(TierAcme { acme, store }) = &config.acme {
                let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
                plan.credentials = owned(acme.secrets());
                plan.config_maps = owned(acme.config_maps());
                plan.keeps_secrets = *store == TierStore::Secrets;
            }
        }
        Role::Inner { topology, tenant } => {
            watch(Watched::TierConfigs, namespace, Select::Name(names::inner(topology, tenant)));
            let Some(config) = config else { return plan };
            let tenants_own =
                access::INNER.may.iter().filter_map(Watched::of).filter(|kind| *kind != Watched::TierConfigs);
            for kind in tenants_own {
                for home in &config.namespaces {
                    watch(kind, home, Select::All);
                }
            }
            for kind in access::CLASSES.may.iter().filter_map(Watched::of) {
                watch(kind, "", Select::All);
            }
        }
        // A Gateway of its own has no tier in a cluster yet; see the command line.
        Role::Gateway { .. } => {}
    }
    plan
}

#[cfg(test)]
mod tests {
    use bailey_crds::access::{CLASSES, ENDPOINTS, INNER, OUTER};
    use serde_json::json;

    use super::*;

    fn config(value: serde_json::Value) -> TierConfigSpec {
        serde_json::from_value(value).unwrap()
    }

    fn kinds(plan: &Plan) -> BTreeSet<Watched> {
        plan.watches.iter().map(|watch| watch.kind).collect()
    }

    fn allowed(roles: &[access::FixedRole]) -> BTreeSet<Watched> {
        roles.iter().flat_map(|role| role.may.iter().filter_map(Watched::of)).collect()
    }

    #[test]
    fn an_inner_tier_watches_exactly_what_its_roles_allow_in_its_namespaces() {
        let role = Role::Inner { topology: "main".to_owned(), tenant: "a".to_owned() };
        let config = config(json!({"role": "Inner", "namespaces": ["a-1", "a-2"]}));
        let plan = plan(&role, "a-1", Some(&config));
        assert_eq!(kinds(&plan), allowed(&[INNER, CLASSES]));
        assert!(plan.watches.iter().all(|watch| ["a-1", "a-2", ""].contains(&watch.namespace.as_str())));
        assert!(plan.secrets.is_empty());
    }

    #[test]
    fn an_outer_tier_watches_the_endpoints_of_its_inner_tiers_only() {
        let role = Role::Outer { topology: "main".to_owned() };
        let service = json!({"namespace": "a", "name": "main-a", "port": 8443});
        let tenant = json!({"name": "a", "identity": "bailey://main/tenant/a", "service": service});
        let config = config(json!({"role": "Outer", "tenants": [tenant], "certificates": ["site"]}));
        let plan = plan(&role, "out", Some(&config));
        assert_eq!(kinds(&plan), allowed(&[OUTER, ENDPOINTS]));
        let slices = plan.watches.iter().find(|watch| watch.kind == Watched::EndpointSlices).unwrap();
        assert_eq!(
            (slices.namespace.as_str(), &slices.select),
            ("a", &Select::Labels("kubernetes.io/service-name=main-a".to_owned()))
        );
        assert_eq!(plan.secrets, BTreeSet::from(["site".to_owned()]));
        let needs: Vec<String> = plan
            .needs("out")
            .into_iter()
            .map(|need| format!("{} {} {} {}", need.namespace, need.verb, need.resource, need.name))
            .collect();
        assert!(needs.contains(&"a watch endpointslices ".to_owned()), "{needs:?}");
        assert!(needs.contains(&"out get secrets site".to_owned()), "{needs:?}");
        assert_eq!(needs.len(), 2 * plan.watches.len() + 1);
    }

    #[test]
    fn a_tier_that_orders_certificates_needs_what_its_settings_refer_to_and_its_store() {
        let role = Role::Outer { topology: "main".to_owned() };
        let with = |store: &str| {
            let acme = json!({
                "directory": "https://acme.example/dir", "store": store,
                "challenge": {"dns01": {"provider": "rfc2136", "credentialsRef": {"name": "tsig"}}},
                "externalAccount": {"keyId": "k", "secretRef": {"name": "eab", "key": "hmac"}},
                "caBundleRef": {"name": "roots", "key": "ca.crt"},
            });
            let plan = plan(&role, "out", Some(&config(json!({"role": "Outer", "acme": acme}))));
            let needs: BTreeSet<String> = plan
                .needs("out")
                .into_iter()
                .map(|need| format!("{} {} {}", need.verb, need.resource, need.name))
                .collect();
            (plan, needs)
        };
        let (plan, needs) = with("Volume");
        assert!(plan.secrets.is_empty(), "they are no certificates");
        for need in ["get secrets eab", "get secrets tsig", "get configmaps roots"] {
            assert!(needs.contains(need), "{need}: {needs:?}");
        }
        assert!(!needs.iter().any(|need| need.contains("leases")), "{needs:?}");
        let (_, needs) = with("Secrets");
        for access in access::STORE.may {
            for verb in access.verbs {
                assert!(needs.contains(&format!("{verb} {} ", access.resource)), "{verb}: {needs:?}");
            }
        }
    }

    #[test]
    fn without_a_configuration_only_that_is_looked_for() {
        let role = Role::Inner { topology: "main".to_owned(), tenant: "a".to_owned() };
        assert_eq!(kinds(&plan(&role, "a", None)), BTreeSet::from([Watched::TierConfigs]));
    }
}
