//! The head of the request as a client would write it, read by the code that reads clients.

use bailey_http1::{Fields, RequestHead, RequestParser};
use bytes::BytesMut;
use http::header::{HeaderName, HeaderValue};

use super::{FieldChange, Question, say};
use crate::error::Fate;
use crate::front::h2::head;
use crate::front::{FrontLimits, Refused};
use crate::snapshot::Snapshot;

/// Names that are typed in a head and not among its fields.
const TYPED: [&str; 5] = ["host", "content-length", "transfer-encoding", "expect", "upgrade"];
/// Fields of one connection, which HTTP/2 does not have (RFC 9113 section 8.2.2).
const OF_CONNECTIONS: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
/// What a field counts for beside its name and value (RFC 9113 section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// Why there is no head.
pub(super) enum Unread {
    /// It is answered.
    Refused(Refused),
    /// HTTP/2 itself forbids it: the stream is reset, and there is no answer.
    Reset(String),
}

impl<T: Into<Refused>> From<T> for Unread {
    fn from(refused: T) -> Self {
        Self::Refused(refused.into())
    }
}

fn malformed() -> Refused {
    Refused { fate: Fate::Malformed, status: 400, limit: None }
}

/// The head, and what HTTP itself took away from it. The limits are those of the tier.
pub(super) fn read(question: &Question, snapshot: &Snapshot) -> Result<(RequestHead, Vec<FieldChange>), Unread> {
    let limits = FrontLimits::of(&snapshot.settings.limits);
    let head = if question.http2 { over_http2(question, &limits)? } else { over_http1(question, &limits)? };
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

fn over_http1(question: &Question, limits: &FrontLimits) -> Result<RequestHead, Refused> {
    let mut bytes = BytesMut::from(&*written(question).ok_or_else(malformed)?);
    RequestParser::default().parse(&mut bytes, &limits.http)?.ok_or_else(malformed)
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
        text.extend(["Host: ", &question.authority(), "\r\n"]);
    }
    for (name, value) in &question.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text += "\r\n";
    Some(text.into_bytes())
}

/// What the `h2` crate makes of the question and hands on, or refuses by itself.
fn over_http2(question: &Question, limits: &FrontLimits) -> Result<RequestHead, Unread> {
    let forbidden = |name: &str, value: &str| {
        OF_CONNECTIONS.contains(&name) || (name == "te" && !value.eq_ignore_ascii_case("trailers"))
    };
    let mut request = http::Request::builder().method(&*question.method).uri(format!(
        "{}://{}{}",
        question.scheme.as_str(),
        question.authority(),
        question.target
    ));
    let mut bytes = 0;
    for (name, value) in &question.headers {
        let name = name.to_ascii_lowercase();
        if forbidden(&name, value) {
            return Err(Unread::Reset(format!("the field {name} is of HTTP/1.1 and forbidden in HTTP/2")));
        }
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) else {
            return Err(Unread::Reset(format!("the field {name:?} cannot be written")));
        };
        bytes += name.as_str().len() + value.len() + FIELD_OVERHEAD;
        request = request.header(name, value);
    }
    if bytes > limits.h2.header_list as usize {
        return Err(Refused { fate: Fate::HeadTooLarge, status: 431, limit: None }.into());
    }
    let unwritable = |_| Unread::Reset("its method, host or path cannot be written".to_owned());
    let (parts, ()) = request.body(()).map_err(unwritable)?.into_parts();
    // A length announces a body, which is not part of the question.
    let ends = !parts.headers.contains_key(http::header::CONTENT_LENGTH);
    Ok(head::request(&parts, ends, limits)?)
}
