//! The last requests, as they happen, and one of them over the tiers.
#![expect(clippy::cast_precision_loss, reason = "what is drawn or said of it is rounded anyway")]

use std::sync::Arc;

use bailey_kit::telemetry::{Store, TraceId};
use bytes::Bytes;
use maud::{Markup, html};
use serde::Serialize;
use tokio::sync::{broadcast, mpsc};

use super::filter::Filter;
use super::frame::{badge, duration, empty, heading, shown, status, table};
use super::live::event;
use super::query::encode;
use super::waterfall::{Row, Waterfall, waterfall};

/// Rows that are shown at first.
const SHOWN: usize = 100;
/// Traces that are kept at all, and so looked at.
const KEPT: usize = 500;

const COLUMNS: [&str; 7] = ["Time", "Method", "URL", "Status", "Tenant", "Route", "Took"];

/// Whether a request is one of the filter's.
pub fn fits(waterfall: &Waterfall, filter: &Filter) -> bool {
    let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
    let backend = filter.backend.as_deref();
    let sent_to = |row: &Row| row.kind == "client" && backend_of(row).as_deref() == backend;
    same(&filter.tenant, &waterfall.tenant)
        && same(&filter.route, &waterfall.route)
        && (backend.is_none() || waterfall.rows.iter().any(sent_to))
}

/// What a client span was sent to, as `namespace/name:port`: spans name a Service `name.namespace`.
fn backend_of(row: &Row) -> Option<String> {
    let find = |name: &str| row.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value);
    let (name, namespace) = find("server.address")?.split_once('.')?;
    Some(format!("{namespace}/{name}:{}", find("server.port")?))
}

/// The last requests of the filter, latest first.
pub fn recent(store: &Store, filter: &Filter, limit: usize) -> Vec<Waterfall> {
    let traces = store.recent(KEPT);
    traces.iter().map(waterfall).filter(|waterfall| fits(waterfall, filter)).take(limit).collect()
}

/// The list.
pub fn screen(store: Option<&Arc<Store>>, filter: &Filter) -> Markup {
    html! {
        (heading("Requests", "The last requests through all tiers, latest first. Open one to see where its time went."))
        @match store {
            None => (not_kept()),
            Some(store) => {
                @let rows = recent(store, filter, SHOWN);
                div.tools { button #pause.quiet type="button" aria-pressed="false" hidden { "Pause" } }
                div data-live="requests" {
                    (table("Requests", &COLUMNS, &html! { @for row in &rows { (line(row)) } }))
                }
                @if rows.is_empty() { p.empty #none { "No request yet that fits. Send one, and it appears here." } }
            }
        }
    }
}

fn not_kept() -> Markup {
    html! {
        (empty("This tier keeps no traces."))
        p { "Traces of a tier in a cluster go to the collector of " code { "spec.tracing.endpoint" } ". " code { "bailey up" } " keeps the last 500 in memory and shows them here." }
    }
}

/// One row of the list.
fn line(one: &Waterfall) -> Markup {
    html! {
        tr data-trace=(one.trace) class=[one.error.then_some("bad")] {
            td.time { time datetime=(one.start_ms) { (clock(one.start_ms)) } }
            td { (shown(&one.method)) }
            td.url { a href={ "/requests/" (one.trace) } { (shown(&one.url)) } }
            td { (status(one.status)) }
            td { (one.tenant.as_deref().unwrap_or("–")) }
            td { (one.route.as_deref().unwrap_or("–")) }
            td.number { (duration(one.duration_us)) }
        }
    }
}

/// The time of day, UTC.
fn clock(ms: u64) -> String {
    let day = ms / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}", day / 3600, day / 60 % 60, day % 60, ms % 1000)
}

/// One request over the tiers.
pub fn one(found: Option<&Waterfall>, id: &str) -> Markup {
    let Some(one) = found else {
        return html! {
            (heading("Request", ""))
            (empty(&format!("No trace {} is kept here; only the last {KEPT} are.", shown(id))))
            p { a href="/requests" { "All requests" } }
        };
    };
    let why = format!("/explain?url={}&method={}", encode(&one.url), encode(&one.method));
    html! {
        div.heading {
            p.crumb { a href="/requests" { "Requests" } " / " code { (one.trace) } }
            h1.request { (shown(&one.method)) " " (shown(&one.url)) }
            p.facts {
                (status(one.status)) span { "took " (duration(one.duration_us)) }
                span { "at " (clock(one.start_ms)) " UTC" }
                @if let Some(tenant) = &one.tenant { span { "tenant " strong { (tenant) } } }
                @if let Some(route) = &one.route { span { strong { (route) } } }
            }
            p.onward { a.button href=(why) { "Explain it" } " " a.button href={ "/address?trace=" (one.trace) } { "Client address" } }
        }
        h2 { "Waterfall" }
        (bars(one))
        @if one.left_out > 0 { p.hint { (one.left_out) " more spans were not kept." } }
        h2 { "Spans" }
        @for row in &one.rows { (details(row)) }
    }
}

/// The bars: one row a span, its place in time as SVG, so that no inline style is needed.
fn bars(one: &Waterfall) -> Markup {
    let whole = one.duration_us.max(1) as f64;
    html! {
        ol.waterfall aria-label="Spans over time" {
            @for row in &one.rows {
                @let x = row.offset_us as f64 * 1000.0 / whole;
                @let width = (row.duration_us as f64 * 1000.0 / whole).max(3.0);
                li class=(if row.error { "bad" } else { "" }) {
                    span.who data-depth=(row.depth.min(8)) {
                        span class=(format!("tier {}", word(&row.tier))) { (shown(&row.tier)) } " "
                        span.kind { (row.kind) } " " span.name { (shown(&row.name)) }
                    }
                    svg.bar viewBox="0 0 1000 16" preserveAspectRatio="none" role="img"
                        aria-label=(format!("begins after {}, takes {}", duration(row.offset_us), duration(row.duration_us))) {
                        rect class=(format!("{} {}", row.kind, word(&row.tier))) x=(format!("{x:.1}")) y="2" width=(format!("{width:.1}")) height="12" rx="2" {}
                    }
                    span.number { (duration(row.duration_us)) }
                }
            }
        }
    }
}

/// A tier's word for its style; anything else has none of its own.
fn word(tier: &str) -> &'static str {
    match tier {
        "outer" => "outer",
        "inner" => "inner",
        "gateway" => "gateway",
        _ => "other",
    }
}

fn details(row: &Row) -> Markup {
    html! {
        details.span {
            summary {
                span class=(format!("tier {}", word(&row.tier))) { (shown(&row.tier)) } " " span.kind { (row.kind) } " " (shown(&row.name))
                @if row.error { " " (badge("error", "error")) }
            }
            dl {
                dt { "span" } dd { code { (row.span) } }
                @if let Some(parent) = &row.parent { dt { "parent" } dd { code { (parent) } } }
                @if let Some(tenant) = &row.tenant { dt { "tenant" } dd { (tenant) } }
                dt { "begins after" } dd { (duration(row.offset_us)) }
                dt { "takes" } dd { (duration(row.duration_us)) }
                @for link in &row.links { dt { "linked to" } dd { code { (link) } } }
                @for (name, value) in &row.attributes { dt { (name) } dd { (shown(value)) } }
            }
        }
    }
}

/// A row as the script takes it.
#[derive(Debug, Serialize)]
struct News {
    trace: String,
    row: String,
}

/// Sends the row of each request of the filter as it comes and grows, until nobody reads them.
pub async fn follow(store: Arc<Store>, filter: Filter, events: mpsc::Sender<Bytes>) {
    let mut news = store.subscribe();
    loop {
        let id: TraceId = tokio::select! {
            () = events.closed() => return,
            id = news.recv() => match id {
                Ok(id) => id,
                // The rows that were missed are shown when the page is loaded again.
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            },
        };
        let Some(one) = store.get(id).map(|trace| waterfall(&trace)).filter(|one| fits(one, &filter)) else { continue };
        let news = News { trace: one.trace.clone(), row: line(&one).into_string() };
        if events.send(event("request", &news)).await.is_err() {
            return;
        }
    }
}
