//! Writes statuses: each under the version of the object that was read, so that nobody's entry is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailey_crds::gateway::{GATEWAY_GROUP, Gateway, GatewayClass, HttpRoute};
use bailey_translate::{Key, Kind};
use futures_util::StreamExt as _;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::failure::{is_conflict, is_missing};
use crate::metrics::Metrics;
use crate::report::MANAGER;

/// Writes at once.
const AT_ONCE: usize = 8;

/// Whose status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A route's.
    Route { kind: &'static str, key: Key },
    /// A Gateway's.
    Gateway { key: Key },
    /// A topology's class.
    Class { name: String },
}

/// A status to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Write {
    pub(super) target: Target,
    /// The version of the object that the status was made from.
    pub(super) version: Option<String>,
    pub(super) status: Value,
}

/// What has to be looked at again because a write failed.
#[derive(Debug, Default)]
pub(super) struct Failed {
    pub(super) namespaces: BTreeSet<String>,
    pub(super) names: BTreeSet<String>,
}

/// Writes all of them. One that fails harms no other.
pub(super) async fn carry_out(client: &Client, metrics: &Arc<Metrics>, writes: Vec<Write>) -> Failed {
    let one = |write: Write| async move {
        let outcome = send(client, &write).await;
        let (kind, _) = write.target.kind();
        metrics.wrote(kind, outcome.is_ok());
        (write, outcome)
    };
    let outcomes: Vec<(Write, Result<(), kube::Error>)> =
        futures_util::stream::iter(writes.into_iter().map(one)).buffer_unordered(AT_ONCE).collect().await;
    let mut failed = Failed::default();
    for (write, outcome) in outcomes {
        let Err(error) = outcome else { continue };
        // Gone, or changed meanwhile: its watch tells, and it is looked at again.
        if is_missing(&error) || is_conflict(&error) {
            continue;
        }
        tracing::warn!("the status of {} cannot be written: {error}", write.target);
        match write.target {
            Target::Route { key, .. } | Target::Gateway { key } => drop(failed.namespaces.insert(key.namespace)),
            Target::Class { name } => drop(failed.names.insert(name)),
        }
    }
    failed
}

impl Target {
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Route { kind, .. } if *kind == HttpRoute::KIND => (kind, "httproutes"),
            Self::Route { kind, .. } => (kind, "grpcroutes"),
            Self::Gateway { .. } => (Gateway::KIND, "gateways"),
            Self::Class { .. } => (GatewayClass::KIND, "gatewayclasses"),
        }
    }

    fn api(&self, client: &Client) -> Api<DynamicObject> {
        let (kind, plural) = self.kind();
        let resource = ApiResource {
            group: GATEWAY_GROUP.to_owned(),
            version: "v1".to_owned(),
            api_version: format!("{GATEWAY_GROUP}/v1"),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        match self {
            Self::Route { key, .. } | Self::Gateway { key } => {
                Api::namespaced_with(client.clone(), &key.namespace, &resource)
            }
            Self::Class { .. } => Api::all_with(client.clone(), &resource),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Route { key, .. } | Self::Gateway { key } => &key.name,
            Self::Class { name } => name,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, _) = self.kind();
        match self {
            Self::Route { key, .. } | Self::Gateway { key } => write!(f, "{kind} {}/{}", key.namespace, key.name),
            Self::Class { name } => write!(f, "{kind} {name}"),
        }
    }
}

async fn send(client: &Client, write: &Write) -> Result<(), kube::Error> {
    let patch = json!({"metadata": {"resourceVersion": write.version}, "status": write.status});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    write.target.api(client).patch_status(write.target.name(), &params, &Patch::Merge(&patch)).await.map(drop)
}
