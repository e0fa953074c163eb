//! The topology: the drawing, with what flows on its lines, and the same as a table.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Serialize;

use super::board::{Board, Seen};
use super::filter::Filter;
use super::frame::{badge, empty, heading, link, table};
use super::graph::layout::layout;
use super::graph::of::{Only, graph};
use super::graph::svg::{Use, draw};
use super::graph::{Graph, State};
use super::live::{self, Rate};

/// The graph of what the board shows, with the filter's part of it.
fn drawn(seen: &[Seen], filter: &Filter) -> Graph {
    let parts: Vec<_> = seen.iter().map(Seen::part).collect();
    graph(&parts, &Only { tenant: filter.tenant.clone(), route: filter.route.clone() })
}

/// The screen.
pub fn screen(board: &Board, seen: &[Seen], filter: &Filter) -> Markup {
    let graph = drawn(seen, filter);
    let rates = live::since_start(board);
    let intro = "Who faces clients, which tier serves whom, and where requests go. Select a box to see only its requests and routes.";
    html! {
        (heading("Topology", intro))
        @if graph.nodes.is_empty() {
            (empty("Nothing is served that fits the filter."))
        } @else {
            div.scroll.drawing role="region" aria-label="Drawing of the topology" tabindex="0" data-live="topology" {
                (draw(&graph, &layout(&graph), Use { link: Some("/"), selected: &filter.query(), live: true }))
            }
            p.legend {
                span.key.front { "faces clients" } span.key.inner { "a tenant's inner tier" }
                span.key.warning { "in part, or on purpose, not serving" } span.key.broken { "answers with errors" }
            }
            @if !filter.is_empty() {
                p.onward { "See its " a.button href=(link("/requests", &filter.query())) { "Requests" } " " a.button href=(link("/routes", &filter.query())) { "Routes" } }
            }
            h2 { "Traffic" }
            p.hint { span data-window="start" { "Requests since the start." } span data-window="live" hidden { "Over the last ten seconds, as it happens." } " To a backend every attempt counts, and one that was not answered is an error." }
            (table("Traffic", &["From", "To", "Requests", "Per second", "Errors", "99 % within"], &html! {
                @for edge in graph.edges.iter().filter(|edge| !edge.flow.is_empty()) {
                    (row(&graph, edge.from, edge.to, &edge.flow, rates.get(&edge.flow)))
                }
            }))
        }
    }
}

fn row(graph: &Graph, from: usize, to: usize, flow: &str, rate: Option<&Rate>) -> Markup {
    let node = &graph.nodes[to];
    html! {
        tr data-row=(flow) {
            td { (graph.nodes[from].title) }
            td {
                @if node.select.is_empty() { (node.title) } @else { a href=(link("/", &node.select)) { (node.title) } }
                @match node.state { State::Fine => {}, State::Warning => { " " (badge("warning", "attention")) }, State::Broken => { " " (badge("error", "broken")) } }
            }
            td.number data-cell="requests" { (rate.map_or(0, |rate| rate.requests)) }
            td.number data-cell="per_second" { "–" }
            td.number data-cell="error_percent" { (rate.map_or_else(|| "–".to_owned(), |rate| format!("{} %", rate.error_percent))) }
            td.number data-cell="p99_ms" { (percentile(rate.and_then(|rate| rate.p99_ms))) }
        }
    }
}

/// As exact as it is known: the first bucket of the histogram ends at 5 ms.
fn percentile(ms: Option<f64>) -> String {
    match ms {
        None => "–".to_owned(),
        Some(..=5.0) => "< 5 ms".to_owned(),
        Some(ms) => format!("{ms} ms"),
    }
}

/// The graph as data.
#[derive(Debug, Serialize)]
pub struct Data {
    nodes: Vec<NodeData>,
    edges: Vec<EdgeData>,
    /// What flowed since the start.
    traffic: BTreeMap<String, Rate>,
}

#[derive(Debug, Serialize)]
struct NodeData {
    rank: &'static str,
    title: String,
    subtitle: String,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct EdgeData {
    from: usize,
    to: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    flow: String,
}

/// The topology for tools.
pub fn data(board: &Board, seen: &[Seen], filter: &Filter) -> Data {
    let graph = drawn(seen, filter);
    let node = |node: super::graph::Node| NodeData {
        rank: node.rank.word(),
        title: node.title,
        subtitle: node.subtitle,
        state: match node.state {
            State::Fine => "fine",
            State::Warning => "warning",
            State::Broken => "broken",
        },
    };
    let edge = |edge: super::graph::Edge| EdgeData { from: edge.from, to: edge.to, label: edge.label, flow: edge.flow };
    Data {
        nodes: graph.nodes.into_iter().map(node).collect(),
        edges: graph.edges.into_iter().map(edge).collect(),
        traffic: live::since_start(board),
    }
}
