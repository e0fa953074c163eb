//! Header edits: what may be set, added and removed.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailey_crds::gateway::{HeaderModifier, HeaderValue as Wanted};
use bailey_routing::ir::{Filter, HeaderEdit, HeaderValue};

use crate::diagnostics::Code;
use crate::routes::rule::Problems;
use crate::syntax;

/// Fields that frame a message or belong to one connection (RFC 9110 7.6.1); whoever could set them could smuggle.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// The edit, wrapped by `wrap` as an edit of the request or of the response.
pub(super) fn translate(
    wanted: &HeaderModifier,
    at: &str,
    wrap: impl FnOnce(HeaderEdit) -> Filter,
    problems: &mut Problems<'_>,
) -> Filter {
    match edit(wanted, at, problems) {
        Ok(edit) => wrap(edit),
        Err((field, message)) => problems.filter(Code::InvalidHeaderEdit, &field, message),
    }
}

type Refusal = (String, String);

fn edit(wanted: &HeaderModifier, at: &str, problems: &mut Problems<'_>) -> Result<HeaderEdit, Refusal> {
    let set = values(&wanted.set, &format!("{at}.set"), problems)?;
    let add = values(&wanted.add, &format!("{at}.add"), problems)?;
    let mut remove = BTreeSet::new();
    for (index, name) in wanted.remove.iter().enumerate() {
        remove.insert(header_name(name, &format!("{at}.remove[{index}]"))?);
    }
    let set_names = set.iter().map(|field| &field.name);
    let twice = set_names
        .clone()
        .find(|name| remove.contains(*name) || add.iter().any(|field| field.name == **name))
        .or_else(|| add.iter().map(|field| &field.name).find(|name| remove.contains(*name)));
    match twice {
        Some(name) => Err((at.to_owned(), format!("{name} is in two of set, add and remove"))),
        None => Ok(HeaderEdit { set: set.into(), add: add.into(), remove: remove.into_iter().collect() }),
    }
}

fn values(wanted: &[Wanted], at: &str, problems: &mut Problems<'_>) -> Result<Vec<HeaderValue>, Refusal> {
    let mut found: Vec<HeaderValue> = Vec::new();
    for (index, field) in wanted.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let name = header_name(&field.name, &format!("{at}.name"))?;
        if !syntax::is_header_value(&field.value) {
            return Err((format!("{at}.value"), format!("the value of {name} cannot be a header value")));
        }
        if found.iter().any(|earlier| earlier.name == name) {
            // Gateway API: of equal names the first counts.
            problems.found(Code::MatchRepeated, &at, format!("{name} has been given before"));
        } else {
            found.push(HeaderValue { name, value: field.value.as_str().into() });
        }
    }
    Ok(found)
}

fn header_name(text: &str, field: &str) -> Result<Arc<str>, Refusal> {
    let name = text.to_ascii_lowercase();
    if !syntax::is_token(&name) {
        return Err((field.to_owned(), format!("{text:?} is not a header name")));
    }
    if name == "host" {
        return Err((field.to_owned(), "the host is changed by URLRewrite".to_owned()));
    }
    if FRAMING.contains(&name.as_str()) {
        return Err((field.to_owned(), format!("{name} belongs to the connection, not to the message")));
    }
    Ok(name.into())
}
