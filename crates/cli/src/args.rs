//! The command line's shape. Decides names, defaults and help; does nothing.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

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
    /// Print files: the CRDs, shell completions, manual pages.
    #[command(subcommand)]
    Generate(Generate),
    /// Print the version.
    Version,
}

/// How `bailey up` runs.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Folder with the YAML: an `IngressTopology` (or a `Gateway`), routes, Services or `LocalBackend`s.
    pub dir: PathBuf,
    /// Address that the outer tier listens on.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", env = "BAILEY_ADDRESS")]
    pub address: IpAddr,
    /// Port that stands for the listeners' port 80; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8080, env = "BAILEY_HTTP_PORT")]
    pub http_port: u16,
    /// Port that stands for the listeners' port 443; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8443, env = "BAILEY_HTTPS_PORT")]
    pub https_port: u16,
    /// Port of health and metrics on loopback; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 15000, env = "BAILEY_ADMIN_PORT")]
    pub admin_port: u16,
    /// Worker threads of each tier.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256), env = "BAILEY_WORKERS")]
    pub workers: u16,
    /// Folder that keeps the development CA [default: the user's data folder].
    #[arg(long, value_name = "DIR", env = "BAILEY_STATE")]
    pub state: Option<PathBuf>,
    /// Print an access log line per request, of both tiers, also where no object asks for one.
    #[arg(long)]
    pub access_log: bool,
}

/// What `bailey generate` prints.
#[derive(Debug, Subcommand)]
pub enum Generate {
    /// The custom resource definitions, as one YAML stream.
    Crd,
    /// The table of everything that can be reported about an object, as Markdown.
    Diagnostics,
    /// A completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Manual pages: bailey(1) to standard output, or one page a command into a folder.
    Man {
        /// Folder to write the pages into.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Shells with completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// fish.
    Fish,
    /// Z shell.
    Zsh,
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
