//! Asks for the certificates: the topologies of a cluster, whose status the operator keeps, or the page of a `bailey up`.

use std::time::Duration;

use bailey_crds::IngressTopology;
use bailey_kit::admin::served::{self, Served};
use kube::ResourceExt as _;

use super::known::{Certificate, Certificates};
use super::{CertError, FromArgs};
use crate::cluster::{Asked, Cluster, ClusterError, Reader};
use crate::nearest;
use crate::trace::send::{Get, Url};

/// How long the page may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// All there are.
pub(super) async fn certificates(from: &FromArgs) -> Result<Certificates, CertError> {
    if let Some(admin) = &from.admin {
        return of_page(admin).await;
    }
    let reader = Reader::new(&Cluster::connect(&from.connection).await?);
    let mut found = Certificates::default();
    for topology in topologies(&reader, from.topology.as_deref()).await? {
        let name = topology.name_any();
        let status = topology.status.unwrap_or_default();
        found.certificates.extend(status.certificates.into_iter().map(|one| Certificate::of_status(&name, one)));
    }
    Ok(found)
}

/// The topologies, or the one of that name.
pub(super) async fn topologies(reader: &Reader, only: Option<&str>) -> Result<Vec<IngressTopology>, ClusterError> {
    let mut all = match reader.everywhere::<IngressTopology>().await? {
        Asked::Is(all) => all,
        Asked::Refused(denied) => return Err(ClusterError::Denied(denied)),
        Asked::Unknown => return Err(ClusterError::NotInstalled("ingresstopologies.bailey.dev".to_owned())),
    };
    let Some(only) = only else { return Ok(all) };
    let names: Vec<String> = all.iter().map(kube::ResourceExt::name_any).collect();
    all.retain(|one| one.name_any() == only);
    if all.is_empty() {
        let hint = nearest::hint(only, names.iter().map(String::as_str));
        return Err(ClusterError::NotFound { kind: "IngressTopology", name: only.to_owned(), hint });
    }
    Ok(all)
}

async fn of_page(admin: &str) -> Result<Certificates, CertError> {
    let failed = |source| CertError::Page { admin: admin.to_owned(), source };
    let url = Url::parse(&format!("{}{}", admin.trim_end_matches('/'), served::PATH)).map_err(failed)?;
    let answer = Get::new(url).send(PATIENCE).await.map_err(failed)?;
    let served: Option<Served> = (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok()).flatten();
    let served = served.ok_or_else(|| CertError::Content(admin.to_owned()))?;
    let topology = served.topology.unwrap_or_default();
    Ok(Certificates {
        certificates: served.certificates.into_iter().map(|one| Certificate::of_served(&topology, one)).collect(),
        notes: served.orders_trouble.into_iter().collect(),
    })
}
