//! Which fields are meant for one connection only (RFC 9110 section 7.6.1) and their removal. Decides by name alone;
//! what Connection names can never be an end-to-end field. Pure edits: nothing here knows which tier it serves.

use crate::class::trim;
use crate::{Fields, Refusal};

/// What a field is to a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    EndToEnd,
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    Upgrade,
    Expect,
    Te,
    AltSvc,
    ProxyStatus,
    /// Any other field of one connection.
    Hop,
}

/// The kind of a lower-case name. By length first: most names are of a length no special field has.
pub(crate) fn kind(name: &[u8]) -> Kind {
    match name.len() {
        2 if name == b"te" => Kind::Te,
        4 if name == b"host" => Kind::Host,
        5 if name == b"proxy" => Kind::Hop,
        6 if name == b"expect" => Kind::Expect,
        7 if name == b"upgrade" => Kind::Upgrade,
        7 if name == b"trailer" => Kind::Hop,
        7 if name == b"alt-svc" => Kind::AltSvc,
        10 if name == b"connection" => Kind::Connection,
        10 if name == b"keep-alive" => Kind::Hop,
        12 if name == b"proxy-status" => Kind::ProxyStatus,
        14 if name == b"content-length" => Kind::ContentLength,
        14 if name == b"http2-settings" => Kind::Hop,
        17 if name == b"transfer-encoding" => Kind::TransferEncoding,
        _ if name.starts_with(b"proxy-") => Kind::Hop,
        _ => Kind::EndToEnd,
    }
}

/// What the Connection fields of a message say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionTokens {
    /// `close`
    pub close: bool,
    /// `keep-alive`
    pub keep_alive: bool,
    /// `upgrade`
    pub upgrade: bool,
}

impl ConnectionTokens {
    /// Adds the tokens of one Connection value. A token other than `close`, `keep-alive`, `upgrade`, `te` and
    /// `http2-settings` would remove an end-to-end field behind our back and is refused, unless `may_name` says that the
    /// field is deleted anyway.
    pub fn read(&mut self, value: &[u8], may_name: fn(&[u8]) -> bool) -> Result<(), Refusal> {
        for token in tokens(value) {
            if !self.note(token) && !is_named(token, may_name) {
                return Err(Refusal::ConnectionToken);
            }
        }
        Ok(())
    }

    /// Notes one token; false if it names a field we do not remove anyway.
    pub(crate) fn note(&mut self, token: &[u8]) -> bool {
        if token.eq_ignore_ascii_case(b"close") {
            self.close = true;
        } else if token.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
        } else if token.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else {
            return token.is_empty() || [&b"te"[..], b"http2-settings"].iter().any(|t| token.eq_ignore_ascii_case(t));
        }
        true
    }
}

/// Asks `may_name` about a token in lower case. Longer than any name it could know: no.
fn is_named(token: &[u8], may_name: fn(&[u8]) -> bool) -> bool {
    let mut lower = [0; 64];
    let Some(name) = lower.get_mut(..token.len()) else { return false };
    name.copy_from_slice(token);
    name.make_ascii_lowercase();
    may_name(name)
}

/// The elements of a comma-separated list without the space around them.
pub(crate) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim)
}

/// Reads and removes Connection and all other fields of one connection from a request: Keep-Alive, `Proxy` and
/// `Proxy-*`, TE (unless it is exactly `trailers`, which gRPC needs), Trailer, Upgrade, Transfer-Encoding,
/// HTTP2-Settings. A Connection token that names any other field refuses the request.
pub fn remove_hop_by_hop_from_request(fields: &mut Fields) -> Result<ConnectionTokens, Refusal> {
    let mut tokens = ConnectionTokens::default();
    for value in fields.get_all(b"connection") {
        tokens.read(value, |_| false)?;
    }
    fields.retain(|name, value| keeps_in_request(kind(name), value));
    Ok(tokens)
}

/// True if a request's field of that kind goes on to the next hop.
pub(crate) fn keeps_in_request(kind: Kind, value: &[u8]) -> bool {
    match kind {
        Kind::EndToEnd | Kind::Host | Kind::ContentLength | Kind::Expect | Kind::AltSvc => true,
        Kind::Te => value.eq_ignore_ascii_case(b"trailers"),
        Kind::TransferEncoding | Kind::Connection | Kind::Upgrade | Kind::ProxyStatus | Kind::Hop => false,
    }
}

/// The same for a response, with three differences: Proxy-Status stays (RFC 9209); Alt-Svc goes, because it names a
/// server that a client must not reach past the tiers; and what Connection names is removed, not refused, because a
/// server can only harm its own answer.
pub fn remove_hop_by_hop_from_response(fields: &mut Fields) -> ConnectionTokens {
    let mut found = ConnectionTokens::default();
    let mut named: Vec<Vec<u8>> = Vec::new();
    for token in fields.get_all(b"connection").flat_map(tokens) {
        if !found.note(token) {
            named.push(token.to_ascii_lowercase());
        }
    }
    fields.retain(|name, _| keeps_in_response(kind(name)) && !named.iter().any(|n| n == name));
    found
}

/// True if a response's field of that kind goes on to the next hop.
pub(crate) const fn keeps_in_response(kind: Kind) -> bool {
    match kind {
        Kind::EndToEnd | Kind::Host | Kind::ContentLength | Kind::Expect | Kind::ProxyStatus => true,
        Kind::Te | Kind::AltSvc | Kind::TransferEncoding | Kind::Connection | Kind::Upgrade | Kind::Hop => false,
    }
}
