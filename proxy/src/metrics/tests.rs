//! What a scrape shows.

use super::*;
use crate::error::Fate;

fn done(milliseconds: u64) -> Done {
    let took = Duration::from_millis(milliseconds);
    Done { status: 200, error: None, took, received: 10, sent: 100 }
}

#[test]
fn a_scrape_adds_the_workers_up() {
    let metrics = Metrics::new();
    let (one, two) = (Counter::new(metrics.shard()), Counter::new(metrics.shard()));
    let meter = || Meter::new("team-a".into(), "HTTPRoute team-a/web".into());
    let (here, there) = (meter(), meter());
    one.request(&here, &done(3));
    one.request(&here, &done(60));
    two.request(&there, &done(20_000));
    let error = ProxyError::us(Fate::HostUnknown);
    two.request(&there, &Done { status: 404, error: Some(error), ..done(1) });
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
    for number in 0..MAX_SERIES + 10 {
        counter.request(&Meter::new("t".into(), number.to_string().into()), &done(1));
    }
    assert!(counter.series.borrow().len() <= MAX_SERIES + 1);
}
