//! Whether a request meets the conditions of a match: method, header fields, query. Paths are the trie's.

mod path;
mod value;

use crate::ir::{Conditions, HeaderMatch, QueryMatch};
use crate::request::RequestView;

pub(crate) use path::{is_grpc_method, prefix_ends_at};

/// All conditions hold.
pub(crate) fn holds(conditions: &Conditions, request: &impl RequestView) -> bool {
    conditions.method.is_none_or(|method| method.as_str().as_bytes() == request.method())
        && conditions.headers.iter().all(|header| header_holds(header, request))
        && conditions.query.iter().all(|parameter| query_holds(parameter, request.query()))
}

fn header_holds(header: &HeaderMatch, request: &impl RequestView) -> bool {
    value::joined_holds(&header.value, || request.headers(&header.name))
}

fn query_holds(parameter: &QueryMatch, query: Option<&[u8]>) -> bool {
    let named = |pair: &&[u8]| value::decoded(name_of(pair)).eq(parameter.name.bytes());
    let pair = query.and_then(|query| query.split(|&b| b == b'&').filter(|pair| !pair.is_empty()).find(named));
    pair.is_some_and(|pair| value::decoded_holds(&parameter.value, value_of(pair)))
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|&b| b == b'=').next().unwrap_or_default()
}

fn value_of(pair: &[u8]) -> &[u8] {
    pair.iter().position(|&b| b == b'=').map_or(&[], |at| &pair[at + 1..])
}
