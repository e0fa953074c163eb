//! The access log: one line a request, as JSON or in the Combined Log Format.
//!
//! A worker renders lines into a buffer of its own and hands whole buffers to one writer thread through a bounded channel; a writer that is too slow
//! costs lines, which are counted, and never a request. What must not be in a log never reaches [`Entry`]: there is no field for a cookie or an
//! authorization, and the values of query parameters that commonly carry secrets are blanked.

mod escape;
mod field;
mod writer;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bailey_http1::Fields;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::Notify;

pub use field::{Field, FieldSet};
pub use writer::{Counts, Sink, Writer};

#[cfg(test)]
mod tests;

/// A buffer is handed over when it has grown to this size, or at the next [`AccessLog::flush`].
const BUFFER_BYTES: usize = 32 << 10;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// The Combined Log Format of the Apache HTTP server. Its fields are fixed; redaction applies, dropping shows `-`.
    Clf,
}

/// A field of the request that is logged too, as `header.<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoggedHeader {
    /// Its name, in lower case.
    pub name: Box<str>,
    /// Only that it was there.
    pub redact: bool,
}

impl LoggedHeader {
    /// The field of this name. Of credentials never more than that they were there.
    pub fn new(name: &str, redact: bool) -> Self {
        let name = name.to_ascii_lowercase().into_boxed_str();
        let secret = ["authorization", "proxy-authorization", "cookie"].contains(&&*name);
        Self { redact: redact || secret, name }
    }
}

/// What is logged of each request, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// How lines look.
    pub format: Format,
    /// Fields that are left out.
    pub drop: FieldSet,
    /// Fields that are there with their value blanked.
    pub redact: FieldSet,
    /// Fields of the request that are added to a JSON line.
    pub headers: Arc<[LoggedHeader]>,
}

/// What is known of one request at its end.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When the request's head was complete.
    pub time: SystemTime,
    /// Which tier writes the line: `outer`, `inner` or `gateway`.
    pub tier: &'a str,
    /// The request's id, the same on both tiers.
    pub request_id: &'a str,
    /// The client's address as this tier knows it.
    pub client: IpAddr,
    /// The tenant whose host it was.
    pub tenant: Option<&'a str>,
    /// The route that matched, `Kind/namespace/name`.
    pub route: Option<&'a str>,
    /// The request method.
    pub method: &'a [u8],
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The canonical host.
    pub host: &'a [u8],
    /// Path and query as the client sent them.
    pub target: &'a [u8],
    /// The client's protocol: `HTTP/1.1`, `HTTP/2.0`.
    pub protocol: &'a str,
    /// Status of the answer; 0 when the client was gone before there was one.
    pub status: u16,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes of the response body.
    pub bytes_out: u64,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// From the request's head to the head of the answer from upstream.
    pub upstream: Option<Duration>,
    /// Where the request was sent: an endpoint or a tier.
    pub upstream_address: Option<&'a str>,
    /// Error type of `Proxy-Status` (RFC 9209), when this tier made the answer.
    pub error: Option<&'a str>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a [u8]>,
    /// The `Referer` field; its query is blanked like the target's.
    pub referer: Option<&'a [u8]>,
    /// The fields of the request, or those of them that [`Options::headers`] names.
    pub headers: &'a Fields,
}

/// One worker's end of the log.
pub struct AccessLog {
    options: Options,
    sink: Sink,
    /// Told when a first line waits for [`Self::flush`].
    waits: Rc<Notify>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    lines: u64,
    second: u64,
    /// The time down to the second, rendered once a second.
    stamp: String,
}

impl AccessLog {
    /// A log that hands its lines to `sink`, and tells `waits` when a first one is there to be flushed.
    pub fn new(options: Options, sink: Sink, waits: Rc<Notify>) -> Self {
        Self { options, sink, waits, state: RefCell::default() }
    }

    /// The fields of requests that it wants.
    pub fn headers(&self) -> &[LoggedHeader] {
        &self.options.headers
    }

    /// Adds the line of one request.
    pub fn write(&self, entry: &Entry<'_>) {
        let state = &mut *self.state.borrow_mut();
        state.tick(entry.time, self.options.format);
        match self.options.format {
            Format::Json => field::json(&mut state.buffer, entry, &self.options, &state.stamp),
            Format::Clf => field::clf(&mut state.buffer, entry, &self.options, &state.stamp),
        }
        state.lines += 1;
        if state.lines == 1 {
            self.waits.notify_one();
        }
        if state.buffer.len() >= BUFFER_BYTES {
            self.hand_over(state);
        }
    }

    /// Hands over what is there; called now and then by the worker, so that lines do not wait for a full buffer.
    pub fn flush(&self) {
        let state = &mut *self.state.borrow_mut();
        if !state.buffer.is_empty() {
            self.hand_over(state);
        }
    }

    fn hand_over(&self, state: &mut State) {
        let full = std::mem::replace(&mut state.buffer, Vec::with_capacity(BUFFER_BYTES + 1024));
        self.sink.send(full, std::mem::take(&mut state.lines));
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

impl State {
    fn tick(&mut self, time: SystemTime, format: Format) {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if since.as_secs() == self.second && !self.stamp.is_empty() {
            return;
        }
        self.second = since.as_secs();
        self.stamp.clear();
        let now = Timestamp::from_second(since.as_secs().cast_signed()).unwrap_or_default().to_zoned(TimeZone::UTC);
        let pattern = match format {
            Format::Json => "%Y-%m-%dT%H:%M:%S",
            Format::Clf => "%d/%b/%Y:%H:%M:%S +0000",
        };
        // Writing to a String cannot fail.
        let _ = write!(self.stamp, "{}", now.strftime(pattern));
    }
}
