//! What documents say: checked as a cluster would check them, with `LocalBackend`s set apart. Decides what may become live;
//! starts nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bailey_proxy::source::file::{self, Document, Problem};
use bailey_translate::{Diagnostic, Location, Objects};

use super::Identity;
use super::backend::{Behaviour, LocalBackend};

/// A folder that can be used.
#[derive(Debug, Default)]
pub struct Input {
    /// Every document, for the lines of diagnostics.
    pub documents: Vec<Document>,
    /// The objects, without the backends.
    pub objects: Objects,
    /// The backends by the Service they stand for.
    pub backends: BTreeMap<Identity, Backend>,
    /// What was passed over.
    pub notes: Vec<Problem>,
}

/// One `LocalBackend`, found sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The port that routes name.
    pub port: u16,
    /// The Service port's `appProtocol`.
    pub app_protocol: Option<String>,
    /// What it does.
    pub behaviour: Behaviour,
}

/// Reads a folder to run it. All problems at once, each with its place; one problem is enough for nothing to change.
pub fn folder(folder: &Path) -> Result<Input, Vec<Problem>> {
    let (input, problems) = of(file::read(folder)?);
    if problems.is_empty() { Ok(input) } else { Err(problems) }
}

/// What can be used of these documents, and what is wrong with the rest.
pub fn of(documents: Vec<Document>) -> (Input, Vec<Problem>) {
    let (backends, others): (Vec<_>, Vec<_>) = documents.iter().cloned().partition(is_backend);
    let mut problems: Vec<Problem> = others.iter().flat_map(invalid).collect();
    let backends = typed(&backends, &mut problems);
    let (loaded, mut wrong) = file::usable(&others);
    problems.append(&mut wrong);
    problems.sort();
    problems.dedup();
    (Input { documents, objects: loaded.objects, backends, notes: loaded.notes }, problems)
}

fn is_backend(document: &Document) -> bool {
    document.group() == bailey_crds::GROUP && document.kind() == "LocalBackend"
}

/// What the API server would refuse: the definition's schema and its CEL rules.
fn invalid(document: &Document) -> Vec<Problem> {
    if document.group() != bailey_crds::GROUP {
        return Vec::new();
    }
    let value = document.value();
    let name = value.pointer("/metadata/name").and_then(|name| name.as_str()).unwrap_or_default();
    let violations = bailey_crds::validate(&document.kind(), &value);
    let problem = |v: bailey_crds::Violation| {
        let path = if v.path.is_empty() { "the object" } else { &v.path };
        document.problem(&v.path, format!("{} {name}: {path}: {}", document.kind(), v.message))
    };
    // A kind that there is not is told by who reads the objects.
    violations.into_iter().filter(|violation| violation.path != "kind").map(problem).collect()
}

fn typed(documents: &[Document], problems: &mut Vec<Problem>) -> BTreeMap<Identity, Backend> {
    let mut backends = BTreeMap::new();
    for document in documents {
        match one(document) {
            Ok((identity, backend)) => {
                if backends.insert(identity.clone(), backend).is_some() {
                    let name = format!("{}/{}", identity.namespace, identity.name);
                    problems
                        .push(document.problem("", format!("LocalBackend {name} is there twice; keep one of them")));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    backends
}

fn one(document: &Document) -> Result<(Identity, Backend), Problem> {
    let read: LocalBackend = serde_path_to_error::deserialize(document.value()).map_err(|error| {
        let value = document.value();
        let name = value.pointer("/metadata/name").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
        document.problem(&error.path().to_string(), format!("LocalBackend {name}: {}: {}", error.path(), error.inner()))
    })?;
    let behaviour = read.behaviour().map_err(|wrong| {
        let path = wrong.split(':').next().unwrap_or_default().to_owned();
        document.problem(&path, format!("LocalBackend {}: {wrong}", read.metadata.name))
    })?;
    let identity = Identity { namespace: read.metadata.namespace, name: read.metadata.name };
    Ok((identity, Backend { port: read.spec.port, app_protocol: read.spec.app_protocol, behaviour }))
}

impl Input {
    /// Diagnostics with the line of their field, each once, the grave ones first.
    pub fn located(&self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let by_place: HashMap<Location, &Document> = self.documents.iter().map(|d| (d.location(), d)).collect();
        let place = |mut diagnostic: Diagnostic| {
            let document = diagnostic.location.as_ref().and_then(|at| by_place.get(at));
            let line = document.and_then(|document| document.locate(&diagnostic));
            diagnostic.location = line.or(diagnostic.location);
            diagnostic
        };
        let mut placed: Vec<_> = diagnostics.into_iter().map(place).collect();
        placed.sort_by(|a, b| (a.severity() as u8, a).cmp(&(b.severity() as u8, b)));
        placed.dedup();
        placed
    }
}
