use super::*;

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

fn named(name: &str, address: SocketAddr) -> Arc<Source> {
    let protocol = BackendProtocol::Http1;
    upstream(UpstreamKey::Service { namespace: "ns".into(), name: name.into(), port: 80, protocol }, &[address])
}

/// An origin that reads a request of `len` bytes after its head and answers.
async fn reading(len: usize) -> Origin {
    Origin::start(move |mut stream, _, seen| async move {
        while head(&mut stream, &seen).await {
            let mut body = vec![0; len];
            if stream.read_exact(&mut body).await.is_err() {
                seen.borrow_mut().extend_from_slice(b"CUT");
                return;
            }
            seen.borrow_mut().extend_from_slice(&body);
            stream.write_all(HELLO.as_bytes()).await.unwrap();
        }
    })
    .await
}

#[test]
fn a_copy_with_its_body_reaches_the_mirror() {
    on_worker(|| async {
        let (main, copy) = (reading(4).await, reading(4).await);
        let backends = backends();
        let post = request(Method::Post, "/", BodyLength::Length(4));
        let tap = backends.mirror(&named("copy", copy.address), post.clone(), None).unwrap();
        let mut upstream = open(&backends, &named("main", main.address), &post).await.unwrap();
        upstream.tee(tap);
        upstream.send_data(Bytes::from_static(b"data"), true);
        assert_eq!(finish(&mut upstream).await.unwrap().status, 200);
        while !copy.seen().ends_with("data") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(
            backends.mirror(&named("copy", copy.address), get("/"), None).is_none(),
            "there is no body to hand over"
        );
    });
}

#[test]
fn a_mirror_that_does_not_keep_up_is_given_up_and_delays_nothing() {
    on_worker(|| async {
        let size = 16 * 1024 * 1024;
        let main = reading(size).await;
        let stuck = Origin::start(|mut stream, _, seen| async move {
            head(&mut stream, &seen).await;
            std::future::pending::<()>().await;
        })
        .await;
        let backends = backends();
        let post = request(Method::Post, "/", BodyLength::Length(size as u64));
        let tap = backends.mirror(&named("stuck", stuck.address), post.clone(), None).unwrap();
        let mut upstream = open(&backends, &named("main", main.address), &post).await.unwrap();
        upstream.tee(tap);
        let mut sent = 0;
        while sent < size {
            let room = poll_fn(|cx| {
                let _ = upstream.poll_response(cx);
                upstream.poll_capacity(cx)
            })
            .await
            .unwrap();
            let piece = room.min(size - sent);
            sent += piece;
            upstream.send_data(Bytes::from(vec![0; piece]), sent == size);
        }
        assert_eq!(finish(&mut upstream).await.unwrap().status, 200);
    });
}

#[test]
fn there_are_only_so_many_copies() {
    on_worker(|| async {
        let stuck = Origin::start(|mut stream, _, seen| async move {
            head(&mut stream, &seen).await;
            std::future::pending::<()>().await;
        })
        .await;
        let backends = backends();
        for _ in 0..100 {
            backends.mirror(&named("stuck", stuck.address), get("/"), None);
        }
        assert_eq!(backends.mirrors_dropped(), 36);
    });
}
