//! The differences, and how they are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bailey_proxy::explain::Question;
use serde::Serialize;

use super::behaviour::{Behaviour, Does, Key, signature};
use crate::folder::Folder;
use crate::folder::world::{Ports, Sites};
use crate::output::{Colour, Report, Style};

/// How many requests are asked of both; more would say the same again.
const MAX_ASKED: usize = 500;

/// What has become of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// It is gone.
    Lost,
    /// It goes elsewhere.
    Moved,
    /// It is done otherwise.
    Changed,
    /// It is new.
    Gained,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Change {
    pub(super) kind: Kind,
    /// `listener`, `tenant`, `hostname` or `rule`.
    pub(super) what: &'static str,
    pub(super) name: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// A request whose answer changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Asked {
    /// As curl takes it, without the word itself.
    pub(super) request: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// Everything that differs.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    pub(super) changes: Vec<Change>,
    pub(super) requests: Vec<Asked>,
}

impl Difference {
    pub(super) fn between(old: &Folder, new: &Folder) -> Self {
        let (before, after) = (Behaviour::of(old), Behaviour::of(new));
        let mut changes = Vec::new();
        let only =
            |set: &BTreeSet<String>| set.iter().map(|name| (name.clone(), String::new())).collect::<BTreeMap<_, _>>();
        texts("tenant", &only(&before.tenants), &only(&after.tenants), &mut changes);
        texts("listener", &before.listeners, &after.listeners, &mut changes);
        texts("hostname", &before.hostnames, &after.hostnames, &mut changes);
        rules(&before, &after, &mut changes);
        changes.sort();
        Self { changes, requests: requests(old, new, &before, &after) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.requests.is_empty()
    }
}

/// Differences of things that have a name and a text.
fn texts(
    what: &'static str,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    to: &mut Vec<Change>,
) {
    for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (before.get(name), after.get(name));
        let kind = match (old, new) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(_), Some(_)) => Kind::Changed,
            (Some(_), None) => Kind::Lost,
            (None, _) => Kind::Gained,
        };
        let text = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
        to.push(Change { kind, what, name: name.clone(), before: text(old), after: text(new) });
    }
}

fn rules(before: &Behaviour, after: &Behaviour, to: &mut Vec<Change>) {
    for key in before.rules.keys().chain(after.rules.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (before.rules.get(key), after.rules.get(key));
        let kind = match (old, new) {
            (Some(old), Some(new)) if old.to == new.to && old.effects == new.effects => continue,
            (Some(old), Some(new)) if old.to != new.to => Kind::Moved,
            (Some(_), Some(_)) => Kind::Changed,
            (Some(_), None) => Kind::Lost,
            (None, _) => Kind::Gained,
        };
        to.push(Change { kind, what: "rule", name: name(key), before: old.map(text), after: new.map(text) });
    }
}

fn name((tier, host, path, when): &Key) -> String {
    [tier, host, path, when]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(does: &Does) -> String {
    let to = if does.to.is_empty() { None } else { Some(does.to.clone()) };
    to.into_iter().chain(does.effects.iter().cloned()).collect::<Vec<_>>().join("; ")
}

/// Asks both for what either has a rule for, and keeps what is answered otherwise.
fn requests(old: &Folder, new: &Folder, before: &Behaviour, after: &Behaviour) -> Vec<Asked> {
    // Hosts on which nothing has changed answer as before.
    let same = |key: &Key| match (before.rules.get(key), after.rules.get(key)) {
        (Some(old), Some(new)) => old.to == new.to && old.effects == new.effects && old.example == new.example,
        _ => false,
    };
    let all = || before.rules.iter().chain(&after.rules);
    let touched: BTreeSet<(&String, &String)> =
        all().filter(|(key, _)| !same(key)).map(|(key, _)| (&key.0, &key.1)).collect();
    let owners = before.hostnames != after.hostnames || before.listeners != after.listeners;
    let (was, is) = (Sites::of(old, &Ports::new()), Sites::of(new, &Ports::new()));
    let mut seen = BTreeSet::new();
    let asked = all().filter(|(key, _)| owners || touched.contains(&(&key.0, &key.1)));
    let questions =
        asked.filter_map(|(_, does)| does.example.as_ref()).filter(|question| seen.insert(request(question)));
    let differ = questions.take(MAX_ASKED).filter_map(|question| {
        let (was, is) = (was.explain(question), is.explain(question));
        (signature(&was) != signature(&is)).then(|| Asked {
            request: request(question),
            before: was.verdict.sentence,
            after: is.verdict.sentence,
        })
    });
    differ.collect()
}

fn request(question: &Question) -> String {
    let method = if question.method == "GET" { String::new() } else { format!("-X {} ", question.method) };
    let headers = question.headers.iter().map(|(name, value)| format!("-H '{name}: {value}' "));
    let mut words: Vec<String> = vec![method];
    words.extend(headers);
    format!("{}{}", words.concat(), question.url())
}

impl Report for Difference {
    fn text(&self, style: Style) -> String {
        if self.is_empty() {
            return "no difference in behaviour\n".to_owned();
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        for change in &self.changes {
            let (colour, mark) = match change.kind {
                Kind::Lost => (Colour::Red, "-"),
                Kind::Moved | Kind::Changed => (Colour::Yellow, "~"),
                Kind::Gained => (Colour::Green, "+"),
            };
            let detail = match (&change.before, &change.after) {
                (Some(before), Some(after)) => format!(": {before}\n    → {after}"),
                (Some(only), None) | (None, Some(only)) => format!(": {only}"),
                (None, None) => String::new(),
            };
            let head = style.paint(colour, format!("{mark} {} {}", change.what, change.name));
            let _ = writeln!(text, "{head}{detail}");
        }
        if !self.requests.is_empty() {
            let _ = writeln!(text, "\n{}", style.paint(Colour::Bold, "Requests whose answer changes:"));
        }
        for asked in &self.requests {
            let _ =
                writeln!(text, "  curl {}\n    before: {}\n    after:  {}", asked.request, asked.before, asked.after);
        }
        text
    }
}
