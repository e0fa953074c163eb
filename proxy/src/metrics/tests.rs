//! What a scrape shows.

use super::*;
use crate::error::Fate;

fn done<'a>(tenant: &'a Arc<str>, route: &'a Arc<str>, milliseconds: u64) -> Done<'a> {
    let took = Duration::from_millis(milliseconds);
    Done { tenant, route, status: 200, error: None, took, received: 10, sent: 100 }
}

#[test]
fn a_scrape_adds_the_workers_up() {
    let metrics = Metrics::new();
    let (one, two) = (Counter::new(metrics.shard()), Counter::new(metrics.shard()));
    let (tenant, route) = (Arc::from("team-a"), Arc::from("HTTPRoute team-a/web"));
    one.request(&done(&tenant, &route, 3));
    one.request(&done(&tenant, &route, 60));
    two.request(&done(&tenant, &route, 20_000));
    let error = ProxyError::us(Fate::HostUnknown);
    two.request(&Done { status: 404, error: Some(error), ..done(&tenant, &route, 1) });
    let text = render(&metrics.registry(vec![("tier", "outer".to_owned())]));
    for line in [
        r#"http_server_request_duration_seconds_count{tier="outer",tenant="team-a",route="HTTPRoute team-a/web",http_response_status_class="2xx"} 3"#,
        r#"http_server_request_duration_seconds_bucket{tier="outer",le="0.005",tenant="team-a",route="HTTPRoute team-a/web",http_response_status_class="2xx"} 1"#,
        r#"http_server_request_duration_seconds_bucket{tier="outer",le="+Inf",tenant="team-a",route="HTTPRoute team-a/web",http_response_status_class="2xx"} 3"#,
        r#"http_server_response_body_bytes_total{tier="outer",tenant="team-a",route="HTTPRoute team-a/web",http_response_status_class="2xx"} 300"#,
        r#"bailey_request_errors_total{tier="outer",side="us",reason="host_unknown"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\nin\n{text}");
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
    let text = render(&metrics.registry(Vec::new()));
    assert!(text.contains("http_server_active_requests 1\n"), "{text}");
    assert!(text.contains("bailey_connections 3\n"), "{text}");
}

#[test]
fn routes_without_end_end_in_one_series() {
    let counter = Counter::new(Metrics::new().shard());
    let tenant = Arc::from("t");
    for number in 0..MAX_SERIES + 10 {
        counter.request(&done(&tenant, &Arc::from(number.to_string()), 1));
    }
    assert!(counter.series.borrow().len() <= MAX_SERIES + 1);
}
