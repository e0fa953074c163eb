//! The objects of a cluster's topologies: the topologies, the tiers' configurations, and every list that a tier reads. What the
//! person may not read is left out and noted.

use std::collections::{BTreeMap, BTreeSet};

use bailey_crds::gateway::{Gateway, GatewayClass, GrpcRoute, HttpRoute, ReferenceGrant};
use bailey_crds::{HostnameBinding, IngressTopology, TierConfig, TierConfigSpec};
use bailey_proxy::source::kubernetes::plan::Watched;
use bailey_translate::{Kind, Objects, resolve};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::Api;
use kube::{Resource, ResourceExt as _};

use super::reader::{Readable, Unread};
use super::view::ClusterTier;
use super::{Asked, ClusterError, Reader};
use crate::nearest;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The objects.
    pub objects: Objects,
    /// The tiers there are, outer ones first.
    pub tiers: Vec<ClusterTier>,
    /// The operator has written the tiers' configurations; otherwise they were derived from the topologies.
    pub written: bool,
    /// What could not be read.
    pub unread: Unread,
}

/// Reads the objects of one topology, or of all.
pub async fn gather(reader: &Reader, topology: Option<&str>) -> Result<Gathered, ClusterError> {
    let mut found = Gathered::default();
    found.topologies(reader, topology).await?;
    let configs = found.configurations(reader, topology).await?;
    let mut wanted = Wanted::default();
    for (tier, config) in &configs {
        wanted.add(tier, config);
    }
    lists(reader, &wanted, &mut found.objects).await?;
    // What other Gateways a route may mean.
    add::<Gateway>(reader, &wanted.tenants, &mut found.objects).await?;
    found.tiers = configs.into_iter().map(|(tier, _)| tier).collect();
    found.tiers.sort_by_key(|tier| matches!(tier.role, bailey_proxy::Role::Inner { .. }));
    found.unread = reader.unread();
    Ok(found)
}

/// Reads what one tier reads.
pub async fn tier(reader: &Reader, tier: &ClusterTier, objects: &mut Objects) -> Result<(), ClusterError> {
    put(reader.within::<TierConfig>(&BTreeSet::from([tier.namespace.clone()])).await?, objects);
    let Some(config) = tier.config(objects).cloned() else { return Ok(()) };
    let mut wanted = Wanted::default();
    wanted.add(tier, &config);
    lists(reader, &wanted, objects).await
}

/// The lists that tiers read.
#[derive(Default)]
struct Wanted {
    lists: BTreeMap<Watched, BTreeSet<String>>,
    secrets: BTreeSet<(String, String)>,
    /// Namespaces of tenants.
    tenants: BTreeSet<String>,
}

impl Wanted {
    fn add(&mut self, tier: &ClusterTier, config: &TierConfigSpec) {
        let plan = tier.plan(Some(config));
        for watch in plan.watches {
            self.lists.entry(watch.kind).or_default().insert(watch.namespace);
        }
        self.secrets.extend(plan.secrets.into_iter().map(|name| (tier.namespace.clone(), name)));
        self.tenants.extend(config.namespaces.iter().cloned());
    }
}

impl Gathered {
    async fn topologies(&mut self, reader: &Reader, only: Option<&str>) -> Result<(), ClusterError> {
        let all = reader.everywhere::<IngressTopology>().await?;
        if all == Asked::Unknown {
            return Err(ClusterError::NotInstalled("ingresstopologies.bailey.dev".to_owned()));
        }
        let refused = matches!(all, Asked::Refused(_));
        let all = reader.note::<_, IngressTopology>(all);
        if let Some(name) = only.filter(|name| !refused && all.iter().all(|one| one.name_any() != *name)) {
            let names: Vec<String> = all.iter().map(kube::ResourceExt::name_any).collect();
            let hint = nearest::hint(name, names.iter().map(String::as_str));
            return Err(ClusterError::NotFound { kind: "IngressTopology", name: name.to_owned(), hint });
        }
        let selects =
            |one: &IngressTopology| one.spec.tenants.iter().any(|tenant| tenant.namespaces.selector.is_some());
        if all.iter().any(selects) {
            let namespaces = reader.everywhere::<Namespace>().await?;
            let namespaces = reader.note::<_, Namespace>(namespaces);
            put(namespaces.into_iter().filter(|one| one.metadata.deletion_timestamp.is_none()), &mut self.objects);
        }
        put(all.into_iter().filter(|one| only.is_none_or(|name| one.name_any() == name)), &mut self.objects);
        Ok(())
    }

    /// The tiers, as the operator wrote them, or as the topologies ask for them where it has not yet.
    async fn configurations(
        &mut self,
        reader: &Reader,
        only: Option<&str>,
    ) -> Result<Vec<(ClusterTier, TierConfigSpec)>, ClusterError> {
        let derived: Vec<TierConfig> =
            self.objects.all::<IngressTopology>().flat_map(|(_, entry)| resolve(entry, &self.objects).tiers).collect();
        let mut homes: BTreeSet<String> = derived.iter().filter_map(kube::ResourceExt::namespace).collect();
        if homes.is_empty() {
            // Whoever may not see topologies may still see a tier where they work.
            homes.insert(reader.client().default_namespace().to_owned());
        }
        let written = reader.within::<TierConfig>(&homes).await?;
        let of = |config: &TierConfig| {
            let wanted = only.is_none_or(|name| config.spec.topology.as_deref() == Some(name));
            let tier = ClusterTier::of(&config.namespace().unwrap_or_default(), &config.spec).filter(|_| wanted)?;
            Some((tier, config.spec.clone()))
        };
        let tiers: Vec<_> = written.iter().filter_map(of).collect();
        self.written = !tiers.is_empty();
        put(written, &mut self.objects);
        Ok(if self.written { tiers } else { derived.iter().filter_map(of).collect() })
    }

    /// How many objects there are.
    pub fn count(&self) -> usize {
        self.objects.to_values().len()
    }
}

async fn lists(reader: &Reader, wanted: &Wanted, objects: &mut Objects) -> Result<(), ClusterError> {
    for (kind, namespaces) in &wanted.lists {
        match kind {
            // Read already.
            Watched::TierConfigs => {}
            Watched::HostnameBindings => add::<HostnameBinding>(reader, namespaces, objects).await?,
            Watched::HttpRoutes => add::<HttpRoute>(reader, namespaces, objects).await?,
            Watched::GrpcRoutes => add::<GrpcRoute>(reader, namespaces, objects).await?,
            Watched::ReferenceGrants => add::<ReferenceGrant>(reader, namespaces, objects).await?,
            Watched::Ingresses => add::<Ingress>(reader, namespaces, objects).await?,
            Watched::Services => add::<Service>(reader, namespaces, objects).await?,
            Watched::EndpointSlices => add::<EndpointSlice>(reader, namespaces, objects).await?,
            Watched::GatewayClasses => {
                let classes = reader.everywhere::<GatewayClass>().await?;
                put(reader.note::<_, GatewayClass>(classes), objects);
            }
        }
    }
    for (namespace, name) in &wanted.secrets {
        let secret = reader.get(&Api::<Secret>::namespaced(reader.client(), namespace), name).await?;
        put(reader.note::<_, Secret>(secret), objects);
    }
    Ok(())
}

async fn add<K>(reader: &Reader, namespaces: &BTreeSet<String>, objects: &mut Objects) -> Result<(), ClusterError>
where
    K: Kind + Readable + Resource<Scope = NamespaceResourceScope>,
{
    put(reader.within::<K>(namespaces).await?, objects);
    Ok(())
}

fn put<K: Kind>(found: impl IntoIterator<Item = K>, objects: &mut Objects) {
    for one in found {
        objects.insert(one, None);
    }
}
