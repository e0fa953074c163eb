//! What a scrape shows.

use std::time::Duration;

use bailey_routing::compile;
use bailey_routing::ir::{Ir, Route, RouteId, RouteKind};

use super::series::{Board, MAX_SERIES};
use super::*;
use crate::error::{Fate, ProxyError};
use crate::snapshot::Current;

fn done(milliseconds: u64) -> Done {
    let took = Duration::from_millis(milliseconds);
    Done { status: 200, error: None, took, received: 10, sent: 100 }
}

fn scraped(metrics: &Arc<Metrics>, labels: Vec<(&'static str, String)>) -> String {
    let current = Arc::new(Current::from_pointee(Snapshot::default()));
    let sources = Sources { current, log: None, spans: None, acme: None, link: None };
    metrics.scrape(labels, sources).render()
}

#[test]
fn a_scrape_adds_the_workers_up() {
    let metrics = Metrics::new();
    let (one, two) = (Counter::new(metrics.shard()), Counter::new(metrics.shard()));
    let meter = || Meter::new("team-a".into(), "HTTPRoute/team-a/web".into());
    let (here, there) = (meter(), meter());
    one.request(&here, &done(3));
    one.request(&here, &done(60));
    two.request(&there, &done(20_000));
    let error = ProxyError::us(Fate::HostUnknown);
    two.request(&there, &Done { status: 404, error: Some(error), ..done(1) });
    let text = scraped(&metrics, vec![("tier", "outer".to_owned())]);
    let labels = r#"tier="outer",tenant="team-a",route="HTTPRoute/team-a/web",http_response_status_class="2xx""#;
    for line in [
        format!("http_server_request_duration_seconds_count{{{labels}}} 3\n"),
        format!("http_server_request_duration_seconds_sum{{{labels}}} 20.063\n"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"0.005\"}} 1\n"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"0.075\"}} 2\n"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"10.0\"}} 2\n"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3\n"),
        format!("http_server_response_body_bytes_total{{{labels}}} 300\n"),
        "bailey_request_errors_total{tier=\"outer\",side=\"us\",reason=\"host_unknown\"} 1\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}\nin\n{text}");
    }
}

#[test]
fn counts_that_go_down_on_another_worker_s_shard_still_add_up() {
    let metrics = Metrics::new();
    let shard = metrics.shard();
    shard.active_requests.add(2);
    shard.active_requests.sub(1);
    shard.connections_opened.add(5);
    shard.connections_closed.add(2);
    let text = scraped(&metrics, Vec::new());
    assert!(text.contains("http_server_active_requests 1\n"), "{text}");
    assert!(text.contains("bailey_connections 3\n"), "{text}");
}

#[test]
fn routes_without_end_end_in_one_series() {
    let metrics = Metrics::new();
    let counters = [Counter::new(metrics.shard()), Counter::new(metrics.shard())];
    for (worker, counter) in counters.iter().enumerate() {
        for number in 0..MAX_SERIES + 10 {
            counter.request(&Meter::new("t".into(), format!("{worker}-{number}").into()), &done(1));
        }
        assert!(counter.series() <= MAX_SERIES + 1);
    }
    // Each worker met other routes than the other; the scrape is bounded all the same, and loses nothing.
    let totals = metrics.requests();
    assert!(totals.len() <= MAX_SERIES + 1);
    assert_eq!(totals.iter().map(|(.., total)| total.count()).sum::<u64>(), 2 * (MAX_SERIES as u64 + 10));
}

fn snapshot(generation: u64, routes: &[&str]) -> Snapshot {
    let route = |name: &&str| {
        Arc::new(Route {
            id: RouteId { kind: RouteKind::Http, namespace: "a".into(), name: (*name).into() },
            created: None,
            tenant: Some("team-a".into()),
            attachments: Box::default(),
            rules: Box::default(),
        })
    };
    let ir = Ir { routes: routes.iter().map(route).collect(), ..Ir::default() };
    Snapshot { generation, table: compile(&ir, None), ..Snapshot::default() }
}

#[test]
fn series_of_routes_that_are_gone_go_with_them() {
    let metrics = Metrics::new();
    let counter = Counter::new(metrics.shard());
    let meter = |name: &str| Meter::new("team-a".into(), format!("HTTPRoute/a/{name}").into());
    for generation in 1..=50 {
        let passing = format!("r{generation}");
        metrics.follow(&snapshot(generation, &["stays", &passing]));
        counter.follow();
        counter.request(&meter("stays"), &done(1));
        counter.request(&meter(&passing), &done(1));
        counter.request(&Meter::new(Arc::default(), Arc::default()), &done(1));
        assert!(counter.series() <= 4, "generation {generation}: {}", counter.series());
    }
    let text = scraped(&metrics, Vec::new());
    assert!(text.contains("route=\"HTTPRoute/a/r50\"") && !text.contains("route=\"HTTPRoute/a/r49\""), "{text}");
    let kept = "http_server_request_duration_seconds_count{tenant=\"team-a\",route=\"HTTPRoute/a/stays\",http_response_status_class=\"2xx\"} 50\n";
    assert!(text.contains(kept), "{text}");
}

#[test]
fn a_worker_that_meets_labels_does_not_wait_for_a_scrape() {
    let (shared, board) = (Arc::new(series::Shared::default()), Board::default());
    let key = |name: &str| series::Key { first: "t".into(), second: name.into(), via: Arc::default(), class: 2 };
    board.find(key("first"), &shared);
    let mut met = 0;
    // Within the scrape, on the same thread: a lock that both need would never be had.
    shared.each(|_, _| {
        board.find(key("second"), &shared);
        met += 1;
    });
    assert_eq!((met, board.len()), (1, 2));
}

#[test]
fn a_sampled_request_stands_for_its_bucket() {
    let metrics = Metrics::new();
    let counter = Counter::new(metrics.shard());
    let meter = Meter::new("team-a".into(), "HTTPRoute/a/web".into());
    counter.request(&meter, &done(3));
    counter.sampled(&meter, &done(60), 0xabc, UNIX_EPOCH + Duration::from_millis(1_500));
    let text = scraped(&metrics, Vec::new());
    let exemplar = " 2 # {trace_id=\"00000000000000000000000000000abc\"} 0.06 1.500\n";
    let line = text.lines().find(|line| line.contains("le=\"0.075\"")).unwrap_or_default();
    assert!(format!("{line}\n").ends_with(exemplar), "{text}");
    assert_eq!(text.matches(" # {").count(), 1, "{text}");
}

#[test]
fn a_missing_permission_is_told_until_it_is_given() {
    let metrics = Metrics::new();
    let denied = Denied {
        verb: "list".to_owned(),
        resource: "services".to_owned(),
        namespace: "team-a".to_owned(),
        subject: "u".to_owned(),
    };
    metrics.process.denied.lock().unwrap().insert(denied);
    let line = r#"bailey_permission_missing{verb="list",resource="services",namespace="team-a",subject="u"} 1"#;
    assert!(scraped(&metrics, Vec::new()).contains(line));
    metrics.process.denied.lock().unwrap().clear();
    assert!(!scraped(&metrics, Vec::new()).contains("permission_missing{"));
}
