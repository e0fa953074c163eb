//! The public side: what a client's connection is, and who serves its requests.
//!
//! A front parses, limits and frames; it knows no routes. Each request goes to [`Serve::serve`] as a head and a
//! [`Downstream`], and the front's task waits there until it is answered.

mod date;
pub mod guard;
pub mod h1;
pub mod h2;
pub mod proxy_protocol;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use bailey_crds::TierLimits;
use bailey_http1::{Refusal, RequestHead};

use crate::error::Fate;
use crate::exchange::Downstream;
use crate::forward::ConnectionInfo;
use crate::metrics::Limit;
use crate::timer::{Wheel, ticks};

pub use date::Date;

/// How a new connection says who its client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// The peer is the client.
    Client,
    /// The peer is a listed balancer: a PROXY header comes first, or the connection is refused.
    ProxyProtocol,
    /// The peer is a listed proxy that speaks for many clients in a field of each request.
    Forwarder,
}

/// Who answers requests: the proxy's decisions, or a test.
pub trait Serve: 'static {
    /// Kept for as long as a connection lives: what it counts against.
    type Open;

    /// Who the peer of a new connection is to us.
    fn intake(&self, peer: IpAddr) -> Intake;

    /// What a new connection is allowed. Those that exist keep what they began with.
    fn limits(&self) -> Rc<FrontLimits>;

    /// A connection is ready for requests; `None`: there is no room for it, and it is closed.
    fn open(&self, info: &ConnectionInfo) -> Option<Self::Open>;

    /// Answers one request. Returns when nothing more will be sent on `down`; a `down` that was given no final head, or
    /// no end, is reset by the front.
    fn serve<D: Downstream>(
        &self,
        info: &Rc<ConnectionInfo>,
        down: &mut D,
        head: Box<RequestHead>,
    ) -> impl Future<Output = ()>;

    /// Told of a request that the front refused by itself, for the log and the counters.
    fn refused(&self, info: &ConnectionInfo, fate: Fate, status: u16);
}

/// A head that was not accepted, and the answer it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) fate: Fate,
    pub(crate) status: u16,
    /// The limit that it is too much for, if that is why.
    pub(crate) limit: Option<Limit>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let host = [Refusal::MissingHost, Refusal::RepeatedHost, Refusal::InvalidHost, Refusal::HostMismatch];
        let fate = match refusal.status() {
            414 => Fate::TargetTooLong,
            417 => Fate::ExpectationUnknown,
            431 => Fate::HeadTooLarge,
            405 | 501 => Fate::MethodUnsupported,
            _ if refusal == Refusal::ConnectionToken => Fate::ConnectionNamesProtected,
            _ if host.contains(&refusal) => Fate::HostInvalid,
            _ => Fate::Malformed,
        };
        let limit = if refusal == Refusal::HeadTooLarge {
            Some(Limit::HeaderBytes)
        } else if refusal == Refusal::TooManyFields {
            Some(Limit::HeaderFields)
        } else {
            (refusal == Refusal::TargetTooLong).then_some(Limit::TargetBytes)
        };
        Self { fate, status: refusal.status(), limit }
    }
}

/// What a front allows a client. The defaults are those of the API.
#[derive(Debug, Clone)]
pub struct FrontLimits {
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For a PROXY protocol header.
    pub proxy_header: Duration,
    /// Bytes of a PROXY protocol header.
    pub proxy_header_bytes: usize,
    /// What holds for HTTP/2 only.
    pub h2: h2::H2Limits,
    /// Bounds of heads, and of ignored bodies.
    pub http: bailey_http1::Limits,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// Silence between requests.
    pub idle: Duration,
    /// Silence within a request body.
    pub body_silence: Duration,
    /// Bytes a second that a body must reach, counted over the time spent waiting for the client.
    pub body_rate: u64,
    /// Waiting time after which the rate counts.
    pub body_grace: Duration,
    /// How long a client may take nothing of what waits for it.
    pub stall: Duration,
    /// Requests on one connection.
    pub requests: u32,
    /// Age at which a connection takes no new requests, ±10 %.
    pub age: Duration,
    /// Bytes of a response that may wait for the client.
    pub buffer: usize,
}

impl Default for FrontLimits {
    fn default() -> Self {
        Self::of(&TierLimits::default())
    }
}

impl FrontLimits {
    /// What a tier with these limits allows.
    pub fn of(limits: &TierLimits) -> Self {
        let TierLimits { accept, http1, http2, body, connection, .. } = limits;
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            handshake: seconds(accept.handshake_seconds),
            proxy_header: seconds(accept.proxy_header_seconds),
            proxy_header_bytes: accept.proxy_header_bytes as usize,
            h2: h2::H2Limits::of(http2),
            // What the edge deletes from every request may be named: that changes nothing, and ours are written afterwards.
            http: bailey_http1::Limits {
                connection_may_name: crate::forward::headers::is_forwarding,
                head_bytes: http1.header_bytes as usize,
                fields: http1.header_fields as usize,
                target_bytes: http1.target_bytes as usize,
                ..bailey_http1::Limits::DEFAULT
            },
            head: seconds(http1.header_seconds),
            idle: seconds(connection.idle_seconds),
            body_silence: seconds(body.stall_seconds),
            body_rate: body.minimum_bytes_per_second.into(),
            body_grace: seconds(body.grace_seconds),
            stall: seconds(body.write_stall_seconds),
            requests: connection.requests,
            age: seconds(connection.age_seconds),
            buffer: body.buffer_bytes as usize,
        }
    }

    /// The tick at which a connection made now is too old for a new request.
    fn old_at(&self, wheel: &Wheel) -> u64 {
        use std::hash::{BuildHasher, RandomState};
        let age = ticks(self.age);
        let spread = (age / 5).max(1);
        wheel.now() + age - spread / 2 + RandomState::new().hash_one(age) % spread
    }
}

/// How fast a body comes, counting only the time spent waiting for the client, so that a slow application is not held
/// against it.
#[derive(Debug, Default, Clone, Copy)]
struct Pace {
    bytes: u64,
    waited: u64,
    since: Option<u64>,
}

impl Pace {
    fn wait(&mut self, now: u64) {
        self.since.get_or_insert(now);
    }

    /// Bytes came; `false`: too few for the time it took.
    fn progress(&mut self, now: u64, bytes: usize, limits: &FrontLimits) -> bool {
        self.waited += self.since.take().map_or(0, |since| now.saturating_sub(since));
        self.bytes += bytes as u64;
        let waited = crate::timer::TICK * u32::try_from(self.waited).unwrap_or(u32::MAX);
        waited < limits.body_grace || self.bytes >= limits.body_rate * waited.as_secs()
    }
}
