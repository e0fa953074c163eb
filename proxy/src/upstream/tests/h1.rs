use super::*;

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

fn app(origin: &Origin) -> Arc<Source> {
    service(&[origin.address], BackendProtocol::Http1)
}

#[test]
fn a_connection_is_used_again() {
    on_worker(|| async {
        let origin = Origin::answering(HELLO, false).await;
        let backends = backends();
        for _ in 0..5 {
            let got = ask(&backends, &app(&origin), &get("/a?b=c")).await.unwrap();
            assert_eq!((got.status, &got.body[..]), (200, &b"hello"[..]));
        }
        assert_eq!(origin.connections.get(), 1);
        assert!(origin.seen().starts_with("GET /a?b=c HTTP/1.1\r\nhost: app.test\r\n\r\n"), "{}", origin.seen());
    });
}
