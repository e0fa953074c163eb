use super::*;
use std::future::Future;
use std::time::Duration;

use bytes::BytesMut;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::error::Fate;
use crate::exchange::ClientGone;
use crate::front::testing::{Consumer, info, pair, worker};

struct Site {
    worker: Rc<Worker>,
    drain: watch::Sender<DrainPhase>,
    consumer: Consumer,
}

/// Runs a client against a connection of its own.
fn talk<T, F: Future<Output = T>>(limits: FrontLimits, client: impl FnOnce(TcpStream, Site) -> F) -> (T, Consumer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    let consumer = Consumer::default();
    let result = tasks.block_on(&runtime, async {
        let (stream, server) = pair().await;
        let (worker, drain) = worker();
        let front = serve(
            Io::plain(server),
            info(),
            worker.clone(),
            Rc::new(limits),
            Rc::new(consumer.clone()),
            Streams::new(),
        );
        tokio::task::spawn_local(front);
        let told = client(stream, Site { worker, drain, consumer: consumer.clone() }).await;
        // Lets the front see that the client has left.
        tokio::time::sleep(Duration::from_millis(20)).await;
        told
    });
    (result, consumer)
}

async fn client(stream: TcpStream) -> SendRequest<Bytes> {
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::task::spawn_local(connection);
    send.ready().await.unwrap()
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("https://a.test{path}")).version(http::Version::HTTP_2).body(()).unwrap()
}

/// Status, fields, body, trailers.
type Got = (StatusCode, HeaderMap, Vec<u8>, Option<HeaderMap>);

async fn answer(response: ResponseFuture) -> Result<Got, h2::Error> {
    let (parts, mut body) = response.await?.into_parts();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok((parts.status, parts.headers, all, body.trailers().await?))
}

/// Sends one request without a body and gives what comes back.
fn ask(request: Request<()>) -> (Result<Got, h2::Error>, Consumer) {
    talk(FrontLimits::default(), |stream, _site| async move {
        let mut send = client(stream).await;
        answer(send.send_request(request, true).unwrap().0).await
    })
}

fn status(request: Request<()>) -> StatusCode {
    ask(request).0.unwrap().0
}

#[test]
fn requests_are_answered_with_length_and_date() {
    let (got, consumer) = ask(get("/x?y=z"));
    let (status, headers, body, _) = got.unwrap();
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"a.test"[..]));
    assert_eq!(headers["content-length"], "6");
    assert!(headers.contains_key("date"));
    let seen = consumer.0.borrow();
    assert_eq!((seen.heads[0].path(), seen.heads[0].query()), (&b"/x"[..], Some(&b"y=z"[..])));
}

#[test]
fn bodies_and_trailers_go_both_ways() {
    let big = Bytes::from(vec![b'q'; 300_000]);
    let sent = big.clone();
    let (got, consumer) = talk(FrontLimits::default(), |stream, _site| async move {
        let mut send = client(stream).await;
        let request = Request::post("https://a.test/echo").body(()).unwrap();
        let (response, mut body) = send.send_request(request, false).unwrap();
        body.send_data(sent, false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("host", "evil.test".parse().unwrap());
        body.send_trailers(trailers).unwrap();
        let echoed = answer(response).await.unwrap();
        let streamed = answer(send.send_request(get("/stream"), true).unwrap().0).await.unwrap();
        (echoed, streamed)
    });
    let (echoed, streamed) = got;
    assert_eq!(consumer.0.borrow().bodies[0], big);
    assert_eq!(echoed.2.len(), big.len() + b"grpc-status=0".len());
    assert!(echoed.2.ends_with(b"grpc-status=0"));
    assert_eq!(streamed.2.len(), 200_000);
    assert_eq!(streamed.3.unwrap()["grpc-status"], "0");
}

#[test]
fn streams_of_one_connection_do_not_wait_for_each_other() {
    let (got, _) = talk(FrontLimits::default(), |stream, _site| async move {
        let mut send = client(stream).await;
        let _waits = send.send_request(get("/wait"), true).unwrap();
        answer(send.send_request(get("/"), true).unwrap().0).await.unwrap().0
    });
    assert_eq!(got, StatusCode::OK);
}

#[test]
fn interim_responses_and_empty_answers_pass() {
    assert_eq!(status(get("/interim")), StatusCode::OK);
    let (status, headers, body, _) = ask(get("/empty")).0.unwrap();
    assert_eq!((status, body.len()), (StatusCode::NO_CONTENT, 0));
    assert!(!headers.contains_key("content-length"));
    let mut head = get("/");
    *head.method_mut() = http::Method::HEAD;
    let (_, headers, body, _) = ask(head).0.unwrap();
    assert_eq!((headers["content-length"].as_bytes(), body.len()), (&b"6"[..], 0));
}

#[test]
fn a_response_that_breaks_off_is_reset_and_so_is_one_that_never_came() {
    assert_eq!(ask(get("/cut")).0.unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
    assert_eq!(ask(get("/nothing")).0.unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
}

#[test]
fn an_answer_before_the_end_of_the_request_stops_the_request_without_an_error() {
    let (got, _) = talk(FrontLimits::default(), |stream, _site| async move {
        let mut send = client(stream).await;
        let request = Request::post("https://a.test/early").body(()).unwrap();
        let (response, mut body) = send.send_request(request, false).unwrap();
        let answered = answer(response).await.unwrap();
        let reason = poll_fn(|cx| body.poll_reset(cx)).await.unwrap();
        (answered, reason)
    });
    assert_eq!((got.0.0, &got.0.2[..], got.1), (StatusCode::FORBIDDEN, &b"no"[..], Reason::NO_ERROR));
}

#[test]
fn a_stream_that_the_client_resets_is_noticed() {
    let ((), consumer) = talk(FrontLimits::default(), |stream, _site| async move {
        let mut send = client(stream).await;
        let (response, body) = send.send_request(get("/wait"), true).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop((response, body));
        tokio::time::sleep(Duration::from_millis(20)).await;
    });
    assert_eq!(consumer.0.borrow().gone, [ClientGone::Left]);
}

#[test]
fn z6_a_request_needs_one_host_and_a_plain_target() {
    let mut two = get("/");
    two.headers_mut().insert("host", "b.test".parse().unwrap());
    assert_eq!(status(two), StatusCode::BAD_REQUEST);
    let mut same = get("/");
    same.headers_mut().insert("host", "A.test".parse().unwrap());
    assert_eq!(status(same), StatusCode::OK);
    let userinfo = Request::get("https://u@a.test/").body(()).unwrap();
    assert_eq!(status(userinfo), StatusCode::BAD_REQUEST);
    let ftp = Request::get("ftp://a.test/").body(()).unwrap();
    assert_eq!(status(ftp), StatusCode::BAD_REQUEST);
    let long = get(&format!("/{}", "x".repeat(8192)));
    assert_eq!(status(long), StatusCode::URI_TOO_LONG);
}

#[test]
fn z5_more_than_a_hundred_fields_are_refused_at_once() {
    let mut request = get("/");
    for _ in 0..101 {
        request.headers_mut().append("a", "b".parse().unwrap());
    }
    let (got, consumer) = ask(request);
    assert_eq!(got.unwrap().0, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(consumer.0.borrow().refused, [(Fate::HeadTooLarge, 431)]);
}

#[test]
fn z7_cookies_are_joined_values_trimmed_and_underscores_refused() {
    let mut request = get("/");
    for (name, value) in
        [("cookie", "a=1"), ("cookie", "b=2"), ("x-padded", " v "), ("cookie", "c=3"), ("te", "trailers")]
    {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let (_, consumer) = ask(request);
    let seen = consumer.0.borrow();
    let fields = &seen.heads[0].fields;
    assert_eq!(fields.get_all(b"cookie").collect::<Vec<_>>(), [b"a=1; b=2; c=3"]);
    assert_eq!(fields.get(b"x-padded"), Some(&b"v"[..]));
    assert_eq!(fields.get(b"te"), Some(&b"trailers"[..]));
    let mut request = get("/");
    request.headers_mut().append("x_forwarded_for", "1".parse().unwrap());
    assert_eq!(status(request), StatusCode::BAD_REQUEST);
}

#[test]
fn an_expectation_is_met_when_the_body_is_wanted() {
    let (got, _) = talk(FrontLimits::default(), |stream, _site| async move {
        let mut send = client(stream).await;
        let request = Request::post("https://a.test/echo").header("expect", "100-continue").body(()).unwrap();
        let (mut response, mut body) = send.send_request(request, false).unwrap();
        let interim = poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
        body.send_data(Bytes::from_static(b"hi"), true).unwrap();
        (interim.status(), answer(response).await.unwrap().2)
    });
    assert_eq!(got, (StatusCode::CONTINUE, b"hi".to_vec()));
}

/// Moves the wheel until the client's end of the story is told.
async fn while_time_passes<T>(worker: Rc<Worker>, story: impl Future<Output = T>) -> T {
    let mut story = std::pin::pin!(story);
    for tick in 1.. {
        tokio::select! {
            biased;
            told = &mut story => return told,
            () = tokio::time::sleep(Duration::from_millis(1)) => worker.wheel.advance_to(tick * 5),
        }
    }
    unreachable!()
}

#[test]
fn z5_a_client_that_opens_no_window_is_reset() {
    let (got, consumer) = talk(FrontLimits::default(), |stream, site| {
        while_time_passes(site.worker.clone(), async move {
            let (send, connection) =
                h2::client::Builder::new().initial_window_size(0).handshake::<_, Bytes>(stream).await.unwrap();
            tokio::task::spawn_local(connection);
            let mut send = send.ready().await.unwrap();
            let small = send.send_request(get("/"), true).unwrap().0;
            let large = send.send_request(get("/stream"), true).unwrap().0;
            (answer(small).await.unwrap_err(), answer(large).await.unwrap_err())
        })
    });
    assert_eq!((got.0.reason(), got.1.reason()), (Some(Reason::CANCEL), Some(Reason::CANCEL)));
    assert!(consumer.0.borrow().gone.contains(&ClientGone::Stalled));
}

#[test]
fn a_slow_body_is_answered_with_408_and_an_idle_connection_ends() {
    let (got, consumer) = talk(FrontLimits::default(), |stream, site| {
        while_time_passes(site.worker.clone(), async move {
            let (send, connection) = h2::client::handshake(stream).await.unwrap();
            let ended = tokio::task::spawn_local(connection);
            let mut send = send.ready().await.unwrap();
            let request = Request::post("https://a.test/echo").body(()).unwrap();
            let (response, body) = send.send_request(request, false).unwrap();
            let status = answer(response).await.unwrap().0;
            drop(body);
            ended.await.unwrap().unwrap();
            status
        })
    });
    assert_eq!(got, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(consumer.0.borrow().gone, [ClientGone::BodyTooSlow]);
}

#[test]
fn a_request_that_came_with_the_preface_may_take_longer_than_a_handshake() {
    let head = [&[0x82, 0x87, 4, 5][..], b"/wait", &[1, 6], b"a.test"].concat();
    let frames = [frame(4, 0, 0, &[]), frame(1, 5, 1, &head)].concat();
    let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frames[..]].concat();
    let (got, consumer) = talk(FrontLimits::default(), |mut stream, site| async move {
        stream.write_all(&bytes).await.unwrap();
        let mut got = BytesMut::new();
        for tick in 1..=20 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            site.worker.wheel.advance_to(tick * 10);
            while let Ok(1..) = stream.try_read_buf(&mut got) {}
        }
        got
    });
    assert_eq!((consumer.0.borrow().heads.len(), goaways(&got)), (1, vec![]));
}

#[test]
fn draining_ends_the_connection_in_two_steps_and_loses_nothing() {
    let (got, _) = talk(FrontLimits::default(), |stream, site| async move {
        let follower = site.worker.clone();
        let phase = site.drain.subscribe();
        tokio::task::spawn_local(async move { follower.follow_drain(phase).await });
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        let ended = tokio::task::spawn_local(connection);
        let mut send = send.ready().await.unwrap();
        let running = send.send_request(get("/stream"), true).unwrap().0;
        tokio::time::sleep(Duration::from_millis(5)).await;
        site.drain.send(DrainPhase::Draining).unwrap();
        let answered = answer(running).await.unwrap();
        drop(send);
        ended.await.unwrap().unwrap();
        answered.2.len()
    });
    assert_eq!(got, 200_000);
}

#[test]
fn the_last_request_of_a_connection_is_followed_by_goaway() {
    let limits = FrontLimits { requests: 2, ..FrontLimits::default() };
    let (got, _) = talk(limits, |stream, _site| async move {
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        let ended = tokio::task::spawn_local(connection);
        let mut send = send.ready().await.unwrap();
        for _ in 0..2 {
            answer(send.send_request(get("/"), true).unwrap().0).await.unwrap();
        }
        ended.await.unwrap()
    });
    got.unwrap();
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[a, b, c, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

/// The reasons of all GOAWAYs in what the server sent.
fn goaways(mut bytes: &[u8]) -> Vec<u32> {
    let mut reasons = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(len) else { break };
        if head[3] == 7 {
            reasons.push(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        bytes = rest;
    }
    reasons
}

/// Sends raw frames after the preface, and gives what comes back until the server closes.
fn raw(frames: Vec<u8>) -> (Vec<u8>, Consumer) {
    talk(FrontLimits::default(), |mut stream, site| async move {
        let ticker = site.worker.clone();
        tokio::task::spawn_local(async move { ticker.wheel.run().await });
        let (mut read, mut write) = stream.split();
        let sending = async {
            let _ = write.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
            let _ = write.write_all(&frame(4, 0, 0, &[])).await;
            let _ = write.write_all(&frames).await;
            std::future::pending::<()>().await;
        };
        let mut got = BytesMut::new();
        let receiving = async { while matches!(read.read_buf(&mut got).await, Ok(1..)) {} };
        tokio::select! {
            () = sending => {}
            () = receiving => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => panic!("the connection was not ended"),
        }
        let seen = site.consumer.0.borrow().heads.len();
        assert!(seen <= 100, "{seen} requests of a flood were served");
        got.to_vec()
    })
}

/// `:method GET`, `:scheme https`, `:path /`, `:authority` a.test, as HPACK without a table.
const GET: [u8; 11] = [0x82, 0x87, 0x84, 0x41, 6, b'a', b'.', b't', b'e', b's', b't'];

#[test]
fn z1_rapid_resets_end_the_connection() {
    let flood = (0..1000).flat_map(|n| {
        let id = 2 * n + 1;
        [frame(1, 5, id, &GET), frame(3, 0, id, &8_u32.to_be_bytes())].concat()
    });
    let (got, _) = raw(flood.collect());
    assert_eq!(goaways(&got), [11]);
}

#[test]
fn a_request_that_is_reset_before_it_is_looked_at_reaches_nobody() {
    let frames =
        [frame(4, 0, 0, &[]), frame(1, 5, 1, &GET), frame(3, 0, 1, &8_u32.to_be_bytes()), frame(1, 5, 3, &GET)];
    let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frames.concat()[..]].concat();
    let (got, consumer) = talk(FrontLimits::default(), |mut stream, _site| async move {
        stream.write_all(&bytes).await.unwrap();
        let mut got = BytesMut::new();
        // Until the body of the answer to the second.
        while !got.ends_with(b"a.test") {
            assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
        }
        got
    });
    assert!(got.len() > 9);
    assert_eq!(consumer.0.borrow().heads.len(), 1);
}

#[test]
fn z2_resets_provoked_by_broken_rules_end_the_connection() {
    let flood = (0..1000).flat_map(|n| {
        let id = 2 * n + 1;
        // An increment of 0 is a stream error, and the answer to it is ours to send.
        [frame(1, 5, id, &GET), frame(8, 0, id, &0_u32.to_be_bytes())].concat()
    });
    let (got, _) = raw(flood.collect());
    assert_eq!(goaways(&got).last(), Some(&11));
}

#[test]
fn z4_floods_of_pings_end_the_connection() {
    let (got, _) = raw(frame(6, 0, 0, &[0; 8]).repeat(2000));
    assert_eq!(goaways(&got), [11]);
}

#[test]
fn z3_a_continuation_flood_ends_the_connection() {
    let flood = [frame(1, 0, 1, &GET), frame(9, 0, 1, &[0x40, 1, b'a', 1, b'b']).repeat(2000)].concat();
    let (got, _) = raw(flood);
    assert_eq!(goaways(&got), [11]);
}

#[test]
fn z8_pushes_even_streams_and_extended_connect_are_protocol_errors() {
    let (got, _) = raw(frame(5, 4, 1, &[0, 0, 0, 2, 0x82]));
    assert_eq!(goaways(&got), [1]);
    let (got, _) = raw(frame(1, 5, 2, &GET));
    assert_eq!(goaways(&got), [1]);
    let connect =
        [&[0x42, 7][..], b"CONNECT", &[0x87, 0x84, 0x41, 6], b"a.test", &[0x40, 9], b":protocol", &[9], b"websocket"];
    let (got, consumer) = talk(FrontLimits::default(), |mut stream, _site| async move {
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..], &frame(1, 5, 1, &connect.concat())];
        stream.write_all(&hello.concat()).await.unwrap();
        let mut got = BytesMut::new();
        let reading = async { while matches!(stream.read_buf(&mut got).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(Duration::from_millis(200), reading).await;
        got.to_vec()
    });
    assert!(consumer.0.borrow().heads.is_empty());
    let reset_or_gone = !goaways(&got).is_empty() || got.windows(4).any(|w| w == [3, 0, 0, 0]);
    assert!(reset_or_gone);
}

/// The payload of the first frame of this kind that the server sends.
async fn first(stream: &mut TcpStream, kind: u8) -> Vec<u8> {
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize];
        stream.read_exact(&mut payload).await.unwrap();
        if header[3] == kind {
            return payload;
        }
    }
}

#[test]
fn a_client_is_told_the_limits_of_the_tier() {
    let h2 = H2Limits {
        streams: 7,
        stream_window: 70_000,
        connection_window: 900_000,
        header_list: 5_000,
        ..FrontLimits::default().h2
    };
    talk(FrontLimits { h2, ..FrontLimits::default() }, |mut stream, _site| async move {
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let settings = first(&mut stream, 4).await;
        let told = |id: u8| {
            let setting = settings.chunks(6).find(|setting| setting[..2] == [0, id]).unwrap();
            u32::from_be_bytes(setting[2..].try_into().unwrap())
        };
        assert_eq!((told(3), told(4), told(6)), (7, 70_000, 5_000));
        assert_eq!(first(&mut stream, 8).await, (900_000_u32 - 65_535).to_be_bytes());
    });
}

#[test]
fn a_head_with_more_fields_than_the_tier_allows_is_refused() {
    let h2 = H2Limits { fields: 12, ..FrontLimits::default().h2 };
    let (got, _) = talk(FrontLimits { h2, ..FrontLimits::default() }, |stream, _site| async move {
        let mut send = client(stream).await;
        let mut statuses = Vec::new();
        for count in [12, 13] {
            let mut request = get("/");
            for number in 0..count {
                request.headers_mut().append("cookie", number.to_string().parse().unwrap());
            }
            statuses.push(answer(send.send_request(request, true).unwrap().0).await.unwrap().0);
        }
        statuses
    });
    assert_eq!(got, [StatusCode::OK, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE]);
}

#[test]
fn a_client_that_gives_up_more_often_than_the_tier_allows_has_to_go() {
    let h2 = H2Limits { early_resets: 3, ..FrontLimits::default().h2 };
    talk(FrontLimits { h2, ..FrontLimits::default() }, |stream, _site| async move {
        let mut send = client(stream).await;
        for _ in 0..20 {
            let Ok((response, _)) = send.send_request(get("/wait"), true) else { return };
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(response);
            tokio::time::sleep(Duration::from_millis(5)).await;
            match send.ready().await {
                Ok(again) => send = again,
                Err(error) => return assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM)),
            }
        }
        panic!("twenty resets were let through");
    });
}
