//! An open load: requests are due at fixed times whatever becomes of those before, over a fixed number of connections. Nothing is tried
//! again that may have reached the proxy, so whatever is lost shows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use tokio::task::JoinSet;

use crate::client::{Client, Connection, Protocol, get};

/// How much of what.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) protocol: Protocol,
    pub(crate) connections: usize,
    /// Requests at a time on each connection.
    pub(crate) streams: usize,
    /// Requests a second.
    pub(crate) rate: u32,
    pub(crate) lasts: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) sent: u64,
    /// Everything that was not a whole 200, by what it was.
    pub(crate) lost: BTreeMap<String, u64>,
    /// Requests that found their connection closed before a byte of them was written, and went over another.
    pub(crate) moved: u64,
    /// Connections that were made.
    pub(crate) connections: u64,
    pub(crate) slowest: Duration,
}

struct Load {
    plan: Plan,
    client: Client,
    started: Instant,
    next: AtomicU64,
    outcome: Mutex<Outcome>,
}

/// Runs a plan to its end.
pub(crate) async fn run(client: Client, plan: Plan) -> Outcome {
    let (next, outcome) = (AtomicU64::new(0), Mutex::default());
    let load = Arc::new(Load { plan, client, started: Instant::now(), next, outcome });
    let mut tasks = JoinSet::new();
    for _ in 0..plan.connections {
        let shared = Arc::new(tokio::sync::Mutex::new(None));
        for _ in 0..plan.streams {
            let (load, shared) = (load.clone(), shared.clone());
            tasks.spawn(async move { load.work(&shared).await });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    let load = Arc::into_inner(load).expect("all tasks have ended");
    load.outcome.into_inner().expect("no panic")
}

/// The connection of some tasks, and its number.
type Shared = tokio::sync::Mutex<Option<(u64, Connection)>>;

impl Load {
    async fn work(&self, shared: &Shared) {
        let total = u64::from(self.plan.rate) * self.plan.lasts.as_secs();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                return;
            }
            let due = self.started + Duration::from_secs(1) * u32::try_from(number).expect("small") / self.plan.rate;
            tokio::time::sleep_until(due.into()).await;
            let came = self.request(shared).await;
            let mut outcome = self.outcome.lock().expect("no panic");
            outcome.sent += 1;
            outcome.slowest = outcome.slowest.max(due.elapsed());
            if let Err(why) = came {
                *outcome.lost.entry(why).or_default() += 1;
            }
        }
    }

    /// One request to its end, over a new connection if the one there is takes no more.
    async fn request(&self, shared: &Shared) -> Result<(), String> {
        for _ in 0..100 {
            let (number, mut connection) = self.connection(shared).await?;
            let response = match connection.send(get(self.plan.protocol, "/")).await {
                Ok(response) => response,
                // Nothing of it was written.
                Err(error) if error.is_canceled() || error.is_closed() => {
                    self.outcome.lock().expect("no panic").moved += 1;
                    forget(shared, number).await;
                    continue;
                }
                Err(error) => {
                    forget(shared, number).await;
                    return Err(format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string)));
                }
            };
            let (status, proxy) = (response.status(), response.headers().get("proxy-status").cloned());
            let closes = response.headers().get("connection").is_some_and(|value| value == "close");
            let body = response.into_body().collect().await.map_err(|error| format!("body: {error:?}"))?;
            self.give_back(shared, number, connection, closes).await;
            let whole = status == 200 && body.to_bytes() == "ok\n";
            return if whole { Ok(()) } else { Err(format!("{status} {proxy:?}")) };
        }
        Err("no connection takes requests".to_owned())
    }

    /// A connection to send on: for HTTP/1.1 the only one, taken out; for HTTP/2 a share of it.
    async fn connection(&self, shared: &Shared) -> Result<(u64, Connection), String> {
        let mut kept = shared.lock().await;
        match kept.take() {
            Some((number, Connection::H2(sender))) if !sender.is_closed() => {
                *kept = Some((number, Connection::H2(sender.clone())));
                return Ok((number, Connection::H2(sender)));
            }
            Some((number, Connection::H1(sender))) if !sender.is_closed() => {
                return Ok((number, Connection::H1(sender)));
            }
            Some(_) | None => {}
        }
        let new = self.client.connect(self.plan.protocol).await.map_err(|error| format!("connect: {error}"))?;
        let number = {
            let mut outcome = self.outcome.lock().expect("no panic");
            outcome.connections += 1;
            outcome.connections
        };
        if let Connection::H2(sender) = &new {
            *kept = Some((number, Connection::H2(sender.clone())));
        }
        Ok((number, new))
    }

    async fn give_back(&self, shared: &Shared, number: u64, connection: Connection, closes: bool) {
        if let Connection::H1(sender) = connection
            && !closes
        {
            *shared.lock().await = Some((number, Connection::H1(sender)));
        }
    }
}

/// Has the next request make a new connection, unless that has happened.
async fn forget(shared: &Shared, number: u64) {
    let mut kept = shared.lock().await;
    if kept.as_ref().is_some_and(|(known, _)| *known == number) {
        *kept = None;
    }
}
