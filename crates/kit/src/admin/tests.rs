//! Asks the admin port as probes and browsers would: over sockets.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

async fn ask(server: &AdminServer, line: &str) -> String {
    ask_with(server, line, "Host: admin\r\n").await
}

async fn ask_with(server: &AdminServer, line: &str, fields: &str) -> String {
    let mut socket = open(server, line, &format!("{fields}Connection: close\r\n")).await;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn open(server: &AdminServer, line: &str, fields: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(format!("{line} HTTP/1.1\r\n{fields}\r\n").as_bytes()).await.unwrap();
    socket
}

/// One page, one stream whose events the test sends.
struct Two(std::sync::Mutex<Vec<mpsc::Sender<Bytes>>>);

impl Pages for Two {
    fn answer(&self, request: &Parts) -> Answer {
        if request.uri.path() != "/events" {
            return Answer::whole(StatusCode::OK, "text/html; charset=utf-8", "<p>seen</p>");
        }
        let (events, stream) = mpsc::channel(4);
        self.0.lock().unwrap().push(events);
        Answer::events(stream)
    }
}

async fn server(readiness: &Arc<Readiness>) -> AdminServer {
    start(AdminOptions { readiness: readiness.clone(), metrics: metrics(), served: None, pages: None, token: None })
        .await
}

async fn start(options: AdminOptions) -> AdminServer {
    AdminServer::start(([127, 0, 0, 1], 0).into(), options).await.unwrap()
}

fn metrics() -> Metrics {
    Arc::new(|| "# EOF\n".to_owned())
}

#[tokio::test]
async fn what_is_served_is_told_without_a_token_by_those_who_serve() {
    let told = served::Served { tier: "outer".to_owned(), digest: Some("12".to_owned()), ..Default::default() };
    let tell = told.clone();
    let options = AdminOptions {
        readiness: Readiness::new(),
        metrics: metrics(),
        served: Some(Arc::new(move || tell.clone())),
        pages: None,
        token: None,
    };
    let answer = ask_with(&start(options).await, "GET /served", "Host: 10.0.0.7:15000\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/json"), "{answer}");
    assert_eq!(serde_json::from_str::<served::Served>(body).unwrap(), told);
    let none = ask(&server(&Readiness::new()).await, "GET /served").await;
    assert!(none.starts_with("HTTP/1.1 404"), "{none}");
}

async fn with_pages(token: Option<&[u8]>) -> (AdminServer, Arc<Two>) {
    let pages = Arc::new(Two(std::sync::Mutex::default()));
    let token = token.map(|token| AdminToken::new(token).unwrap());
    let options = AdminOptions {
        readiness: Readiness::new(),
        metrics: metrics(),
        served: None,
        pages: Some(pages.clone()),
        token,
    };
    (start(options).await, pages)
}

#[tokio::test]
async fn readiness_turns_with_its_tasks_and_says_which_is_missing() {
    let readiness = Readiness::new();
    let task = readiness.task("listeners are bound");
    let server = server(&readiness).await;
    let waiting = ask(&server, "GET /readyz?verbose").await;
    assert!(waiting.starts_with("HTTP/1.1 503") && waiting.contains("[-] listeners are bound"), "{waiting}");
    task.done();
    assert!(ask(&server, "GET /readyz").await.starts_with("HTTP/1.1 200"));
    assert!(ask(&server, "GET /healthz").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn metrics_are_rendered_and_other_paths_are_named() {
    let server = server(&Readiness::new()).await;
    assert!(ask(&server, "GET /metrics").await.contains("openmetrics-text"));
    let lost = ask(&server, "GET /secret").await;
    assert!(lost.starts_with("HTTP/1.1 404") && lost.contains("/readyz"), "{lost}");
    assert!(ask(&server, "POST /metrics").await.starts_with("HTTP/1.1 405"));
}

#[tokio::test]
async fn probes_do_not_wait_for_a_scrape_and_scrapes_wait_for_each_other() {
    let (go, wait) = std::sync::mpsc::sync_channel(2);
    let (wait, begun) = (std::sync::Mutex::new(wait), Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let count = begun.clone();
    let metrics: Metrics = Arc::new(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        wait.lock().unwrap().recv().unwrap();
        "# EOF\n".to_owned()
    });
    let begun = || begun.load(std::sync::atomic::Ordering::SeqCst);
    let server =
        start(AdminOptions { readiness: Readiness::new(), metrics, served: None, pages: None, token: None }).await;
    let scrape = || open(&server, "GET /metrics", "Host: admin\r\nConnection: close\r\n");
    let scrapes = [scrape().await, scrape().await];
    while begun() == 0 {
        tokio::task::yield_now().await;
    }
    // On the one thread of this runtime.
    assert!(ask(&server, "GET /healthz").await.starts_with("HTTP/1.1 200"));
    assert_eq!(begun(), 1);
    // Which of them came first is not said.
    go.send(()).unwrap();
    go.send(()).unwrap();
    for mut scrape in scrapes {
        let mut answer = String::new();
        scrape.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("# EOF\n"), "{answer}");
    }
    assert_eq!(begun(), 2);
}

#[tokio::test]
async fn a_taken_port_says_which_and_what_to_do() {
    let first = server(&Readiness::new()).await;
    let options =
        AdminOptions { readiness: Readiness::new(), metrics: metrics(), served: None, pages: None, token: None };
    let error = AdminServer::start(first.address(), options).await.unwrap_err().to_string();
    assert!(error.contains(&first.address().to_string()) && error.contains("--admin"), "{error}");
}

#[tokio::test]
async fn pages_are_hardened_and_kept_from_strangers() {
    let (server, _) = with_pages(None).await;
    let seen = ask_with(&server, "GET /", "Host: localhost\r\n").await;
    assert!(seen.starts_with("HTTP/1.1 200") && seen.ends_with("<p>seen</p>"), "{seen}");
    for field in
        ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff", "cache-control: no-store"]
    {
        assert!(seen.contains(field), "{field} in {seen}");
    }
    let rebound = ask_with(&server, "GET /", "Host: evil.example\r\n").await;
    assert!(rebound.starts_with("HTTP/1.1 421") && !rebound.contains("seen"), "{rebound}");
    assert!(ask_with(&server, "POST /", "Host: localhost\r\nContent-Length: 0\r\n").await.starts_with("HTTP/1.1 405"));
    let head = ask_with(&server, "HEAD /", "Host: localhost\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && !head.contains("seen"), "{head}");
    // Probes name the pod's address or nothing we know, and are answered.
    assert!(ask_with(&server, "GET /healthz", "Host: evil.example\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_token_is_asked_for_and_opens() {
    let (server, _) = with_pages(Some(b"0123456789abcdef")).await;
    let asked = ask_with(&server, "GET /", "Host: localhost\r\n").await;
    assert!(asked.starts_with("HTTP/1.1 401") && asked.contains("www-authenticate: Basic"), "{asked}");
    let shown = ask_with(&server, "GET /", "Host: localhost\r\nAuthorization: Bearer 0123456789abcdef\r\n").await;
    assert!(shown.starts_with("HTTP/1.1 200"), "{shown}");
    assert!(ask(&server, "GET /metrics").await.starts_with("HTTP/1.1 200"), "scrapers need no token");
}

#[tokio::test]
async fn open_pages_keep_nobody_from_health_and_metrics() {
    let (server, pages) = with_pages(None).await;
    let mut streams = Vec::new();
    for _ in 0..MAX_STREAMS {
        let mut stream = open(&server, "GET /events", "Host: localhost\r\n").await;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        streams.push(stream);
    }
    let beyond = ask_with(&server, "GET /events", "Host: localhost\r\n").await;
    assert!(beyond.starts_with("HTTP/1.1 503") && beyond.contains("close one"), "{beyond}");
    for path in ["/healthz", "/readyz", "/metrics", "/"] {
        let answer = ask_with(&server, &format!("GET {path}"), "Host: localhost\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    // What is sent arrives; who goes away is noticed and makes room.
    let senders: Vec<_> = pages.0.lock().unwrap().drain(..).collect();
    senders[0].send(Bytes::from_static(b"data: news\n\n")).await.unwrap();
    let mut stream = streams.remove(0);
    let mut read = Vec::new();
    while !read.windows(4).any(|window| window == b"news") {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the stream ended");
    }
    drop(stream);
    senders[0].closed().await;
    let again = open(&server, "GET /events", "Host: localhost\r\n").await;
    drop((again, streams));
    for sender in senders {
        sender.closed().await;
    }
}
