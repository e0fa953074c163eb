//! Both ends of a link over loopback, in plain text: the handshake has tests of its own in `tls`.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bailey_http1::{BodyLength, Method, RequestHead, ResponseHead, Upgrade};
use bailey_link::{RequestMeta, Settings};
use bailey_routing::ir::{Upstream as Source, UpstreamKey};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;
use crate::exchange::{Backend, BodyEvent, ClientGone, Downstream, ResponseEvent};
use crate::io::Io;
use crate::timer::Wheel;
use crate::upstream::retry::{RetryPolicy, Verdict};
use crate::upstream::tests::{Got, ask, finish, get, next, on_worker, open, options, request, upstream};
use crate::upstream::{Backends, Opening, UpstreamError};
use crate::worker::{DrainPhase, Seed, Worker};

/// An inner tier of one worker.
struct Inner {
    address: SocketAddr,
    drain: watch::Sender<DrainPhase>,
    accepting: tokio::task::JoinHandle<()>,
    seats: Rc<Seats<Service>>,
}

/// What the service of these tests does with a request, by its path.
#[derive(Clone, Default)]
struct Service {
    served: Rc<Cell<usize>>,
    /// Bytes of bodies that passed.
    bytes: Rc<Cell<usize>>,
    /// Requests whose client had left.
    gone: Rc<Cell<usize>>,
}

impl LinkService for Service {
    async fn serve_stream(
        &self,
        down: &mut LinkDownstream,
        head: Box<RequestHead>,
        meta: Box<bailey_link::RequestHead>,
    ) {
        self.served.set(self.served.get() + 1);
        match head.path() {
            b"/hello" => {
                down.send_head(ResponseHead { body: BodyLength::Length(5), ..ResponseHead::new(200) }, false);
                down.send_data(Bytes::from_static(b"hello"), true);
            }
            b"/head" => {
                let fields = [(&b"x-client"[..], meta.meta().client.to_string().as_bytes())]
                    .into_iter()
                    .chain(head.fields.iter())
                    .collect();
                down.send_head(ResponseHead { fields, ..ResponseHead::new(200) }, true);
            }
            b"/echo" => return self.echo(down, ResponseHead::new(200)).await,
            b"/chat" => return self.echo(down, ResponseHead::new(101)).await,
            b"/flood" => return self.flood(down).await,
            b"/hold" => {
                let gone = poll_fn(|cx| down.poll_gone(cx)).await;
                assert_eq!(gone, ClientGone::Left);
                return self.gone.set(self.gone.get() + 1);
            }
            b"/early" => {
                let mut early = ResponseHead::new(103);
                early.fields.append(b"link", b"</a>");
                down.send_informational(early);
                down.send_head(ResponseHead { body: BodyLength::Unknown, ..ResponseHead::new(200) }, false);
                down.send_data(Bytes::from_static(b"early"), false);
                down.send_trailers([(&b"grpc-status"[..], &b"0"[..])].into_iter().collect());
            }
            b"/nothing" => return,
            _ => down.send_head(ResponseHead::new(404), true),
        }
        let _ = poll_fn(|cx| down.poll_flush(cx)).await;
    }
}

impl Service {
    async fn echo(&self, down: &mut LinkDownstream, head: ResponseHead) {
        down.send_head(ResponseHead { body: BodyLength::Unknown, ..head }, false);
        loop {
            if poll_fn(|cx| down.poll_capacity(cx)).await.is_err() {
                return;
            }
            match poll_fn(|cx| down.poll_body(cx)).await {
                Ok(BodyEvent::Data(data)) => {
                    self.bytes.set(self.bytes.get() + data.len());
                    down.send_data(data, false);
                }
                Ok(BodyEvent::Trailers(_) | BodyEvent::End) => break,
                Err(_) => return,
            }
        }
        down.send_data(Bytes::new(), true);
        let _ = poll_fn(|cx| down.poll_flush(cx)).await;
    }

    async fn flood(&self, down: &mut LinkDownstream) {
        down.send_head(ResponseHead { body: BodyLength::Unknown, ..ResponseHead::new(200) }, false);
        while let Ok(room) = poll_fn(|cx| down.poll_capacity(cx)).await {
            self.bytes.set(self.bytes.get() + room);
            down.send_data(Bytes::from(vec![7; room]), false);
        }
        self.gone.set(self.gone.get() + 1);
    }
}

impl Inner {
    fn start(service: Service) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), service)
    }

    fn start_at(address: SocketAddr, service: Service) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener: TcpListener = socket.listen(128).unwrap();
        let address = listener.local_addr().unwrap();
        let (drain, phase) = watch::channel(DrainPhase::Serving);
        let worker = Worker::new(&Seed { id: 0, drain: phase.clone(), shard: Arc::default() });
        let (ticker, follower) = (worker.clone(), worker.clone());
        tokio::task::spawn_local(async move { ticker.wheel.run().await });
        tokio::task::spawn_local(async move { follower.follow_drain(phase).await });
        let seats = Seats::new(service);
        let served = seats.clone();
        let accepting = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let settings = Settings { name: "inner".into(), ..Settings::default() };
                tokio::task::spawn_local(serve_link(Io::plain(stream), served.clone(), worker.clone(), settings));
            }
        });
        Self { address, drain, accepting, seats }
    }

    /// Accepts no more connections.
    async fn stop(self) -> SocketAddr {
        self.accepting.abort();
        let _ = self.accepting.await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.address
    }
}

fn outer() -> Rc<Backends> {
    Backends::new(options(Some(LinkSecurity::Plain)), Wheel::new())
}

fn tenant(addresses: &[SocketAddr]) -> Arc<Source> {
    upstream(UpstreamKey::Link { tenant: "a".into() }, addresses)
}

#[test]
fn a_request_crosses_the_link() {
    on_worker(|| async {
        let inner = Inner::start(Service::default());
        let outer = outer();
        for _ in 0..3 {
            let got = ask(&outer, &tenant(&[inner.address]), &get("/hello")).await.unwrap();
            assert_eq!((got.status, &got.body[..]), (200, &b"hello"[..]));
        }
        assert_eq!(ask(&outer, &tenant(&[inner.address]), &get("/none")).await.unwrap().status, 404);
    });
}

/// Asks as the proxy does: once more where that is safe.
async fn ask_again(outer: &Backends, to: &Arc<Source>, head: &RequestHead) -> Got {
    let about = RequestMeta::default();
    let mut upstream = open(outer, to, head).await.unwrap();
    for made in 1.. {
        match finish(&mut upstream).await {
            Ok(got) => return got,
            Err(error) => {
                assert!(error.sent_nothing(), "{error}");
                assert_eq!(upstream.verdict(made, false, &RetryPolicy::default()), Verdict::Again(Duration::ZERO));
            }
        }
        upstream = outer.reopen(upstream, Opening::new(head, &about)).await.unwrap();
    }
    unreachable!()
}

#[test]
fn a_restart_of_the_inner_tier_loses_no_request() {
    on_worker(|| async {
        let (old, new) = (Service::default(), Service::default());
        let inner = Inner::start(old.clone());
        let address = inner.address;
        let outer = outer();
        let clients: Vec<_> = (0..20)
            .map(|_| {
                let (outer, to, new) = (outer.clone(), tenant(&[address]), new.clone());
                tokio::task::spawn_local(async move {
                    let mut answered = 0;
                    while new.served.get() < 200 {
                        assert_eq!(ask_again(&outer, &to, &get("/hello")).await.status, 200);
                        answered += 1;
                        tokio::task::yield_now().await;
                    }
                    answered
                })
            })
            .collect();
        while old.served.get() < 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        inner.drain.send(DrainPhase::Draining).unwrap();
        inner.accepting.abort();
        let _ = inner.accepting.await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let _second = Inner::start_at(address, new.clone());
        let mut answered = 0;
        for client in clients {
            answered += client.await.unwrap();
        }
        assert_eq!(answered, old.served.get() + new.served.get(), "each request was served exactly once");
    });
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn metadata_and_fields_arrive_as_they_were_sent() {
    on_worker(|| async {
        let inner = Inner::start(Service::default());
        let mut head = RequestHead { expect_continue: true, ..get("/head") };
        head.fields.append(b"x-one", b"1");
        let about = RequestMeta { client: "192.0.2.7:4711".parse().unwrap(), ..RequestMeta::default() };
        let outer = outer();
        let mut upstream = outer.open(&tenant(&[inner.address]), Opening::new(&head, &about)).await.unwrap();
        let ResponseEvent::Head { head, end: true } = next(&mut upstream).await.unwrap() else { panic!() };
        let fields: Vec<_> = head.fields.iter().collect();
        assert_eq!(fields, [(&b"x-client"[..], &b"192.0.2.7:4711"[..]), (&b"x-one"[..], &b"1"[..])]);
    });
}

#[test]
fn interim_heads_bodies_and_trailers_come_through() {
    on_worker(|| async {
        let inner = Inner::start(Service::default());
        let got = ask(&outer(), &tenant(&[inner.address]), &get("/early")).await.unwrap();
        assert_eq!((got.interim, got.status, &got.body[..]), (vec![103], 200, &b"early"[..]));
        assert_eq!(got.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
    });
}

#[test]
fn a_large_body_goes_up_and_down_piece_by_piece() {
    on_worker(|| async {
        let inner = Inner::start(Service::default());
        let post = request(Method::Post, "/echo", BodyLength::Unknown);
        let outer = outer();
        let mut upstream = open(&outer, &tenant(&[inner.address]), &post).await.unwrap();
        let (total, mut sent, mut received, mut ended) = (8 * 1024 * 1024, 0, 0, false);
        poll_fn(|cx| {
            loop {
                let mut moved = false;
                if sent < total
                    && let std::task::Poll::Ready(room) = upstream.poll_capacity(cx)
                {
                    let size = room.unwrap().min(total - sent);
                    sent += size;
                    upstream.send_data(Bytes::from(vec![1; size]), sent == total);
                    moved = true;
                }
                while !ended && let std::task::Poll::Ready(event) = upstream.poll_response(cx) {
                    moved = true;
                    match event.unwrap() {
                        ResponseEvent::Data { data, end } => {
                            received += data.len();
                            ended |= end;
                        }
                        ResponseEvent::End => ended = true,
                        ResponseEvent::Head { .. } | ResponseEvent::Informational(_) | ResponseEvent::Trailers(_) => {}
                    }
                }
                if ended {
                    return std::task::Poll::Ready(());
                }
                if !moved {
                    return std::task::Poll::Pending;
                }
            }
        })
        .await;
        assert_eq!((sent, received), (total, total));
    });
}

#[test]
fn an_upgrade_is_a_stream_of_bytes_both_ways() {
    on_worker(|| async {
        let inner = Inner::start(Service::default());
        let chat = RequestHead { upgrade: Some(Upgrade::WebSocket), ..get("/chat") };
        let mut tunnel = open(&outer(), &tenant(&[inner.address]), &chat).await.unwrap();
        let ResponseEvent::Head { head, end: false } = next(&mut tunnel).await.unwrap() else { panic!() };
        assert_eq!((head.status, head.upgrade), (101, Some(Upgrade::WebSocket)));
        tunnel.send_data(Bytes::from_static(b"ping"), false);
        let ResponseEvent::Data { data, .. } = next(&mut tunnel).await.unwrap() else { panic!() };
        assert_eq!(&data[..], b"ping");
        tunnel.send_data(Bytes::new(), true);
        assert!(matches!(next(&mut tunnel).await.unwrap(), ResponseEvent::End));
    });
}

#[test]
fn a_slow_reader_holds_only_its_own_stream_back_and_memory_stays_bounded() {
    on_worker(|| async {
        let service = Service::default();
        let inner = Inner::start(service.clone());
        let (outer, to) = (outer(), tenant(&[inner.address]));
        let mut slow = open(&outer, &to, &get("/flood")).await.unwrap();
        next(&mut slow).await.unwrap();
        let mut before = usize::MAX;
        while before != service.bytes.get() {
            before = service.bytes.get();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        assert!(before <= Settings::default().stream_window as usize, "the window of one stream: {before}");
        assert_eq!(ask(&outer, &to, &get("/hello")).await.unwrap().status, 200);
        drop(slow);
        until(|| service.gone.get() == 1).await;
    });
}

#[test]
fn a_cancelled_request_is_cancelled_at_the_inner_tier() {
    on_worker(|| async {
        let service = Service::default();
        let inner = Inner::start(service.clone());
        let (outer, to) = (outer(), tenant(&[inner.address]));
        for _ in 0..3 {
            let mut held = open(&outer, &to, &get("/hold")).await.unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(10), next(&mut held)).await.is_err());
        }
        until(|| service.gone.get() == 3).await;
    });
}

#[test]
fn a_service_that_gives_no_answer_resets_the_stream() {
    on_worker(|| async {
        let inner = Inner::start(Service::default());
        let failed = ask(&outer(), &tenant(&[inner.address]), &get("/nothing")).await.unwrap_err();
        assert_eq!(failed, UpstreamError::Reset { answered: false });
    });
}

#[test]
fn a_request_waits_for_a_tier_that_is_just_starting() {
    on_worker(|| async {
        let address = Inner::start(Service::default()).stop().await;
        let outer = outer();
        let waiting = tokio::task::spawn_local(async move { ask(&outer, &tenant(&[address]), &get("/hello")).await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let _inner = Inner::start_at(address, Service::default());
        assert_eq!(waiting.await.unwrap().unwrap().status, 200);
    });
}

#[test]
fn a_tier_that_is_not_there_fails_after_the_connect_deadline_and_can_be_repeated() {
    on_worker(|| async {
        let address = Inner::start(Service::default()).stop().await;
        let outer = outer();
        let start = tokio::time::Instant::now();
        let failed = ask(&outer, &tenant(&[address]), &get("/hello")).await.unwrap_err();
        assert!(start.elapsed() >= Duration::from_secs(2));
        assert!(failed.sent_nothing(), "{failed}");
        assert_eq!(ask(&outer, &tenant(&[]), &get("/hello")).await.unwrap_err(), UpstreamError::NoEndpoint);
    });
}

#[test]
fn a_link_that_breaks_fails_its_streams_and_the_next_request_gets_a_new_one() {
    on_worker(|| async {
        let inner = Inner::start(Service::default());
        let (outer, to) = (outer(), tenant(&[inner.address]));
        let mut held = open(&outer, &to, &get("/hold")).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), next(&mut held)).await.is_err());
        let mut flood = open(&outer, &to, &get("/flood")).await.unwrap();
        next(&mut flood).await.unwrap();
        let address = inner.address;
        inner.drain.send(DrainPhase::Cut).unwrap();
        inner.stop().await;
        assert_eq!(finish(&mut held).await.unwrap_err(), UpstreamError::Unanswered);
        assert_eq!(finish(&mut flood).await.unwrap_err(), UpstreamError::Truncated);
        assert!(matches!(held.verdict(1, true, &RetryPolicy::default()), Verdict::Again(_)));
        let _second = Inner::start_at(address, Service::default());
        let (head, about) = (get("/hello"), RequestMeta::default());
        let mut again = outer.reopen(held, Opening::new(&head, &about)).await.unwrap();
        assert_eq!(finish(&mut again).await.unwrap().status, 200);
    });
}

#[test]
fn requests_spread_over_endpoints_and_leave_those_that_left() {
    on_worker(|| async {
        let (one, two) = (Service::default(), Service::default());
        let (a, b) = (Inner::start(one.clone()), Inner::start(two.clone()));
        let outer = outer();
        let both = tenant(&[a.address, b.address]);
        ask(&outer, &both, &get("/hello")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut held = Vec::new();
        for _ in 0..10 {
            held.push(open(&outer, &both, &get("/hold")).await.unwrap());
        }
        until(|| one.served.get() + two.served.get() == 11).await;
        assert!(one.served.get() >= 5 && two.served.get() >= 5, "{} {}", one.served.get(), two.served.get());
        let before = one.served.get();
        let only_two = tenant(&[b.address]);
        for _ in 0..10 {
            ask(&outer, &only_two, &get("/hello")).await.unwrap();
        }
        assert_eq!(one.served.get(), before);
        drop(held);
        until(|| one.gone.get() + two.gone.get() == 10).await;
    });
}

#[test]
fn tasks_that_served_a_request_serve_the_next() {
    on_worker(|| async {
        let inner = Inner::start(Service::default());
        let (outer, to) = (outer(), tenant(&[inner.address]));
        for _ in 0..100 {
            ask(&outer, &to, &get("/hello")).await.unwrap();
        }
        assert_eq!(inner.seats.idle(), 1);
    });
}
