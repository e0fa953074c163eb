//! `bailey generate`: files that are made from the code itself, so that they cannot go out of date.

use std::io::{self, Write};
use std::path::Path;

use clap_complete::Shell as Completion;

use crate::args::{Generate, Shell, command};

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Standard output or a file of `--out` cannot be written.
    #[error("cannot write {to}: {source}")]
    Write {
        /// Standard output, or the file.
        to: String,
        /// What the system answered.
        source: io::Error,
    },
}

/// Prints what was asked for.
pub fn generate(what: &Generate, out: &mut impl Write) -> Result<(), GenerateError> {
    match what {
        Generate::Crd => crds(out),
        Generate::Completion { shell } => completion(*shell, out),
        Generate::Man { out: None } => clap_mangen::Man::new(command()).render(out).map_err(stdout),
        Generate::Man { out: Some(folder) } => pages(folder),
    }
}

fn crds(out: &mut impl Write) -> Result<(), GenerateError> {
    let manifests = bailey_crds::manifests().map_err(|error| stdout(error.into()))?;
    for (_, text) in manifests {
        write!(out, "---\n{text}").map_err(stdout)?;
    }
    Ok(())
}

fn completion(shell: Shell, out: &mut impl Write) -> Result<(), GenerateError> {
    let shell = match shell {
        Shell::Bash => Completion::Bash,
        Shell::Fish => Completion::Fish,
        Shell::Zsh => Completion::Zsh,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "bailey", &mut script);
    out.write_all(&script).map_err(stdout)
}

fn pages(folder: &Path) -> Result<(), GenerateError> {
    let failed = |source| GenerateError::Write { to: folder.display().to_string(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command(), folder).map_err(failed)
}

fn stdout(source: io::Error) -> GenerateError {
    GenerateError::Write { to: "standard output".to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(what: &Generate) -> String {
        let mut out = Vec::new();
        generate(what, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_crds_are_printed_as_one_stream() {
        let yaml = text(&Generate::Crd);
        for kind in ["IngressTopology", "TierConfig", "HostnameBinding"] {
            assert!(yaml.contains(&format!("kind: \"{kind}\"")), "{kind} is missing");
        }
    }

    #[test]
    fn every_shell_gets_a_completion_that_knows_up() {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            assert!(text(&Generate::Completion { shell }).contains("up"));
        }
    }

    #[test]
    fn manual_pages_are_written_one_a_command() {
        let folder = tempfile::tempdir().unwrap();
        generate(&Generate::Man { out: Some(folder.path().to_owned()) }, &mut Vec::new()).unwrap();
        assert!(folder.path().join("bailey.1").exists() && folder.path().join("bailey-up.1").exists());
        assert!(text(&Generate::Man { out: None }).contains("bailey"));
    }
}
