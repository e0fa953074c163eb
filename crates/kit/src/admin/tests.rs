//! Asks the admin port as a probe would: over a socket.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

async fn ask(server: &AdminServer, line: &str) -> String {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(format!("{line} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn server(readiness: &Arc<Readiness>) -> AdminServer {
    let metrics: Metrics = Arc::new(|| "# EOF\n".to_owned());
    AdminServer::start(([127, 0, 0, 1], 0).into(), readiness.clone(), metrics).await.unwrap()
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
async fn a_taken_port_says_which_and_what_to_do() {
    let first = server(&Readiness::new()).await;
    let metrics: Metrics = Arc::new(String::new);
    let error = AdminServer::start(first.address(), Readiness::new(), metrics).await.unwrap_err().to_string();
    assert!(error.contains(&first.address().to_string()) && error.contains("--admin"), "{error}");
}
