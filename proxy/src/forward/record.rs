//! What is remembered of a request while it lives, for its line in the access log and for the metrics.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bailey_http1::{Fields, RequestHead, Version};
use bailey_routing::ir::Route;
use tracing::Level;

use super::arrival::Incoming;
use super::{Forwarder, Serving, headers};
use crate::access_log::{Entry, LoggedHeader, Options, Sink};
use crate::error::{ProxyError, Side};
use crate::exchange::Moved;
use crate::metrics::{Done, Meter, route_label};
use crate::respond::answer;

/// Where access logs of a tier go.
#[derive(Clone)]
pub struct LogFile {
    /// The way to the writer.
    pub sink: Sink,
    /// How requests are logged when the objects do not say; `None`: they are not.
    pub unless_told: Option<Options>,
}

/// The meters of the routes that have been met since the snapshot is served, by the address of the route: the snapshot
/// keeps it alive, so it is not given to another.
#[derive(Default)]
pub(super) struct Meters {
    routes: RefCell<HashMap<usize, Rc<Meter>>>,
    /// The one asked for last, which is mostly the next one too.
    last: RefCell<Option<(usize, Rc<Meter>)>>,
    none: RefCell<Option<Rc<Meter>>>,
}

/// What is known so far.
pub(super) struct Record {
    began: Instant,
    answered: Option<Duration>,
    moved: Moved,
    error: Option<ProxyError>,
    meter: Option<Rc<Meter>>,
    endpoint: Option<SocketAddr>,
    /// What only the log wants; empty without one.
    logged: Option<Box<Logged>>,
}

/// The request as it came in, since what is sent on is another one.
struct Logged {
    time: SystemTime,
    head: RequestHead,
    client: Option<SocketAddr>,
    https: bool,
    id: [u8; 16],
}

impl Record {
    pub(super) fn new(serving: &Serving, head: &RequestHead) -> Self {
        let logged = serving.log.as_ref().map(|log| Box::new(Logged::new(head, log.headers())));
        Self {
            began: Instant::now(),
            answered: None,
            moved: Moved::default(),
            error: None,
            meter: None,
            endpoint: None,
            logged,
        }
    }

    pub(super) fn arrived(&mut self, incoming: &Incoming) {
        if let Some(logged) = &mut self.logged {
            logged.client = Some(incoming.client);
            logged.https = incoming.https;
            logged.id = incoming.id;
        }
    }

    pub(super) fn matched(&mut self, serving: &Serving, route: &Arc<Route>) {
        self.meter = Some(serving.meters.of(route));
    }

    pub(super) fn attempt(&mut self, endpoint: Option<SocketAddr>) {
        self.endpoint = endpoint;
    }

    /// The head of an answer has come. Only the log asks when.
    pub(super) fn answered(&mut self) {
        if self.logged.is_some() {
            self.answered = Some(self.began.elapsed());
        }
    }

    pub(super) fn failed(&mut self, error: ProxyError) {
        self.error = Some(error);
    }

    pub(super) fn moved(&mut self, moved: Moved) {
        self.moved = moved;
    }

    /// The status that was sent; 0: none yet.
    pub(super) fn status(&self) -> u16 {
        self.moved.status
    }

    /// An answer of our own was sent.
    pub(super) fn sent(&mut self, status: u16, bytes: u64) {
        self.moved.status = status;
        self.moved.down = bytes;
    }

    /// Counts and logs the request.
    pub(super) fn finish(self, by: &Forwarder, serving: &Serving) {
        let took = self.began.elapsed();
        let meter = self.meter.unwrap_or_else(|| serving.meters.none());
        // A client that left before there was a status is counted as what it would have been logged.
        let unsent = self.error.map_or(0, |error| answer(error.fate).status);
        let status = if self.moved.status == 0 { unsent } else { self.moved.status };
        let (received, sent) = (self.moved.up, self.moved.down);
        by.counter.request(&meter, &Done { status, error: self.error, took, received, sent });
        if let Some(error) = self.error {
            tell(error, by.identity.tier, &meter);
        }
        let (Some(log), Some(logged)) = (&serving.log, self.logged) else { return };
        let endpoint = self.endpoint.map(|endpoint| endpoint.to_string());
        let id = headers::id_text(&logged.id);
        log.write(&Entry {
            time: logged.time,
            tier: by.identity.tier,
            request_id: str::from_utf8(&id).unwrap_or_default(),
            client: logged.client.map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |client| client.ip()),
            tenant: Some(meter.tenant()).filter(|tenant| !tenant.is_empty()),
            route: Some(meter.route()).filter(|route| !route.is_empty()),
            method: logged.head.method.as_str().as_bytes(),
            scheme: if logged.https { "https" } else { "http" },
            host: logged.head.host(),
            target: logged.head.target.as_bytes(),
            protocol: protocol(logged.head.version),
            status,
            bytes_in: received,
            bytes_out: sent,
            duration: took,
            upstream: self.answered,
            upstream_address: endpoint.as_deref(),
            error: self.error.map(|error| answer(error.fate).error_type).filter(|error| !error.is_empty()),
            user_agent: logged.head.fields.get(b"user-agent"),
            referer: logged.head.fields.get(b"referer"),
            headers: &logged.head.fields,
        });
    }
}

impl Logged {
    fn new(head: &RequestHead, headers: &[LoggedHeader]) -> Self {
        let names = [&b"user-agent"[..], b"referer"].into_iter();
        let names = names.chain(headers.iter().map(|header| header.name.as_bytes()));
        let fields: Fields = names.filter_map(|name| Some((name, head.fields.get(name)?))).collect();
        let head = RequestHead {
            version: head.version,
            fields,
            ..RequestHead::new(head.method, head.target.clone(), head.authority.clone())
        };
        Self { time: SystemTime::now(), head, client: None, https: false, id: [0; 16] }
    }
}

impl Meters {
    fn of(&self, route: &Arc<Route>) -> Rc<Meter> {
        let at = Arc::as_ptr(route).addr();
        if let Some((last, meter)) = &*self.last.borrow()
            && *last == at
        {
            return meter.clone();
        }
        let meter = self.found(at, route);
        *self.last.borrow_mut() = Some((at, meter.clone()));
        meter
    }

    fn found(&self, at: usize, route: &Route) -> Rc<Meter> {
        if let Some(meter) = self.routes.borrow().get(&at) {
            return meter.clone();
        }
        let meter = Meter::new(route.tenant.clone().unwrap_or_default(), route_label(&route.id));
        self.routes.borrow_mut().insert(at, meter.clone());
        meter
    }

    fn none(&self) -> Rc<Meter> {
        self.none.borrow_mut().get_or_insert_with(|| Meter::new(Arc::default(), Arc::default())).clone()
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2.0",
    }
}

/// Tells the process's log of what somebody should look at, once a second for each route. What clients do wrong is not
/// among it.
fn tell(error: ProxyError, tier: &'static str, meter: &Meter) {
    let answer = answer(error.fate);
    if answer.level > Level::WARN || error.side == Side::Client {
        return;
    }
    let Some(unsaid) = meter.may_tell() else { return };
    let (tenant, route, side, reason) = (meter.tenant(), meter.route(), error.side.as_str(), answer.label);
    if answer.level == Level::ERROR {
        tracing::error!(tier, tenant, route, side, reason, unsaid, "{}", answer.detail);
    } else {
        tracing::warn!(tier, tenant, route, side, reason, unsaid, "{}", answer.detail);
    }
}
