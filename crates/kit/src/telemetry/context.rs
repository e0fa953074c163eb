//! The context of a trace as the W3C defines it (Trace Context, level 1): `traceparent` and `tracestate`.
//!
//! What does not follow the grammar is no context at all; a sender's mistake must not become somebody else's trace.

use std::borrow::Cow;

use super::id::{SpanId, TraceId, read_hex, write_hex};

#[cfg(test)]
mod tests;

/// Bytes of a `traceparent` of version 00.
pub const TRACEPARENT_LEN: usize = 55;
/// The flag `sampled`, the only one of level 1.
const SAMPLED: u8 = 1;

/// What goes along with a request: which trace it belongs to, which span it comes from, whether the trace is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: TraceId,
    /// The span that the next hop's span is a child of.
    pub span: SpanId,
    /// Whether the sender has recorded its part, and the receiver should.
    pub sampled: bool,
    /// What other systems that take part want to be told.
    pub state: TraceState,
}

/// What a request brought, in whatever form: b3 may hold a decision without ids, or ids without a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// The sender's trace and span.
    pub ids: Option<(TraceId, SpanId)>,
    /// The sender's decision; `None` leaves it to the receiver.
    pub sampled: Option<bool>,
    /// `tracestate`.
    pub state: TraceState,
}

impl From<Context> for Remote {
    fn from(context: Context) -> Self {
        Self { ids: Some((context.trace, context.span)), sampled: Some(context.sampled), state: context.state }
    }
}

impl Context {
    /// Reads a `traceparent` (3.2). Of a version that is not known, what 00 has is read, as 4.3 asks; version ff is none.
    pub fn parse(traceparent: &[u8]) -> Option<Self> {
        let (known, rest) = traceparent.split_at_checked(TRACEPARENT_LEN)?;
        let mut version = [0];
        read_hex(&known[..2], &mut version)?;
        let follows = match version {
            [0] => rest.is_empty(),
            [0xff] => false,
            _ => rest.is_empty() || rest[0] == b'-',
        };
        if !follows || [known[2], known[35], known[52]] != *b"---" {
            return None;
        }
        let mut flags = [0];
        read_hex(&known[53..], &mut flags)?;
        Some(Self {
            trace: TraceId::parse(&known[3..35])?,
            span: SpanId::parse(&known[36..52])?,
            sampled: flags[0] & SAMPLED != 0,
            state: TraceState::default(),
        })
    }

    /// The `traceparent` that says this.
    pub fn traceparent(&self) -> [u8; TRACEPARENT_LEN] {
        traceparent(self.trace, self.span, self.sampled)
    }
}

/// A `traceparent` of version 00.
pub(super) fn traceparent(trace: TraceId, span: SpanId, sampled: bool) -> [u8; TRACEPARENT_LEN] {
    let mut text = [b'-'; TRACEPARENT_LEN];
    text[..2].copy_from_slice(b"00");
    write_hex(&trace.to_bytes(), &mut text[3..35]);
    write_hex(&span.to_bytes(), &mut text[36..52]);
    write_hex(&[u8::from(sampled) * SAMPLED], &mut text[53..]);
    text
}

/// A `tracestate`: what other systems want to be told, passed on as it is. Empty: the field is not sent at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceState(Option<Box<str>>);

impl TraceState {
    /// Members in a list (3.3.1.1).
    const MAX_MEMBERS: usize = 32;
    /// What a list may be cut to (3.3.1.5), and the length from which a member is cut first.
    const MAX_LEN: usize = 512;
    const LONG_MEMBER: usize = 128;

    /// Reads the fields of that name in their order. A list that breaks the grammar, has a key twice or too many members is
    /// none (3.3.1). One that is too long loses its longest members first, then those at the end.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return Self::default() };
        let mut text = Cow::Borrowed(first);
        for more in values {
            text.to_mut().push(b',');
            text.to_mut().extend_from_slice(more);
        }
        let Ok(text) = str::from_utf8(&text) else { return Self::default() };
        let members =
            || text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
        let mut kept: Vec<&str> = members().take(Self::MAX_MEMBERS + 1).collect();
        let keys: Option<Vec<&str>> = kept.iter().map(|member| key(member)).collect();
        let Some(mut keys) = keys.filter(|keys| keys.len() <= Self::MAX_MEMBERS) else { return Self::default() };
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Self::default();
        }
        let len = |kept: &[&str]| kept.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1);
        if len(&kept) > Self::MAX_LEN {
            kept.retain(|member| member.len() <= Self::LONG_MEMBER);
        }
        while len(&kept) > Self::MAX_LEN {
            kept.pop();
        }
        Self((!kept.is_empty()).then(|| kept.join(",").into()))
    }

    /// The value of the field; `None`: there is none to send.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// The key of a member `key=value`, if both follow the grammar (3.3.1.3).
fn key(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let text = |text: &str, max: usize, first: fn(u8) -> bool| {
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(byte);
        (1..=max).contains(&text.len()) && first(text.as_bytes()[0]) && text.as_bytes().iter().all(inner)
    };
    let letter = |byte: u8| byte.is_ascii_lowercase();
    let key_is_fine = match key.split_once('@') {
        None => text(key, 256, letter),
        Some((tenant, system)) => {
            text(tenant, 241, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) && text(system, 14, letter)
        }
    };
    let value_is_fine = (1..=256).contains(&value.len())
        && !value.ends_with(' ')
        && value.bytes().all(|byte| (0x20..=0x7e).contains(&byte) && byte != b',' && byte != b'=');
    (key_is_fine && value_is_fine).then_some(key)
}
