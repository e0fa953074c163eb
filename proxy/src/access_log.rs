//! The access log: one line a request, as JSON or in the Combined Log Format.
//!
//! A worker renders lines into a buffer of its own and hands whole buffers to one writer thread through a bounded channel; a writer that is too slow
//! costs lines, which are counted, and never a request. What the request says is rendered when it comes, into a [`Draft`] whose memory is used again,
//! so that nothing of a head has to be kept; the rest when it is over. What must not be in a log never gets here: there is no field for a cookie or an
//! authorization, and the values of query parameters that commonly carry secrets are blanked.

mod appender;
mod clock;
mod escape;
mod field;
mod put;
mod writer;

use std::cell::{OnceCell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use bailey_http1::RequestHead;
use tokio::sync::Notify;

pub use appender::{Appender, Reopen};
pub use field::{Field, FieldSet};
pub use writer::{Counts, Sink, Writer};

use clock::Clock;
use field::Rendered;
use writer::Batch;

#[cfg(test)]
mod tests;

/// A buffer is handed over when it has grown to this size, or at the next [`AccessLog::flush`]. A file system takes a line for
/// half as much in writes of this size as in writes of 32 KiB.
const BUFFER_BYTES: usize = 256 << 10;
/// Buffers that were written and wait for other lines.
const SPARE_BUFFERS: usize = 2;
/// Drafts whose memory is kept for other requests, and how much of it each may have.
const SPARE: usize = 256;
const SPARE_BYTES: usize = 4 << 10;

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

/// What is known of one request at its end, beside its [`Draft`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When the request's head was complete.
    pub began: Instant,
    /// Which tier writes the line: `outer`, `inner` or `gateway`.
    pub tier: &'a str,
    /// The request's id as text, once it has one.
    pub request_id: Option<&'a [u8]>,
    /// The trace as text, where the tier traces.
    pub trace_id: Option<&'a [u8]>,
    /// The client's address as this tier knows it.
    pub client: Option<IpAddr>,
    /// The tenant and the route that matched.
    pub whose: &'a Whose,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Status of the answer.
    pub status: u16,
    /// Error type of `Proxy-Status` (RFC 9209), when this tier made the answer.
    pub error: Option<&'a str>,
    /// What went wrong, as the metrics call it.
    pub reason: Option<&'a str>,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes of the response body.
    pub bytes_out: u64,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// From the moment the request was handed on to the head of its answer.
    pub upstream: Option<Duration>,
    /// What of it the next tier took, in its own words.
    pub inner_us: Option<u32>,
    /// What of it the next tier waited for the application.
    pub application_us: Option<u32>,
    /// The endpoint the request was sent to last.
    pub upstream_address: Option<SocketAddr>,
    /// How often it was sent.
    pub attempts: u8,
}

/// A tenant and one of its routes, and what the lines of one log say of them: rendered for the first of them.
#[derive(Debug, Default)]
pub struct Whose {
    tenant: Arc<str>,
    route: Arc<str>,
    text: OnceCell<Box<[u8]>>,
}

impl Whose {
    /// A route, as `Kind/namespace/name`, of a tenant; what is not known is empty.
    pub fn new(tenant: Arc<str>, route: Arc<str>) -> Self {
        Self { tenant, route, text: OnceCell::new() }
    }

    fn text(&self, options: &Options) -> &[u8] {
        self.text.get_or_init(|| {
            let mut text = Vec::new();
            field::whose(&mut text, (&self.tenant, &self.route), options);
            text.into_boxed_slice()
        })
    }
}

/// What a request's own head has to say in its line, rendered. Empty for one whose head could not be read.
#[derive(Debug, Default)]
pub struct Draft {
    text: Vec<u8>,
    /// Where the second part of a line in the Combined Log Format begins.
    second: usize,
}

/// One worker's end of the log.
pub struct AccessLog {
    options: Options,
    sink: Sink,
    /// Told when a first line waits for [`Self::flush`].
    waits: Rc<Notify>,
    state: RefCell<State>,
    spare: RefCell<Vec<Vec<u8>>>,
    /// Buffers that were written come back this way.
    back: SyncSender<Vec<u8>>,
    written: Receiver<Vec<u8>>,
}

struct State {
    buffer: Vec<u8>,
    lines: u64,
    clock: Clock,
}

impl AccessLog {
    /// A log that hands its lines to `sink`, and tells `waits` when a first one is there to be flushed.
    pub fn new(options: Options, sink: Sink, waits: Rc<Notify>) -> Self {
        let state = State { buffer: Vec::new(), lines: 0, clock: Clock::new(options.format) };
        let (back, written) = sync_channel(SPARE_BUFFERS);
        Self { options, sink, waits, state: RefCell::new(state), spare: RefCell::default(), back, written }
    }

    /// Renders what the line of this request will say of its head.
    pub fn draft(&self, head: &RequestHead) -> Draft {
        let mut text = self.spare.borrow_mut().pop().unwrap_or_default();
        let second = match self.options.format {
            Format::Json => {
                field::request(&mut text, head, &self.options);
                0
            }
            Format::Clf => field::clf_request(&mut text, head, &self.options),
        };
        Draft { text, second }
    }

    /// Adds the line of one request.
    pub fn write(&self, draft: Draft, entry: &Entry<'_>) {
        let state = &mut *self.state.borrow_mut();
        let stamp = state.clock.stamp(entry.began);
        let Draft { mut text, second } = draft;
        match self.options.format {
            Format::Json => {
                let rendered = Rendered { request: &text, whose: entry.whose.text(&self.options) };
                field::json(&mut state.buffer, rendered, entry, &self.options, stamp);
            }
            Format::Clf => field::clf(&mut state.buffer, text.split_at(second), entry, &self.options, stamp),
        }
        text.clear();
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE && text.capacity() <= SPARE_BYTES {
            spare.push(text);
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
        let empty = self.written.try_recv().unwrap_or_default();
        let text = std::mem::replace(&mut state.buffer, empty);
        self.sink.send(Batch { text, lines: std::mem::take(&mut state.lines), back: self.back.clone() });
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}
