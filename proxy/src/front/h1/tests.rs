use super::*;
use std::future::Future;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::front::testing::{Consumer, info, pair, worker};

/// Runs a client against a connection of its own, and gives what the client returns and what the consumer saw.
fn talk<T, F: Future<Output = T>>(
    limits: FrontLimits,
    client: impl FnOnce(TcpStream, Rc<Worker>) -> F,
) -> (T, Consumer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    let consumer = Consumer::default();
    let result = tasks.block_on(&runtime, async {
        let (stream, server) = pair().await;
        let (worker, _drain) = worker();
        let front = serve(Io::plain(server), info(), worker.clone(), Rc::new(limits), Rc::new(consumer.clone()));
        tokio::join!(client(stream, worker), front).0
    });
    (result, consumer)
}

/// Sends text and gives all that comes back until the server closes.
fn exchange(text: &str) -> (String, Consumer) {
    let text = text.to_owned();
    talk(FrontLimits::default(), |mut stream, _| async move {
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        // A connection that is cut counts as the end here.
        let _ = stream.read_to_end(&mut got).await;
        String::from_utf8(got).unwrap()
    })
}

const LAST: &str = "GET /last HTTP/1.1\r\nHost: z.test\r\nConnection: close\r\n\r\n";

#[test]
fn requests_are_answered_one_by_one_and_the_connection_stays() {
    let (got, consumer) = exchange(&format!(
        "POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b.test\r\n\r\n{LAST}"
    ));
    assert_eq!(got.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{got}");
    assert!(got.contains("\r\n\r\nhelloHTTP/1.1 200") && got.contains("\r\n\r\nb.testHTTP/1.1 200"), "{got}");
    assert!(got.contains("connection: close\r\n") && got.ends_with("\r\n\r\nz.test"), "{got}");
    assert_eq!(got.matches("date: ").count(), 3);
    assert_eq!(consumer.0.borrow().heads.len(), 3);
}

#[test]
fn chunked_bodies_and_their_trailers_pass() {
    let (got, _) = exchange(&format!(
        "POST /echo HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n{LAST}"
    ));
    assert!(got.contains("\r\n\r\nabcdeHTTP/1.1"), "{got}");
}

#[test]
fn a_response_of_unknown_length_is_chunked_with_its_trailers() {
    let (got, _) = exchange(&format!("GET /stream HTTP/1.1\r\nHost: a.test\r\n\r\n{LAST}"));
    assert!(got.contains("transfer-encoding: chunked\r\n"), "{got}");
    assert_eq!(got.matches("\r\n2710\r\n").count(), 20);
    assert!(got.contains("\r\n0\r\ngrpc-status: 0\r\n\r\nHTTP/1.1 200"));
}

#[test]
fn http_1_0_gets_an_unframed_body_ended_by_close() {
    let (got, _) = exchange("GET /stream HTTP/1.0\r\nHost: a.test\r\n\r\n");
    assert!(!got.contains("transfer-encoding"));
    assert!(got.ends_with(&"x".repeat(200_000)));
}

#[test]
fn head_and_204_have_no_body() {
    let (got, _) = exchange(&format!(
        "HEAD /other HTTP/1.1\r\nHost: a.test\r\n\r\nGET /empty HTTP/1.1\r\nHost: a.test\r\n\r\n{LAST}"
    ));
    assert!(got.contains("content-length: 6\r\n"), "{got}");
    assert!(got.contains("\r\n\r\nHTTP/1.1 204") && !got.contains("a.test"), "{got}");
    assert!(got.ends_with("z.test"));
}

#[test]
fn a_refused_head_gets_its_status_and_the_connection_ends() {
    let (got, consumer) = exchange(&format!("GET / HTTP/1.1\r\n\r\n{LAST}"));
    assert!(got.starts_with("HTTP/1.1 400 ") && got.contains("connection: close\r\n"), "{got}");
    assert!(!got.contains("z.test"));
    assert_eq!(consumer.0.borrow().refused, [(Fate::HostInvalid, 400)]);
    let (got, _) = exchange(&format!("GET /{} HTTP/1.1\r\nHost: a.test\r\n\r\n", "x".repeat(9000)));
    assert!(got.starts_with("HTTP/1.1 414 "), "{got}");
    let (got, _) = exchange(&format!("GET / HTTP/1.1\r\nHost: a.test\r\n{}\r\n", "a: b\r\n".repeat(101)));
    assert!(got.starts_with("HTTP/1.1 431 "), "{got}");
}

#[test]
fn h5_a_broken_chunk_is_answered_with_400_and_ends_the_connection() {
    let (got, consumer) = exchange(&format!(
        "POST /echo HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n{LAST}"
    ));
    assert!(got.starts_with("HTTP/1.1 400 ") && got.contains("connection: close"), "{got}");
    assert!(!got.contains("z.test"));
    assert_eq!(consumer.0.borrow().gone, [ClientGone::Malformed]);
}

#[test]
fn h6_a_short_ignored_body_is_read_over_and_a_long_one_ends_the_connection() {
    let short = "x".repeat(1000);
    let (got, _) =
        exchange(&format!("POST /early HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\n{short}{LAST}"));
    assert!(got.starts_with("HTTP/1.1 403 ") && got.ends_with("z.test"), "{got}");
    let long = "x".repeat(100_000);
    let (got, _) =
        exchange(&format!("POST /early HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n{long}{LAST}"));
    assert!(got.contains("connection: close\r\n") && got.ends_with("\r\n\r\nno"), "{got}");
}

#[test]
fn a_hundred_continue_is_sent_when_the_body_is_wanted_and_not_before() {
    let expect = "Host: a.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let (got, _) = talk(FrontLimits::default(), |mut stream, _| async move {
        stream.write_all(format!("POST /echo HTTP/1.1\r\n{expect}").as_bytes()).await.unwrap();
        let mut interim = vec![0; 25];
        stream.read_exact(&mut interim).await.unwrap();
        stream.write_all(b"hi").await.unwrap();
        stream.write_all(format!("POST /early HTTP/1.1\r\n{expect}").as_bytes()).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        (String::from_utf8(interim).unwrap(), rest)
    });
    assert_eq!(got.0, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(got.1.starts_with("HTTP/1.1 200 ") && got.1.contains("\r\n\r\nhiHTTP/1.1 403 "), "{}", got.1);
    assert_eq!(got.1.matches("connection: close").count(), 1);
}

#[test]
fn an_upgraded_connection_carries_raw_bytes_until_both_ends_close() {
    let upgrade = "GET /tunnel HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let (got, _) = talk(FrontLimits::default(), |mut stream, _| async move {
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let mut head = vec![0; 12];
        stream.read_exact(&mut head).await.unwrap();
        stream.write_all(b"0\r\n\r\nraw").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        (head, rest)
    });
    assert_eq!(got.0, b"HTTP/1.1 101");
    assert!(got.1.contains("upgrade: websocket\r\n") && got.1.ends_with("\r\n\r\n0\r\n\r\nraw"), "{}", got.1);
}

#[test]
fn interim_responses_come_before_the_final_one() {
    let (got, _) = exchange(&format!("GET /interim HTTP/1.1\r\nHost: a.test\r\n\r\n{LAST}"));
    assert!(got.starts_with("HTTP/1.1 103 ") && got.contains("\r\n\r\nHTTP/1.1 200"), "{got}");
}

#[test]
fn a_response_that_breaks_off_is_never_taken_for_complete() {
    let (got, _) = exchange("GET /cut HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(!got.contains("\r\n0\r\n"), "{got}");
    let (got, _) = exchange("GET /nothing HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(got, "");
}

#[test]
fn a_client_that_leaves_is_noticed_while_the_answer_is_awaited() {
    let ((), consumer) = talk(FrontLimits::default(), |mut stream, _| async move {
        stream.write_all(b"GET /wait HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
    });
    assert_eq!(consumer.0.borrow().gone, [ClientGone::Left]);
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

fn slow(text: &'static str, limits: FrontLimits) -> (String, Consumer) {
    talk(limits, |mut stream, worker| {
        while_time_passes(worker, async move {
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut got = Vec::new();
            let _ = stream.read_to_end(&mut got).await;
            String::from_utf8(got).unwrap()
        })
    })
}

#[test]
fn h16_slow_heads_slow_bodies_and_idle_clients_are_cut_off() {
    let (got, consumer) = slow("GET / HTTP/1.1\r\nHost:", FrontLimits::default());
    assert!(got.starts_with("HTTP/1.1 408 "), "{got}");
    assert_eq!(consumer.0.borrow().refused, [(Fate::HeadTimeout, 408)]);
    let (got, consumer) =
        slow("POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nx", FrontLimits::default());
    assert!(got.starts_with("HTTP/1.1 408 "), "{got}");
    assert_eq!(consumer.0.borrow().gone, [ClientGone::BodyTooSlow]);
    let (got, _) = slow("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", FrontLimits::default());
    assert!(got.ends_with("\r\n\r\na.test"), "{got}");
}

#[test]
fn h16_a_client_that_stops_reading_is_cut_off() {
    let ((), consumer) = talk(FrontLimits::default(), |mut stream, worker| {
        while_time_passes(worker, async move {
            stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
            tokio::time::sleep(Duration::from_millis(400)).await;
        })
    });
    assert_eq!(consumer.0.borrow().gone, [ClientGone::Stalled]);
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    let limits = FrontLimits { requests: 2, ..FrontLimits::default() };
    let text = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n".repeat(3);
    let (got, _) = talk(limits, |mut stream, _| async move {
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).await.unwrap();
        got
    });
    assert_eq!((got.matches("HTTP/1.1 200").count(), got.matches("connection: close").count()), (2, 1));
}

#[test]
fn the_pace_counts_only_time_spent_waiting() {
    let limits = FrontLimits::default();
    let mut pace = Pace::default();
    assert!(pace.progress(1_000_000, 1, &limits));
    pace.wait(1_000_000);
    assert!(pace.progress(1_000_099, 1, &limits));
    pace.wait(1_000_200);
    assert!(!pace.progress(1_000_202, 1, &limits));
    let mut quick = Pace::default();
    quick.wait(0);
    assert!(quick.progress(200, 10_000, &limits));
}

#[test]
fn a_connection_of_a_draining_tier_may_still_bring_the_request_it_was_made_for() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (_phase, drain) = tokio::sync::watch::channel(DrainPhase::Draining);
        let worker = Worker::new(&crate::worker::Seed { id: 0, drain, shard: std::sync::Arc::default() });
        let ticker = worker.clone();
        tokio::task::spawn_local(async move { ticker.wheel.run().await });
        for (request, answer) in [("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 200 OK\r\n"), ("", "")] {
            let (mut stream, server) = pair().await;
            let limits = Rc::new(FrontLimits::default());
            let front = serve(Io::plain(server), info(), worker.clone(), limits, Rc::new(Consumer::default()));
            tokio::task::spawn_local(front);
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut got = String::new();
            stream.read_to_string(&mut got).await.unwrap();
            assert!(got.starts_with(answer) && got.contains("connection: close") != request.is_empty(), "{got}");
        }
    });
}
