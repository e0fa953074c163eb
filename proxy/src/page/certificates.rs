//! What TLS shows: the certificates of all listeners, where they come from and how long they last.

use std::time::{SystemTime, UNIX_EPOCH};

use maud::{Markup, html};

use super::board::{self, Seen};
use super::frame::{badge, empty, heading, table};
use crate::snapshot::certificates::Shown;

/// A certificate that ends within so many days is one to look at.
const SOON: i64 = 21;

const COLUMNS: [&str; 6] = ["Names", "Source", "Issuer", "Not after", "Left", "Used by"];

/// The screen.
pub fn screen(seen: &[Seen]) -> Markup {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed();
    let given: Vec<(String, Vec<Shown>)> =
        seen.iter().map(|seen| (board::name(&seen.member.role), seen.snapshot.certificates.shown())).collect();
    let issuers = seen.iter().filter_map(|seen| seen.member.issuer.as_ref());
    let made = issuers.flat_map(|issuer| issuer.issued().into_iter().map(|key| (key, issuer.origin())));
    let issues = seen.iter().any(|seen| seen.member.issuer.is_some());
    let mut made: Vec<Shown> = made.filter_map(|(key, origin)| Shown::of(&key, origin)).collect();
    made.sort_by(|a, b| a.names.cmp(&b.names));
    made.dedup();
    let none = made.is_empty() && given.iter().all(|(_, shown)| shown.is_empty());
    html! {
        (heading("Certificates", "What clients are shown when they connect by TLS. Keys are never shown."))
        @if none {
            (empty(if issues { "None yet. The development CA makes one at the first handshake that asks for a name; an ACME authority takes a moment." } else { "No listener has a certificate." }))
        } @else {
            (table("Certificates", &COLUMNS, &html! {
                @for (tier, certificates) in &given { @for one in certificates { (row(one, tier, now)) } }
                @for one in &made { (row(one, "every listener that owns the name", now)) }
            }))
        }
    }
}

fn row(one: &Shown, used_by: &str, now: i64) -> Markup {
    let days = (one.not_after - now).div_euclid(86_400);
    html! {
        tr {
            td.list { @for name in &one.names { div { (name) } } }
            td { (one.source) }
            td { (one.issuer) }
            td { time { (one.not_after_text) } }
            td.number { @match days {
                ..0 => (badge("error", "ended")),
                0..SOON => (badge("warning", &format!("{days} days"))),
                _ => (badge("fine", &format!("{days} days"))),
            } }
            td { (used_by) }
        }
    }
}
