//! Asks a cluster what the checks need to know. Decides only whom to ask: what the answers mean is decided by the checks.

use std::collections::{BTreeMap, BTreeSet};

use bailey_crds::IngressTopology;
use bailey_operator::install;
use bailey_operator::labels::TOPOLOGY;
use bailey_operator::ledger::Decision;
use bailey_operator::manifest::{Manifests, Rendered};
use bailey_operator::render::{Facts, render};
use bailey_operator::validate::{ADMIN_PORT, validate};
use bailey_proxy::describe;
use bailey_proxy::snapshot::{self, Snapshot};
use bailey_translate::{Code, Options};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::finding::found;
use super::pre::{self, Known, Right};
use super::rbac::Rbac;
use super::report::{Checked, Section};
use super::rights::{self, Need};
use super::served::Told;
use super::{CheckArgs, hosts, pods, served};
use crate::analyze;
use crate::cluster::{Asked, Cluster, ClusterError, Gathered, Reader, forward, gather};
use crate::config::tier_of;
use crate::folder::Folder;
use crate::folder::input::Input;

/// Proxies that are asked what they serve.
const MOST_PODS: usize = 50;

/// Whether the cluster is fit for an installation and for topologies.
pub(super) async fn before(args: &CheckArgs, files: &Input) -> Result<Checked, ClusterError> {
    let cluster = Cluster::connect(&args.connection).await?;
    let reader = Reader::new(&cluster);
    let version = cluster.client.apiserver_version().await.map_err(|error| cluster.failure(&error))?;
    let number = |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or_default();
    let admission = cluster.client.list_api_group_resources("admissionregistration.k8s.io/v1").await;
    let definitions = reader.everywhere::<CustomResourceDefinition>().await?;
    let wanted: Vec<Right> = wanted();
    let mut lacking = Vec::new();
    for right in &wanted {
        if !may(&reader, right).await? {
            lacking.push(right.clone());
        }
    }
    let topologies = match reader.everywhere::<IngressTopology>().await? {
        // Before the installation there is no such kind.
        Asked::Unknown => Vec::new(),
        asked @ (Asked::Is(_) | Asked::Refused(_)) => reader.note::<_, IngressTopology>(asked),
    };
    let mut by_name: BTreeMap<String, IngressTopology> =
        topologies.into_iter().map(|one| (one.name_any(), one)).collect();
    by_name
        .extend(files.objects.all::<IngressTopology>().map(|(key, entry)| (key.name.clone(), (*entry.object).clone())));
    let known = Known {
        version: (number(&version.major), number(&version.minor)),
        definitions: option(&reader, definitions).map(|all| all.into_iter().map(|one| (one.name_any(), one)).collect()),
        policies: admission.is_ok_and(|all| all.resources.iter().any(|one| one.name == "validatingadmissionpolicies")),
        lacking,
        rights: wanted.len(),
        namespaces: option(&reader, reader.everywhere::<Namespace>().await?),
        classes: option(&reader, reader.everywhere::<StorageClass>().await?),
        services: option(&reader, reader.everywhere::<Service>().await?),
        topologies: chosen(by_name.into_values(), args)?,
    };
    Ok(Checked { sections: pre::sections(&known), unread: reader.unread().notes() })
}

fn option<K: crate::cluster::reader::Readable>(reader: &Reader, asked: Asked<Vec<K>>) -> Option<Vec<K>> {
    let known = matches!(asked, Asked::Is(_));
    let all = reader.note::<_, K>(asked);
    known.then_some(all)
}

fn chosen(all: impl Iterator<Item = IngressTopology>, args: &CheckArgs) -> Result<Vec<IngressTopology>, ClusterError> {
    let (mut all, names): (Vec<_>, Vec<_>) = all
        .map(|one| {
            let name = one.name_any();
            (one, name)
        })
        .unzip();
    let Some(name) = &args.name else { return Ok(all) };
    all.retain(|one| one.name_any() == *name);
    if all.is_empty() {
        let hint = crate::nearest::hint(name, names.iter().map(String::as_str));
        return Err(ClusterError::NotFound { kind: "IngressTopology", name: name.clone(), hint });
    }
    Ok(all)
}

/// Rights to apply everything that is installed, and a topology.
fn wanted() -> Vec<Right> {
    let mut all = BTreeSet::new();
    for object in install::objects(env!("CARGO_PKG_VERSION")).unwrap_or_default() {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
        for verb in ["create", "patch"] {
            all.insert(Right {
                verb,
                group: group.to_owned(),
                resource: plural(text("/kind")),
                namespace: text("/metadata/namespace").to_owned(),
            });
        }
    }
    for verb in ["create", "patch", "get"] {
        let (group, resource) = (bailey_crds::GROUP.to_owned(), "ingresstopologies".to_owned());
        all.insert(Right { verb, group, resource, namespace: String::new() });
    }
    all.into_iter().collect()
}

/// As the API names a kind in paths.
fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => lower + "s",
    }
}

/// Everybody may ask for themselves.
async fn may(reader: &Reader, right: &Right) -> Result<bool, ClusterError> {
    let Right { verb, group, resource, namespace } = right.clone();
    let attributes = ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(group),
        resource: Some(resource),
        namespace: Some(namespace).filter(|namespace| !namespace.is_empty()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..Default::default() };
    match reader.create(&review).await? {
        Asked::Is(answer) => Ok(answer.status.is_some_and(|status| status.allowed)),
        Asked::Refused(denied) => Err(ClusterError::Denied(denied)),
        Asked::Unknown => Ok(false),
    }
}

/// Whether what runs in the cluster is in order.
pub(super) async fn after(args: &CheckArgs) -> Result<Checked, ClusterError> {
    let cluster = Cluster::connect(&args.connection).await?;
    let reader = Reader::new(&cluster);
    let found = gather::gather(&reader, args.name.as_deref()).await?;
    let topologies: Vec<IngressTopology> =
        found.objects.all::<IngressTopology>().map(|(_, entry)| (*entry.object).clone()).collect();
    let (operator, mut all) = running(&reader, &found, &topologies).await?;
    let mut sections = vec![operator_section(&operator)];
    sections.push(permissions(&reader, &topologies).await?);
    sections.push(conditions(&topologies));
    all.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    let tiers = Section { findings: pods::findings(&all), ..Section::new("Pods") };
    sections.push(tiers.well(format!("{} Pods of tiers are ready", all.len())));
    sections.push(configurations(&cluster, &found, &all).await);
    sections.push(hostnames(&topologies).await);
    sections.push(objects(&found));
    Ok(Checked { sections, unread: reader.unread().notes() })
}

/// The operator's Pods and the tiers'.
async fn running(
    reader: &Reader,
    found: &Gathered,
    topologies: &[IngressTopology],
) -> Result<(Asked<Vec<Pod>>, Vec<Pod>), ClusterError> {
    let label = |text: &str| ListParams::default().labels(text);
    let api = Api::<Pod>::namespaced(reader.client(), install::NAMESPACE);
    let operator =
        reader.list(&api, &label("app.kubernetes.io/component=operator,app.kubernetes.io/part-of=bailey")).await?;
    let namespaces: BTreeSet<String> = found.tiers.iter().map(|tier| tier.namespace.clone()).collect();
    let mut all = reader.within::<Pod>(&namespaces).await?;
    let names: BTreeSet<String> = topologies.iter().map(kube::ResourceExt::name_any).collect();
    all.retain(|pod| pod.labels().get(TOPOLOGY).is_some_and(|name| names.is_empty() || names.contains(name)));
    Ok((operator, all))
}

fn operator_section(asked: &Asked<Vec<Pod>>) -> Section {
    let mut section = Section::new("operator");
    let Asked::Is(all) = asked else {
        section.fine.push(format!("not looked at: you may not list Pods in namespace {}", install::NAMESPACE));
        return section;
    };
    let ready = all.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none() && pods::is_ready(pod)).count();
    if ready == 0 {
        let object = ("Deployment", install::NAMESPACE, bailey_operator::labels::MANAGER);
        let message = if all.is_empty() {
            "it has no Pods".to_owned()
        } else {
            format!("none of its {} Pods is ready", all.len())
        };
        section.findings.push(found(Code::OperatorNotRunning, object, "", message));
    } else {
        section.fine.push(format!("{ready} of {} Pods are ready", all.len()));
    }
    section.findings.extend(pods::findings(all));
    section
}

/// Every permission that the operator and the tiers need.
async fn permissions(reader: &Reader, topologies: &[IngressTopology]) -> Result<Section, ClusterError> {
    let namespaces = reader.everywhere::<Namespace>().await?;
    let namespaces = option(reader, namespaces);
    let mut needs: BTreeSet<Need> = rights::of_operator().into_iter().collect();
    for topology in topologies {
        if let Some(manifests) = rendered(topology, namespaces.as_deref()) {
            needs.append(&mut rights::of_tiers(&manifests));
        }
    }
    let mut section = Section::new("permissions");
    let Some(lacking) = lacking(reader, &needs).await? else {
        let object = ("ServiceAccount", install::NAMESPACE, bailey_operator::labels::MANAGER);
        let message = format!("{} permissions of the operator and the tiers could not be checked", needs.len());
        section.findings.push(found(Code::PermissionsUnknown, object, "", message));
        return Ok(section);
    };
    section.findings = lacking.iter().map(Need::finding).collect();
    Ok(section.well(format!(
        "the accounts of the operator and the tiers have the {} permissions that they need",
        needs.len()
    )))
}

/// What the operator makes for a topology, with all hostnames granted: permissions do not depend on them.
fn rendered(topology: &IngressTopology, namespaces: Option<&[Namespace]>) -> Option<Manifests<Rendered>> {
    let mut objects = bailey_translate::Objects::default();
    for one in namespaces.unwrap_or_default().iter().filter(|one| one.metadata.deletion_timestamp.is_none()) {
        objects.insert(one.clone(), None);
    }
    let granted = topology.spec.tenants.iter().map(|one| (one.name.clone(), one.hostnames.clone())).collect();
    let valid = validate(topology, &objects, &Decision { granted, ..Decision::default() }).ok()?;
    let named = valid.tiers().flat_map(|tier| tier.config.namespaces.iter().chain([&tier.namespace])).cloned();
    let exist = |name: &String| namespaces.is_none_or(|all| all.iter().any(|one| one.name_any() == *name));
    let facts = Facts { namespaces: named.filter(exist).collect(), gateway_api: true, ..Facts::default() };
    Some(render(&valid, &facts).manifests)
}

/// The permissions that are not there; `None` when that cannot be told. The API server is asked; where the person may not ask it
/// for others, roles and bindings are read instead.
async fn lacking(reader: &Reader, needs: &BTreeSet<Need>) -> Result<Option<Vec<Need>>, ClusterError> {
    let Some(first) = needs.first() else { return Ok(Some(Vec::new())) };
    if let Some(allowed) = review(reader, first).await? {
        let mut lacking: Vec<Need> = if allowed { Vec::new() } else { vec![first.clone()] };
        let rest = needs.iter().skip(1).map(async |need| Ok::<_, ClusterError>((need, review(reader, need).await?)));
        for (need, allowed) in futures_util::future::try_join_all(rest).await? {
            if allowed == Some(false) {
                lacking.push(need.clone());
            }
        }
        return Ok(Some(lacking));
    }
    let (roles, bindings) = (reader.everywhere::<Role>().await?, reader.everywhere::<RoleBinding>().await?);
    let wide = (reader.everywhere::<ClusterRole>().await?, reader.everywhere::<ClusterRoleBinding>().await?);
    let (Asked::Is(cluster_roles), Asked::Is(cluster_bindings)) = wide else { return Ok(None) };
    let (Asked::Is(roles), Asked::Is(bindings)) = (roles, bindings) else { return Ok(None) };
    let rbac = Rbac { cluster_roles, cluster_bindings, roles, bindings };
    Ok(Some(needs.iter().filter(|need| !rbac.allows(need)).cloned().collect()))
}

/// Whether the account has the permission; `None` when the person may not ask for others.
async fn review(reader: &Reader, need: &Need) -> Result<Option<bool>, ClusterError> {
    let (resource, subresource) = match need.resource.split_once('/') {
        Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
        None => (need.resource.clone(), None),
    };
    let attributes = ResourceAttributes {
        verb: Some(need.verb.clone()),
        group: Some(need.group.clone()),
        resource: Some(resource),
        subresource,
        namespace: Some(need.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        name: Some(need.name.clone()).filter(|name| !name.is_empty()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(need.account.user()),
        groups: Some(need.account.groups()),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    match reader.create(&review).await? {
        Asked::Is(answer) => Ok(Some(answer.status.is_some_and(|status| status.allowed))),
        Asked::Refused(_) | Asked::Unknown => Ok(None),
    }
}

fn conditions(topologies: &[IngressTopology]) -> Section {
    let mut section = Section::new("topologies");
    for topology in topologies {
        let name = topology.name_any();
        let conditions = topology.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let object = ("IngressTopology", "", name.as_str());
        // The first that is not true is the cause of those after it.
        match conditions.iter().find(|condition| condition.status != "True") {
            Some(bad) => {
                let message = format!("{}: {}", bad.reason, bad.message);
                section.findings.push(found(
                    Code::TopologyNotReady,
                    object,
                    format!("condition {}", bad.type_),
                    message,
                ));
            }
            None if conditions.is_empty() => {
                section.findings.push(found(
                    Code::TopologyNotReady,
                    object,
                    "status",
                    "the operator has said nothing of it yet",
                ));
            }
            None => section.fine.push(format!("{name} is ready")),
        }
    }
    section
}

/// What proxies serve, and what the objects come to.
async fn configurations(cluster: &Cluster, found: &Gathered, all: &[Pod]) -> Section {
    let mut should = BTreeMap::new();
    let judged = found.unread.refused.is_empty();
    for tier in found.tiers.iter().filter(|_| judged) {
        let options = Options { local: false };
        let built = snapshot::build(&tier.view(&found.objects), &tier.role.scope(), options, &Snapshot::default());
        let digest = built.snapshot.map(|snapshot| format!("{:032x}", snapshot.digest));
        should.extend(digest.map(|digest| (describe::tier(&tier.role), digest)));
    }
    let told = async |pod: &Pod| {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let answer = forward::json(cluster, &namespace, &name, ADMIN_PORT, bailey_kit::admin::served::PATH).await;
        Told {
            tier: tier_of(pod).map(|tier| describe::tier(&tier.role)).unwrap_or_default(),
            answer: answer.map_err(|error| error.to_string()),
            namespace,
            pod: name,
        }
    };
    let running =
        all.iter().filter(|pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running")));
    let told = futures_util::future::join_all(running.take(MOST_PODS).map(told)).await;
    let mut section = Section { findings: served::findings(&told, &should), ..Section::new("configuration") };
    if told.is_empty() {
        return section;
    }
    section = section.well(if judged {
        format!("{} proxies serve what the cluster's objects come to", told.len())
    } else {
        format!(
            "{} proxies serve; whether it is the newest was not compared, since not everything may be read",
            told.len()
        )
    });
    section
}

async fn hostnames(topologies: &[IngressTopology]) -> Section {
    let balancers = |one: &IngressTopology| {
        let addresses = one.status.as_ref().map(|status| status.addresses.clone()).unwrap_or_default();
        addresses.into_iter().map(|address| address.value).filter(|value| value.parse::<std::net::IpAddr>().is_err())
    };
    let names: BTreeSet<String> =
        topologies.iter().flat_map(|one| hosts::names(one).into_iter().chain(balancers(one))).collect();
    let resolved = hosts::resolve(names).await;
    let findings = topologies.iter().flat_map(|one| hosts::findings(one, &resolved)).collect();
    let section = Section { findings, ..Section::new("hostnames") };
    section.well(format!("{} names lead to their topology", resolved.len()))
}

/// What is wrong with topologies and certificates; routes are the business of `bailey analyze --cluster`.
fn objects(found: &Gathered) -> Section {
    let folder = Folder::asked_for(found.clone(), Input::default());
    let all = analyze::diagnostics(&folder);
    let (ours, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|one| one.code.id().starts_with("BLY07") || one.code.id().starts_with("BLY08"));
    let mut section = Section { findings: ours, ..Section::new("objects") };
    section = section.well("topologies and certificates are in order");
    if !others.is_empty() {
        section.fine.push(format!(
            "bailey analyze --cluster has {} more findings about routes and other objects",
            others.len()
        ));
    }
    section
}
