//! `bailey diff`: what changes in behaviour between two sets of objects. Names of routes, order of files and other things that no
//! request can tell apart are no difference.

mod behaviour;
mod report;
mod sample;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cluster::ClusterArgs;
use crate::folder::{Folder, Setting, Unreadable, files, input};
use crate::output::{self, Exit, Failure, Outcome, OutputArgs};
use report::{Difference, Kind};

/// How `bailey diff` runs.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// File or folder with the objects as they are; with a cluster, with those that would be applied to it.
    pub old: PathBuf,
    /// File or folder with the objects as they would be.
    #[arg(conflicts_with_all = ClusterArgs::OPTIONS)]
    pub new: Option<PathBuf>,
    /// What makes the exit code 1.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub fail_on: FailOn,
    /// Where the objects are meant to run [default: local when there is a `LocalBackend` among the new ones, else cluster].
    #[arg(long, value_enum, value_name = "SETTING", conflicts_with_all = ClusterArgs::OPTIONS)]
    pub setting: Option<Setting>,
    /// Which cluster to compare with, if one.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What counts as a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any difference.
    #[default]
    Change,
    /// Something that was there is gone.
    Lost,
    /// Nothing.
    Never,
}

/// Compares and prints.
pub fn run(args: &DiffArgs) -> Outcome {
    let (old, new) = match &args.new {
        Some(new) => of_files(args, new)?,
        None if args.cluster.is_asked() => of_cluster(args)?,
        None => return Err(NoNew.into()),
    };
    let difference = Difference::between(&old, &new);
    output::print(&difference, args.output.output)?;
    let failed = match args.fail_on {
        FailOn::Change => !difference.is_empty(),
        FailOn::Lost => difference.changes.iter().any(|change| change.kind == Kind::Lost),
        FailOn::Never => false,
    };
    Ok(if failed { Exit::Negative } else { Exit::Fine })
}

/// Only one side was given.
#[derive(Debug, thiserror::Error)]
#[error("there is nothing to compare with: give the new objects as a second path, or the cluster with --cluster")]
pub struct NoNew;

impl Failure for NoNew {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

fn of_files(args: &DiffArgs, new: &Path) -> Result<(Folder, Folder), Unreadable> {
    let paths = [args.old.clone(), new.to_owned()];
    files::exist(&paths)?;
    let new = Folder::read(&paths[1..], args.setting)?;
    // Both are read the same way, or everything would differ.
    let old = Folder::read(&paths[..1], Some(new.setting))?;
    Ok((old, new))
}

/// The cluster as it is, and as it would be with the files applied. Nothing is deleted by applying.
fn of_cluster(args: &DiffArgs) -> Result<(Folder, Folder), Box<dyn Failure>> {
    let paths = [args.old.clone()];
    files::exist(&paths)?;
    let (documents, mut problems) = files::read(&paths);
    let (over, mut wrong) = input::of(documents);
    problems.append(&mut wrong);
    if !problems.is_empty() {
        return Err(Unreadable(problems).into());
    }
    let found = args.cluster.gather()?;
    Ok((Folder::asked_for(found.clone(), input::Input::default()), Folder::asked_for(found, over)))
}
