//! A request to the loopback of a Pod, through the API server's port-forwarding: what `kubectl port-forward` does, without a local
//! port. The page of a tier answers there and nowhere else.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{Cluster, ClusterError};
use crate::trace::send::{Answer, Get, SendError, Url};

/// How long the connection and the answer may take together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a Pod does not answer.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// The API server does not forward.
    #[error("{pod} cannot be reached through the API server: {source}")]
    Forward {
        /// The Pod, as `namespace/name`.
        pod: String,
        /// Why.
        source: ClusterError,
    },
    /// The connection broke.
    #[error("{pod} did not answer on its port {port}: {source}; is it running?")]
    Send {
        /// The Pod, as `namespace/name`.
        pod: String,
        /// The port.
        port: u16,
        /// Why.
        source: SendError,
    },
    /// It takes too long.
    #[error("{pod} did not answer within {} s on its port {port}", PATIENCE.as_secs())]
    Timeout {
        /// The Pod, as `namespace/name`.
        pod: String,
        /// The port.
        port: u16,
    },
    /// It answers something else.
    #[error("{pod} answered {status} to {path}; is its proxy of another version?")]
    Status {
        /// The Pod, as `namespace/name`.
        pod: String,
        /// What was asked for.
        path: String,
        /// The status.
        status: u16,
    },
    /// What it answers is no JSON of that form.
    #[error("{pod} answered {path} with something that cannot be read: {why}; is its proxy of another version?")]
    Content {
        /// The Pod, as `namespace/name`.
        pod: String,
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        why: serde_json::Error,
    },
}

/// What the Pod answers to `GET path`.
pub(crate) async fn get(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    port: u16,
    path: &str,
) -> Result<Answer, PodError> {
    let pod = format!("{namespace}/{name}");
    let work = async {
        let api = Api::<Pod>::namespaced(cluster.client.clone(), namespace);
        let mut forward = api
            .portforward(name, &[port])
            .await
            .map_err(|error| PodError::Forward { pod: pod.clone(), source: cluster.failure(&error) })?;
        let stream = forward.take_stream(port).expect("a forwarder has the port that it was made for");
        let failed = |source| PodError::Send { pod: pod.clone(), port, source };
        let url = Url::parse(&format!("http://localhost{path}")).map_err(failed)?;
        Get::new(url).over(stream).await.map_err(failed)
    };
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(PodError::Timeout { pod: pod.clone(), port }))
}

/// The JSON that the Pod answers to `GET path`.
pub async fn json<T: DeserializeOwned>(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    port: u16,
    path: &str,
) -> Result<T, PodError> {
    let answer = get(cluster, namespace, name, port, path).await?;
    let (pod, path) = (format!("{namespace}/{name}"), path.to_owned());
    if answer.status != 200 {
        return Err(PodError::Status { pod, path, status: answer.status });
    }
    serde_json::from_slice(&answer.body).map_err(|why| PodError::Content { pod, path, why })
}
