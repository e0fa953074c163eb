//! What one tier reads of a cluster's objects: exactly the lists that its proxies watch, so that what is made of them here is what
//! they serve. Pure.

use bailey_crds::gateway::{GatewayClass, GrpcRoute, HttpRoute, ReferenceGrant};
use bailey_crds::{HostnameBinding, Role as ConfigRole, TierConfig, TierConfigSpec};
use bailey_proxy::Role;
use bailey_proxy::source::kubernetes::plan::{Plan, Select, Watch, Watched, plan};
use bailey_translate::{Kind, Objects};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;

/// A tier of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterTier {
    /// Which tier.
    pub role: Role,
    /// Where it runs.
    pub namespace: String,
}

impl ClusterTier {
    /// The tier of that configuration; `None` for one that is incomplete.
    pub fn of(namespace: &str, config: &TierConfigSpec) -> Option<Self> {
        let topology = config.topology.clone()?;
        let role = match config.role {
            ConfigRole::Outer => Role::Outer { topology },
            ConfigRole::Inner => Role::Inner { topology, tenant: config.tenant.clone()? },
            ConfigRole::Gateway => return None,
        };
        Some(Self { role, namespace: namespace.to_owned() })
    }

    /// Everything that the tier reads, by its configuration.
    pub fn plan(&self, config: Option<&TierConfigSpec>) -> Plan {
        plan(&self.role, &self.namespace, config)
    }

    /// The tier's own configuration among `objects`.
    pub fn config<'a>(&self, objects: &'a Objects) -> Option<&'a TierConfigSpec> {
        let watch = self.plan(None).watches.into_iter().find(|watch| watch.kind == Watched::TierConfigs)?;
        let Select::Name(name) = watch.select else { return None };
        Some(&objects.get::<TierConfig>(&self.namespace, &name)?.object.spec)
    }

    /// What the tier has of `objects`.
    pub fn view(&self, objects: &Objects) -> Objects {
        let plan = self.plan(self.config(objects));
        let mut seen = Objects::default();
        for watch in &plan.watches {
            match watch.kind {
                Watched::TierConfigs => copy::<TierConfig>(objects, watch, &mut seen),
                Watched::HostnameBindings => copy::<HostnameBinding>(objects, watch, &mut seen),
                Watched::HttpRoutes => copy::<HttpRoute>(objects, watch, &mut seen),
                Watched::GrpcRoutes => copy::<GrpcRoute>(objects, watch, &mut seen),
                Watched::ReferenceGrants => copy::<ReferenceGrant>(objects, watch, &mut seen),
                Watched::Ingresses => copy::<Ingress>(objects, watch, &mut seen),
                Watched::Services => copy::<Service>(objects, watch, &mut seen),
                Watched::EndpointSlices => copy::<EndpointSlice>(objects, watch, &mut seen),
                Watched::GatewayClasses => copy::<GatewayClass>(objects, watch, &mut seen),
            }
        }
        for name in &plan.secrets {
            if let Some(entry) = objects.get::<Secret>(&self.namespace, name) {
                seen.insert(entry.object.as_ref().clone(), None);
            }
        }
        seen
    }
}

fn copy<K: Kind + Clone>(from: &Objects, watch: &Watch, to: &mut Objects) {
    for (_, entry) in
        from.within::<K>(&watch.namespace).filter(|(_, entry)| selects(&watch.select, entry.object.as_ref()))
    {
        to.insert(entry.object.as_ref().clone(), None);
    }
}

/// As the API server selects: every label of the list must be there.
fn selects<K: Kind>(select: &Select, object: &K) -> bool {
    match select {
        Select::All => true,
        Select::Name(name) => object.name_any() == *name,
        Select::Labels(labels) => labels.split(',').all(|label| {
            label.split_once('=').is_some_and(|(key, value)| object.labels().get(key).is_some_and(|is| is == value))
        }),
    }
}

#[cfg(test)]
mod tests {
    use bailey_translate::Object;
    use serde_json::json;

    use super::*;

    fn objects(values: &[serde_json::Value]) -> Objects {
        let mut objects = Objects::default();
        for value in values {
            objects.insert_any(Object::from_value(value.clone()).unwrap(), None);
        }
        objects
    }

    fn config(namespace: &str, name: &str, spec: &serde_json::Value) -> serde_json::Value {
        json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "TierConfig", "metadata": {"namespace": namespace, "name": name}, "spec": spec})
    }

    fn slice(namespace: &str, service: &str) -> serde_json::Value {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": [],
            "metadata": {"namespace": namespace, "name": service, "labels": {"kubernetes.io/service-name": service}},
        })
    }

    #[test]
    fn an_outer_tier_sees_its_bindings_and_the_endpoints_of_its_inner_tiers_only() {
        let tenant = json!({"name": "a", "identity": "bailey://main/tenant/a", "service": {"namespace": "team-a", "name": "main-a", "port": 8443}});
        let binding = |name: &str, state: &str| {
            json!({
                "apiVersion": "bailey.dev/v1alpha1", "kind": "HostnameBinding",
                "metadata": {"namespace": "out", "name": name, "labels": {"bailey.dev/topology": "main", "bailey.dev/binding": state}},
                "spec": {"hostname": "a.example.com", "topology": "main", "tenant": "a", "service": {"namespace": "team-a", "name": "main-a", "port": 8443}},
            })
        };
        let all = objects(&[
            config("out", "main-outer", &json!({"role": "Outer", "topology": "main", "tenants": [tenant]})),
            config("team-a", "main-a", &json!({"role": "Inner", "topology": "main", "tenant": "a"})),
            binding("h-1", "owned"),
            binding("h-2", "released"),
            slice("team-a", "main-a"),
            slice("team-a", "app"),
        ]);
        let tier = ClusterTier { role: Role::Outer { topology: "main".to_owned() }, namespace: "out".to_owned() };
        let seen = tier.view(&all);
        assert_eq!(seen.all::<TierConfig>().count(), 1);
        assert_eq!(seen.all::<HostnameBinding>().map(|(key, _)| key.name.as_str()).collect::<Vec<_>>(), ["h-1"]);
        assert_eq!(seen.all::<EndpointSlice>().map(|(key, _)| key.name.as_str()).collect::<Vec<_>>(), ["main-a"]);
    }

    #[test]
    fn a_tier_without_configuration_sees_nothing_else() {
        let tier = ClusterTier {
            role: Role::Inner { topology: "main".to_owned(), tenant: "a".to_owned() },
            namespace: "team-a".to_owned(),
        };
        assert_eq!(tier.view(&objects(&[slice("team-a", "app")])).digest(), Objects::default().digest());
    }
}
