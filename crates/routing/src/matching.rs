//! Whether a request meets the conditions of a match: method, header fields, query. Paths are the trie's.

mod path;
mod value;

use crate::ir::{Conditions, HeaderMatch, Method, QueryMatch, ValueMatch};
use crate::request::RequestView;

pub(crate) use path::{is_grpc_method, prefix_ends_at};

/// A condition of a match, besides the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'t> {
    /// The method.
    Method(Method),
    /// A header field.
    Header(&'t HeaderMatch),
    /// A parameter of the query.
    Query(&'t QueryMatch),
}

/// All conditions hold.
#[inline]
pub(crate) fn holds(conditions: &Conditions, request: &impl RequestView) -> bool {
    failing(conditions, request).is_none()
}

/// The first condition that does not hold.
#[inline]
pub(crate) fn failing<'t>(conditions: &'t Conditions, request: &impl RequestView) -> Option<Condition<'t>> {
    let method = conditions.method.filter(|method| method.as_str().as_bytes() != request.method());
    method.map(Condition::Method).or_else(|| {
        let header = conditions.headers.iter().find(|header| !header_holds(header, request));
        header.map(Condition::Header).or_else(|| {
            let query = conditions.query.iter().find(|parameter| !query_holds(parameter, request.query()));
            query.map(Condition::Query)
        })
    })
}

fn header_holds(header: &HeaderMatch, request: &impl RequestView) -> bool {
    value::joined_holds(&header.value, || request.headers(&header.name))
}

fn query_holds(parameter: &QueryMatch, query: Option<&[u8]>) -> bool {
    query_value(&parameter.name, query).is_some_and(|given| value::decoded_holds(&parameter.value, given))
}

/// The value of the first parameter of this name, as it was sent.
fn query_value<'q>(name: &str, query: Option<&'q [u8]>) -> Option<&'q [u8]> {
    let named = |pair: &&[u8]| value::decoded(name_of(pair)).eq(name.bytes());
    query?.split(|&b| b == b'&').filter(|pair| !pair.is_empty()).find(named).map(value_of)
}

/// The value of the first parameter of this name, decoded.
pub(crate) fn query_text(name: &str, query: Option<&[u8]>) -> Option<Vec<u8>> {
    query_value(name, query).map(|given| value::decoded(given).collect())
}

/// The value meets the condition, in one piece.
pub(crate) fn value_holds(wanted: &ValueMatch, value: &[u8]) -> bool {
    value::joined_holds(wanted, || std::iter::once(value))
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|&b| b == b'=').next().unwrap_or_default()
}

fn value_of(pair: &[u8]) -> &[u8] {
    pair.iter().position(|&b| b == b'=').map_or(&[], |at| &pair[at + 1..])
}
