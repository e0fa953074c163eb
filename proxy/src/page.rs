//! The page on the admin port: what a tier, or all tiers of a folder, do and why. Read-only, rendered here, readable without
//! its script.
//!
//! ```text
//! board      what is shown: the tiers of this process, their objects, their traces
//! graph      the topology as a drawing                     pure
//! waterfall  a trace as rows over time                     pure
//! live       what flows, from the metrics, while somebody looks
//! topology, requests, explain, routes, address, certificates, configuration      one screen each
//! ```
//! Here it is decided which address shows what; who may see it is decided by the admin server.

pub mod address;
pub mod board;
pub mod certificates;
pub mod configuration;
pub mod effective;
pub mod explain;
pub mod filter;
pub mod frame;
pub mod graph;
pub mod live;
pub mod query;
pub mod requests;
pub mod route;
pub mod routes;
pub mod topology;
pub mod waterfall;

use std::sync::Arc;

use bailey_kit::admin::{Answer, Pages, TEXT};
use http::StatusCode;
use http::request::Parts;
use maud::Markup;
use serde::Serialize;
use tokio::sync::mpsc;

use filter::Filter;
use frame::{Around, Screen};
use query::Query;
use waterfall::{Waterfall, waterfall};

pub use board::{Board, Member, Told};

#[cfg(test)]
mod tests;

/// JSON, as it is sent.
const JSON: &str = "application/json";
/// Requests that `/api/traces` gives when not told how many, and at most.
const TRACES: (usize, usize) = (50, 500);
/// Events that wait for a slow browser; whoever makes them waits then.
const EVENTS: usize = 16;

/// The pages of a board.
pub struct Site(Arc<Board>);

impl Site {
    /// The pages that show `board`.
    pub fn new(board: Arc<Board>) -> Arc<Self> {
        Arc::new(Self(board))
    }

    fn screen(&self, screen: Screen, query: &Query) -> Answer {
        let (board, seen, filter) = (&self.0, self.0.seen(), Filter::of(query));
        let content = match screen {
            Screen::Topology => topology::screen(board, &seen, &filter),
            Screen::Explain => explain::screen(board, &seen, query),
            Screen::Routes => routes::screen(board, &seen, &filter),
            Screen::Requests => requests::screen(board.traces(), &filter),
            Screen::Address => address::screen(board, &seen, query),
            Screen::Certificates => certificates::screen(&seen),
            Screen::Configuration => configuration::screen(board, &seen),
        };
        self.page(screen, &filter, &content)
    }

    fn page(&self, screen: Screen, filter: &Filter, content: &Markup) -> Answer {
        let board = &self.0;
        let around = Around {
            screen,
            filter,
            scope: board.scope(&board.seen()),
            problems: board.problems(),
            refused: !board.told().refused.is_empty(),
        };
        frame::page(&around, content)
    }

    fn trace(&self, id: &str) -> Option<Waterfall> {
        let id = id.parse().ok()?;
        self.0.traces()?.get(id).map(|trace| waterfall(&trace))
    }

    fn request(&self, id: &str, filter: &Filter) -> Answer {
        let found = self.trace(id);
        let page = self.page(Screen::Requests, filter, &requests::one(found.as_ref(), id));
        let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        Answer { status, ..page }
    }

    fn events(&self, query: &Query) -> Answer {
        let (events, stream) = mpsc::channel(EVENTS);
        match (query.get("screen"), self.0.traces()) {
            (Some("topology"), _) => drop(tokio::spawn(live::follow(self.0.clone(), events))),
            (Some("requests"), Some(store)) => {
                drop(tokio::spawn(requests::follow(store.clone(), Filter::of(query), events)));
            }
            (Some("requests"), None) => return problem(StatusCode::NOT_FOUND, "this tier keeps no traces"),
            (_, _) => {
                return problem(StatusCode::NOT_FOUND, "write /events?screen=topology or /events?screen=requests");
            }
        }
        Answer::events(stream)
    }

    fn api(&self, path: &str, query: &Query) -> Answer {
        let (board, filter) = (&self.0, Filter::of(query));
        match path.split_once('/').unwrap_or((path, "")) {
            ("topology", "") => json(&topology::data(board, &board.seen(), &filter)),
            ("routes", "") => json(&routes::lines(board, &board.seen(), &filter)),
            ("configuration", "") => {
                let effective = |one: &board::Seen| effective::Effective::of(&one.member.role, &one.snapshot);
                json(&board.seen().iter().map(effective).collect::<Vec<_>>())
            }
            ("explain", "") => self.explain(query),
            ("traces", id) => self.traces(id, query, &filter),
            (_, _) => problem(
                StatusCode::NOT_FOUND,
                "there are /api/topology, /api/routes, /api/configuration, /api/explain?url=, /api/traces and /api/traces/ID",
            ),
        }
    }

    fn explain(&self, query: &Query) -> Answer {
        let (board, seen) = (&self.0, self.0.seen());
        match (explain::question(query), query.get("route")) {
            (None, None) => problem(
                StatusCode::BAD_REQUEST,
                "give the URL, /api/explain?url=https://host/path, or a route, /api/explain?route=HTTPRoute/namespace/name",
            ),
            (None, Some(name)) => match route::account(board, &seen, name) {
                Some(told) => json(&told),
                None => problem(StatusCode::NOT_FOUND, "there is no such route; /api/routes lists all there are"),
            },
            (Some(Err(error)), _) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
            (Some(Ok(question)), _) => json(&explain::answer(board, &seen, &question)),
        }
    }

    fn traces(&self, id: &str, query: &Query, filter: &Filter) -> Answer {
        let Some(store) = self.0.traces() else {
            return problem(StatusCode::NOT_FOUND, "this tier keeps no traces; its collector has them");
        };
        if !id.is_empty() {
            return match self.trace(id) {
                Some(found) => json(&found),
                None => problem(StatusCode::NOT_FOUND, "no such trace is kept; only the last 500 are"),
            };
        }
        let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(TRACES.0).min(TRACES.1);
        let mut found = requests::recent(store, filter, TRACES.1);
        if let Some(context) = query.get("context") {
            found.retain(|one| one.has_to_do_with(context));
        }
        found.truncate(limit);
        json(&found)
    }
}

impl Pages for Site {
    fn answer(&self, request: &Parts) -> Answer {
        let (path, query) = (request.uri.path(), Query::parse(request.uri.query()));
        if let Some(screen) = Screen::ALL.into_iter().find(|screen| screen.path() == path) {
            return self.screen(screen, &query);
        }
        if let Some(id) = path.strip_prefix("/requests/") {
            return self.request(id, &Filter::of(&query));
        }
        if let Some(rest) = path.strip_prefix("/api/") {
            return self.api(rest, &query);
        }
        if path == "/events" {
            return self.events(&query);
        }
        let asset = path.strip_prefix("/assets/").and_then(frame::find_asset);
        asset.unwrap_or_else(|| {
            Answer::whole(StatusCode::NOT_FOUND, TEXT, "there is no such page; the first one is at /\n")
        })
    }
}

fn json(value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => Answer::whole(StatusCode::OK, JSON, text),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn problem(status: StatusCode, text: &str) -> Answer {
    Answer::whole(status, JSON, serde_json::json!({ "error": text }).to_string())
}
