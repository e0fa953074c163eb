//! A folder of Kubernetes YAML as a set of objects.
//!
//! Everything that cannot be used is a [`Problem`] with file, line and column; a folder with a problem is not used at all, so that half an edit never
//! becomes live. Kinds that Bailey has no use for (a Deployment beside its route) are passed over with a note.

pub mod document;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use bailey_translate::{Location, Object, ObjectError, Objects};

pub use document::Document;

#[cfg(test)]
mod tests;

/// API groups in which an unknown kind is a mistake; in others it is somebody else's object.
const OURS: [&str; 2] = ["bailey.dev", "gateway.networking.k8s.io"];

/// The largest file that is read: far above what a person writes, and a bound on memory.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the file or folder, as the user would type it.
    pub file: Arc<str>,
    /// From 1; 0 when the problem is the whole file.
    pub line: u32,
    /// From 1; 0 when the problem is the whole file or line.
    pub column: u32,
    /// A sentence: what is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Objects of a folder, and what was passed over.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The objects that Bailey reads.
    pub objects: Objects,
    /// Objects of other kinds, one sentence each.
    pub notes: Vec<Problem>,
}

/// All documents of the `*.yaml`, `*.yml` and `*.json` files of a folder, in the order of file names.
pub fn read(folder: &Path) -> Result<Vec<Document>, Vec<Problem>> {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    let files = list(folder).map_err(|problem| vec![problem])?;
    if files.is_empty() {
        return Err(vec![whole(
            folder,
            "has no .yaml, .yml or .json file; give the folder that holds your objects".to_owned(),
        )]);
    }
    for path in files {
        match read_file(&path) {
            Ok(mut found) => documents.append(&mut found),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(documents) } else { Err(problems) }
}

/// The typed objects of these documents; one problem is enough for none.
pub fn objects(documents: &[Document]) -> Result<Loaded, Vec<Problem>> {
    let (loaded, problems) = usable(documents);
    if problems.is_empty() { Ok(loaded) } else { Err(problems) }
}

/// The typed objects of those documents that hold one, and what is wrong with the others. For tools that say all they can
/// about a folder; nothing is served from half of one.
pub fn usable(documents: &[Document]) -> (Loaded, Vec<Problem>) {
    let (mut loaded, mut problems) = (Loaded::default(), Vec::new());
    let mut seen: BTreeMap<(String, String, String), Location> = BTreeMap::new();
    for document in documents {
        let location = document.location();
        let object = match Object::from_value(document.value()) {
            Ok(object) => object,
            Err(error) if passed_over(document, &error) => {
                loaded.notes.push(document.problem("", format!("{error}: passed over")));
                continue;
            }
            Err(error) => {
                let message = format!("{error}{}", advice(document, &error));
                problems.push(document.problem(field_of(&error), message));
                continue;
            }
        };
        let key = object.key();
        if let Some(first) =
            seen.insert((object.kind().to_owned(), key.namespace.clone(), key.name.clone()), location.clone())
        {
            let name =
                if key.namespace.is_empty() { key.name.clone() } else { format!("{}/{}", key.namespace, key.name) };
            problems
                .push(document.problem("", format!("{} {name} is also in {first}; keep one of them", object.kind())));
        }
        loaded.objects.insert_any(object, Some(location));
    }
    (loaded, problems)
}

fn passed_over(document: &Document, error: &ObjectError) -> bool {
    matches!(error, ObjectError::UnknownKind { .. }) && !OURS.contains(&document.group().as_str())
}

/// What to write instead of a kind or version that is not read.
fn advice(document: &Document, error: &ObjectError) -> &'static str {
    match error {
        ObjectError::UnknownKind { .. } if document.group() == OURS[0] => {
            "; write IngressTopology (or TierConfig, HostnameBinding; in local mode LocalBackend) of bailey.dev/v1alpha1"
        }
        ObjectError::UnknownKind { .. } => {
            "; write GatewayClass, Gateway, HTTPRoute, GRPCRoute or ReferenceGrant of gateway.networking.k8s.io/v1"
        }
        ObjectError::Malformed { message, .. } if message.contains("expected u16") => " (a number from 0 to 65535)",
        ObjectError::Malformed { message, .. }
            if message.contains("expected u32") || message.contains("expected i32") =>
        {
            " (a whole number)"
        }
        ObjectError::Malformed { .. } | ObjectError::NotAnObject { .. } => "",
    }
}

fn field_of(error: &ObjectError) -> &str {
    match error {
        ObjectError::Malformed { field, .. } => field,
        ObjectError::NotAnObject { .. } | ObjectError::UnknownKind { .. } => "",
    }
}

/// The files of a folder that can hold objects, by name: `*.yaml`, `*.yml` and `*.json` that are not hidden.
pub fn list(folder: &Path) -> Result<Vec<std::path::PathBuf>, Problem> {
    let failed = |error: std::io::Error| whole(folder, format!("cannot be read: {error}; {}", remedy(&error)));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let known = path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        // A link that leads nowhere is in the list, so that its reading says so.
        if known && !hidden && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The documents of one file.
pub fn read_file(path: &Path) -> Result<Vec<Document>, Problem> {
    let failed = |error: std::io::Error| whole(path, format!("cannot be read: {error}; {}", remedy(&error)));
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(whole(path, format!("is {length} bytes long; the limit is {MAX_FILE_BYTES}: split it")));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    document::parse(&name_of(path), &text)
}

/// The documents of a text that was read elsewhere, such as standard input; `name` stands where a path would.
pub fn parse(name: &str, text: &str) -> Result<Vec<Document>, Problem> {
    document::parse(&name.into(), text)
}

fn remedy(error: &std::io::Error) -> &'static str {
    const REMEDIES: [(ErrorKind, &str); 4] = [
        (ErrorKind::NotFound, "check the path"),
        (ErrorKind::PermissionDenied, "give this user permission to read it (chmod, chown)"),
        (ErrorKind::InvalidData, "it must be UTF-8 text"),
        (ErrorKind::NotADirectory, "give the folder, not a file in it"),
    ];
    let known = REMEDIES.iter().find(|(kind, _)| *kind == error.kind());
    known.map_or("mend that and try again", |(_, remedy)| remedy)
}

fn whole(path: &Path, message: String) -> Problem {
    Problem { file: name_of(path), line: 0, column: 0, message }
}

fn name_of(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}
