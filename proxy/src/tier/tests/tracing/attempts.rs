//! What spans tell of attempts, copies and tunnels.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_has_a_span_and_a_context_of_its_own() {
    let (asked, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (count, heads) = (asked.clone(), told.clone());
    let app = application(move |mut socket, head| {
        let first = count.fetch_add(1, Ordering::Relaxed) == 0;
        heads.lock().unwrap().push(field(&head, "traceparent").unwrap());
        async move {
            if !first {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    let pair = Pair::start(traced(&json!({})), app).await;
    assert!(pair.ask("/", "").await.starts_with("http/1.1 200"));
    let trace = pair.trace(5).await;
    let attempts = spans_of(&trace, "inner", Kind::Client);
    let [first, second] = attempts[..] else { panic!("{trace:#?}") };
    assert_eq!((first.parent, first.error), (second.parent, true));
    assert_eq!(text(first, "error.type"), "upstream_closed");
    assert_eq!(first.attribute("http.response.status_code"), None);
    assert_eq!(second.attribute("http.request.resend_count"), Some(&Attribute::Int(1)));
    assert_eq!((second.error, second.attribute("http.response.status_code")), (false, Some(&Attribute::Int(200))));
    let expected = [first, second].map(|span| format!("00-{}-{}-01", trace.id, span.id));
    assert_eq!(*told.lock().unwrap(), expected);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_there_is_an_error_of_both_spans() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let pair = Pair::start(traced(&json!({})), closed).await;
    assert!(pair.ask("/", "").await.starts_with("http/1.1 502"));
    let trace = pair.trace(4).await;
    let [client] = spans_of(&trace, "inner", Kind::Client)[..] else { panic!("{trace:#?}") };
    let [server] = spans_of(&trace, "inner", Kind::Server)[..] else { panic!("{trace:#?}") };
    for span in [client, server] {
        assert_eq!((span.error, text(span, "error.type")), (true, "connect_failed".to_owned()), "{span:#?}");
    }
    assert_eq!(server.attribute("http.response.status_code"), Some(&Attribute::Int(502)));
    assert_eq!(client.attribute("http.response.status_code"), None, "nobody answered");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_for_a_mirror_has_a_span_and_a_context_of_its_own() {
    let told = Arc::new(Mutex::new(None));
    let heads = told.clone();
    let mirror = application(move |mut socket, head| {
        *heads.lock().unwrap() = field(&head, "traceparent");
        async move {
            let _ = socket.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        }
    })
    .await;
    let mut copied = route("team-a", "main", "a.example", "/copied");
    copied["metadata"]["name"] = json!("copied");
    copied["spec"]["rules"][0]["filters"] =
        json!([{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 80}}}]);
    let more: Vec<Value> = [copied].into_iter().chain(service("team-a", "copy", 80, mirror)).collect();
    let pair = Pair::with(traced(&json!({})), echo().await, TracingOptions::default(), &more).await;
    assert!(pair.ask("/copied", "").await.starts_with("http/1.1 200"));
    let trace = pair.trace(5).await;
    let copy = trace.spans.iter().find(|span| span.attribute("bailey.mirror").is_some()).unwrap();
    let [server] = spans_of(&trace, "inner", Kind::Server)[..] else { panic!() };
    assert_eq!((copy.parent, copy.kind, copy.error), (Some(server.id), Kind::Client, true));
    assert_eq!(copy.attribute("http.response.status_code"), Some(&Attribute::Int(404)));
    assert_eq!(text(copy, "server.address"), "copy.team-a");
    assert_eq!(told.lock().unwrap().clone().unwrap(), format!("00-{}-{}-01", trace.id, copy.id));
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_s_spans_last_as_long_as_it_does() {
    let app = application(|mut socket, _| async move {
        let _ = socket
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            .await;
        let mut byte = [0];
        let _ = socket.read(&mut byte).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    })
    .await;
    let pair = Pair::start(traced(&json!({})), app).await;
    let mut socket = tokio::net::TcpStream::connect(pair.at()).await.unwrap();
    let upgrade = "GET /chat HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).await.unwrap();
    assert!(read_head(&mut socket).await.unwrap().starts_with("http/1.1 101"));
    socket.write_all(b"x").await.unwrap();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    drop(socket);
    let trace = pair.trace(4).await;
    for span in &trace.spans {
        assert_eq!(span.attribute("http.response.status_code"), Some(&Attribute::Int(101)), "{span:#?}");
        assert!(span.duration >= Duration::from_millis(200), "{span:#?}");
    }
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_nobody_knows_names_no_span() {
    let pair = Pair::start(traced(&json!({})), echo().await).await;
    ask(pair.at(), "BREW /pot HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    let trace = pair.trace(4).await;
    for span in &trace.spans {
        assert!(span.name.starts_with("HTTP"), "{span:#?}");
        assert_eq!(text(span, "http.request.method"), "_OTHER");
        assert_eq!(text(span, "http.request.method_original"), "BREW");
    }
    pair.end().await;
}
