//! The fields of a line: their names, their order, what each tells, and how it is rendered.
//!
//! A JSON line is made in three parts: what is known of the connection and the route, what the request says (rendered while
//! its head is at hand, see [`request`]), and what came of it.

use bailey_http1::{RequestHead, Version};

use super::escape::{self, Quoting};
use super::{Entry, Options, put};

macro_rules! fields {
    ($($variant:ident $name:literal $doc:literal)*) => {
        /// A field of the access log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $(#[doc = $doc] $variant,)*
        }

        impl Field {
            /// Every field, in the order of a JSON line.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in a JSON line and in `accessLog.fields`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it tells, as one sentence without its full stop.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }

            /// The name as it stands in a JSON line, after another field.
            const fn key(self) -> &'static [u8] {
                match self { $(Self::$variant => concat!(",\"", $name, "\":").as_bytes(),)* }
            }

            /// The name before a text, with the quote that begins it.
            const fn key_of_text(self) -> &'static [u8] {
                match self { $(Self::$variant => concat!(",\"", $name, "\":\"").as_bytes(),)* }
            }
        }
    };
}

fields! {
    Time "time" "When the request's head was complete: UTC, to the millisecond"
    Tier "tier" "Which tier writes the line: `outer`, `inner` or `gateway`"
    RequestId "request_id" "The request's id, a UUID: the same on both tiers, and what the application gets as `X-Request-Id`"
    TraceId "trace_id" "The trace the request belongs to, the same on both tiers; there where the tier traces"
    Client "client" "The client's address as this tier knows it"
    Tenant "tenant" "The tenant whose host it was"
    Route "route" "The route that matched, `Kind/namespace/name`; on the outer tier a `HostnameBinding`"
    Scheme "scheme" "`http` or `https`, as the client spoke"
    Method "method" "The request method"
    Host "host" "The host that was asked for, in lower case"
    Target "target" "Path and query as the client sent them, with the values of secret parameters blanked"
    Protocol "protocol" "The client's protocol: `HTTP/1.0`, `HTTP/1.1`, `HTTP/2.0`"
    UserAgent "user_agent" "The `User-Agent` field"
    Referer "referer" "The `Referer` field, with the values of secret parameters blanked"
    Status "status" "Status of the answer; of a client that left before there was one, what it would have been counted as"
    Error "error" "When this tier made the answer: the error type of its `Proxy-Status` field (RFC 9209)"
    Reason "reason" "When something went wrong: what, in the words of the metric `bailey_request_errors_total`"
    BytesIn "bytes_in" "Bytes of the request body"
    BytesOut "bytes_out" "Bytes of the response body"
    Duration "duration_us" "Microseconds from the request's head to the end of the answer"
    Upstream "upstream_us" "Microseconds from the moment the request was handed to a connection, to an application or the next tier, to the head of its answer"
    Inner "inner_us" "On the outer tier: of these, microseconds that the inner tier took by its own clock; the rest is the link's"
    Application "application_us" "On the outer tier: of these, microseconds that the inner tier waited for the application"
    UpstreamAddress "upstream_address" "The endpoint the request was sent to last; not there on the outer tier, whose links change"
    Attempts "attempts" "How often it was sent to an application or the next tier; not there where it was not"
}

impl Field {
    /// The field of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.as_str() == name)
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSet(u32);

impl FieldSet {
    /// Whether the field is in it.
    pub const fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u32) != 0
    }

    /// The fields that are not in it.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(!self.0)
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        Self(fields.into_iter().fold(0, |set, field| set | 1 << field as u32))
    }
}

const MARK: &[u8] = b"***";

/// A JSON line while it is made. Its functions take the field as a constant, so that a name costs a few instructions. `ALL`: nothing is left
/// out and nothing blanked, which is mostly so and then asked once a line.
struct Line<'a, const ALL: bool> {
    out: &'a mut Vec<u8>,
    options: &'a Options,
}

impl<const ALL: bool> Line<'_, ALL> {
    /// Whether the field's value is to be put; what stands there if it is not, is there when this returns.
    #[inline]
    fn shows(&mut self, field: Field) -> bool {
        if ALL {
            return true;
        }
        if self.options.drop.contains(field) {
            return false;
        }
        if self.options.redact.contains(field) {
            self.out.extend_from_slice(field.key_of_text());
            self.out.extend_from_slice(MARK);
            self.out.push(b'"');
            return false;
        }
        true
    }

    /// A field whose value stands in quotes.
    #[inline]
    fn text(&mut self, field: Field, put: impl FnOnce(&mut Vec<u8>)) {
        if self.shows(field) {
            self.out.extend_from_slice(field.key_of_text());
            put(self.out);
            self.out.push(b'"');
        }
    }

    /// A field whose value needs no escapes.
    #[inline]
    fn plain(&mut self, field: Field, value: &[u8]) {
        self.text(field, |out| out.extend_from_slice(value));
    }

    /// A field that is not there without a value, in quotes.
    #[inline]
    fn some<T>(&mut self, field: Field, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
        if let Some(value) = value {
            self.text(field, |out| put(out, value));
        }
    }

    /// A field whose value is a number.
    #[inline]
    fn number(&mut self, field: Field, value: impl itoa::Integer) {
        if self.shows(field) {
            self.out.extend_from_slice(field.key());
            put::number(self.out, value);
        }
    }

    /// A field that is not there without a number.
    #[inline]
    fn some_number(&mut self, field: Field, value: Option<impl itoa::Integer>) {
        if let Some(value) = value {
            self.number(field, value);
        }
    }
}

impl Options {
    /// Whether every field is there with its value.
    fn shows_all(&self) -> bool {
        self.drop == FieldSet::default() && self.redact == FieldSet::default()
    }
}

/// Appends what a JSON line has from the request itself, each field after a comma.
pub(super) fn request(out: &mut Vec<u8>, head: &RequestHead, options: &Options) {
    if options.shows_all() {
        said(&mut Line::<true> { out, options }, head);
    } else {
        said(&mut Line::<false> { out, options }, head);
    }
    for header in &*options.headers {
        let Some(value) = head.fields.get(header.name.as_bytes()) else { continue };
        out.extend_from_slice(b",\"header.");
        out.extend_from_slice(header.name.as_bytes());
        out.extend_from_slice(b"\":\"");
        if header.redact {
            out.extend_from_slice(MARK);
        } else {
            escaped(out, value);
        }
        out.push(b'"');
    }
}

fn said<const ALL: bool>(line: &mut Line<'_, ALL>, head: &RequestHead) {
    // A token (RFC 9110 section 5.6.2) has nothing to escape.
    line.plain(Field::Method, head.method.as_str().as_bytes());
    line.text(Field::Host, |out| escaped(out, head.host()));
    line.text(Field::Target, |out| target(out, head.target.as_bytes()));
    line.plain(Field::Protocol, protocol(head.version));
    line.some(Field::UserAgent, head.fields.get(b"user-agent"), escaped);
    line.some(Field::Referer, head.fields.get(b"referer"), target);
}

fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
        Version::Http2 => b"HTTP/2.0",
    }
}

/// Appends what a JSON line has from the route, each field after a comma.
pub(super) fn whose(out: &mut Vec<u8>, (tenant, route): (&str, &str), options: &Options) {
    let mut line = Line::<false> { out, options };
    for (field, value) in [(Field::Tenant, tenant), (Field::Route, route)] {
        line.some(field, Some(value.as_bytes()).filter(|value| !value.is_empty()), escaped);
    }
}

/// What [`request`] and [`whose`] have made.
#[derive(Clone, Copy)]
pub(super) struct Rendered<'a> {
    pub(super) request: &'a [u8],
    pub(super) whose: &'a [u8],
}

/// Appends a JSON line. Fields without a value are left out.
pub(super) fn json(out: &mut Vec<u8>, rendered: Rendered<'_>, entry: &Entry<'_>, options: &Options, stamp: &[u8]) {
    let start = out.len();
    if options.shows_all() {
        whole(&mut Line::<true> { out, options }, rendered, entry, stamp);
    } else {
        whole(&mut Line::<false> { out, options }, rendered, entry, stamp);
    }
    // The comma before the first field is where the object begins.
    if out.len() == start {
        out.push(b'{');
    } else {
        out[start] = b'{';
    }
    out.extend_from_slice(b"}\n");
}

fn whole<const ALL: bool>(line: &mut Line<'_, ALL>, rendered: Rendered<'_>, entry: &Entry<'_>, stamp: &[u8]) {
    line.plain(Field::Time, stamp);
    line.plain(Field::Tier, entry.tier.as_bytes());
    line.some(Field::RequestId, entry.request_id, Vec::extend_from_slice);
    line.some(Field::TraceId, entry.trace_id, Vec::extend_from_slice);
    line.some(Field::Client, entry.client, put::address);
    line.out.extend_from_slice(rendered.whose);
    line.plain(Field::Scheme, entry.scheme.as_bytes());
    line.out.extend_from_slice(rendered.request);
    line.number(Field::Status, entry.status);
    line.some(Field::Error, entry.error.map(str::as_bytes), escaped);
    line.some(Field::Reason, entry.reason.map(str::as_bytes), escaped);
    line.number(Field::BytesIn, entry.bytes_in);
    line.number(Field::BytesOut, entry.bytes_out);
    line.number(Field::Duration, entry.duration.as_micros() as u64);
    line.some_number(Field::Upstream, entry.upstream.map(|took| took.as_micros() as u64));
    line.some_number(Field::Inner, entry.inner_us);
    line.some_number(Field::Application, entry.application_us);
    line.some(Field::UpstreamAddress, entry.upstream_address, put::socket);
    line.some_number(Field::Attempts, Some(entry.attempts).filter(|made| *made > 0));
}

fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    escape::text(out, text, Quoting::Json);
}

fn target(out: &mut Vec<u8>, target: &[u8]) {
    escape::target(out, target, Quoting::Json);
}

/// Appends what a line of the Combined Log Format has from the request; returns where its second part begins.
pub(super) fn clf_request(out: &mut Vec<u8>, head: &RequestHead, options: &Options) -> usize {
    let start = out.len();
    let part =
        |out: &mut Vec<u8>, field: Field, value: Option<&[u8]>, render: fn(&mut Vec<u8>, &[u8], Quoting)| match value
            .filter(|_| !options.drop.contains(field))
        {
            None => out.push(b'-'),
            Some(_) if options.redact.contains(field) => out.extend_from_slice(MARK),
            Some(value) => render(out, value, Quoting::Clf),
        };
    part(out, Field::Method, Some(head.method.as_str().as_bytes()), escape::text);
    out.push(b' ');
    part(out, Field::Target, Some(head.target.as_bytes()), escape::target);
    out.push(b' ');
    out.extend_from_slice(protocol(head.version));
    let second = out.len() - start;
    out.push(b'"');
    part(out, Field::Referer, head.fields.get(b"referer"), escape::target);
    out.extend_from_slice(b"\" \"");
    part(out, Field::UserAgent, head.fields.get(b"user-agent"), escape::text);
    out.push(b'"');
    second
}

/// Appends a line of the Combined Log Format: `client - - [time] "request" status bytes "referer" "user agent"`.
pub(super) fn clf(
    out: &mut Vec<u8>,
    (first, second): (&[u8], &[u8]),
    entry: &Entry<'_>,
    options: &Options,
    stamp: &[u8],
) {
    match entry.client.filter(|_| !options.drop.contains(Field::Client)) {
        None => out.push(b'-'),
        Some(_) if options.redact.contains(Field::Client) => out.extend_from_slice(MARK),
        Some(client) => put::address(out, client),
    }
    out.extend_from_slice(b" - - [");
    out.extend_from_slice(stamp);
    out.extend_from_slice(b"] \"");
    out.extend_from_slice(if first.is_empty() { b"-" } else { first });
    out.extend_from_slice(b"\" ");
    put::number(out, entry.status);
    out.push(b' ');
    put::number(out, entry.bytes_out);
    out.push(b' ');
    out.extend_from_slice(if second.is_empty() { b"\"-\" \"-\"" } else { second });
    out.push(b'\n');
}
