//! Findings as people and programs read them.

use std::fmt::Write as _;
use std::sync::Arc;

use bailey_proxy::source::file::Problem;
use bailey_translate::{Code, Diagnostic, ObjectRef, Severity};
use serde::Serialize;

use crate::output::{Colour, Report, Style};

/// One thing to say.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) code: Code,
    /// Absent when a document could not be read as an object.
    pub(super) object: Option<ObjectRef>,
    pub(super) field: String,
    pub(super) message: String,
    pub(super) remedy: String,
    pub(super) place: Option<Place>,
}

/// A line of a file; 0 means the whole file, or the whole line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: u32,
    pub(super) column: u32,
}

/// All there is to say.
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
    /// What was taken to be there, and what could not be read, in sentences.
    pub(super) assumed: Vec<String>,
    /// How many files; `None` for a cluster.
    files: Option<usize>,
    documents: usize,
}

impl Finding {
    pub(super) fn of_diagnostic(found: &Diagnostic) -> Self {
        let place = found.location.as_ref().map(|at| Place { file: at.file.clone(), line: at.line, column: 0 });
        Self {
            code: found.code,
            object: Some(found.object.clone()),
            field: found.field.clone(),
            message: found.message.clone(),
            remedy: found.remedy.clone(),
            place,
        }
    }

    pub(super) fn of_problem(code: Code, problem: &Problem) -> Self {
        Self {
            code,
            object: None,
            field: String::new(),
            message: problem.message.clone(),
            // The message of a problem says what to do where that is known.
            remedy: String::new(),
            place: Some(Place { file: problem.file.clone(), line: problem.line, column: problem.column }),
        }
    }

    /// By file and line, as a reader goes through them; those without a place last.
    pub(super) fn order(&self) -> impl Ord {
        (self.place.is_none(), self.place.clone(), self.code, self.field.clone(), self.message.clone())
    }

    /// Object and field in one piece: `HTTPRoute a/web spec.rules[0]`.
    pub(super) fn subject(&self) -> String {
        let object = self.object.as_ref().map(ToString::to_string).unwrap_or_default();
        [object.as_str(), self.field.as_str()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}

impl Findings {
    pub(super) fn new(all: Vec<Finding>, assumed: Vec<String>, files: Option<usize>, documents: usize) -> Self {
        Self { all, assumed, files, documents }
    }

    fn count(&self, severity: Severity) -> usize {
        self.all.iter().filter(|finding| finding.code.severity() == severity).count()
    }
}

fn colour(severity: Severity) -> Colour {
    match severity {
        Severity::Error => Colour::Red,
        Severity::Warning => Colour::Yellow,
        Severity::Info => Colour::Dim,
    }
}

fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl Report for Findings {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for finding in &self.all {
            let place = finding.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
            let severity = finding.code.severity();
            let head = format!("{} {}", severity.as_str(), finding.code.id());
            let subject = style.paint(Colour::Cyan, finding.subject());
            let line = format!("{place}{} {subject}", style.paint(colour(severity), head));
            let _ = writeln!(text, "{}\n    {}", line.trim_end(), finding.message);
            if !finding.remedy.is_empty() {
                let _ = writeln!(text, "    {}", style.paint(Colour::Green, format!("→ {}", finding.remedy)));
            }
        }
        for assumption in &self.assumed {
            let _ = writeln!(text, "{} {assumption}", style.paint(Colour::Dim, "note:"));
        }
        let from = self.files.map_or_else(|| "the cluster".to_owned(), |files| number(files, "file", "files"));
        let _ = writeln!(
            text,
            "{}, {}, {} in {} of {from}",
            number(self.count(Severity::Error), "error", "errors"),
            number(self.count(Severity::Warning), "warning", "warnings"),
            number(self.count(Severity::Info), "info", "infos"),
            number(self.documents, "object", "objects"),
        );
        text
    }
}

/// The fields of a finding, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    code: &'static str,
    name: &'static str,
    severity: &'static str,
    reason: &'static str,
    object: Option<Object<'a>>,
    field: &'a str,
    message: &'a str,
    remedy: &'a str,
    location: Option<Location<'a>>,
}

#[derive(Serialize)]
struct Object<'a> {
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Location<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    infos: usize,
    objects: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<usize>,
}

#[derive(Serialize)]
struct Whole<'a> {
    findings: Vec<Row<'a>>,
    /// What was taken to be there, and what could not be read, in sentences.
    assumed: &'a [String],
    summary: Summary,
}

fn row(finding: &Finding) -> Row<'_> {
    let Finding { code, object, field, message, remedy, place } = finding;
    Row {
        code: code.id(),
        name: code.name(),
        severity: code.severity().as_str(),
        reason: code.reason().as_str(),
        object: object.as_ref().map(|o| Object { kind: o.kind, namespace: &o.namespace, name: &o.name }),
        field,
        message,
        remedy,
        location: place.as_ref().map(|at| Location { file: &at.file, line: at.line, column: at.column }),
    }
}

impl Serialize for Findings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let summary = Summary {
            errors: self.count(Severity::Error),
            warnings: self.count(Severity::Warning),
            infos: self.count(Severity::Info),
            objects: self.documents,
            files: self.files,
        };
        Whole { findings: self.all.iter().map(row).collect(), assumed: &self.assumed, summary }.serialize(serializer)
    }
}
