//! `bailey version`.

use clap::Args;
use serde::Serialize;

use crate::output::{self, Exit, Outcome, OutputArgs, Report, Style};

/// Arguments of `bailey version`.
#[derive(Clone, Copy, Debug, Args)]
pub struct VersionArgs {
    #[command(flatten)]
    output: OutputArgs,
}

/// What this program is.
#[derive(Debug, Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
}

impl Report for Version {
    fn text(&self, _: Style) -> String {
        format!("{} {}\n", self.name, self.version)
    }
}

/// Prints the version.
pub fn run(args: &VersionArgs) -> Outcome {
    output::print(&Version { name: "bailey", version: env!("CARGO_PKG_VERSION") }, args.output.output)?;
    Ok(Exit::Fine)
}
