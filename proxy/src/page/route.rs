//! One route: where it is attached, what each rule does, what reaches it and what comes first. Everything is
//! [`crate::explain`]'s; here it is only shown.

use maud::{Markup, html};

use super::board::{Board, Seen};
use super::explain::{related, with_world};
use super::frame::{badge, empty, link, shown};
use super::query::encode;
use crate::explain::{MatchAccount, RouteAccount, RuleAccount, Shadow, route};
use crate::metrics::route_id;

/// What there is to say of the route `name` (`HTTPRoute/namespace/name`). `None`: nothing here has that name.
pub fn account(board: &Board, seen: &[Seen], name: &str) -> Option<RouteAccount> {
    let id = route_id(name)?;
    with_world(board, seen, |world| route(world, &id))
}

/// The answer to it, on the screen of explanations.
pub fn answer(board: &Board, seen: &[Seen], name: &str) -> Markup {
    match account(board, seen, name) {
        None => empty(&format!("There is no route {}; Routes lists all there are.", shown(name))),
        Some(told) => section(&told, name),
    }
}

fn section(told: &RouteAccount, name: &str) -> Markup {
    let hidden = told.rules.iter().flat_map(|rule| &rule.matches).all(|one| one.shadows.iter().any(|by| by.fully));
    let kind = if !told.served || hidden { "error" } else { "fine" };
    let filter = format!("route={}", encode(name));
    html! {
        section #answer aria-label="Answer" {
            div class=(format!("verdict {kind}")) role="status" {
                p.what { strong { (shown(&told.sentence)) } }
                p.facts {
                    @if let Some(location) = &told.location { span { "written in " code.origin { (shown(location)) } } }
                    span { "see its " a href=(link("/requests", &filter)) { "Requests" } " or it on the " a href=(link("/", &filter)) { "Topology" } }
                }
                @if !told.related.is_empty() { ul.related { @for one in &told.related { (related(one)) } } }
            }
            ul.steps {
                @if !told.attachments.is_empty() {
                    li.step {
                        h3 { "Attached" }
                        dl { @for at in &told.attachments {
                            dt { (at.tier) } dd { "listener " code { (at.listener) } ": " @for (n, host) in at.hosts.iter().enumerate() { @if n > 0 { ", " } code { (shown(host)) } } }
                        } }
                    }
                }
                @for rule in &told.rules { (self::rule(rule)) }
            }
        }
    }
}

fn rule(rule: &RuleAccount) -> Markup {
    html! {
        li.step {
            h3 { "Rule " (rule.rule) @if let Some(name) = &rule.name { span.of { (shown(name)) } } }
            ul { @for done in &rule.does { li { (shown(done)) } } }
            @for one in &rule.matches { (matched(one)) }
        }
    }
}

fn matched(one: &MatchAccount) -> Markup {
    // With more than a URL it has to be typed as options.
    let url = Some(&*one.example).filter(|example| !example.contains(' '));
    html! {
        p {
            "Reached by " code { (shown(&one.wants)) } ", such as "
            @match url {
                Some(url) => a href=(format!("/explain?url={}", encode(url))) { (shown(url)) },
                None => code { (shown(&one.example)) },
            }
        }
        @if !one.shadows.is_empty() { ul.related { @for by in &one.shadows { (shadow(by)) } } }
    }
}

fn shadow(by: &Shadow) -> Markup {
    let (kind, word) = if by.fully { ("warning", "all of it") } else { ("info", "some of it") };
    html! {
        li {
            (badge(kind, word)) " on " code { (shown(&by.by.host)) } " goes to " strong { (by.by.route) } " rule " (by.by.rule)
            " (" code { (shown(&by.by.wants)) } "): " (shown(&by.why))
        }
    }
}
