//! What TLS shows: the certificates of all listeners, where they come from and how long they last.

use bailey_kit::admin::served::CertificateSeen;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use maud::{Markup, html};

use super::board::{self, Seen};
use super::frame::{badge, empty, heading, table};
use crate::served::of_listing;
use crate::snapshot::certificates::Shown;

/// A certificate that ends within so many days is one to look at.
const SOON: i64 = 21;

const COLUMNS: [&str; 7] = ["Names", "Source", "Issuer", "Not after", "Left", "Used by", "Next"];

/// The screen.
pub fn screen(seen: &[Seen]) -> Markup {
    let now = Timestamp::now();
    let given: Vec<(String, Vec<CertificateSeen>)> =
        seen.iter().map(|seen| (board::name(&seen.member.role), of(seen, now))).collect();
    // What a Hold has made stands among what it has ordered.
    let makers =
        || seen.iter().filter(|seen| seen.member.acme.is_none()).filter_map(|seen| seen.member.issuer.as_ref());
    let made = makers().flat_map(|issuer| issuer.issued().into_iter().map(|key| (key, issuer.origin())));
    let issues = seen.iter().any(|seen| seen.member.issuer.is_some());
    let mut made: Vec<CertificateSeen> = made.filter_map(|(key, origin)| Shown::of(&key, origin)).map(shown).collect();
    made.sort_by(|a, b| a.names.cmp(&b.names));
    made.dedup();
    let none = made.is_empty() && given.iter().all(|(_, shown)| shown.is_empty());
    html! {
        (heading("Certificates", "What clients are shown when they connect by TLS, and what is waited for. Keys are never shown."))
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

/// Those that a tier was given, and those that it orders.
fn of(seen: &Seen, now: Timestamp) -> Vec<CertificateSeen> {
    let given = seen.snapshot.certificates.shown().into_iter().map(shown);
    let listing = seen.member.acme.as_ref().map(|hold| hold.listing());
    given.chain(listing.iter().flat_map(|listing| of_listing(listing, now))).collect()
}

fn shown(one: Shown) -> CertificateSeen {
    let not_after = Timestamp::from_second(one.not_after).ok().map(Time);
    CertificateSeen {
        names: one.names,
        source: one.source,
        issuer: one.issuer,
        not_after,
        ..CertificateSeen::default()
    }
}

fn row(one: &CertificateSeen, used_by: &str, now: Timestamp) -> Markup {
    let left = one.not_after.as_ref().map(|end| (end.0.as_second() - now.as_second()).div_euclid(86_400));
    html! {
        tr {
            td.list { @for name in &one.names { div { (name) } } }
            td { (one.source) }
            td { (one.issuer) }
            td { @if let Some(end) = &one.not_after { time { (end.0) } } }
            td.number { @match left {
                None => (badge("warning", "none yet")),
                Some(..0) => (badge("error", "ended")),
                Some(days @ 0..SOON) => (badge("warning", &format!("{days} days"))),
                Some(days) => (badge("fine", &format!("{days} days"))),
            } }
            td { (used_by) }
            td { @if let Some(next) = &one.next_step { div { (next) } } @if let Some(error) = &one.last_error { (badge("error", error)) } }
        }
    }
}
