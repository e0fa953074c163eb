//! How the client's address comes to the application: what each hop saw of a request that was, and what it would decide
//! of one that is made up.

use bailey_kit::telemetry::TraceId;
use maud::{Markup, html};

use super::board::{Board, Seen};
use super::explain::{answer, example, form, mistake, question, steps};
use super::frame::{empty, heading, shown, table};
use super::query::Query;
use super::waterfall::{Row, Waterfall, waterfall};

/// The screen.
pub fn screen(board: &Board, seen: &[Seen], query: &Query) -> Markup {
    let found = query.get("trace").map(|id| {
        let id: Option<TraceId> = id.parse().ok();
        id.and_then(|id| board.traces()?.get(id)).map(|trace| waterfall(&trace))
    });
    let intro =
        "Per hop: who is at the other end, what it says about the client, whether that is believed, and what goes on.";
    // A request that was: its form is filled in, so that it can be tried with other fields.
    let filled = found.as_ref().and_then(Option::as_ref).map(|one| asked(one, query));
    let query = filled.as_ref().unwrap_or(query);
    html! {
        (heading("Client address", intro))
        @match &found {
            Some(Some(one)) => (was(one)),
            Some(None) => (empty("No such trace is kept here.")),
            None => {}
        }
        @if found.is_some() { h2 { "Try it with other fields" } p.hint { "Header fields of requests are not kept. Add those you want to see the effect of." } }
        (form(query, "/address", "Show the hops", &example(seen)))
        @match question(query) {
            None => (empty("Ask about a URL, or open a request and choose “Client address”.")),
            Some(Err(error)) => (mistake(&error)),
            Some(Ok(question)) => section #answer aria-label="Answer" {
                @let explanation = answer(board, seen, &question);
                h2 { "Decided hop by hop" }
                (steps(&explanation.address))
                p.hint { (shown(&explanation.verdict.sentence)) }
            },
        }
    }
}

/// The form of a request that was.
fn asked(one: &Waterfall, query: &Query) -> Query {
    let attribute = |name: &str| one.rows.first().and_then(|row| find(row, name));
    let from = match (attribute("network.peer.address"), attribute("network.peer.port")) {
        (Some(address), Some(port)) if address.contains(':') => format!("[{address}]:{port}"),
        (Some(address), Some(port)) => format!("{address}:{port}"),
        (Some(address), None) => address.to_owned(),
        (None, _) => String::new(),
    };
    let with =
        |query: Query, name: &str, value: &str| if query.get(name).is_some() { query } else { query.with(name, value) };
    let query = with(query.clone(), "url", &one.url);
    let query = with(query, "method", &one.method);
    with(query, "from", &from)
}

fn find<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
}

/// What the tiers have seen.
fn was(one: &Waterfall) -> Markup {
    let peer = |row: &Row| match (find(row, "network.peer.address"), find(row, "network.peer.port")) {
        (Some(address), Some(port)) => format!("{address} port {port}"),
        (Some(address), None) => address.to_owned(),
        (None, _) => "not known".to_owned(),
    };
    html! {
        h2 { "What the tiers saw" }
        p.hint { a href={ "/requests/" (one.trace) } { (shown(&one.method)) " " (shown(&one.url)) } }
        (table("Hops", &["Hop", "Peer of its connection", "Client, as it decided"], &html! {
            @for row in one.rows.iter().filter(|row| row.kind == "server") {
                tr {
                    td { span class="tier" { (shown(&row.tier)) } }
                    td { code { (peer(row)) } }
                    td { strong { code { (find(row, "client.address").unwrap_or("not known")) } } }
                }
            }
        }))
    }
}
