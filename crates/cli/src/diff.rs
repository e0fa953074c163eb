//! `bailey diff`: what changes in behaviour between two sets of objects. Names of routes, order of files and other things that no
//! request can tell apart are no difference.

mod behaviour;
mod report;
mod sample;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::folder::{Folder, Setting, files};
use crate::output::{self, Exit, Outcome, OutputArgs};
use report::{Difference, Kind};

/// How `bailey diff` runs.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// File or folder with the objects as they are.
    pub old: PathBuf,
    /// File or folder with the objects as they would be.
    pub new: PathBuf,
    /// What makes the exit code 1.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub fail_on: FailOn,
    /// Where the objects are meant to run [default: local when there is a `LocalBackend` among the new ones, else cluster].
    #[arg(long, value_enum, value_name = "SETTING")]
    pub setting: Option<Setting>,
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
    let paths = [args.old.clone(), args.new.clone()];
    files::exist(&paths)?;
    let new = Folder::read(&paths[1..], args.setting)?;
    // Both are read the same way, or everything would differ.
    let old = Folder::read(&paths[..1], Some(new.setting))?;
    let difference = Difference::between(&old, &new);
    output::print(&difference, args.output.output)?;
    let failed = match args.fail_on {
        FailOn::Change => !difference.is_empty(),
        FailOn::Lost => difference.changes.iter().any(|change| change.kind == Kind::Lost),
        FailOn::Never => false,
    };
    Ok(if failed { Exit::Negative } else { Exit::Fine })
}
