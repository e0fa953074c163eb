//! Where spans go: kept in local mode, sent to a collector, and lost at one that does not answer.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn local_mode_traces_every_request_and_sends_none_elsewhere() {
    let said = TracingOptions { everything: Some(Everything::default()), ..TracingOptions::default() };
    let pair = Pair::with(traced(&json!({"sampling": 0})), echo().await, said.clone(), &[]).await;
    pair.ask("/", "").await;
    pair.trace(4).await;
    assert_eq!(pair.outer.snapshot().settings.tracing.as_ref().unwrap().endpoint, None);
    pair.end().await;
    let mut silent = traced(&json!({}));
    silent["spec"].as_object_mut().unwrap().remove("tracing");
    let pair = Pair::with(silent, echo().await, said, &[]).await;
    assert!(field(&pair.ask("/", "").await, "traceparent").is_some());
    pair.trace(4).await;
    pair.end().await;
}

/// A collector that takes everything, and the bodies it got.
async fn collector() -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let kept = bodies.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                while let Some(head) = read_head(&mut socket).await {
                    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
                    assert_eq!(field(&head, "content-type").unwrap(), "application/x-protobuf");
                    let mut body = vec![0; field(&head, "content-length").unwrap().parse().unwrap()];
                    socket.read_exact(&mut body).await.unwrap();
                    kept.lock().unwrap().push(body);
                    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                }
            });
        }
    });
    (format!("http://{address}"), bodies)
}

fn has(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_tiers_send_their_spans_to_the_collector() {
    let (endpoint, bodies) = collector().await;
    let pair = Pair::start(traced(&json!({"endpoint": endpoint})), echo().await).await;
    pair.ask("/", "").await;
    let trace: TraceId = pair.trace(4).await.id;
    // The end sends what waits.
    pair.end().await;
    let bodies = bodies.lock().unwrap();
    for service in ["bailey-outer", "bailey-inner"] {
        let sent = bodies.iter().any(|body| has(body, service.as_bytes()) && has(body, &trace.to_bytes()));
        assert!(sent, "{service}: {} bodies", bodies.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_costs_requests_nothing_but_their_spans() {
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", hole.local_addr().unwrap());
    let pair = Pair::start(traced(&json!({"endpoint": silent})), echo().await).await;
    for _ in 0..50 {
        assert!(pair.ask("/", "").await.starts_with("http/1.1 200"));
    }
    let until = Instant::now() + Duration::from_secs(10);
    while hole.accept().await.is_err() {}
    loop {
        let scrape = ask(pair.outer.admin_address().unwrap(), "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let count = |name: &str| -> u64 {
            let line = scrape.lines().find(|line| line.starts_with(&format!("{name}{{"))).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert_eq!((count("bailey_spans_exported_total"), count("bailey_spans_dropped_total")), (0, 0));
        // The first batch is with the collector, and what came since waits behind it.
        assert!(pair.ask("/", "").await.starts_with("http/1.1 200"));
        if count("bailey_spans_queued") > 0 {
            break;
        }
        assert!(Instant::now() < until, "{scrape}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let began = Instant::now();
    pair.end().await;
    assert!(began.elapsed() < Duration::from_secs(20), "the end waits for it for a while only");
}
