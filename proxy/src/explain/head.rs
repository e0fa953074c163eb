//! The head of the request as a client would write it, read by the parser that reads clients.

use bailey_http1::{Fields, RequestHead, RequestParser};
use bytes::BytesMut;

use super::{FieldChange, Question, say};
use crate::error::Fate;
use crate::front::{FrontLimits, Refused};
use crate::snapshot::Snapshot;

/// Names that are typed in a head and not among its fields.
const TYPED: [&str; 5] = ["host", "content-length", "transfer-encoding", "expect", "upgrade"];

/// The head, and what HTTP itself took away from it. The limits are those of the tier.
pub(super) fn read(question: &Question, snapshot: &Snapshot) -> Result<(RequestHead, Vec<FieldChange>), Refused> {
    let mut bytes =
        BytesMut::from(&*written(question).ok_or(Refused { fate: Fate::Malformed, status: 400, limit: None })?);
    let limits = FrontLimits::of(&snapshot.settings.limits).http;
    let head = RequestParser::default().parse(&mut bytes, &limits)?;
    let head = head.ok_or(Refused { fate: Fate::Malformed, status: 400, limit: None })?;
    let asked: Fields = question
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| !TYPED.contains(&name.as_str()))
        .collect::<Vec<_>>()
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let changes = say::difference(&asked, &head.fields, "HTTP: a field for one hop only");
    Ok((head, changes))
}

/// The text of the request; `None` when a part of it would end the line it stands in.
fn written(question: &Question) -> Option<Vec<u8>> {
    let whole = |text: &str| !text.contains(['\r', '\n']);
    let own_host = question.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
    let sound = whole(&question.method) && whole(&question.target) && whole(&question.host);
    if !sound || !question.headers.iter().all(|(name, value)| whole(name) && whole(value)) {
        return None;
    }
    let mut text = format!("{} {} HTTP/1.1\r\n", question.method, question.target);
    if !own_host {
        // Clients leave the well-known port out.
        let named = question.port_named && question.port != question.scheme.default_port();
        let port = if named { format!(":{}", question.port) } else { String::new() };
        text.extend(["Host: ", &question.host, &port, "\r\n"]);
    }
    for (name, value) in &question.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text += "\r\n";
    Some(text.into_bytes())
}
