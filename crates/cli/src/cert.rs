//! `bailey cert`: the certificates of outer tiers: which there are, what becomes of one, and a new one before its time. What is said is
//! what the proxies say of themselves; a renewal is asked for by the rights of the person who asks.

mod known;
mod look;
mod renew;
mod show;

use clap::{Args, Subcommand};

use crate::cluster::{self, ClusterError, Connection};
use crate::output::{self, Exit, Failure, Outcome, OutputArgs, OutputError};
use crate::trace::send::SendError;
use known::Certificates;
pub use known::NotKnown;
pub use renew::RenewError;

/// What can be asked of certificates.
#[derive(Clone, Debug, Subcommand)]
pub enum Cert {
    /// List the certificates that clients see, those that end first before others, and those that are waited for.
    List(ListArgs),
    /// Say all there is to know of the certificate for a hostname.
    Show(ShowArgs),
    /// Have the certificate for a hostname ordered anew before its time, within the limits of its authority.
    Renew(RenewArgs),
}

/// Whom to ask.
#[derive(Clone, Debug, Args)]
pub struct FromArgs {
    /// Ask the page of a running `bailey up`, at the address that it prints, instead of a cluster.
    #[arg(long, value_name = "URL", conflicts_with_all = ["context", "kubeconfig", "topology"])]
    pub admin: Option<String>,
    /// The only topology to look at.
    #[arg(long, value_name = "NAME")]
    pub topology: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
}

/// How `bailey cert list` runs.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    from: FromArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How `bailey cert show` runs.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The hostname, such as shop.example.com.
    pub host: String,
    #[command(flatten)]
    from: FromArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How `bailey cert renew` runs.
#[derive(Clone, Debug, Args)]
pub struct RenewArgs {
    /// The hostname, such as shop.example.com.
    pub host: String,
    /// Only say what would be ordered, from whom, and which limits it would meet.
    #[arg(long)]
    pub dry_run: bool,
    /// The only topology to look at.
    #[arg(long, value_name = "NAME")]
    pub topology: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    output: OutputArgs,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The page cannot be asked.
    #[error("{admin} cannot be asked: {source}; bailey up prints the address of its page")]
    Page {
        /// Its address.
        admin: String,
        /// Why.
        source: SendError,
    },
    /// It says something else.
    #[error("{0} does not say which certificates it has; is it the page of a bailey up of this version?")]
    Content(String),
    /// Nothing is known of the certificate.
    #[error(transparent)]
    NotKnown(#[from] NotKnown),
    /// The request to renew it was not taken.
    #[error(transparent)]
    Renew(#[from] RenewError),
    /// The result cannot be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failure for CertError {
    fn exit(&self) -> Exit {
        match self {
            Self::Cluster(error) => error.exit(),
            Self::Page { source, .. } => source.exit(),
            Self::Content(_) => Exit::Unreachable,
            Self::NotKnown(_) | Self::Renew(_) => Exit::Negative,
            Self::Output(error) => error.exit(),
        }
    }
}

/// Asks and prints. A certificate that is missing or has ended is a no.
pub fn run(what: &Cert) -> Outcome {
    Ok(cluster::run(ask(what))?)
}

async fn ask(what: &Cert) -> Result<Exit, CertError> {
    match what {
        Cert::List(args) => {
            let found = look::certificates(&args.from).await?;
            output::print(&found, args.output.output)?;
            Ok(found.exit())
        }
        Cert::Show(args) => {
            let found = look::certificates(&args.from).await?;
            let one = Certificates { certificates: vec![found.find(&args.host)?.clone()], ..found };
            output::print(&show::Whole(&one), args.output.output)?;
            Ok(one.exit())
        }
        Cert::Renew(args) => {
            let plan = renew::plan(args).await?;
            output::print(&plan, args.output.output)?;
            Ok(Exit::Fine)
        }
    }
}
