//! A consumer of requests for the tests of the fronts: what it does is in the path.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use bailey_http1::{BodyLength, Fields, RequestHead, ResponseHead, Upgrade};
use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{FrontLimits, Intake, Serve};
use crate::error::Fate;
use crate::exchange::{BodyEvent, ClientGone, Downstream, ResetReason};
use crate::forward::{ConnectionInfo, Listener, Places};
use crate::worker::{DrainPhase, Seed, Worker};

/// What the consumer saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) refused: Vec<(Fate, u16)>,
    pub(crate) gone: Vec<ClientGone>,
    pub(crate) bodies: Vec<Vec<u8>>,
    pub(crate) heads: Vec<RequestHead>,
    pub(crate) opened: Vec<ConnectionInfo>,
    pub(crate) intake: Option<Intake>,
    pub(crate) limits: FrontLimits,
}

#[derive(Clone, Default)]
pub(crate) struct Consumer(pub(crate) Rc<RefCell<Seen>>);

async fn body<D: Downstream>(down: &mut D) -> Result<(Vec<u8>, Fields), ClientGone> {
    let mut all = Vec::new();
    loop {
        match poll_fn(|cx| down.poll_body(cx)).await? {
            BodyEvent::Data(data) => all.extend_from_slice(&data),
            BodyEvent::Trailers(trailers) => return Ok((all, trailers)),
            BodyEvent::End => return Ok((all, Fields::new())),
        }
    }
}

async fn answer<D: Downstream>(down: &mut D, status: u16, body: impl Into<Bytes>) -> Result<(), ClientGone> {
    let body = body.into();
    let mut head = ResponseHead::new(status);
    head.body = BodyLength::Length(body.len() as u64);
    down.send_head(head, body.is_empty());
    if !body.is_empty() {
        poll_fn(|cx| down.poll_capacity(cx)).await?;
        down.send_data(body, true);
    }
    poll_fn(|cx| down.poll_flush(cx)).await
}

async fn stream<D: Downstream>(down: &mut D, pieces: usize) -> Result<(), ClientGone> {
    let mut head = ResponseHead::new(200);
    head.body = BodyLength::Unknown;
    down.send_head(head, false);
    for _ in 0..pieces {
        poll_fn(|cx| down.poll_capacity(cx)).await?;
        down.send_data(Bytes::from_static(&[b'x'; 10_000]), false);
    }
    let mut trailers = Fields::new();
    trailers.append(b"grpc-status", b"0");
    down.send_trailers(trailers);
    poll_fn(|cx| down.poll_flush(cx)).await
}

async fn tunnel<D: Downstream>(down: &mut D) -> Result<(), ClientGone> {
    let mut head = ResponseHead::new(101);
    head.upgrade = Some(Upgrade::WebSocket);
    down.send_head(head, false);
    poll_fn(|cx| down.poll_flush(cx)).await?;
    loop {
        let event = poll_fn(|cx| down.poll_body(cx)).await?;
        match event {
            BodyEvent::Data(data) => down.send_data(data, false),
            BodyEvent::Trailers(_) | BodyEvent::End => {
                down.send_data(Bytes::new(), true);
                return poll_fn(|cx| down.poll_flush(cx)).await;
            }
        }
        poll_fn(|cx| down.poll_flush(cx)).await?;
    }
}

impl Consumer {
    async fn act<D: Downstream>(&self, down: &mut D, head: &RequestHead) -> Result<(), ClientGone> {
        match head.path() {
            b"/echo" => {
                let (all, trailers) = body(down).await?;
                let text =
                    trailers.iter().map(|(name, value)| [name, b"=", value].concat()).collect::<Vec<_>>().concat();
                self.0.borrow_mut().bodies.push(all.clone());
                answer(down, 200, [all, text].concat()).await
            }
            b"/early" => answer(down, 403, "no").await,
            b"/stream" => stream(down, 20).await,
            b"/endless" => stream(down, 100_000).await,
            b"/tunnel" => tunnel(down).await,
            b"/interim" => {
                down.send_informational(ResponseHead::new(103));
                answer(down, 200, "done").await
            }
            b"/cut" => {
                let mut head = ResponseHead::new(200);
                head.body = BodyLength::Unknown;
                down.send_head(head, false);
                down.send_data(Bytes::from_static(b"half"), false);
                poll_fn(|cx| down.poll_flush(cx)).await?;
                down.reset(ResetReason::Broken);
                Ok(())
            }
            b"/wait" => {
                body(down).await?;
                Err(poll_fn(|cx| down.poll_gone(cx)).await)
            }
            b"/nothing" => Ok(()),
            b"/empty" => answer(down, 204, "").await,
            _ => answer(down, 200, head.host().to_vec()).await,
        }
    }
}

impl Serve for Consumer {
    type Open = ();

    fn intake(&self, _peer: IpAddr) -> Intake {
        self.0.borrow().intake.unwrap_or(Intake::Client)
    }

    fn limits(&self) -> Rc<FrontLimits> {
        Rc::new(self.0.borrow().limits.clone())
    }

    fn open(&self, info: &ConnectionInfo) -> Option<()> {
        self.0.borrow_mut().opened.push(info.clone());
        Some(())
    }

    async fn serve<D: Downstream>(&self, _info: &Rc<ConnectionInfo>, down: &mut D, head: Box<RequestHead>) {
        self.0.borrow_mut().heads.push((*head).clone());
        if let Err(gone) = self.act(down, &head).await {
            self.0.borrow_mut().gone.push(gone);
            let status = match gone {
                ClientGone::Malformed => 400,
                ClientGone::BodyTooSlow => 408,
                ClientGone::BodyTooLarge => 413,
                ClientGone::Left | ClientGone::Stalled => return down.reset(ResetReason::Cancelled),
            };
            // Whether it still arrives is the client's business.
            let _ = answer(down, status, "").await;
        }
    }

    fn refused(&self, _info: &ConnectionInfo, fate: Fate, status: u16) {
        self.0.borrow_mut().refused.push((fate, status));
    }
}

/// A worker whose clock runs, and the handle that makes it drain.
pub(crate) fn worker() -> (Rc<Worker>, watch::Sender<DrainPhase>) {
    let (sender, drain) = watch::channel(DrainPhase::Serving);
    let worker = Worker::new(&Seed { id: 0, drain: drain.clone(), shard: Arc::default() });
    (worker, sender)
}

pub(crate) fn info() -> Rc<ConnectionInfo> {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let listener = Arc::new(Listener { name: "http".into(), port: 80, https: false });
    Rc::new(ConnectionInfo { listener, peer: here, local: here, proxied: None, tls: None, places: Places::default() })
}

/// Both ends of a loopback connection: client, server.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = TcpStream::connect(listener.local_addr().unwrap());
    let (client, server) = tokio::join!(connect, listener.accept());
    (client.unwrap(), server.unwrap().0)
}
