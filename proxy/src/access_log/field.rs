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

/// Fields that the request itself says.
const REQUEST: FieldSet = FieldSet(
    1 << Field::Method as u32
        | 1 << Field::Host as u32
        | 1 << Field::Target as u32
        | 1 << Field::Protocol as u32
        | 1 << Field::UserAgent as u32
        | 1 << Field::Referer as u32,
);

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

/// Appends what a JSON line has from the request itself, each field after a comma.
pub(super) fn request(out: &mut Vec<u8>, head: &RequestHead, options: &Options) {
    let mut text = |field: Field, value: Option<&[u8]>, render: fn(&mut Vec<u8>, &[u8], Quoting)| {
        let Some(value) = value.filter(|_| !options.drop.contains(field)) else { return };
        out.extend_from_slice(field.key());
        out.push(b'"');
        if options.redact.contains(field) {
            out.extend_from_slice(MARK);
        } else {
            render(out, value, Quoting::Json);
        }
        out.push(b'"');
    };
    text(Field::Method, Some(head.method.as_str().as_bytes()), escape::text);
    text(Field::Host, Some(head.host()), escape::text);
    text(Field::Target, Some(head.target.as_bytes()), escape::target);
    text(Field::Protocol, Some(protocol(head.version)), escape::text);
    text(Field::UserAgent, head.fields.get(b"user-agent"), escape::text);
    text(Field::Referer, head.fields.get(b"referer"), escape::target);
    for header in &*options.headers {
        let Some(value) = head.fields.get(header.name.as_bytes()) else { continue };
        out.extend_from_slice(b",\"header.");
        out.extend_from_slice(header.name.as_bytes());
        out.extend_from_slice(b"\":\"");
        if header.redact {
            out.extend_from_slice(MARK);
        } else {
            escape::text(out, value, Quoting::Json);
        }
        out.push(b'"');
    }
}

fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
        Version::Http2 => b"HTTP/2.0",
    }
}

/// Appends a JSON line; `request` is what [`request`] has made. Fields without a value are left out.
pub(super) fn json(out: &mut Vec<u8>, request: &[u8], entry: &Entry<'_>, options: &Options, stamp: &[u8]) {
    let start = out.len();
    let mut request = Some(request);
    for field in Field::ALL.iter().copied() {
        if REQUEST.contains(field) {
            out.extend_from_slice(request.take().unwrap_or_default());
            continue;
        }
        if options.drop.contains(field) {
            continue;
        }
        let before = out.len();
        out.extend_from_slice(field.key());
        let value = out.len();
        if !put_value(out, field, entry, stamp) {
            out.truncate(before);
        } else if options.redact.contains(field) {
            out.truncate(value);
            out.extend_from_slice(b"\"***\"");
        }
    }
    // The comma before the first field is where the object begins.
    if out.len() == start {
        out.push(b'{');
    } else {
        out[start] = b'{';
    }
    out.extend_from_slice(b"}\n");
}

/// Appends the value of a field that is not the request's own; `false`: it has none.
fn put_value(out: &mut Vec<u8>, field: Field, entry: &Entry<'_>, stamp: &[u8]) -> bool {
    match field {
        Field::Time => put::quoted(out, stamp),
        Field::Tier => put::quoted(out, entry.tier.as_bytes()),
        Field::RequestId => return put::some(out, entry.request_id, put::quoted),
        Field::TraceId => return put::some(out, entry.trace_id, put::quoted),
        Field::Client => {
            return put::some(out, entry.client, |out, client| {
                out.push(b'"');
                put::address(out, client);
                out.push(b'"');
            });
        }
        Field::Tenant => return put::some(out, entry.tenant, escaped),
        Field::Route => return put::some(out, entry.route, escaped),
        Field::Scheme => put::quoted(out, entry.scheme.as_bytes()),
        Field::Status => put::number(out, entry.status.into()),
        Field::Error => return put::some(out, entry.error, escaped),
        Field::Reason => return put::some(out, entry.reason, escaped),
        Field::BytesIn => put::number(out, entry.bytes_in),
        Field::BytesOut => put::number(out, entry.bytes_out),
        Field::Duration => put::number(out, entry.duration.as_micros() as u64),
        Field::Upstream => {
            return put::some(out, entry.upstream, |out, took| put::number(out, took.as_micros() as u64));
        }
        Field::Inner => return put::some(out, entry.inner_us, |out, took| put::number(out, took.into())),
        Field::Application => return put::some(out, entry.application_us, |out, took| put::number(out, took.into())),
        Field::UpstreamAddress => {
            return put::some(out, entry.upstream_address, |out, address| {
                out.push(b'"');
                put::socket(out, address);
                out.push(b'"');
            });
        }
        Field::Attempts => {
            return put::some(out, Some(entry.attempts).filter(|made| *made > 0), |out, made| {
                put::number(out, made.into());
            });
        }
        Field::Method | Field::Host | Field::Target | Field::Protocol | Field::UserAgent | Field::Referer => {
            return false;
        }
    }
    true
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape::text(out, text.as_bytes(), Quoting::Json);
    out.push(b'"');
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
    put::number(out, entry.status.into());
    out.push(b' ');
    put::number(out, entry.bytes_out);
    out.push(b' ');
    out.extend_from_slice(if second.is_empty() { b"\"-\" \"-\"" } else { second });
    out.push(b'\n');
}
