//! Writes heads. Decides the one way each message is framed; what may be sent when is decided by the connections.

use bytes::BytesMut;

use crate::hop_by_hop::Kind;
use crate::{BodyLength, Method, RequestHead, ResponseHead, Upgrade, class, reason};

/// Room for a start line and the fields written beside the head's own.
const OVERHEAD: usize = 256;
const UPGRADE: &[u8] = b"connection: upgrade\r\nupgrade: websocket\r\n";

/// Appends a request head: Host first, then the fields, then one framing field, Expect, and Connection if it has
/// something to say. Framing and hop-by-hop fields among `head.fields` are not written: what the message means is
/// typed in the head, and nothing may contradict it.
pub fn encode_request(head: &RequestHead, out: &mut BytesMut) {
    out.reserve(head.fields.lines_len() + head.target.as_bytes().len() + head.host().len() + OVERHEAD);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(head.target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    head.authority.write_to(out);
    out.extend_from_slice(b"\r\n");
    head.fields.write_to(out, |kind| match kind {
        Kind::EndToEnd | Kind::Te | Kind::AltSvc => true,
        Kind::Host
        | Kind::ContentLength
        | Kind::TransferEncoding
        | Kind::Connection
        | Kind::Upgrade
        | Kind::Expect
        | Kind::ProxyStatus
        | Kind::Hop => false,
    });
    framing(request_body(head), out);
    if head.expect_continue {
        out.extend_from_slice(b"expect: 100-continue\r\n");
    }
    match (head.upgrade, head.fields.contains(b"te")) {
        (Some(Upgrade::WebSocket), _) => out.extend_from_slice(UPGRADE),
        (None, true) if head.keep_alive => out.extend_from_slice(b"connection: te\r\n"),
        (None, true) => out.extend_from_slice(b"connection: te, close\r\n"),
        (None, false) if head.keep_alive => {}
        (None, false) => out.extend_from_slice(b"connection: close\r\n"),
    }
    out.extend_from_slice(b"\r\n");
}

/// The framing of a request. Without a body, a method that has one by its meaning says so with a zero
/// (RFC 9110 section 8.6); a request cannot end by closing.
pub(crate) const fn request_body(head: &RequestHead) -> BodyLength {
    match (head.body, head.method) {
        (BodyLength::None, Method::Post | Method::Put | Method::Patch) => BodyLength::Length(0),
        (BodyLength::UntilClose, _) => BodyLength::Unknown,
        (body, _) => body,
    }
}

/// What the Connection field of a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionOption {
    /// Nothing: the version's default holds.
    Default,
    /// The connection stays, to a client that would not expect it (HTTP/1.0).
    KeepAlive,
    /// The connection ends after this response.
    Close,
    /// The connection changes its protocol.
    Upgrade(Upgrade),
}

/// Appends a response head. The framing is `body`, not `head.body`, which speaks of another connection; so does
/// `head.keep_alive`. `date` (an IMF-fixdate) is written if the head has no Date. Framing and hop-by-hop fields among
/// `head.fields` are not written, but Content-Length is if `body` is `None`: it then describes a body that is not sent.
pub fn encode_response(
    head: &ResponseHead,
    body: BodyLength,
    connection: ConnectionOption,
    date: Option<&[u8]>,
    out: &mut BytesMut,
) {
    out.reserve(head.fields.lines_len() + OVERHEAD);
    status_line(head, out);
    head.fields.write_to(out, |kind| match kind {
        Kind::EndToEnd | Kind::Host | Kind::AltSvc | Kind::ProxyStatus => true,
        Kind::ContentLength => body == BodyLength::None && head.status >= 200 && head.status != 204,
        Kind::TransferEncoding | Kind::Connection | Kind::Upgrade | Kind::Expect | Kind::Te | Kind::Hop => false,
    });
    framing(body, out);
    if let Some(date) = date
        && !head.fields.contains(b"date")
    {
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date);
        out.extend_from_slice(b"\r\n");
    }
    match connection {
        ConnectionOption::Default => {}
        ConnectionOption::KeepAlive => out.extend_from_slice(b"connection: keep-alive\r\n"),
        ConnectionOption::Close => out.extend_from_slice(b"connection: close\r\n"),
        ConnectionOption::Upgrade(Upgrade::WebSocket) => out.extend_from_slice(UPGRADE),
    }
    out.extend_from_slice(b"\r\n");
}

fn status_line(head: &ResponseHead, out: &mut BytesMut) {
    if head.status == 200 && head.reason.is_none() {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(u64::from(head.status), out);
    out.extend_from_slice(b" ");
    let phrase = head.reason.as_deref().unwrap_or_else(|| reason::phrase(head.status).as_bytes());
    out.extend(phrase.iter().filter(|&&b| !class::ends_value(b)));
    out.extend_from_slice(b"\r\n");
}

fn framing(body: BodyLength, out: &mut BytesMut) {
    match body {
        BodyLength::None | BodyLength::UntilClose => {}
        BodyLength::Length(n) => {
            out.extend_from_slice(b"content-length: ");
            decimal(n, out);
            out.extend_from_slice(b"\r\n");
        }
        BodyLength::Unknown => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
}

/// Appends a number in decimal digits.
pub(crate) fn decimal(mut n: u64, out: &mut BytesMut) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
