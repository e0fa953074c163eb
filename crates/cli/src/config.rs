//! `bailey config POD`: what a proxy serves, and whether that is behind what the cluster says. The Pod is asked by port-forwarding; what
//! it should serve is made here of the API's objects, by the code that makes it there.

mod behind;
mod show;

use std::time::Duration;

use bailey_kit::kube::Denied;
use bailey_proxy::page::effective::Effective;
use bailey_proxy::snapshot::{self, Snapshot};
use bailey_translate::{Objects, Options};
use clap::Args;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use crate::cluster::forward::{self, PodError};
use crate::cluster::view::ClusterTier;
use crate::cluster::{self, Asked, Cluster, ClusterError, Connection, Reader, gather};
use crate::nearest;
use crate::output::{self, Exit, Failure, Outcome, OutputArgs, OutputError};
use behind::{Differences, Standing};
use show::Configuration;

/// How `bailey config` runs.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// The Pod of a tier, such as main-outer-7c9d5-abcde.
    pub pod: String,
    /// Namespace of the Pod [default: the one of the context].
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    output: OutputArgs,
}

/// Why a configuration cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The Pod cannot be asked.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// There is no such Pod.
    #[error(
        "there is no Pod {namespace}/{name}{hint}; `kubectl get pods -A -l app.kubernetes.io/name=bailey-proxy` lists those of tiers"
    )]
    NoPod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The nearest name, if there is one.
        hint: String,
    },
    /// It is somebody else's.
    #[error(
        "Pod {0} is not of a tier: it lacks the label bailey.dev/topology; `kubectl get pods -A -l app.kubernetes.io/name=bailey-proxy` lists those"
    )]
    NotOurs(String),
    /// It serves nothing yet.
    #[error("Pod {0} serves no configuration yet; `bailey check` says what it waits for")]
    Nothing(String),
    /// The result cannot be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failure for ConfigError {
    fn exit(&self) -> Exit {
        match self {
            Self::Cluster(error) => error.exit(),
            Self::Pod(_) => Exit::Unreachable,
            Self::NoPod { .. } | Self::NotOurs(_) => Exit::Usage,
            Self::Nothing(_) => Exit::Negative,
            Self::Output(error) => error.exit(),
        }
    }
}

/// Asks and prints; behind is a no.
pub fn run(args: &ConfigArgs) -> Outcome {
    Ok(cluster::run(ask(args))?)
}

/// A change takes a moment to reach the Pod, so a difference counts when it is still there after so many looks.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

async fn ask(args: &ConfigArgs) -> Result<Exit, ConfigError> {
    let cluster = Cluster::connect(&args.connection).await?;
    let namespace = args.namespace.clone().unwrap_or_else(|| cluster.client.default_namespace().to_owned());
    let tier = tier(&cluster, &namespace, &args.pod).await?;
    let mut looks = 0;
    let configuration = loop {
        let configuration = look(&cluster, &tier, &args.pod).await?;
        looks += 1;
        if looks == LOOKS || !matches!(configuration.standing, Standing::Behind(_)) {
            break configuration;
        }
        tokio::time::sleep(PAUSE).await;
    };
    output::print(&configuration, args.output.output)?;
    Ok(match configuration.standing {
        Standing::Current | Standing::Unknown { .. } => Exit::Fine,
        Standing::Behind(_) => Exit::Negative,
    })
}

/// The tier that the Pod is a proxy of, by its labels.
async fn tier(cluster: &Cluster, namespace: &str, name: &str) -> Result<ClusterTier, ConfigError> {
    let reader = Reader::new(cluster);
    let api = Api::<Pod>::namespaced(reader.client(), namespace);
    let pod = match reader.get(&api, name).await? {
        Asked::Is(Some(pod)) => pod,
        Asked::Refused(denied) => return Err(ClusterError::Denied(denied).into()),
        Asked::Is(None) | Asked::Unknown => {
            let ours = ListParams::default().labels("app.kubernetes.io/name=bailey-proxy");
            let others = reader.list(&api, &ours).await?;
            let names: Vec<String> = reader.note::<_, Pod>(others).iter().map(kube::ResourceExt::name_any).collect();
            let hint = nearest::hint(name, names.iter().map(String::as_str));
            return Err(ConfigError::NoPod { namespace: namespace.to_owned(), name: name.to_owned(), hint });
        }
    };
    tier_of(&pod).ok_or_else(|| ConfigError::NotOurs(format!("{namespace}/{name}")))
}

/// The tier that a Pod's labels name.
pub(crate) fn tier_of(pod: &Pod) -> Option<ClusterTier> {
    use bailey_operator::labels::{TENANT, TOPOLOGY};
    let topology = pod.labels().get(TOPOLOGY)?.clone();
    let role = match pod.labels().get(TENANT) {
        Some(tenant) => bailey_proxy::Role::Inner { topology, tenant: tenant.clone() },
        None => bailey_proxy::Role::Outer { topology },
    };
    Some(ClusterTier { role, namespace: pod.namespace().unwrap_or_default() })
}

async fn look(cluster: &Cluster, tier: &ClusterTier, pod: &str) -> Result<Configuration, ConfigError> {
    let port = bailey_operator::validate::ADMIN_PORT;
    let all: Vec<Effective> = forward::json(cluster, &tier.namespace, pod, port, "/api/configuration").await?;
    let name = format!("{}/{pod}", tier.namespace);
    let served = all.into_iter().next().filter(|one| one.generation > 0).ok_or(ConfigError::Nothing(name.clone()))?;
    let reader = Reader::new(cluster);
    let (should, secrets) = should_serve(&reader, tier).await?;
    let standing = standing(&served, should, secrets);
    Ok(Configuration { pod: name, standing, served })
}

/// What the tier would serve of the objects that there are, or why that cannot be said; and why its certificates cannot be.
async fn should_serve(
    reader: &Reader,
    tier: &ClusterTier,
) -> Result<(Result<Effective, Vec<String>>, Vec<String>), ClusterError> {
    let mut objects = Objects::default();
    // Only what this tier reads: others are none of the question's business.
    gather::tier(reader, tier, &mut objects).await?;
    let (secrets, others): (Vec<_>, Vec<_>) =
        reader.unread().refused.into_iter().partition(|denied| denied.resource == "secrets");
    let sentences = |all: Vec<Denied>| all.iter().map(Denied::to_string).collect::<Vec<_>>();
    let should = if !others.is_empty() {
        Err(sentences(others))
    } else if tier.config(&objects).is_none() {
        Err(vec!["there is no TierConfig of this tier in the cluster: was it taken from its topology?".to_owned()])
    } else {
        let options = Options { local: false };
        let built = snapshot::build(&tier.view(&objects), &tier.role.scope(), options, &Snapshot::default());
        let built = built.snapshot.expect("the first snapshot is always a new one");
        Ok(Effective::of(&tier.role, &built))
    };
    Ok((should, sentences(secrets)))
}

fn standing(served: &Effective, should: Result<Effective, Vec<String>>, secrets: Vec<String>) -> Standing {
    let should = match should {
        Ok(should) => should,
        Err(because) => return Standing::Unknown { because },
    };
    let differences = Differences::between(served, &should, secrets.is_empty());
    // Endpoints are not in the digest.
    if differences.is_empty() && should.digest == served.digest {
        return Standing::Current;
    }
    if differences.is_empty() && !secrets.is_empty() {
        return Standing::Unknown { because: secrets };
    }
    // With nothing to name, it is another release, which makes another digest of the same.
    Standing::Behind(differences)
}
