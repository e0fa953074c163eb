//! Which files the arguments of a command mean: files, folders with all that is below them, or `-` for standard input.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bailey_proxy::source::file::{self, Document, Problem};

use super::Unreadable;
use crate::nearest;

/// The argument that means standard input, and its name in messages.
pub const STDIN: &str = "-";
const STDIN_NAME: &str = "<stdin>";

/// These paths, or the current folder where none is given.
pub fn or_here(paths: &[PathBuf]) -> Vec<PathBuf> {
    if paths.is_empty() { vec![PathBuf::from(".")] } else { paths.to_vec() }
}

/// Whether the arguments can be read at all: a path that leads nowhere is wrong use, not a finding.
pub fn exist(paths: &[PathBuf]) -> Result<(), Unreadable> {
    let problem = |path: &PathBuf| {
        let place = |message| Problem { file: path.display().to_string().into(), line: 0, column: 0, message };
        if path.as_os_str() == STDIN {
            return None;
        }
        match std::fs::metadata(path) {
            Err(error) => Some(place(format!("cannot be read: {error}; check the path{}", advice(path)))),
            Ok(found) if found.is_dir() && all_below(path).is_empty() => {
                let message =
                    "has no .yaml, .yml or .json file, and nothing below it has; give the files that hold your objects";
                Some(place(message.to_owned()))
            }
            Ok(_) => None,
        }
    };
    let problems: Vec<Problem> = paths.iter().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Unreadable(problems)) }
}

/// What the path probably should be: the nearest name beside it.
fn advice(path: &Path) -> String {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { return String::new() };
    let beside = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let names: Vec<String> = beside.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    match nearest::of(&name, names.iter().map(String::as_str)) {
        Some(near) => format!(", perhaps {}", path.with_file_name(near).display()),
        None => String::new(),
    }
}

fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = file::list(folder).unwrap_or_default();
    found.extend(folders(folder).iter().flat_map(|inner| all_below(inner)));
    found
}

/// All documents of these arguments, in their order, and what cannot be read. A file that two arguments mean is read once.
pub fn read(paths: &[PathBuf]) -> (Vec<Document>, Vec<Problem>) {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            keep(stdin(), &mut documents, &mut problems);
        } else if path.is_dir() {
            below(path, &mut seen, &mut documents, &mut problems);
        } else {
            one(path, &mut seen, &mut documents, &mut problems);
        }
    }
    (documents, problems)
}

fn below(folder: &Path, seen: &mut HashSet<PathBuf>, documents: &mut Vec<Document>, problems: &mut Vec<Problem>) {
    match file::list(folder) {
        Ok(files) => files.iter().for_each(|path| one(path, seen, documents, problems)),
        Err(problem) => problems.push(problem),
    }
    for inner in folders(folder) {
        below(&inner, seen, documents, problems);
    }
}

/// Folders in a folder, by name. Links are not followed, so that a loop of them ends; hidden ones are not ours.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let visible = |entry: &std::fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| kind.is_dir()) && !entry.file_name().to_string_lossy().starts_with('.')
    };
    let mut found: Vec<PathBuf> = entries.filter(visible).map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn one(path: &Path, seen: &mut HashSet<PathBuf>, documents: &mut Vec<Document>, problems: &mut Vec<Problem>) {
    // A path that leads nowhere is told by the reading.
    let same = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if seen.insert(same) {
        keep(file::read_file(path), documents, problems);
    }
}

fn keep(read: Result<Vec<Document>, Problem>, documents: &mut Vec<Document>, problems: &mut Vec<Problem>) {
    match read {
        Ok(mut found) => documents.append(&mut found),
        Err(problem) => problems.push(problem),
    }
}

fn stdin() -> Result<Vec<Document>, Problem> {
    let mut text = String::new();
    let problem = |error: std::io::Error| Problem {
        file: STDIN_NAME.into(),
        line: 0,
        column: 0,
        message: format!("cannot be read: {error}; it must be UTF-8 text"),
    };
    std::io::stdin().read_to_string(&mut text).map_err(problem)?;
    file::parse(STDIN_NAME, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn folders_are_read_with_all_that_is_below_them_and_each_file_once() {
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path();
        fs::create_dir_all(folder.join("b/c")).unwrap();
        fs::create_dir_all(folder.join(".git")).unwrap();
        let object = |name: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
        for (file, name) in [("a.yaml", "a"), ("b/c/d.yml", "d"), (".git/e.yaml", "e"), ("b/notes.txt", "f")] {
            fs::write(folder.join(file), object(name)).unwrap();
        }
        let arguments = [folder.join("a.yaml"), folder.to_owned(), folder.join("none.yaml")];
        let (documents, problems) = read(&arguments);
        let names: Vec<_> = documents.iter().map(|d| d.value()["metadata"]["name"].clone()).collect();
        assert_eq!(names, ["a", "d"]);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0]
                .to_string()
                .ends_with("none.yaml: cannot be read: No such file or directory (os error 2); check the path")
        );
    }
}
