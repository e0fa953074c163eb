//! What is configured, where each value comes from, and what is wrong with it. Secrets are not shown.

use bailey_crds::IngressTopology;
use bailey_crds::gateway::Gateway;
use bailey_http1::is_secret;
use bailey_translate::{Diagnostic, Objects, Severity};
use maud::{Markup, html};
use serde_json::Value;

use super::board::{Board, Seen, name};
use super::frame::{badge, empty, heading, shown, table};
use crate::source::file::Document;
use crate::source::file::document::Step;

/// Stands where a secret would.
const HIDDEN: &str = "(not shown)";
/// Objects that are shown; more are counted.
const SHOWN: usize = 300;

/// The screen.
pub fn screen(board: &Board, seen: &[Seen]) -> Markup {
    let told = board.told();
    // What decides about tiers comes first.
    let mut documents: Vec<&Document> = told.documents.iter().collect();
    documents.sort_by_key(|document| !matches!(&*document.kind(), "IngressTopology" | "Gateway"));
    html! {
        (heading("Configuration", "What is served, with the place that each value comes from. A value that nobody wrote is a default."))
        @if !told.refused.is_empty() {
            section #refused.notice.error aria-label="Refused edit" {
                p { strong { "The last edit was refused; the configuration before it is served." } }
                ul { @for problem in &told.refused { li { (shown(&problem.to_string())) } } }
            }
        }
        h2 { "Tiers" }
        (table("Tiers", &["Tier", "Generation", "Digest", "Listens on", "Routes"], &html! { @for one in seen { (tier(one)) } }))
        h2 { "Diagnostics" }
        @if told.findings(seen).is_empty() { (empty("Nothing is wrong with the objects.")) } @else { (diagnostics(told.findings(seen))) }
        h2 { "Objects" }
        @if told.documents.is_empty() { (empty("The objects of this tier are not from files, so there are no lines to show.")) }
        @for document in documents.iter().take(SHOWN) { (object(document, &told.objects)) }
        @if told.documents.len() > SHOWN { p.hint { (told.documents.len() - SHOWN) " more objects." } }
    }
}

fn tier(seen: &Seen) -> Markup {
    html! {
        tr {
            td { (name(&seen.member.role)) }
            td.number { (seen.snapshot.generation) }
            td { code { (format!("{:032x}", seen.snapshot.digest)[..12]) } }
            td.list { @for address in seen.member.addresses.load().iter() { div { code { (address.address) } " " @if address.port == 0 { (address.listener) } @else if address.port != address.address.port() { "for port " (address.port) } } } }
            td.number { (seen.snapshot.table.route_count()) }
        }
    }
}

fn diagnostics(findings: &[Diagnostic]) -> Markup {
    table(
        "Diagnostics",
        &["", "Object", "What is wrong", "What to do", "Where"],
        &html! {
            @for one in findings {
                tr {
                    td { (badge(one.severity().as_str(), one.code.id())) span.hidden { (word(one.severity())) } }
                    td { strong { (shown(&one.object.to_string())) } @if !one.field.is_empty() { div { code { (shown(&one.field)) } } } }
                    td { (shown(&one.message)) }
                    td { (shown(&one.remedy)) }
                    td { @match &one.location { Some(location) => code.origin { (location) }, None => "–" } }
                }
            }
        },
    )
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => " error",
        Severity::Warning => " warning",
        Severity::Info => " information",
    }
}

/// One object: what is written, and for those that decide about tiers also the defaults.
fn object(document: &Document, objects: &Objects) -> Markup {
    let written = document.value();
    let text = |pointer: &str| written.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, namespace, name) = (document.kind(), text("/metadata/namespace"), text("/metadata/name"));
    let whole = match &*kind {
        "IngressTopology" => {
            objects.get::<IngressTopology>("", &name).and_then(|entry| serde_json::to_value(&*entry.object).ok())
        }
        "Gateway" => {
            objects.get::<Gateway>(&namespace, &name).and_then(|entry| serde_json::to_value(&*entry.object).ok())
        }
        _ => None,
    };
    let lines = lines(&whole.unwrap_or(written), document, kind == "Secret");
    let location = document.location();
    html! {
        details.object open[kind == "IngressTopology"] {
            summary { strong { (shown(&kind)) } " " (shown(&if namespace.is_empty() { name } else { format!("{namespace}/{name}") })) " " code.origin { (location) } }
            div.scroll role="region" aria-label="YAML" tabindex="0" {
                table.yaml { tbody {
                    @for line in &lines {
                        tr class=[line.origin.is_none().then_some("default")] {
                            td { pre { (shown(&line.text)) } }
                            td.origin { @match line.origin { Some(number) => { (location.file) ":" (number) }, None => "default" } }
                        }
                    }
                } }
            }
        }
    }
}

/// A line of YAML and where its value comes from.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    text: String,
    /// The line in the file; `None`: nobody wrote it.
    origin: Option<u32>,
}

fn lines(value: &Value, document: &Document, secret: bool) -> Vec<Line> {
    let mut writer = Writer { document, secret, lines: Vec::new(), path: Vec::new() };
    writer.fields(value, 0);
    writer.lines
}

/// Writes YAML a person would write, remembering where it is.
struct Writer<'a> {
    document: &'a Document,
    /// The object is a Secret: none of its data is shown.
    secret: bool,
    lines: Vec<Line>,
    path: Vec<Step>,
}

impl Writer<'_> {
    /// The fields of an object.
    fn fields(&mut self, value: &Value, indent: usize) {
        let Some(fields) = value.as_object() else { return };
        let named_secret = fields.get("name").and_then(Value::as_str).is_some_and(secret_name);
        for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let start = format!("{}{}:", " ".repeat(indent), scalar(key));
            self.path.push(Step::Field(key.clone()));
            if self.hides(key) || secret_name(key) || (named_secret && key == "value") {
                self.push(format!("{start} {HIDDEN}"));
            } else {
                self.value(&start, value, indent);
            }
            self.path.pop();
        }
    }

    fn hides(&self, key: &str) -> bool {
        // kubectl keeps the whole object in this annotation, secrets and all.
        let data = self.secret && self.path.len() == 1 && (key == "data" || key == "stringData");
        data || key == "kubectl.kubernetes.io/last-applied-configuration"
    }

    fn value(&mut self, start: &str, value: &Value, indent: usize) {
        match value {
            Value::Object(fields) if fields.values().any(|value| !value.is_null()) => {
                self.push(start.to_owned());
                self.fields(value, indent + 2);
            }
            Value::Object(_) => self.push(format!("{start} {{}}")),
            Value::Array(items) if items.is_empty() => self.push(format!("{start} []")),
            Value::Array(items) => {
                self.push(start.to_owned());
                self.items(items, indent + 2);
            }
            Value::String(text) => self.push(format!("{start} {}", scalar(text))),
            Value::Null | Value::Bool(_) | Value::Number(_) => self.push(format!("{start} {value}")),
        }
    }

    fn items(&mut self, items: &[Value], indent: usize) {
        let room = " ".repeat(indent);
        for (at, item) in items.iter().enumerate() {
            self.path.push(Step::Index(at));
            match item {
                Value::Object(fields) if !fields.is_empty() => self.item(item, indent),
                Value::String(text) => self.push(format!("{room}- {}", scalar(text))),
                Value::Array(_) | Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                    self.push(format!("{room}- {item}"));
                }
            }
            self.path.pop();
        }
    }

    /// An object in a list: its first field stands behind the dash.
    fn item(&mut self, item: &Value, indent: usize) {
        let first = self.lines.len();
        self.fields(item, indent + 2);
        if let Some(line) = self.lines.get_mut(first) {
            line.text.replace_range(indent..=indent, "-");
        }
    }

    fn push(&mut self, text: String) {
        self.lines.push(Line { text, origin: self.document.line_of(&self.path) });
    }
}

/// A name whose value is a secret.
fn secret_name(name: &str) -> bool {
    is_secret(name.to_ascii_lowercase().as_bytes())
}

/// Text as YAML takes it: bare where that is safe, quoted otherwise.
fn scalar(text: &str) -> String {
    let first = text.chars().next();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./@%+=()~".contains(c);
    let bare = first.is_some_and(|c| c.is_ascii_alphabetic() || c == '/' || c == '_' || c == '.')
        && text.chars().all(|c| plain(c) || c == ' ' || c == ':')
        && !text.contains(": ")
        && !text.ends_with([':', ' ']);
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    if bare && !word { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(yaml: &str) -> (String, Vec<Option<u32>>) {
        let document = crate::source::file::document::one(yaml);
        let lines = lines(&document.value(), &document, document.kind() == "Secret");
        let texts: Vec<&str> = lines.iter().map(|line| &*line.text).collect();
        (texts.join("\n") + "\n", lines.iter().map(|line| line.origin).collect())
    }

    #[test]
    fn yaml_reads_as_it_was_written_and_knows_its_lines() {
        let yaml = "kind: X\nspec:\n  empty: []\n  hosts:\n    - \"*.a\"\n    - b\n  rules:\n    - name: one\n      port: 80\n    - name: two\n";
        let (text, origins) = written(yaml);
        assert_eq!(text, yaml);
        assert_eq!(origins[4], Some(5));
        assert_eq!(origins[7], Some(8));
    }

    #[test]
    fn a_value_that_nobody_wrote_is_a_default() {
        let document = crate::source::file::document::one("kind: X\nspec:\n  a: 1\n");
        let with_default = serde_json::json!({"kind": "X", "spec": {"a": 1, "b": 2}});
        let lines = lines(&with_default, &document, false);
        assert_eq!(lines[2], Line { text: "  a: 1".to_owned(), origin: Some(3) });
        assert_eq!(lines[3], Line { text: "  b: 2".to_owned(), origin: None });
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = "kind: Secret\nmetadata:\n  name: a\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: hush\ndata:\n  tls.key: aHVzaA==\nstringData:\n  password: hush\n";
        let route = "kind: HTTPRoute\nspec:\n  filters:\n    - set:\n        - name: Authorization\n          value: Bearer hush\n        - name: x\n          value: seen\n  headers:\n    Set-Cookie: hush\n";
        for yaml in [secret, route] {
            let (text, _) = written(yaml);
            assert!(!text.contains("hush") && !text.contains("aHVz") && text.contains(HIDDEN), "{text}");
        }
        assert!(written(route).0.contains("seen"));
    }

    #[test]
    fn texts_that_yaml_would_misread_are_quoted() {
        for (text, shown) in [
            ("abc", "abc"),
            ("yes", "\"yes\""),
            ("80", "\"80\""),
            ("a: b", "\"a: b\""),
            ("", "\"\""),
            ("*.a", "\"*.a\""),
            ("a b", "a b"),
            ("a\nb", "\"a\\nb\""),
        ] {
            assert_eq!(scalar(text), shown);
        }
    }
}
