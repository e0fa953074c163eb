//! What was checked, for people and programs: a section for each question, what is well in it, and what is not.

use bailey_translate::{Diagnostic, Severity};
use serde::Serialize;

use crate::output::{Colour, Exit, Report, Style};

/// One question.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What was looked at and is well, in sentences.
    pub(super) fine: Vec<String>,
    pub(super) findings: Vec<Diagnostic>,
}

impl Section {
    pub(super) fn new(title: &'static str) -> Self {
        Self { title, ..Self::default() }
    }

    /// Says that all is well, if it is.
    pub(super) fn well(mut self, said: impl Into<String>) -> Self {
        if self.findings.is_empty() {
            self.fine.push(said.into());
        }
        self
    }
}

/// Everything that was checked.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) sections: Vec<Section>,
    /// What could not be looked at, in sentences.
    pub(super) unread: Vec<String>,
}

impl Checked {
    fn count(&self, severity: Severity) -> usize {
        self.sections.iter().flat_map(|section| &section.findings).filter(|one| one.severity() == severity).count()
    }

    pub(super) fn exit(&self) -> Exit {
        if self.count(Severity::Error) == 0 { Exit::Fine } else { Exit::Negative }
    }
}

impl Report for Checked {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        for section in self.sections.iter().filter(|one| !one.fine.is_empty() || !one.findings.is_empty()) {
            text.extend([&*style.paint(Colour::Bold, section.title), "\n"]);
            for fine in &section.fine {
                text.extend(["  ", &style.paint(Colour::Green, "✓"), " ", fine, "\n"]);
            }
            for found in &section.findings {
                let (mark, colour) = match found.severity() {
                    Severity::Error => ("✗", Colour::Red),
                    Severity::Warning => ("!", Colour::Yellow),
                    Severity::Info => ("·", Colour::Dim),
                };
                let head = style.paint(colour, format!("{mark} {}", found.code.id()));
                let field = if found.field.is_empty() { String::new() } else { format!(" {}", found.field) };
                let object = style.paint(Colour::Cyan, format!("{}{field}", found.object));
                text.extend(["  ", &head, " ", &object, ": ", &found.message, "\n"]);
                if !found.remedy.is_empty() {
                    text.extend(["      ", &style.paint(Colour::Green, format!("→ {}", found.remedy)), "\n"]);
                }
            }
            text.push('\n');
        }
        for note in &self.unread {
            text.extend(["note: ", note, "\n"]);
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        text + &format!("{errors} {}, {warnings} {}\n", plural(errors, "error"), plural(warnings, "warning"))
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

#[derive(Serialize)]
struct Row<'a> {
    code: &'static str,
    name: &'static str,
    severity: &'static str,
    object: Object<'a>,
    field: &'a str,
    message: &'a str,
    remedy: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Part<'a> {
    title: &'static str,
    fine: &'a [String],
    findings: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Whole<'a> {
    sections: Vec<Part<'a>>,
    unread: &'a [String],
    errors: usize,
    warnings: usize,
}

fn row(found: &Diagnostic) -> Row<'_> {
    let Diagnostic { object, field, code, message, remedy, location: _ } = found;
    Row {
        code: code.id(),
        name: code.name(),
        severity: code.severity().as_str(),
        object: Object { kind: object.kind, namespace: &object.namespace, name: &object.name },
        field,
        message,
        remedy,
    }
}

fn part(section: &Section) -> Part<'_> {
    Part { title: section.title, fine: &section.fine, findings: section.findings.iter().map(row).collect() }
}

impl Serialize for Checked {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sections = self.sections.iter().map(part).collect();
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        Whole { sections, unread: &self.unread, errors, warnings }.serialize(serializer)
    }
}
