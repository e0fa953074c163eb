//! Bailey's command line: the whole topology on one machine, and tools to understand it.
//!
//! Each command has a module with its arguments and a `run`; all print and end as [`output`] says.

use std::process::ExitCode;

pub mod analyze;
pub mod args;
pub mod cert;
pub mod check;
pub mod cluster;
pub mod config;
pub mod diff;
pub mod explain;
pub mod folder;
pub mod generate;
pub mod nearest;
pub mod output;
pub mod status;
pub mod test;
pub mod trace;
pub mod translate;
pub mod up;
pub mod version;

use args::{Cli, Command};
use output::{Colour, Outcome, Style};

/// Runs one command; why it gave no answer is a sentence on standard error.
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("{} {failure}", Style::of_stderr().paint(Colour::Red, "error:"));
            failure.exit().into()
        }
    }
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Up(args) => up::run(args),
        Command::Analyze(args) => analyze::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Translate(args) => translate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Generate(what) => generate::run(&what),
        Command::Cert(what) => cert::run(&what),
        Command::Check(args) => check::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Version(args) => version::run(&args),
    }
}
