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

#[test]
fn evil_answers_are_refused_and_their_connections_not_used_again() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "a".repeat(300_000));
    let interims = format!("{}{HELLO}", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(10_000));
    let evil: Vec<String> = [
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi!",
        "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nhi",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 OK\ncontent-length: 2\n\nhi",
        "HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx : y\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: y\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n",
        "HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n",
        "nonsense that goes on\r\n\r\n",
        &long,
        &interims,
    ]
    .map(String::from)
    .into();
    on_worker(|| async move {
        for answer in evil {
            let start: String = answer.chars().take(60).collect();
            let origin = Origin::start(move |mut stream, _, seen| {
                let answer = answer.clone();
                async move {
                    if head(&mut stream, &seen).await {
                        let _ = stream.write_all(answer.as_bytes()).await;
                        let _ = stream.read_u8().await;
                    }
                }
            })
            .await;
            let backends = backends();
            for _ in 0..2 {
                let failed = ask(&backends, &app(&origin), &get("/")).await.expect_err(&start);
                assert!(matches!(failed, UpstreamError::Malformed(_)), "{start}: {failed}");
            }
            assert_eq!(origin.connections.get(), 2, "{start}");
        }
    });
}

#[test]
fn doubtful_answers_are_passed_on_but_their_connections_not_used_again() {
    let doubtful = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n", 200),
        ("HTTP/1.1 204 No Content\r\n\r\nbody", 204),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\nhello", 304),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello", 200),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200),
    ];
    on_worker(|| async move {
        for (answer, status) in doubtful {
            let origin = Origin::answering(answer, false).await;
            let backends = backends();
            for _ in 0..2 {
                assert_eq!(ask(&backends, &app(&origin), &get("/")).await.unwrap().status, status, "{answer}");
            }
            assert_eq!(origin.connections.get(), 2, "{answer}");
        }
    });
}

#[test]
fn an_answer_without_length_ends_with_its_connection() {
    on_worker(|| async {
        let origin = Origin::answering("HTTP/1.1 200 OK\r\n\r\nto the end", true).await;
        let got = ask(&backends(), &app(&origin), &get("/")).await.unwrap();
        assert_eq!(got.body, b"to the end");
    });
}

#[test]
fn an_answer_cut_short_is_an_error_and_no_answer_is_another() {
    on_worker(|| async {
        let cases = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", UpstreamError::Truncated),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", UpstreamError::Truncated),
            ("HTTP/1.1 200 OK\r\ncont", UpstreamError::Truncated),
            ("", UpstreamError::Unanswered),
        ];
        for (answer, expected) in cases {
            let origin = Origin::answering(answer, true).await;
            assert_eq!(ask(&backends(), &app(&origin), &get("/")).await.unwrap_err(), expected, "{answer}");
        }
    });
}

#[test]
fn a_connection_closed_while_idle_is_replaced_unseen() {
    on_worker(|| async {
        let origin = Origin::answering(HELLO, true).await;
        let backends = backends();
        for _ in 0..3 {
            assert_eq!(ask(&backends, &app(&origin), &get("/")).await.unwrap().status, 200);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(origin.connections.get(), 3);
    });
}

/// The first connection answers once and closes on its second request without a word.
async fn forgetful() -> Origin {
    Origin::start(|mut stream, number, seen| async move {
        let mut served = 0;
        while head(&mut stream, &seen).await {
            if number == 0 && served == 1 {
                return;
            }
            let mut body = [0; 4];
            if seen.borrow().windows(4).rev().take(400).any(|w| w == b"PUT ") {
                let _ = stream.read_exact(&mut body).await;
                seen.borrow_mut().extend_from_slice(&body);
            }
            let _ = stream.write_all(HELLO.as_bytes()).await;
            served += 1;
        }
    })
    .await
}

#[test]
fn a_request_on_a_stale_connection_is_sent_again_with_its_body() {
    on_worker(|| async {
        let origin = forgetful().await;
        let backends = backends();
        let to = app(&origin);
        ask(&backends, &to, &get("/")).await.unwrap();
        let put = request(Method::Put, "/", BodyLength::Length(4));
        let about = RequestMeta::default();
        let mut first = open(&backends, &to, &put).await.unwrap();
        first.send_data(Bytes::from_static(b"da"), false);
        first.send_data(Bytes::from_static(b"ta"), true);
        assert_eq!(finish(&mut first).await.unwrap_err(), UpstreamError::Stale);
        let verdict = first.verdict(1, true, &RetryPolicy::default());
        assert_eq!(verdict, Verdict::Again(Duration::ZERO));
        let mut second = backends.reopen(first, Opening::new(&put, &about)).await.unwrap();
        assert_eq!(finish(&mut second).await.unwrap().status, 200);
        assert!(origin.seen().ends_with("data"), "{}", origin.seen());
    });
}

#[test]
fn a_post_on_a_stale_connection_is_not_sent_again() {
    on_worker(|| async {
        let origin = forgetful().await;
        let backends = backends();
        ask(&backends, &app(&origin), &get("/")).await.unwrap();
        let mut first = open(&backends, &app(&origin), &request(Method::Post, "/", BodyLength::None)).await.unwrap();
        assert_eq!(finish(&mut first).await.unwrap_err(), UpstreamError::Stale);
        assert_eq!(first.verdict(1, false, &RetryPolicy::default()), Verdict::GiveUp);
    });
}

#[test]
fn statuses_the_route_lists_are_failures_until_the_last_attempt() {
    on_worker(|| async {
        let origin = Origin::answering("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", false).await;
        let (backends, head, about) = (backends(), get("/"), RequestMeta::default());
        let policy = RetryPolicy { attempts: 1, codes: vec![503], ..RetryPolicy::default() };
        let mut first = open(&backends, &app(&origin), &head).await.unwrap();
        first.refuse_statuses(&policy.codes);
        assert_eq!(finish(&mut first).await.unwrap_err(), UpstreamError::Status(503));
        assert_eq!(first.verdict(1, true, &policy), Verdict::Again(Duration::ZERO));
        let mut last = backends.reopen(first, Opening::new(&head, &about)).await.unwrap();
        assert_eq!(finish(&mut last).await.unwrap().status, 503);
    });
}

#[test]
fn an_early_answer_is_passed_on_and_the_connection_given_up() {
    on_worker(|| async {
        let origin = Origin::answering("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno", false).await;
        let backends = backends();
        for _ in 0..2 {
            let post = request(Method::Post, "/", BodyLength::Length(1000));
            let mut upload = open(&backends, &app(&origin), &post).await.unwrap();
            upload.send_data(Bytes::from_static(b"only a part"), false);
            let got = finish(&mut upload).await.unwrap();
            assert_eq!((got.status, &got.body[..]), (413, &b"no"[..]));
        }
        assert_eq!(origin.connections.get(), 2);
    });
}

#[test]
fn interim_answers_come_first() {
    on_worker(|| async {
        let answer = format!("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{HELLO}");
        let origin = Origin::answering(answer, false).await;
        let backends = backends();
        for _ in 0..2 {
            let got = ask(&backends, &app(&origin), &get("/")).await.unwrap();
            assert_eq!((got.interim, got.status), (vec![103, 103], 200));
        }
        assert_eq!(origin.connections.get(), 1);
    });
}

#[test]
fn a_body_waits_for_leave_when_the_client_expects_it() {
    on_worker(|| async {
        let origin = Origin::start(|mut stream, _, seen| async move {
            head(&mut stream, &seen).await;
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
            let mut body = [0; 3];
            stream.read_exact(&mut body).await.unwrap();
            assert_eq!(&body, b"yes");
            stream.write_all(HELLO.as_bytes()).await.unwrap();
        })
        .await;
        let head = RequestHead { expect_continue: true, ..request(Method::Post, "/", BodyLength::Length(3)) };
        let mut upstream = open(&backends(), &app(&origin), &head).await.unwrap();
        let ResponseEvent::Informational(interim) = next(&mut upstream).await.unwrap() else { panic!() };
        assert_eq!(interim.status, 100);
        upstream.send_data(Bytes::from_static(b"yes"), true);
        assert_eq!(finish(&mut upstream).await.unwrap().status, 200);
        assert!(origin.seen().contains("expect: 100-continue\r\n"));
    });
}

#[test]
fn an_upgrade_carries_bytes_both_ways_and_half_closes() {
    on_worker(|| async {
        let origin = Origin::start(|mut stream, _, seen| async move {
            head(&mut stream, &seen).await;
            let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nfirst";
            stream.write_all(switch.as_bytes()).await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"up and away");
            stream.write_all(b" last").await.unwrap();
        })
        .await;
        let head = RequestHead { upgrade: Some(Upgrade::WebSocket), ..get("/chat") };
        let mut tunnel = open(&backends(), &app(&origin), &head).await.unwrap();
        let ResponseEvent::Head { head, end: false } = next(&mut tunnel).await.unwrap() else { panic!() };
        assert_eq!(head.status, 101);
        tunnel.send_data(Bytes::from_static(b"up and "), false);
        tunnel.send_data(Bytes::from_static(b"away"), true);
        assert_eq!(finish(&mut tunnel).await.unwrap().body, b"first last");
    });
}

#[test]
fn chunks_and_trailers_go_up_and_come_down() {
    on_worker(|| async {
        let origin = Origin::start(|mut stream, _, seen| async move {
            head(&mut stream, &seen).await;
            head(&mut stream, &seen).await;
            let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\ngrpc-status: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let post = request(Method::Post, "/", BodyLength::Unknown);
        let mut upstream = open(&backends(), &app(&origin), &post).await.unwrap();
        upstream.send_data(Bytes::from_static(b"abc"), false);
        upstream.send_data(Bytes::from(vec![b'x'; 2000]), false);
        upstream.send_trailers([(&b"x-checksum"[..], &b"1"[..])].into_iter().collect());
        let got = finish(&mut upstream).await.unwrap();
        assert_eq!(got.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
        let seen = origin.seen();
        assert!(seen.contains("\r\n3\r\nabc\r\n7d0\r\nxxx"), "{}", &seen[..200]);
    });
}

#[test]
fn a_client_that_does_not_read_holds_the_application_back() {
    on_worker(|| async {
        let written = Rc::new(Cell::new(0_usize));
        let counter = written.clone();
        let origin = Origin::start(move |mut stream, _, seen| {
            let counter = counter.clone();
            async move {
                head(&mut stream, &seen).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
                while let Ok(count) = stream.write(&[0; 8192]).await {
                    counter.set(counter.get() + count);
                }
            }
        })
        .await;
        let mut slow = open(&backends(), &app(&origin), &get("/")).await.unwrap();
        next(&mut slow).await.unwrap();
        next(&mut slow).await.unwrap();
        let mut before = usize::MAX;
        while before != written.get() {
            before = written.get();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(before < 32 * 1024 * 1024, "only what sockets hold: {before}");
    });
}

#[test]
fn an_application_that_does_not_read_holds_the_client_back() {
    on_worker(|| async {
        let origin = Origin::start(|mut stream, _, seen| async move {
            head(&mut stream, &seen).await;
            std::future::pending::<()>().await;
        })
        .await;
        let post = request(Method::Post, "/", BodyLength::Unknown);
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
                assert!(room <= 64 * 1024);
                upload.send_data(Bytes::from(vec![0; room]), false);
                taken += room;
            }
        };
        tokio::time::timeout(Duration::from_millis(500), full).await.unwrap_err();
        assert!(taken < 32 * 1024 * 1024, "only what sockets hold: {taken}");
    });
}

#[test]
fn a_cancelled_request_is_cancelled_at_the_application() {
    on_worker(|| async {
        let gone = Rc::new(Cell::new(false));
        let told = gone.clone();
        let origin = Origin::start(move |mut stream, _, seen| {
            let told = told.clone();
            async move {
                head(&mut stream, &seen).await;
                told.set(stream.read_u8().await.is_err());
            }
        })
        .await;
        let mut waiting = open(&backends(), &app(&origin), &get("/slow")).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(50), next(&mut waiting)).await.is_err());
        drop(waiting);
        while !gone.get() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn an_endpoint_that_refuses_is_passed_over_and_set_aside() {
    on_worker(|| async {
        let origin = Origin::answering(HELLO, false).await;
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let backends = backends();
        let to = service(&[dead, origin.address], BackendProtocol::Http1);
        for _ in 0..20 {
            assert_eq!(ask(&backends, &to, &get("/")).await.unwrap().status, 200);
        }
        let alone = ask(&backends, &service(&[dead], BackendProtocol::Http1), &get("/")).await;
        assert_eq!(alone.unwrap_err(), UpstreamError::ConnectFailed(std::io::ErrorKind::ConnectionRefused));
        let nobody = ask(&backends, &service(&[], BackendProtocol::Http1), &get("/")).await;
        assert_eq!(nobody.unwrap_err(), UpstreamError::NoEndpoint);
    });
}

#[test]
fn an_endpoint_that_accepts_and_says_nothing_is_set_aside_too() {
    on_worker(|| async {
        let (well, hung) = (Origin::answering(HELLO, false).await, Origin::answering("", true).await);
        let backends = backends();
        let (to, head, about) =
            (service(&[hung.address, well.address], BackendProtocol::Http1), get("/"), RequestMeta::default());
        for _ in 0..20 {
            let mut upstream = open(&backends, &to, &head).await.unwrap();
            if finish(&mut upstream).await.is_err() {
                assert!(matches!(upstream.verdict(1, true, &RetryPolicy::default()), Verdict::Again(_)));
                upstream = backends.reopen(upstream, Opening::new(&head, &about)).await.unwrap();
                assert_eq!(finish(&mut upstream).await.unwrap().status, 200);
            }
        }
        assert_eq!(hung.connections.get(), 3);
    });
}

#[test]
fn endpoints_take_turns_and_those_that_left_keep_nothing() {
    on_worker(|| async {
        let (one, two) = (Origin::answering(HELLO, false).await, Origin::answering(HELLO, false).await);
        let backends = backends();
        let both = service(&[one.address, two.address], BackendProtocol::Http1);
        for _ in 0..10 {
            ask(&backends, &both, &get("/")).await.unwrap();
        }
        let asked = |origin: &Origin| origin.seen().matches("GET ").count();
        assert_eq!((asked(&one), asked(&two)), (5, 5));
        let only_two = service(&[two.address], BackendProtocol::Http1);
        ask(&backends, &only_two, &get("/")).await.unwrap();
        ask(&backends, &both, &get("/")).await.unwrap();
        assert_eq!(asked(&one), 5, "a request with the old view does not turn the time back");
        let again = service(&[one.address, two.address], BackendProtocol::Http1);
        ask(&backends, &again, &get("/")).await.unwrap();
        ask(&backends, &again, &get("/")).await.unwrap();
        assert_eq!((one.connections.get(), two.connections.get()), (2, 1), "a new connection after its return");
    });
}

#[test]
fn many_requests_at_once_never_mix_their_answers() {
    on_worker(|| async {
        let origin = Origin::start(|mut stream, _, _| async move {
            let seen = RefCell::new(Vec::new());
            while head(&mut stream, &seen).await {
                let text = String::from_utf8(seen.take()).unwrap();
                let path = text.split(' ').nth(1).unwrap().to_owned();
                tokio::task::yield_now().await;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await;
        let (backends, to) = (backends(), app(&origin));
        let paths = ["/a", "/bb", "/ccc", "/dddd", "/eeeee"];
        let clients: Vec<_> = (0..50)
            .map(|client| {
                let (backends, to) = (backends.clone(), to.clone());
                tokio::task::spawn_local(async move {
                    for turn in 0..20 {
                        let path = paths[(client + turn) % paths.len()];
                        if turn % 7 == 3 {
                            drop(open(&backends, &to, &get(path)).await.unwrap());
                            continue;
                        }
                        assert_eq!(ask(&backends, &to, &get(path)).await.unwrap().body, path.as_bytes());
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}
