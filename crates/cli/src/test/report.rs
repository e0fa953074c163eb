//! The results of tests, for people, programs and CI systems.

use std::fmt::Write as _;

use serde::Serialize;

use super::check::{Check, CheckResult};
use crate::output::{Colour, Report, Style};

/// All tests of a file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Results {
    /// `offline` or `live`.
    pub(super) mode: &'static str,
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// Expectations that could not be checked in this mode.
    pub(super) unseen: usize,
    pub(super) tests: Vec<Tested>,
}

/// One test.
#[derive(Debug, Serialize)]
pub(super) struct Tested {
    pub(super) name: String,
    pub(super) passed: bool,
    /// `GET https://a.example.com/`.
    pub(super) request: String,
    /// What became of the request, in a sentence.
    pub(super) said: String,
    pub(super) checks: Vec<Check>,
}

impl Tested {
    /// A test passes when something was seen and nothing of that is wrong.
    pub(super) fn new(name: &str, request: String, said: String, checks: Vec<Check>) -> Self {
        let count = |result| checks.iter().filter(|check| check.result == result).count();
        let passed = count(CheckResult::Failed) == 0 && count(CheckResult::Passed) > 0;
        Self { name: name.to_owned(), passed, request, said, checks }
    }

    fn of(&self, result: CheckResult) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.result == result)
    }

    /// Why it failed, a line for each reason.
    fn reasons(&self) -> Vec<String> {
        let failed = self.of(CheckResult::Failed);
        let mut reasons: Vec<String> =
            failed.map(|check| format!("{}: wanted {}, got {}", check.what, check.wanted, check.got)).collect();
        if !self.passed && reasons.is_empty() {
            reasons.push("nothing of what is expected could be seen".to_owned());
        }
        if !self.passed && !self.said.is_empty() {
            reasons.push(self.said.clone());
        }
        reasons
    }

    fn unseen(&self) -> Vec<String> {
        self.of(CheckResult::Unseen).map(|check| format!("{} not checked: {}", check.what, check.got)).collect()
    }
}

impl Results {
    pub(super) fn new(mode: &'static str, tests: Vec<Tested>) -> Self {
        let passed = tests.iter().filter(|test| test.passed).count();
        let unseen = tests.iter().map(|test| test.of(CheckResult::Unseen).count()).sum();
        Self { mode, passed, failed: tests.len() - passed, unseen, tests }
    }

    /// Test Anything Protocol, version 14.
    pub(super) fn tap(&self) -> String {
        let mut text = format!("TAP version 14\n1..{}\n", self.tests.len());
        for (index, test) in self.tests.iter().enumerate() {
            let ok = if test.passed { "ok" } else { "not ok" };
            // Writing to a String cannot fail; a # would begin a directive.
            let _ = writeln!(text, "{ok} {} - {}", index + 1, test.name.replace('#', "\\#").replace('\n', " "));
            for line in test.reasons().iter().chain(&test.unseen()) {
                let _ = writeln!(text, "# {}", line.replace('\n', " "));
            }
        }
        text
    }

    /// The XML that CI systems read as `JUnit`'s.
    pub(super) fn junit(&self) -> String {
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"bailey {}\" tests=\"{}\" failures=\"{}\">\n",
            self.mode,
            self.tests.len(),
            self.failed
        );
        for test in &self.tests {
            let _ = writeln!(text, "  <testcase name=\"{}\" classname=\"{}\">", xml(&test.name), xml(&test.request));
            if !test.passed {
                let reasons = test.reasons();
                let first = reasons.first().map(String::as_str).unwrap_or_default();
                let _ =
                    writeln!(text, "    <failure message=\"{}\">{}</failure>", xml(first), xml(&reasons.join("\n")));
            }
            for line in test.unseen() {
                let _ = writeln!(text, "    <system-out>{}</system-out>", xml(&line));
            }
            text.push_str("  </testcase>\n");
        }
        text.push_str("</testsuite>\n");
        text
    }
}

/// Text as XML 1.0 takes it.
fn xml(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, character| {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(character),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
        safe
    })
}

impl Report for Results {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for test in &self.tests {
            let (colour, mark) = if test.passed { (Colour::Green, "ok  ") } else { (Colour::Red, "FAIL") };
            let _ = writeln!(
                text,
                "{} {}  {}",
                style.paint(colour, mark),
                test.name,
                style.paint(Colour::Dim, &test.request)
            );
            for line in test.reasons() {
                let _ = writeln!(text, "       {line}");
            }
            for line in test.unseen() {
                let _ = writeln!(text, "       {}", style.paint(Colour::Dim, line));
            }
        }
        let _ = writeln!(
            text,
            "{} passed, {} failed, {} expectations not checked ({})",
            self.passed, self.failed, self.unseen, self.mode
        );
        text
    }
}
