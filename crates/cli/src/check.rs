//! `bailey check`: whether a cluster is fit for Bailey (`--pre`), and whether what runs in it is in order. Findings are diagnostics as
//! everywhere else; what was looked at and is well is said too.

mod finding;
mod hosts;
mod look;
mod pods;
mod pre;
mod rbac;
mod report;
mod rights;
mod served;

use std::path::PathBuf;

use clap::Args;

use crate::cluster::{self, ClusterError, Connection};
use crate::folder::{Unreadable, files, input};
use crate::output::{self, Exit, Failure, Outcome, OutputArgs, OutputError};

/// How `bailey check` runs.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The topology [default: all].
    pub name: Option<String>,
    /// Before an installation, or before a topology is applied: whether the cluster has what they need, and you the rights.
    #[arg(long)]
    pub pre: bool,
    /// With --pre, files and folders with topologies that are to be applied, beside those that the cluster has.
    #[arg(short, long, value_name = "FILE|DIR", requires = "pre")]
    pub filename: Vec<PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    output: OutputArgs,
}

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The files cannot be used.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The result cannot be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failure for CheckError {
    fn exit(&self) -> Exit {
        match self {
            Self::Cluster(error) => error.exit(),
            Self::Unreadable(error) => error.exit(),
            Self::Output(error) => error.exit(),
        }
    }
}

/// Checks and prints; an error among the findings is a no.
pub fn run(args: &CheckArgs) -> Outcome {
    let files = if args.filename.is_empty() { input::Input::default() } else { read(&args.filename)? };
    let checked = cluster::run::<_, CheckError>(async {
        Ok(if args.pre { look::before(args, &files).await? } else { look::after(args).await? })
    })?;
    output::print(&checked, args.output.output).map_err(CheckError::from)?;
    Ok(checked.exit())
}

fn read(paths: &[PathBuf]) -> Result<input::Input, Unreadable> {
    files::exist(paths)?;
    let (documents, mut problems) = files::read(paths);
    let (input, mut wrong) = input::of(documents);
    problems.append(&mut wrong);
    if problems.is_empty() { Ok(input) } else { Err(Unreadable(problems)) }
}
