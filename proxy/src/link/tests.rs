//! Both ends of a link over loopback, in plain text: the handshake has tests of its own in `tls`.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bailey_http1::{BodyLength, RequestHead, ResponseHead};
use bailey_link::Settings;
use bailey_routing::ir::{Upstream as Source, UpstreamKey};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;
use crate::exchange::Downstream;
use crate::io::Io;
use crate::timer::Wheel;
use crate::upstream::Backends;
use crate::upstream::tests::{ask, get, on_worker, options, upstream};
use crate::worker::{DrainPhase, Seed, Worker};

/// An inner tier of one worker.
struct Inner {
    address: SocketAddr,
    drain: watch::Sender<DrainPhase>,
    accepting: tokio::task::JoinHandle<()>,
}

/// What the service of these tests does with a request, by its path.
#[derive(Clone, Default)]
struct Service {
    served: Rc<Cell<usize>>,
}

impl LinkService for Service {
    async fn serve_stream(&self, down: &mut LinkDownstream, head: RequestHead, _: bailey_link::RequestHead) {
        self.served.set(self.served.get() + 1);
        match head.path() {
            b"/hello" => {
                down.send_head(ResponseHead { body: BodyLength::Length(5), ..ResponseHead::new(200) }, false);
                down.send_data(Bytes::from_static(b"hello"), true);
            }
            _ => down.send_head(ResponseHead::new(404), true),
        }
        let _ = poll_fn(|cx| down.poll_flush(cx)).await;
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
        let worker = Worker::new(&Seed { id: 0, drain: phase.clone() });
        let (ticker, follower) = (worker.clone(), worker.clone());
        tokio::task::spawn_local(async move { ticker.wheel.run().await });
        tokio::task::spawn_local(async move { follower.follow_drain(phase).await });
        let seats = Seats::new(service);
        let accepting = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let settings = Settings { name: "inner".into(), ..Settings::default() };
                tokio::task::spawn_local(serve_link(Io::plain(stream), seats.clone(), worker.clone(), settings));
            }
        });
        Self { address, drain, accepting }
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
                        assert_eq!(ask(&outer, &to, &get("/hello")).await.unwrap().status, 200);
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
