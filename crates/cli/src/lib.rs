//! Bailey's command line: the whole topology on one machine, and tools to understand it.
//!
//! Exit codes: 0 done, 1 something is wrong with what was given or found (said on standard error), 2 wrong use of the command line.

use std::process::ExitCode;

pub mod args;
pub mod generate;
pub mod up;

use args::{Cli, Command};

/// Runs one command; what went wrong is a sentence on standard error.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Up(args) => up::run(args).map_err(|error| error.to_string()),
        Command::Generate(what) => {
            match generate::generate(&what, &mut std::io::stdout().lock()) {
                // Whoever reads has seen enough: `bailey generate man | head`.
                Err(generate::GenerateError::Write { source, .. })
                    if source.kind() == std::io::ErrorKind::BrokenPipe =>
                {
                    Ok(())
                }
                other => other.map_err(|error| error.to_string()),
            }
        }
        Command::Version => {
            println!("bailey {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
