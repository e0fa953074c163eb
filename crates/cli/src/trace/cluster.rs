//! Tracing one request in a cluster: it is sent to the outer tier's address, and the proxies of both tiers are asked for their spans
//! by port-forwarding. What is missing is said.

use std::time::Duration;

use bailey_crds::IngressTopology;
use bailey_operator::labels::{TENANT, TOPOLOGY};
use bailey_operator::validate::ADMIN_PORT;
use bailey_proxy::page::waterfall::Waterfall;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::join::join;
use super::send::{Get, SendError};
use super::{TraceArgs, Traced, fresh_span, fresh_trace};
use crate::cluster::forward::{self, PodError};
use crate::cluster::{Cluster, ClusterError, Reader, entrance};
use crate::output::{Exit, Failure};

/// How often proxies are asked for a trace, and the pause between.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(150);
/// Requests that are sent at most until one is sampled.
const MOST: u32 = 50;

/// Why there is no trace of a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterTraceError {
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The request cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Nobody has the host.
    #[error("no topology of the cluster has the host {0}; `bailey status` lists the hostnames that there are")]
    NoHost(String),
    /// The outer tier has no address.
    #[error("the outer tier of topology {0} has no address yet; give one with --resolve HOST:PORT:ADDRESS")]
    NoAddress(String),
    /// Nothing is traced.
    #[error("topology {0} traces nothing: set spec.tracing (an endpoint, and the share of requests)")]
    NotTraced(String),
    /// The outer tier has no Pods that may be seen.
    #[error("no running Pod of the outer tier of topology {0} can be seen; `bailey check` says why")]
    NoPods(String),
    /// A Pod cannot be asked.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// No request was sampled.
    #[error(
        "{sent} requests were answered, the last with {status}, and none was traced: topology {topology} traces {percent} % of them; raise spec.tracing.sampling, or ask again"
    )]
    NotSampled {
        /// How many were sent.
        sent: u32,
        /// Status of the last.
        status: u16,
        /// The topology.
        topology: String,
        /// Its share.
        percent: f64,
    },
}

impl Failure for ClusterTraceError {
    fn exit(&self) -> Exit {
        match self {
            Self::Cluster(error) => error.exit(),
            Self::Send(error) => error.exit(),
            Self::Pod(_) => Exit::Unreachable,
            Self::NoHost(_) | Self::NoAddress(_) | Self::NotTraced(_) | Self::NoPods(_) | Self::NotSampled { .. } => {
                Exit::Negative
            }
        }
    }
}

/// The Pods of one topology.
struct Pods {
    outer: Vec<Pod>,
    inner: Vec<Pod>,
}

/// Sends the request until it is sampled, and gathers its spans.
pub(super) async fn trace(args: &TraceArgs) -> Result<Traced, ClusterTraceError> {
    let cluster = Cluster::connect(&args.cluster.connection).await?;
    let entrance = entrance::of(&cluster, args.cluster.topology.as_deref()).await?;
    let request = || Get::parse(args);
    let first = request()?;
    let host = first.url.place().0.to_owned();
    let topology = entrance.topology(&first.url).ok_or(ClusterTraceError::NoHost(host))?.clone();
    let name = topology.name_any();
    let address = entrance.of(&first.url);
    if address.is_none() && args.resolve.is_empty() {
        return Err(ClusterTraceError::NoAddress(name));
    }
    let share = topology.spec.tracing.as_ref().map(|tracing| tracing.sampling.millionths());
    let share = share.ok_or_else(|| ClusterTraceError::NotTraced(name.clone()))?;
    let pods = pods(&cluster, &topology).await?;
    if pods.outer.is_empty() {
        return Err(ClusterTraceError::NoPods(name));
    }
    let tries = tries(share);
    let mut status = 0;
    for _ in 0..tries {
        let trace = fresh_trace();
        let mut request = request()?;
        request.addresses.extend(address.clone());
        request.field("traceparent", &format!("00-{trace}-{}-01", fresh_span()));
        status = request.send(Duration::from_secs(args.timeout)).await?.status;
        if let Some(outer) = outer(&cluster, &pods.outer, &trace.to_string()).await? {
            let (inner, missing) = inner(&cluster, &pods.inner, &outer).await;
            return Ok(Traced { status, trace: join(outer, inner), missing });
        }
    }
    Err(ClusterTraceError::NotSampled { sent: tries, status, topology: name, percent: f64::from(share) / 10_000.0 })
}

/// As many as make it likely that one of them is sampled (95 of 100 times).
fn tries(millionths: u32) -> u32 {
    3_000_000u32.checked_div(millionths).map_or(1, |tries| tries.clamp(1, MOST))
}

async fn pods(cluster: &Cluster, topology: &IngressTopology) -> Result<Pods, ClusterError> {
    let tiers = topology.status.as_ref().map(|status| status.tiers.as_slice()).unwrap_or_default();
    let namespaces = tiers.iter().map(|tier| tier.namespace.clone()).chain([topology.spec.outer.namespace.clone()]);
    let mut all = Reader::new(cluster).within::<Pod>(&namespaces.collect()).await?;
    let running = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
    all.retain(|pod| pod.labels().get(TOPOLOGY) == Some(&topology.name_any()) && running(pod));
    let (inner, outer) = all.into_iter().partition(|pod| pod.labels().contains_key(TENANT));
    Ok(Pods { outer, inner })
}

/// The outer tier's spans of the request that carried `context`; it is in one of the Pods, or was not sampled.
async fn outer(cluster: &Cluster, pods: &[Pod], context: &str) -> Result<Option<Waterfall>, PodError> {
    let path = format!("/api/traces?context={context}");
    for _ in 0..LOOKS {
        tokio::time::sleep(PAUSE).await;
        for pod in pods {
            let found: Vec<Waterfall> = ask(cluster, pod, &path).await?;
            if let Some(found) = found.into_iter().next() {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// What the inner tier's Pods have of that trace, and what is missing.
async fn inner(cluster: &Cluster, pods: &[Pod], outer: &Waterfall) -> (Vec<Waterfall>, Vec<String>) {
    if outer.rows.iter().all(|row| row.kind != "client") {
        // It was answered by the outer tier.
        return (Vec::new(), Vec::new());
    }
    let path = format!("/api/traces/{}", outer.trace);
    let ours = |pod: &&Pod| outer.tenant.as_ref().is_none_or(|tenant| pod.labels().get(TENANT) == Some(tenant));
    let mut failed = Vec::new();
    for _ in 0..LOOKS {
        failed.clear();
        for pod in pods.iter().filter(ours) {
            match ask::<Waterfall>(cluster, pod, &path).await {
                Ok(found) => return (vec![found], Vec::new()),
                // Another Pod of the tier has it.
                Err(PodError::Status { status: 404, .. }) => {}
                Err(error) => failed.push(error.to_string()),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    if failed.is_empty() {
        failed.push("no running Pod of the inner tier has spans of this trace".to_owned());
    }
    (Vec::new(), failed)
}

async fn ask<T: serde::de::DeserializeOwned>(cluster: &Cluster, pod: &Pod, path: &str) -> Result<T, PodError> {
    forward::json(cluster, &pod.namespace().unwrap_or_default(), &pod.name_any(), ADMIN_PORT, path).await
}

#[cfg(test)]
mod tests {
    use super::tries;

    #[test]
    fn a_small_share_takes_more_tries_and_none_takes_one() {
        assert_eq!([1_000_000, 100_000, 1_000, 0].map(tries), [3, 30, 50, 1]);
    }
}
