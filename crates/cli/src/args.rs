//! The command line's shape: the list of commands, and the names under which the program answers. Options of a command are in
//! the command's own module.

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::analyze::AnalyzeArgs;
use crate::cert::Cert;
use crate::check::CheckArgs;
use crate::config::ConfigArgs;
use crate::diff::DiffArgs;
use crate::explain::ExplainArgs;
use crate::generate::Generate;
use crate::status::StatusArgs;
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
    /// Check that a cluster is fit for Bailey, or that what runs in it is in order: permissions, Pods, hostnames, certificates.
    Check(CheckArgs),
    /// List certificates, say what becomes of one, and have one renewed before its time.
    #[command(subcommand)]
    Cert(Cert),
    /// Say what a proxy in a cluster serves, and whether that is behind what the cluster says.
    Config(ConfigArgs),
    /// Say whether the topologies of a cluster work: conditions, tiers, addresses, hostnames, certificates, Events of late.
    Status(StatusArgs),
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
    let called = line.first().map(Path::new).and_then(Path::file_stem);
    let is_plugin = called.is_some_and(|called| called == PLUGIN);
    let command = if is_plugin { command().bin_name("kubectl bailey") } else { command() };
    let matches = command.get_matches_from(line);
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if is_plugin {
        cli.command.prefer_cluster();
    }
    cli
}

impl Command {
    /// Whoever calls kubectl means the cluster, unless files or a page are named.
    fn prefer_cluster(&mut self) {
        match self {
            Self::Explain(args) => {
                args.cluster.cluster |= args.filename.is_empty() && args.admin.is_none() && args.setting.is_none();
            }
            Self::Analyze(args) => args.cluster.cluster |= args.paths.is_empty() && args.setting.is_none(),
            Self::Diff(args) => args.cluster.cluster |= args.new.is_none() && args.setting.is_none(),
            Self::Trace(args) => args.cluster.cluster |= args.admin.is_none(),
            // A file of tests names its objects itself.
            Self::Test(_)
            | Self::Up(_)
            | Self::Cert(_)
            | Self::Config(_)
            | Self::Check(_)
            | Self::Status(_)
            | Self::Translate(_)
            | Self::Generate(_)
            | Self::Version(_) => {}
        }
    }
}

/// The whole command tree, for completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command, parse};

    fn asks_a_cluster(line: &str) -> bool {
        let Cli { command } = parse(line.split(' ').map(std::ffi::OsString::from));
        match command {
            Command::Explain(args) => args.cluster.is_asked(),
            Command::Analyze(args) => args.cluster.is_asked(),
            Command::Diff(args) => args.cluster.is_asked(),
            Command::Trace(args) => args.cluster.is_asked(),
            Command::Up(_)
            | Command::Cert(_)
            | Command::Check(_)
            | Command::Config(_)
            | Command::Generate(_)
            | Command::Status(_)
            | Command::Test(_)
            | Command::Translate(_)
            | Command::Version(_) => panic!("{line} asks nobody, or always a cluster"),
        }
    }

    #[test]
    fn the_plug_in_of_kubectl_asks_the_cluster_unless_files_are_named() {
        for (line, cluster) in [
            ("bailey explain http://a/", false),
            ("kubectl-bailey explain http://a/", true),
            ("/usr/bin/kubectl-bailey explain http://a/ -f dir", false),
            ("kubectl-bailey explain http://a/ --admin http://localhost:1", false),
            ("bailey explain http://a/ --context other", true),
            ("bailey analyze", false),
            ("bailey analyze --cluster", true),
            ("kubectl-bailey analyze", true),
            ("kubectl-bailey analyze dir", false),
            ("kubectl-bailey diff dir", true),
            ("kubectl-bailey diff old new", false),
            ("kubectl-bailey trace http://a/", true),
            ("kubectl-bailey trace http://a/ --admin http://localhost:1", false),
        ] {
            assert_eq!(asks_a_cluster(line), cluster, "{line}");
        }
    }

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
