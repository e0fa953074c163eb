//! The certificates of the link in the cluster: the authority of each topology and the Secret `bailey-link` of each tier.
//! What is due is decided by [`crate::link`].

use std::collections::BTreeMap;
use std::time::Duration;

use bailey_crds::LINK_SECRET;
use bailey_crds::conditions::Reason;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::Value;

use crate::apply::Cluster;
use crate::failure::{is_conflict, is_missing, problem};
use crate::labels::{self, MANAGER};
use crate::link::{Authorities, LeafPems, LinkError};
use crate::names;
use crate::observe::World;
use crate::problem::Problem;
use crate::render::{authority_secret, link_secret};
use crate::tier::Tier;
use crate::validate::ValidTopology;

/// How often Secrets are read again, since they may not be watched: what somebody does to them is put right within ten
/// seconds.
pub const LOOK_EVERY: Duration = Duration::from_secs(8);

/// What was found at the last look. Losing it costs reads, no writes.
#[derive(Debug, Default)]
pub struct Memory {
    seen: BTreeMap<(String, String), Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    at: Timestamp,
    until: Option<Timestamp>,
    uid: String,
}

impl Seen {
    /// A clock that was put back makes nothing fresh for long.
    fn is_fresh(&self, now: Timestamp) -> bool {
        Duration::try_from(now.duration_since(self.at)).is_ok_and(|age| age < LOOK_EVERY)
    }
}

/// What became of a topology's certificates.
#[derive(Debug, Default)]
pub struct Certified {
    /// When the first ends, if every tier has one.
    pub until: Option<Timestamp>,
    /// What stands against it.
    pub problems: Vec<Problem>,
}

/// Sees to it that every tier has a certificate that is good for a while.
pub async fn certify(
    cluster: &Cluster,
    world: &World,
    own: &str,
    topology: &ValidTopology,
    now: Timestamp,
    memory: &mut Memory,
) -> Certified {
    let there =
        |tier: &&Tier| world.namespaces.get::<k8s_openapi::api::core::v1::Namespace>("", &tier.namespace).is_some();
    let tiers: Vec<&Tier> = topology.tiers().filter(there).collect();
    let key = |tier: &Tier| (topology.name.clone(), tier.namespace.clone());
    let fresh =
        |tier: &&Tier| memory.seen.get(&key(tier)).is_some_and(|seen| seen.is_fresh(now) && seen.uid == topology.uid);
    let mut certified = Certified::default();
    if !tiers.iter().all(fresh) {
        let authorities = match authorities(cluster, own, topology, now).await {
            Ok(authorities) => authorities,
            Err(problem) => {
                certified.problems.push(problem);
                return certified;
            }
        };
        for tier in &tiers {
            match leaf(cluster, topology, tier, &authorities, now).await {
                Ok(until) => {
                    memory.seen.insert(key(tier), Seen { at: now, until, uid: topology.uid.clone() });
                }
                Err(problem) => certified.problems.push(problem),
            }
        }
    }
    let ends: Vec<Option<Timestamp>> =
        tiers.iter().map(|tier| memory.seen.get(&key(tier)).and_then(|seen| seen.until)).collect();
    let all = tiers.len() == topology.tiers().count() && ends.iter().all(Option::is_some);
    certified.until = if all && certified.problems.is_empty() { ends.into_iter().flatten().min() } else { None };
    certified
}

/// The authorities as they should be now, made or renewed where they are not.
async fn authorities(
    cluster: &Cluster,
    own: &str,
    topology: &ValidTopology,
    now: Timestamp,
) -> Result<Authorities, Problem> {
    let name = names::link_authority(&topology.name);
    let api: Api<Secret> = Api::namespaced(cluster.client.clone(), own);
    let failed = |what: &str| format!("cannot {what} Secret {own}/{name} with the link's authority");
    let found = api.get_opt(&name).await.map_err(|error| problem(&failed("read"), &error))?;
    let (wanted, uid) = match &found {
        None => (Some(Authorities::first(&topology.name, now).map_err(|error| unusable(&error))?), None),
        Some(secret) => {
            require_ours(secret, topology, own)?;
            // One of an earlier topology of the name is about to be deleted with it.
            if !secret.owner_references().iter().any(|owner| owner.uid == topology.uid) {
                let message = format!("Secret {own}/{name} of an earlier topology {} is still there", topology.name);
                return Err(Problem::new(Reason::Progressing, message));
            }
            let kept = Authorities::read(&data(secret)).map_err(|error| unusable(&error))?;
            match kept.renewed(&topology.name, now).map_err(|error| unusable(&error))? {
                None => return Ok(kept),
                renewed @ Some(_) => (renewed, secret.uid()),
            }
        }
    };
    let Some(wanted) = wanted else { return Err(Problem::new(Reason::Progressing, failed("make"))) };
    let secret = authority_secret(topology, own, &wanted);
    let answer = write(cluster, own, &name, secret, uid).await;
    answer.map_err(|error| problem(&failed("write"), &error))?;
    // Had somebody else been faster, what is kept is theirs.
    let kept = api.get(&name).await.map_err(|error| problem(&failed("read"), &error))?;
    Authorities::read(&data(&kept)).map_err(|error| unusable(&error))
}

/// Gives the tier a certificate if it needs one, and says when it ends.
async fn leaf(
    cluster: &Cluster,
    topology: &ValidTopology,
    tier: &Tier,
    authorities: &Authorities,
    now: Timestamp,
) -> Result<Option<Timestamp>, Problem> {
    let at = format!("Secret {}/{LINK_SECRET}", tier.namespace);
    let api: Api<Secret> = Api::namespaced(cluster.client.clone(), &tier.namespace);
    let found = api.get_opt(LINK_SECRET).await.map_err(|error| problem(&format!("cannot read {at}"), &error))?;
    let identity = tier.config.link.as_ref().map(|link| link.identity.clone()).unwrap_or_default();
    if let Some(secret) = &found {
        require_ours(secret, topology, &tier.namespace)?;
        let owned = secret.owner_references().iter().any(|owner| owner.uid == topology.uid);
        let kept = LeafPems::read(&data(secret)).filter(|leaf| owned && !authorities.is_due(leaf, &identity, now));
        if let Some(leaf) = kept {
            return Ok(leaf.until());
        }
    }
    let issued = authorities.issue(&identity, now).map_err(|error| unusable(&error))?;
    tracing::info!(identity, "a new certificate for the link");
    let uid = found.and_then(|secret| secret.uid());
    let answer = write(cluster, &tier.namespace, LINK_SECRET, link_secret(topology, tier, &issued), uid).await;
    answer.map_err(|error| problem(&format!("cannot write {at}"), &error))?;
    Ok(issued.until())
}

/// Deletes the certificate of the tier whose `TierConfig` this is, unless the Secret is another tier's by now.
pub async fn withdraw(cluster: &Cluster, config: &DynamicObject) -> Result<(), kube::Error> {
    let api: Api<Secret> = Api::namespaced(cluster.client.clone(), &config.namespace().unwrap_or_default());
    let Some(secret) = api.get_opt(LINK_SECRET).await? else { return Ok(()) };
    let of_both = [labels::MANAGED_BY, labels::TOPOLOGY, labels::TIER, labels::TENANT];
    if of_both.iter().any(|label| secret.labels().get(*label) != config.labels().get(*label)) {
        return Ok(());
    }
    let preconditions = Some(Preconditions { uid: secret.uid(), resource_version: None });
    let answer = api.delete(LINK_SECRET, &DeleteParams { preconditions, ..DeleteParams::default() }).await;
    cluster.metrics.wrote("Secret", answer.is_ok());
    match answer {
        Err(error) if !is_missing(&error) && !is_conflict(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn require_ours(secret: &Secret, topology: &ValidTopology, namespace: &str) -> Result<(), Problem> {
    let label = |key: &str| secret.labels().get(key).map(String::as_str);
    if label(labels::MANAGED_BY) == Some(MANAGER) && label(labels::TOPOLOGY) == Some(&topology.name) {
        return Ok(());
    }
    let message = format!(
        "Secret {namespace}/{} exists and is not of topology {}; it is left alone: delete it, or place the tier elsewhere \
         (inner.placement: Managed)",
        secret.name_any(),
        topology.name
    );
    Err(Problem::new(Reason::NameConflict, message))
}

async fn write(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    mut secret: Value,
    uid: Option<String>,
) -> Result<(), kube::Error> {
    if let Some(uid) = uid {
        secret["metadata"]["uid"] = uid.into();
    }
    let api: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    let answer = api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&secret)).await;
    cluster.metrics.wrote("Secret", answer.is_ok());
    answer.map(drop)
}

fn data(secret: &Secret) -> BTreeMap<String, ByteString> {
    secret.data.clone().unwrap_or_default()
}

fn unusable(error: &LinkError) -> Problem {
    Problem::new(Reason::CertificatesFailed, error.to_string())
}
