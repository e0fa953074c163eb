//! Findings as SARIF 2.1.0 (OASIS), the part of it that code scanning reads. Decides how the table of diagnostics becomes
//! rules: the code is the rule's id, its remedy the help.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bailey_translate::{Code, Severity};
use serde::Serialize;

use super::report::{Finding, Findings, Place};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A `sarifLog` (3.13).
#[derive(Serialize)]
pub(super) struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    invocations: [Invocation; 1],
    results: Vec<Row>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: &'static str,
    short_description: Text,
    help: Text,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: Vec<Location>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<Physical>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical {
    fully_qualified_name: String,
}

impl Log {
    pub(super) fn of(findings: &Findings) -> Self {
        let codes: Vec<Code> =
            findings.all.iter().map(|finding| finding.code).collect::<BTreeSet<_>>().into_iter().collect();
        let note = |text: String| Notification { level: "note", message: Text { text } };
        let notes = findings.assumed.iter().map(|assumption| note(assumption.clone())).collect();
        let run = Run {
            tool: Tool {
                driver: Driver {
                    name: "bailey",
                    version: env!("CARGO_PKG_VERSION"),
                    rules: codes.iter().map(|code| rule(*code)).collect(),
                },
            },
            invocations: [Invocation { execution_successful: true, tool_execution_notifications: notes }],
            results: findings.all.iter().map(|finding| row(finding, &codes)).collect(),
        };
        Self { schema: SCHEMA, version: "2.1.0", runs: [run] }
    }
}

fn rule(code: Code) -> Rule {
    let help = if code.remedy().is_empty() { "Nothing is wrong." } else { code.remedy() };
    Rule {
        id: code.id(),
        name: code.name(),
        short_description: Text { text: code.doc().to_owned() },
        help: Text { text: help.to_owned() },
        default_configuration: Configuration { level: level(code.severity()) },
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn row(finding: &Finding, codes: &[Code]) -> Row {
    let subject = finding.subject();
    let about = if subject.is_empty() { String::new() } else { format!("{subject}: ") };
    let remedy = if finding.remedy.is_empty() { String::new() } else { format!(" ({})", finding.remedy) };
    let logical = (!subject.is_empty()).then_some(Logical { fully_qualified_name: subject });
    let location = Location {
        physical_location: finding.place.as_ref().map(physical),
        logical_locations: logical.into_iter().collect(),
    };
    Row {
        rule_id: finding.code.id(),
        rule_index: codes.binary_search(&finding.code).unwrap_or_default(),
        level: level(finding.code.severity()),
        message: Text { text: format!("{about}{}{remedy}", finding.message) },
        locations: vec![location],
    }
}

fn physical(place: &Place) -> Physical {
    let column = (place.column > 0).then_some(place.column);
    let region = (place.line > 0).then_some(Region { start_line: place.line, start_column: column });
    Physical { artifact_location: Artifact { uri: uri(&place.file) }, region }
}

/// A path as a relative reference (RFC 3986 4.2): what is not allowed there is percent-encoded.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte);
    path.bytes().fold(String::new(), |mut uri, byte| {
        if plain(byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_relative_references() {
        assert_eq!(uri("./a b/ü.yaml"), "a%20b/%C3%BC.yaml");
        assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
    }
}
