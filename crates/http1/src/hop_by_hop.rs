//! Removes the fields that are meant for one connection only (RFC 9110 section 7.6.1, RFC 9112, reliability rule: what
//! Connection names can never be an end-to-end field). Pure edits; nothing here knows which tier it serves.

use crate::class::trim;
use crate::{Fields, Refusal};

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
    /// Adds the tokens of one Connection value. A token other than `close`, `keep-alive`, `upgrade` and `te` would
    /// remove an end-to-end field behind our back and is refused; so are `http2-settings` without `upgrade` and
    /// anything that is no list.
    pub fn read(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for token in value.split(|&b| b == b',') {
            let token = trim(token);
            if token.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if token.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if !names_removed_field(token) {
                return Err(Refusal::ConnectionToken);
            }
        }
        Ok(())
    }
}

/// Tokens that name a field which is removed anyway, so that naming it changes nothing; and the empty list element.
fn names_removed_field(token: &[u8]) -> bool {
    token.is_empty() || token.eq_ignore_ascii_case(b"te") || token.eq_ignore_ascii_case(b"http2-settings")
}

/// Reads and removes Connection and all other fields of one connection from a request: Keep-Alive, `Proxy` and
/// `Proxy-*`, TE (unless it is exactly `trailers`, which gRPC needs), Trailer, Upgrade, Transfer-Encoding,
/// HTTP2-Settings.
pub fn remove_hop_by_hop_from_request(fields: &mut Fields) -> Result<ConnectionTokens, Refusal> {
    let tokens = connection_tokens(fields)?;
    fields.retain(|name, value| match name {
        b"te" => value.eq_ignore_ascii_case(b"trailers"),
        b"connection" | b"keep-alive" | b"trailer" | b"upgrade" | b"transfer-encoding" | b"http2-settings"
        | b"proxy" => false,
        _ => !name.starts_with(b"proxy-"),
    });
    Ok(tokens)
}

/// The same for a response: Proxy-Status stays (RFC 9209), Alt-Svc goes, because it names a server the client can not
/// and must not reach past the tiers.
pub fn remove_hop_by_hop_from_response(fields: &mut Fields) -> Result<ConnectionTokens, Refusal> {
    let tokens = connection_tokens(fields)?;
    fields.retain(|name, _| match name {
        b"connection" | b"keep-alive" | b"trailer" | b"upgrade" | b"transfer-encoding" | b"te" | b"http2-settings"
        | b"alt-svc" | b"proxy" => false,
        b"proxy-status" => true,
        _ => !name.starts_with(b"proxy-"),
    });
    Ok(tokens)
}

fn connection_tokens(fields: &Fields) -> Result<ConnectionTokens, Refusal> {
    let mut tokens = ConnectionTokens::default();
    for value in fields.get_all(b"connection") {
        tokens.read(value)?;
    }
    Ok(tokens)
}
