//! `WebSocket` through both tiers.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::folder::{client, two_tenants};

#[tokio::test]
async fn messages_go_both_ways_and_a_close_is_heard() {
    let running = two_tenants().await;
    let tls = client(&running.local).tls("a.localhost", "http/1.1").await.unwrap();
    let (mut socket, answer) = tokio_tungstenite::client_async("wss://a.localhost/chat", tls).await.unwrap();
    assert_eq!(answer.status(), 101);
    for size in [0, 5, 200, 100_000] {
        let text = "m".repeat(size);
        socket.send(Message::text(text.clone())).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_close(), "{message:?}");
    }
}

#[tokio::test]
async fn only_websocket_is_upgraded() {
    let running = two_tenants().await;
    for upgrade in ["h2c", "foo", "websocket, foo"] {
        let mut tls = client(&running.local).tls("a.localhost", "http/1.1").await.unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: Upgrade, close\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        tls.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = tls.read_to_string(&mut answer).await;
        assert!(!answer.starts_with("HTTP/1.1 101") && !answer.is_empty(), "{upgrade}: {answer}");
        assert!(!answer.contains("http2-settings"), "{upgrade}: {answer}");
    }
}
