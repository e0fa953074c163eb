//! The command line's shape: the list of commands, and the names under which the program answers. Options of a command are in
//! the command's own module.

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::analyze::AnalyzeArgs;
use crate::diff::DiffArgs;
use crate::explain::ExplainArgs;
use crate::generate::Generate;
use crate::test::TestArgs;
use crate::trace::TraceArgs;
use crate::translate::TranslateArgs;
use crate::up::UpArgs;
use crate::version::VersionArgs;

/// Ingress for many tenants through two tiers: one object describes both.
#[derive(Debug, Parser)]
#[command(name = "bailey", version, arg_required_else_help = true, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `bailey` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole topology on this machine, from a folder of Kubernetes YAML.
    Up(UpArgs),
    /// Say everything that is wrong with objects, or probably not meant, before a cluster or a client does.
    Analyze(AnalyzeArgs),
    /// Say why a request gets the answer it gets, and what the application sees; or which requests reach a route.
    Explain(ExplainArgs),
    /// Send one request to a running `bailey up` and show where its time went, over both tiers.
    Trace(TraceArgs),
    /// Ask the requests of a file, and compare what becomes of them with what is expected.
    Test(TestArgs),
    /// Say what changes in behaviour from one set of objects to another.
    Diff(DiffArgs),
    /// Print the routes as the tiers try them, or a drawing of the topology.
    Translate(TranslateArgs),
    /// Print files: the CRDs, shell completions, manual pages.
    #[command(subcommand)]
    Generate(Generate),
    /// Print the version.
    Version(VersionArgs),
}

/// The name under which kubectl finds the program as a plug-in.
pub const PLUGIN: &str = "kubectl-bailey";

/// Reads a command line, the program's own name first. Wrong use ends the process with code 2 and says what is right.
pub fn parse(line: impl IntoIterator<Item = OsString>) -> Cli {
    let line: Vec<OsString> = line.into_iter().collect();
    let called = line.first().map(Path::new).and_then(Path::file_stem).unwrap_or_default();
    let command = if called == PLUGIN { command().bin_name("kubectl bailey") } else { command() };
    let matches = command.get_matches_from(line);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The whole command tree, for completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_tree_is_sound_and_every_entry_has_help() {
        fn walk(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments().filter(|a| !["help", "version"].contains(&a.get_id().as_str())) {
                assert!(argument.get_help().is_some(), "{} of {} has no help", argument.get_id(), command.get_name());
            }
            command.get_subcommands().filter(|c| c.get_name() != "help").for_each(walk);
        }
        let command = super::command();
        command.clone().debug_assert();
        walk(&command);
    }
}
