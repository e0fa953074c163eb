//! The file of `bailey test`: its schema, and how mistakes in it are told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailey_proxy::explain::{Question, address};
use bailey_proxy::source::file::{self, Document, Problem};
use serde::Deserialize;

use crate::folder::world::Ports;
use crate::nearest;

/// A file of requests and what is expected of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Suite {
    /// Files and folders with the objects, relative to this file.
    #[serde(default)]
    pub(super) folder: Option<OneOrMany>,
    /// Declared ports → ports as the URLs name them, where they differ.
    #[serde(default)]
    pub(super) ports: Ports,
    /// The requests.
    pub(super) tests: Vec<Case>,
}

/// One text, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A request and what is expected of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What the test shows.
    pub(super) name: String,
    /// What is sent.
    pub(super) request: Sent,
    /// What must come of it.
    pub(super) expect: Expected,
}

/// A request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    /// Where to.
    pub(super) url: String,
    /// The method; GET if there is none.
    #[serde(default)]
    pub(super) method: Option<String>,
    /// Header fields.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, OneOrMany>,
    /// The client's address, with or without a port.
    #[serde(default)]
    pub(super) from: Option<String>,
    /// The server name of the TLS handshake; the URL's host if there is none.
    #[serde(default)]
    pub(super) sni: Option<String>,
}

/// What must come of a request. Only what is given is checked, and at least one thing is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expected {
    /// The status of the answer.
    #[serde(default)]
    pub(super) status: Option<u16>,
    /// Who answers: `application`, `outer`, `inner`, `gateway`.
    #[serde(default)]
    pub(super) tier: Option<String>,
    /// Why, as `bailey explain -o json` calls it: `path_mismatch`.
    #[serde(default)]
    pub(super) cause: Option<String>,
    /// The tenant that owns the host.
    #[serde(default)]
    pub(super) tenant: Option<String>,
    /// The route that takes it: `namespace/name`, or with the kind before it.
    #[serde(default)]
    pub(super) route: Option<String>,
    /// The rule of the route: its name, or its place from 0.
    #[serde(default)]
    pub(super) rule: Option<RuleName>,
    /// The Service it goes to, as `namespace/name:port`; several when weights share the requests.
    #[serde(default)]
    pub(super) backend: Option<OneOrMany>,
    /// `Location` of a redirect.
    #[serde(default)]
    pub(super) location: Option<String>,
    /// The client's address as the application sees it.
    #[serde(default)]
    pub(super) client_address: Option<String>,
    /// Header fields that the application gets; `null`: it must not get the field.
    #[serde(default)]
    pub(super) request_headers: BTreeMap<String, Option<String>>,
    /// Header fields of the answer; `null`: it must not have the field.
    #[serde(default)]
    pub(super) response_headers: BTreeMap<String, Option<String>>,
}

/// A rule by name or place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum RuleName {
    Place(usize),
    Name(String),
}

impl OneOrMany {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Sent {
    /// The request as explanations take it, or a field and what is wrong with it.
    pub(super) fn question(&self) -> Result<Question, (&'static str, String)> {
        let mut question = Question::get(&self.url).map_err(|error| ("url", error.to_string()))?;
        for (name, values) in &self.headers {
            for value in values.all() {
                let added = question.header(&format!("{name}: {value}"));
                question = added.map_err(|error| ("headers", error.to_string()))?;
            }
        }
        if let Some(from) = &self.from {
            question.from = address(from).map_err(|error| ("from", error.to_string()))?;
        }
        question.method = self.method.clone().unwrap_or(question.method);
        question.sni.clone_from(&self.sni);
        Ok(question)
    }
}

/// Reads a file. All problems with their places.
pub(super) fn read(path: &Path) -> Result<Suite, Vec<Problem>> {
    let documents = file::read_file(path).map_err(|problem| vec![problem])?;
    let [document] = &documents[..] else {
        let message = format!("has {} YAML documents; write one with a list of tests", documents.len());
        return Err(vec![Problem { file: path.display().to_string().into(), line: 0, column: 0, message }]);
    };
    let suite: Suite = serde_path_to_error::deserialize(document.value()).map_err(|error| {
        let at = error.path().to_string();
        let message = with_nearest(&error.inner().to_string());
        let message = if at == "." { message } else { format!("{at}: {message}") };
        vec![document.problem(&at, message)]
    })?;
    let problems = checked(&suite, document);
    if problems.is_empty() { Ok(suite) } else { Err(problems) }
}

/// What the schema cannot say.
fn checked(suite: &Suite, document: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    if suite.tests.is_empty() {
        problems.push(document.problem("tests", "tests: there are none; write at least one".to_owned()));
    }
    for (index, case) in suite.tests.iter().enumerate() {
        let at = format!("tests[{index}]");
        if let Err((field, message)) = case.request.question() {
            let field = format!("{at}.request.{field}");
            problems.push(document.problem(&field, format!("{field}: {message}")));
        }
        if case.expect == Expected::default() {
            let field = format!("{at}.expect");
            let message =
                format!("{field}: expects nothing, so it can never fail; write a status, a route, a backend, …");
            problems.push(document.problem(&field, message));
        }
    }
    problems
}

/// The message of serde, with the key that was probably meant.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown field"));
    let hint = unknown.map(|unknown| nearest::hint(unknown, quoted)).unwrap_or_default();
    format!("{message}{hint}")
}

impl Suite {
    /// The objects that the tests are about.
    pub(super) fn objects(&self, file: &Path) -> Vec<PathBuf> {
        let base = file.parent().unwrap_or(Path::new("."));
        self.folder.iter().flat_map(OneOrMany::all).map(|path| base.join(path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let kept = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(kept.path(), text).unwrap();
        let name = format!("{}:", kept.path().display());
        read(kept.path()).unwrap_err().iter().map(|p| p.to_string().replace(&name, "")).collect()
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_the_nearest_key() {
        let case =
            |request: &str, expect: &str| format!("tests:\n- name: a\n  request: {request}\n  expect: {expect}\n");
        let told = problems(&case("{url: http://a/}", "{stauts: 200}"));
        assert!(told[0].starts_with("4:") && told[0].contains("unknown field `stauts`"), "{told:?}");
        assert!(told[0].ends_with("(did you mean status?)"), "{told:?}");
        assert!(problems(&case("{url: a/b}", "{status: 200}"))[0].contains("request.url: \"a/b\" has no scheme"));
        assert!(problems(&case("{url: http://a/}", "{}"))[0].contains("expects nothing"));
        assert!(problems("tests: []")[0].contains("there are none"));
        assert!(problems("a: 1\n---\nb: 2\n")[0].contains("2 YAML documents"));
    }
}
