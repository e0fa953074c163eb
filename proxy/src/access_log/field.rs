//! The fields of a line: their names, their order, and how each is rendered.

use std::io::Write as _;

use super::escape::{self, Quoting};
use super::{Entry, Options};

/// A field of the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented where its value is, in Entry")]
pub enum Field {
    Time,
    Tier,
    RequestId,
    Client,
    Tenant,
    Route,
    Method,
    Scheme,
    Host,
    Target,
    Protocol,
    Status,
    BytesIn,
    BytesOut,
    Duration,
    Upstream,
    UpstreamAddress,
    Error,
    UserAgent,
    Referer,
}

impl Field {
    /// Every field, in the order of a JSON line.
    pub const ALL: [Self; 20] = [
        Self::Time,
        Self::Tier,
        Self::RequestId,
        Self::Client,
        Self::Tenant,
        Self::Route,
        Self::Method,
        Self::Scheme,
        Self::Host,
        Self::Target,
        Self::Protocol,
        Self::Status,
        Self::BytesIn,
        Self::BytesOut,
        Self::Duration,
        Self::Upstream,
        Self::UpstreamAddress,
        Self::Error,
        Self::UserAgent,
        Self::Referer,
    ];

    /// The name in a JSON line and in `accessLog.fields`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Tier => "tier",
            Self::RequestId => "request_id",
            Self::Client => "client",
            Self::Tenant => "tenant",
            Self::Route => "route",
            Self::Method => "method",
            Self::Scheme => "scheme",
            Self::Host => "host",
            Self::Target => "target",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::BytesIn => "bytes_in",
            Self::BytesOut => "bytes_out",
            Self::Duration => "duration_us",
            Self::Upstream => "upstream_us",
            Self::UpstreamAddress => "upstream_address",
            Self::Error => "error",
            Self::UserAgent => "user_agent",
            Self::Referer => "referer",
        }
    }

    /// The field of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSet(u32);

impl FieldSet {
    /// Whether the field is in it.
    pub fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u32) != 0
    }

    /// The fields that are not in it.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(!self.0)
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        Self(fields.into_iter().fold(0, |set, field| set | 1 << field as u32))
    }
}

/// Appends a JSON line. Fields without a value are left out.
pub(super) fn json(out: &mut Vec<u8>, entry: &Entry<'_>, options: &Options, stamp: &str) {
    out.push(b'{');
    let mut first = true;
    for field in Field::ALL {
        if options.drop.contains(field) || !has(field, entry) {
            continue;
        }
        out.extend_from_slice(if first { b"\"" } else { b",\"" });
        first = false;
        out.extend_from_slice(field.as_str().as_bytes());
        out.extend_from_slice(b"\":");
        if options.redact.contains(field) {
            out.extend_from_slice(b"\"***\"");
        } else {
            json_value(out, field, entry, stamp);
        }
    }
    for header in &*options.headers {
        let Some(value) = entry.headers.get(header.name.as_bytes()) else { continue };
        out.extend_from_slice(if first { b"\"header." } else { b",\"header." });
        first = false;
        out.extend_from_slice(header.name.as_bytes());
        out.extend_from_slice(b"\":");
        quoted(out, if header.redact { b"***" } else { value });
    }
    out.extend_from_slice(b"}\n");
}

fn has(field: Field, entry: &Entry<'_>) -> bool {
    match field {
        Field::Tenant => entry.tenant.is_some(),
        Field::Route => entry.route.is_some(),
        Field::Upstream => entry.upstream.is_some(),
        Field::UpstreamAddress => entry.upstream_address.is_some(),
        Field::Error => entry.error.is_some(),
        Field::UserAgent => entry.user_agent.is_some(),
        Field::Referer => entry.referer.is_some(),
        Field::Time
        | Field::Tier
        | Field::RequestId
        | Field::Client
        | Field::Method
        | Field::Scheme
        | Field::Host
        | Field::Target
        | Field::Protocol
        | Field::Status
        | Field::BytesIn
        | Field::BytesOut
        | Field::Duration => true,
    }
}

fn json_value(out: &mut Vec<u8>, field: Field, entry: &Entry<'_>, stamp: &str) {
    match field {
        Field::Time => {
            let since = entry.time.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
            shown(out, format_args!("\"{stamp}.{:03}Z\"", since.subsec_millis()));
        }
        Field::Client => shown(out, format_args!("\"{}\"", entry.client)),
        Field::Status => shown(out, format_args!("{}", entry.status)),
        Field::BytesIn => shown(out, format_args!("{}", entry.bytes_in)),
        Field::BytesOut => shown(out, format_args!("{}", entry.bytes_out)),
        Field::Duration => shown(out, format_args!("{}", entry.duration.as_micros())),
        Field::Upstream => shown(out, format_args!("{}", entry.upstream.unwrap_or_default().as_micros())),
        Field::Tier => quoted(out, entry.tier.as_bytes()),
        Field::RequestId => quoted(out, entry.request_id.as_bytes()),
        Field::Tenant => quoted(out, entry.tenant.unwrap_or_default().as_bytes()),
        Field::Route => quoted(out, entry.route.unwrap_or_default().as_bytes()),
        Field::Method => quoted(out, entry.method),
        Field::Scheme => quoted(out, entry.scheme.as_bytes()),
        Field::Host => quoted(out, entry.host),
        Field::Target => quoted_target(out, entry.target),
        Field::Protocol => quoted(out, entry.protocol.as_bytes()),
        Field::UpstreamAddress => quoted(out, entry.upstream_address.unwrap_or_default().as_bytes()),
        Field::Error => quoted(out, entry.error.unwrap_or_default().as_bytes()),
        Field::UserAgent => quoted(out, entry.user_agent.unwrap_or_default()),
        Field::Referer => quoted_target(out, entry.referer.unwrap_or_default()),
    }
}

fn shown(out: &mut Vec<u8>, value: std::fmt::Arguments<'_>) {
    out.write_fmt(value).expect("writing to a Vec cannot fail");
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    escape::text(out, text, Quoting::Json);
    out.push(b'"');
}

fn quoted_target(out: &mut Vec<u8>, target: &[u8]) {
    out.push(b'"');
    escape::target(out, target, Quoting::Json);
    out.push(b'"');
}

/// Appends a line of the Combined Log Format: `client - - [time] "request" status bytes "referer" "user agent"`.
pub(super) fn clf(out: &mut Vec<u8>, entry: &Entry<'_>, options: &Options, stamp: &str) {
    let either = |out: &mut Vec<u8>, field: Field, render: &dyn Fn(&mut Vec<u8>)| {
        if options.drop.contains(field) || !has(field, entry) {
            out.push(b'-');
        } else if options.redact.contains(field) {
            out.extend_from_slice(b"***");
        } else {
            render(out);
        }
    };
    either(out, Field::Client, &|out| shown(out, format_args!("{}", entry.client)));
    shown(out, format_args!(" - - [{stamp}] \""));
    either(out, Field::Method, &|out| escape::text(out, entry.method, Quoting::Clf));
    out.push(b' ');
    either(out, Field::Target, &|out| escape::target(out, entry.target, Quoting::Clf));
    shown(out, format_args!(" {}\" {} {} \"", entry.protocol, entry.status, entry.bytes_out));
    either(out, Field::Referer, &|out| escape::target(out, entry.referer.unwrap_or_default(), Quoting::Clf));
    out.extend_from_slice(b"\" \"");
    either(out, Field::UserAgent, &|out| escape::text(out, entry.user_agent.unwrap_or_default(), Quoting::Clf));
    out.extend_from_slice(b"\"\n");
}
