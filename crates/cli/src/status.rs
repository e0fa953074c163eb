//! `bailey status`: whether topologies work, at a glance: what the operator says of them, and the Events of late. Decides only what
//! is shown and when it is shown again; what is said is the operator's.

mod events;
mod summary;

use std::sync::Arc;
use std::time::Duration;

use bailey_crds::IngressTopology;
use bailey_kit::kube::follow;
use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use kube::runtime::watcher;
use serde::Serialize;
use tokio::sync::Notify;

use crate::cluster::{self, Asked, Cluster, ClusterError, Connection, Reader};
use crate::nearest;
use crate::output::{self, Exit, Failure, Format, Outcome, OutputArgs, OutputError, Report, Style};
use summary::Summary;

/// How `bailey status` runs.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// The topology [default: all].
    pub name: Option<String>,
    /// Only the tiers of this namespace, and the tenants that have them.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Show it again whenever it changes, until interrupted: on a terminal in place, else one line a topology.
    #[arg(short, long)]
    pub watch: bool,
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    output: OutputArgs,
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// It has no topology.
    #[error("the cluster has no IngressTopology; apply one, such as samples/cluster/two-tenants.yaml")]
    None,
    /// The result cannot be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failure for StatusError {
    fn exit(&self) -> Exit {
        match self {
            Self::Cluster(error) => error.exit(),
            Self::None => Exit::Negative,
            Self::Output(error) => error.exit(),
        }
    }
}

/// The statuses of topologies.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Statuses {
    topologies: Vec<Summary>,
    /// What could not be read, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
}

impl Statuses {
    fn exit(&self) -> Exit {
        if self.topologies.iter().all(|one| one.ready) { Exit::Fine } else { Exit::Negative }
    }
}

impl Report for Statuses {
    fn text(&self, style: Style) -> String {
        let mut text = self.topologies.iter().map(|one| one.text(style)).collect::<Vec<_>>().join("\n");
        self.unread.iter().for_each(|note| text.extend(["\nnote: ", note, "\n"]));
        text
    }
}

/// Asks and prints; the exit code says whether all are ready.
pub fn run(args: &StatusArgs) -> Outcome {
    Ok(cluster::run(ask(args))?)
}

async fn ask(args: &StatusArgs) -> Result<Exit, StatusError> {
    let cluster = Cluster::connect(&args.connection).await?;
    if args.watch {
        return keep_showing(args, &cluster).await;
    }
    let statuses = look(args, &cluster).await?;
    output::print(&statuses, args.output.output)?;
    Ok(statuses.exit())
}

async fn look(args: &StatusArgs, cluster: &Cluster) -> Result<Statuses, StatusError> {
    let reader = Reader::new(cluster);
    let mut topologies = match reader.everywhere::<IngressTopology>().await? {
        Asked::Is(all) => all,
        Asked::Refused(denied) => return Err(ClusterError::Denied(denied).into()),
        Asked::Unknown => return Err(ClusterError::NotInstalled("ingresstopologies.bailey.dev".to_owned()).into()),
    };
    if let Some(name) = &args.name {
        let names: Vec<String> = topologies.iter().map(kube::ResourceExt::name_any).collect();
        topologies.retain(|one| one.name_any() == *name);
        if topologies.is_empty() {
            let hint = nearest::hint(name, names.iter().map(String::as_str));
            return Err(ClusterError::NotFound { kind: "IngressTopology", name: name.clone(), hint }.into());
        }
    } else if topologies.is_empty() {
        return Err(StatusError::None);
    }
    // Events of objects without a namespace are kept in this one.
    let api = Api::<Event>::namespaced(reader.client(), "default");
    let select = ListParams::default().fields("involvedObject.kind=IngressTopology");
    let events = reader.list(&api, &select).await?;
    let events = reader.note::<_, Event>(events);
    let now = Timestamp::now();
    let summary = |one: &IngressTopology| {
        let told = events::of(&one.name_any(), &events, now);
        Summary::of(one, told, args.namespace.as_deref())
    };
    Ok(Statuses { topologies: topologies.iter().map(summary).collect(), unread: reader.unread().notes() })
}

/// Events have no part in the status of a topology, so they are looked for now and then.
const AGAIN: Duration = Duration::from_secs(10);
/// Changes that come together are shown together.
const TOGETHER: Duration = Duration::from_millis(200);

async fn keep_showing(args: &StatusArgs, cluster: &Cluster) -> Result<Exit, StatusError> {
    let changed = Arc::new(Notify::new());
    let notify = changed.clone();
    let api = Api::<IngressTopology>::all(cluster.client.clone());
    // What keeps the watch from going on is told by the looking.
    let watch = follow(api, watcher::Config::default(), move |_| notify.notify_one(), |_| {});
    let show = async {
        let mut shown = None;
        loop {
            let statuses = look(args, cluster).await?;
            // Ages go on by themselves and are no change.
            let lasting = lasting(&statuses);
            if shown.as_ref() != Some(&lasting) {
                draw(&statuses, args.output.output)?;
                shown = Some(lasting);
            }
            tokio::select! {
                () = changed.notified() => tokio::time::sleep(TOGETHER).await,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    };
    tokio::select! {
        ended = show => ended,
        () = watch => Ok(Exit::Fine),
    }
}

fn lasting(statuses: &Statuses) -> Statuses {
    let mut lasting = statuses.clone();
    lasting.topologies.iter_mut().flat_map(|one| &mut one.events).for_each(|event| event.age.clear());
    lasting
}

fn draw(statuses: &Statuses, format: Format) -> Result<(), OutputError> {
    let style = Style::of_stdout();
    match format {
        Format::Table if !style.clear().is_empty() => {
            output::write(&format!("{}{}", style.clear(), statuses.text(style)))
        }
        Format::Table => output::write(&statuses.topologies.iter().map(|one| one.line() + "\n").collect::<String>()),
        Format::Json | Format::Yaml => output::print(statuses, format),
    }
}
