use http::HeaderMap;

use super::*;

/// What this origin does with a request depends on its path.
async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    gone: Rc<Cell<bool>>,
) {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    let response = |status: u16| http::Response::builder().status(status).header("x-kept", "yes").body(()).unwrap();
    match path.as_str() {
        "/echo" => {
            let mut send = respond.send_response(response(200), false).unwrap();
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                body.flow_control().release_capacity(data.len()).unwrap();
                send.reserve_capacity(data.len());
                send.send_data(data, false).unwrap();
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            send.send_trailers(trailers).unwrap();
        }
        "/early" => {
            respond.send_informational(http::Response::builder().status(103).body(()).unwrap()).unwrap();
            respond.send_response(response(204), true).unwrap();
        }
        "/hold" => {
            let reason = poll_fn(|cx| respond.poll_reset(cx)).await;
            gone.set(matches!(reason, Ok(h2::Reason::CANCEL)));
        }
        "/refuse" => respond.send_reset(h2::Reason::REFUSED_STREAM),
        "/break" => {
            let mut send = respond.send_response(response(200), false).unwrap();
            send.send_data(Bytes::from_static(b"a part"), false).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            send.send_reset(h2::Reason::INTERNAL_ERROR);
        }
        _ => drop(respond.send_response(response(404), true)),
    }
}

struct Grpc {
    address: SocketAddr,
    connections: Rc<Cell<usize>>,
    gone: Rc<Cell<bool>>,
}

async fn grpc() -> Grpc {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, gone) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let origin = Grpc { address, connections: connections.clone(), gone: gone.clone() };
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.set(connections.get() + 1);
            let gone = gone.clone();
            tokio::task::spawn_local(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::task::spawn_local(answer(request, respond, gone.clone()));
                }
            });
        }
    });
    origin
}

fn app(origin: &Grpc) -> Arc<Source> {
    service(&[origin.address], BackendProtocol::H2c)
}

#[test]
fn requests_share_one_connection_with_bodies_and_trailers_both_ways() {
    on_worker(|| async {
        let origin = grpc().await;
        let backends = backends();
        let post = request(Method::Post, "/echo", BodyLength::Unknown);
        let mut first = open(&backends, &app(&origin), &post).await.unwrap();
        let mut second = open(&backends, &app(&origin), &post).await.unwrap();
        for upstream in [&mut first, &mut second] {
            upstream.send_data(Bytes::from_static(b"one "), false);
            upstream.send_data(Bytes::from_static(b"two"), true);
        }
        for upstream in [&mut first, &mut second] {
            let got = finish(upstream).await.unwrap();
            assert_eq!((got.status, &got.body[..]), (200, &b"one two"[..]));
            assert_eq!(got.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
        }
        assert_eq!(origin.connections.get(), 1);
    });
}

#[test]
fn a_large_upload_waits_for_room() {
    on_worker(|| async {
        let origin = grpc().await;
        let post = request(Method::Post, "/hold", BodyLength::Unknown);
        let mut upload = open(&backends(), &app(&origin), &post).await.unwrap();
        let mut taken = 0;
        let full = async {
            loop {
                let room = poll_fn(|cx| {
                    let _ = upload.poll_response(cx);
                    upload.poll_capacity(cx)
                })
                .await
                .unwrap();
                taken += room;
                upload.send_data(Bytes::from(vec![0; room]), false);
            }
        };
        tokio::time::timeout(Duration::from_millis(200), full).await.unwrap_err();
        assert!(taken < 1024 * 1024, "{taken}");
    });
}

#[test]
fn interim_answers_and_answers_without_body_are_told_apart() {
    on_worker(|| async {
        let origin = grpc().await;
        let got = ask(&backends(), &app(&origin), &get("/early")).await.unwrap();
        assert_eq!((got.interim, got.status, got.body.len()), (vec![103], 204, 0));
    });
}

#[test]
fn dropping_a_request_resets_its_stream() {
    on_worker(|| async {
        let origin = grpc().await;
        let mut held = open(&backends(), &app(&origin), &get("/hold")).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(30), next(&mut held)).await.is_err());
        drop(held);
        while !origin.gone.get() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_refused_stream_was_not_processed_and_a_broken_one_was() {
    on_worker(|| async {
        let origin = grpc().await;
        let backends = backends();
        let refused = ask(&backends, &app(&origin), &get("/refuse")).await.unwrap_err();
        assert_eq!(refused, UpstreamError::Unprocessed);
        let broken = ask(&backends, &app(&origin), &get("/break")).await.unwrap_err();
        assert_eq!(broken, UpstreamError::Reset { answered: true });
        assert_eq!(ask(&backends, &app(&origin), &get("/none")).await.unwrap().status, 404);
        assert_eq!(origin.connections.get(), 1);
    });
}

#[test]
fn a_connection_that_ended_is_replaced() {
    on_worker(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = service(&[listener.local_addr().unwrap()], BackendProtocol::H2c);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                let (_, mut respond) = connection.accept().await.unwrap().unwrap();
                respond.send_response(http::Response::new(()), true).unwrap();
                connection.graceful_shutdown();
                while connection.accept().await.is_some() {}
            }
        });
        let backends = backends();
        for _ in 0..3 {
            assert_eq!(ask(&backends, &to, &get("/")).await.unwrap().status, 200);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}
