//! A cluster as commands see it: by the rights of the person who runs them, and never more.
//!
//! ```text
//! connect   which cluster, and as whom
//! reader    one list or object; what is refused or unknown is remembered, and said by every command
//! gather    the objects of topologies
//! view      what one tier reads of them                    pure
//! entrance  where clients reach the topologies
//! forward   a request to a Pod's own loopback, through the API server
//! ```

pub mod connect;
pub mod entrance;
pub mod error;
pub mod forward;
pub mod gather;
pub mod reader;
pub mod view;

use std::path::PathBuf;

use clap::Args;

pub use connect::Cluster;
pub use error::ClusterError;
pub use gather::Gathered;
pub use reader::{Asked, Reader};

/// Which cluster, for commands that always ask one.
#[derive(Clone, Debug, Default, Args)]
pub struct Connection {
    /// Context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: $KUBECONFIG, then ~/.kube/config, then the account of the Pod that this runs in].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// Which cluster, for commands that read files unless told otherwise.
#[derive(Clone, Debug, Default, Args)]
pub struct ClusterArgs {
    /// Ask the cluster instead of files: the default of kubectl bailey when no files are given. What you may not read is said.
    #[arg(long)]
    pub cluster: bool,
    /// Which one.
    #[command(flatten)]
    pub connection: Connection,
    /// With a cluster, the only topology to look at.
    #[arg(long, value_name = "NAME")]
    pub topology: Option<String>,
}

impl ClusterArgs {
    /// Options of a cluster that contradict those of files.
    pub const OPTIONS: [&'static str; 4] = ["cluster", "context", "kubeconfig", "topology"];

    /// Whether a cluster is to be asked: by itself, or because an option makes sense with one only.
    pub fn is_asked(&self) -> bool {
        let Self { cluster, connection: Connection { context, kubeconfig }, topology } = self;
        *cluster || context.is_some() || kubeconfig.is_some() || topology.is_some()
    }

    /// The objects of the cluster's topologies.
    pub fn gather(&self) -> Result<Gathered, ClusterError> {
        run(async {
            let cluster = Cluster::connect(&self.connection).await?;
            gather::gather(&Reader::new(&cluster), self.topology.as_deref()).await
        })
    }
}

/// Runs what asks a cluster, on a runtime of its own.
pub fn run<T, E: From<ClusterError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ClusterError::System)?;
    runtime.block_on(work)
}
