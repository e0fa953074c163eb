//! Writes the definitions of Bailey's kinds beside their types, or (`--check`) says which file has drifted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outcome = match std::env::args().nth(1).as_deref() {
        None => write(folder),
        Some("--check") => check(folder),
        Some(_) => Err("usage: crdgen [--check]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn manifests(folder: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let manifests = bailey_crds::manifests().map_err(|error| format!("cannot generate the definitions: {error}"))?;
    Ok(manifests.into_iter().map(|(name, text)| (folder.join(name), text)).collect())
}

fn write(folder: &Path) -> Result<(), String> {
    for (path, text) in manifests(folder)? {
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn check(folder: &Path) -> Result<(), String> {
    let drifted: Vec<String> = manifests(folder)?
        .into_iter()
        .filter(|(path, text)| std::fs::read_to_string(path).ok().as_ref() != Some(text))
        .map(|(path, _)| format!("{} differs from its types; run crdgen", path.display()))
        .collect();
    if drifted.is_empty() { Ok(()) } else { Err(drifted.join("\n")) }
}
