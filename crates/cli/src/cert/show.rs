//! One certificate, line by line. Pure.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use super::known::{Certificate, Certificates};
use crate::output::{Colour, Report, Style};

/// All that is known of each.
pub(super) struct Whole<'a>(pub(super) &'a Certificates);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Report for Whole<'_> {
    fn text(&self, style: Style) -> String {
        let mut text: String = self.0.certificates.iter().map(|one| lines(one, style)).collect();
        self.0.notes.iter().for_each(|note| text.extend(["note: ", note, "\n"]));
        text
    }
}

fn lines(one: &Certificate, style: Style) -> String {
    let window = one.renewal_window.as_ref();
    let rows = [
        ("tenant", one.tenant.clone()),
        ("topology", Some(one.topology.clone()).filter(|name| !name.is_empty())),
        ("source", one.source.clone()),
        ("issuer", one.issuer.clone()),
        ("serial", one.serial.clone()),
        ("from", one.not_before.as_ref().map(|time| time.0.to_string())),
        ("until", Some(one.not_after.as_ref().map_or_else(|| "none yet".to_owned(), |time| time.0.to_string()))),
        ("renewal", window.map(|window| format!("{} to {}, says its authority", window.start.0, window.end.0))),
        ("next", one.next_step.clone()),
        ("error", one.last_error.as_ref().map(|error| style.paint(Colour::Red, error))),
    ];
    let mut text = format!("{}\n", style.paint(Colour::Bold, one.hosts.join(", ")));
    for (name, value) in rows {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:<9} {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_shown_and_what_is_not_is_left_out() {
        let one = Certificate {
            hosts: vec!["a.example.com".to_owned()],
            source: Some("ordered from https://acme.example/dir".to_owned()),
            last_error: Some("caa: forbidden".to_owned()),
            ..Certificate::default()
        };
        let known = Certificates { certificates: vec![one], notes: Vec::new() };
        let text = Whole(&known).text(Style::PLAIN);
        assert_eq!(
            text,
            "a.example.com\n  source    ordered from https://acme.example/dir\n  until     none yet\n  error     caa: forbidden\n"
        );
    }
}
