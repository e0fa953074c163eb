//! The fields by which proxies tell each other, and applications, where a request comes from: which are deleted at the
//! edge, and the one clean set that the application gets. Knows no socket; who the client is was decided before.

use std::net::{IpAddr, SocketAddr};

use bailey_http1::{Authority, Fields, LineStart};

#[cfg(test)]
mod tests;

/// Names with a meaning to proxies or to frameworks behind them, deleted from every request that comes from outside. The
/// applications that read them believe them blindly, so a name nobody sets is as dangerous as one everybody sets.
/// Lower case, with dashes; twins with underscores (`X_Forwarded_For`, which CGI and WSGI cannot tell apart) count too.
pub const FORWARDING: &[&str] = &[
    // RFC 7239, RFC 9110.
    "forwarded",
    "via",
    // The client's address, as various edges spell it.
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-originating-ip",
    "x-proxyuser-ip",
    "client-ip",
    "http-client-ip",
    "remote-addr",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "cf-visitor",
    "fastly-client-ip",
    "fly-client-ip",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "wl-proxy-client-ip",
    "wl-proxy-ssl",
    // The scheme and host of the request.
    "front-end-https",
    "x-scheme",
    "x-url-scheme",
    "x-host",
    "x-http-host-override",
    // The target of the request: some frameworks route by them.
    "x-rewrite-url",
    // Client certificates that somebody else has verified.
    "x-client-cert",
    "ssl-client-cert",
    "ssl-client-verify",
    "x-arr-clientcert",
    // Ours.
    "x-request-id",
];

/// Families of such names: everything that begins so.
pub const FORWARDING_PREFIXES: &[&str] = &["x-forwarded", "x-original-", "x-envoy-", "x-ssl-", "x-bailey-"];

/// The trace context. From the internet it would let strangers write into our traces; a listed proxy in front may send it.
const TRACE: &[&str] = &["traceparent", "tracestate", "baggage", "b3"];

/// First letters of all the names above, so that most fields cost one comparison.
const INITIALS: &[u8] = b"xfvchrtbws";

/// Whether the (lower-case) name is one of [`FORWARDING`] or of a family of [`FORWARDING_PREFIXES`].
pub fn is_forwarding(name: &[u8]) -> bool {
    name.first().is_some_and(|first| INITIALS.contains(first))
        && (FORWARDING.iter().any(|known| known.len() == name.len() && begins(name, known))
            || FORWARDING_PREFIXES.iter().any(|family| begins(name, family)))
}

fn is_trace(name: &[u8]) -> bool {
    name.first().is_some_and(|first| INITIALS.contains(first))
        && (TRACE.iter().any(|known| known.len() == name.len() && begins(name, known)) || begins(name, "x-b3-"))
}

/// Whether `name` begins with `known`, an underscore counting as a dash.
fn begins(name: &[u8], known: &str) -> bool {
    name.len() >= known.len()
        && known.bytes().zip(name).all(|(wanted, found)| wanted == *found || (wanted == b'-' && *found == b'_'))
}

/// What of a trace context in a request's fields goes on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceFields {
    /// Nothing: nobody we believe has sent it.
    None,
    /// Only `baggage`: the context has been read, and ours is written in its place.
    Baggage,
    /// All of it: we trace nothing, and the sender is believed.
    All,
}

impl TraceFields {
    /// What goes on, from whether the sender is believed, and whether we trace.
    pub fn of(believed: bool, traced: bool) -> Self {
        match (believed, traced) {
            (false, _) => Self::None,
            (true, true) => Self::Baggage,
            (true, false) => Self::All,
        }
    }

    fn keep(self, name: &[u8]) -> bool {
        self == Self::All || !is_trace(name) || (self == Self::Baggage && name == b"baggage")
    }
}

/// Deletes what a client has no business to say, and what of a trace context does not go on.
pub fn delete_forwarding(fields: &mut Fields, trace: TraceFields) {
    if fields.iter().any(|(name, _)| is_forwarding(name) || is_trace(name)) {
        fields.retain(|name, _| !is_forwarding(name) && trace.keep(name));
    }
}

/// What the application is told of where a request comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The client.
    pub client: SocketAddr,
    /// The client used TLS.
    pub https: bool,
    /// The host and port that the client asked for.
    pub authority: &'a Authority,
    /// The port that the client used, where the authority names none.
    pub port: u16,
    /// The request's id.
    pub request_id: &'a [u8; 16],
}

const FOR: LineStart = LineStart::new("x-forwarded-for: ");
const REAL_IP: LineStart = LineStart::new("x-real-ip: ");
const PROTO: LineStart = LineStart::new("x-forwarded-proto: ");
const HOST: LineStart = LineStart::new("x-forwarded-host: ");
const PORT: LineStart = LineStart::new("x-forwarded-port: ");
const REQUEST_ID: LineStart = LineStart::new("x-request-id: ");
/// The clean set.
const CLEAN: [LineStart; 6] = [FOR, REAL_IP, PROTO, HOST, PORT, REQUEST_ID];
/// Room for the lines of the clean set but for the host.
const CLEAN_ROOM: usize = 320;

/// Writes the clean set, replacing whatever has these names. With `forwarded` also RFC 7239's field.
pub fn write_clean(fields: &mut Fields, origin: &Origin<'_>, forwarded: bool) {
    // What came in under these names is gone by now; a route may have set some since.
    let replaced = |name: &[u8]| match name.first() {
        Some(b'x') => CLEAN.iter().any(|line| line.name() == name),
        Some(b'f') => forwarded && name == b"forwarded",
        Some(_) | None => false,
    };
    if fields.iter().any(|(name, _)| replaced(name)) {
        fields.retain(|name, _| !replaced(name));
    }
    fields.reserve(CLEAN.len() + 1, CLEAN_ROOM + origin.authority.host().len());
    let mut text = Text::default();
    let scheme: &[u8] = if origin.https { b"https" } else { b"http" };
    text.address(origin.client.ip());
    fields.append_line(FOR, text.as_bytes());
    fields.append_line(REAL_IP, text.as_bytes());
    fields.append_line(PROTO, scheme);
    match origin.authority.port() {
        None => fields.append_line(HOST, origin.authority.host()),
        Some(port) => {
            let text = text.clear().bytes(origin.authority.host()).bytes(b":").decimal(port);
            fields.append_line(HOST, text.as_bytes());
        }
    }
    let port = origin.authority.port().unwrap_or(origin.port);
    fields.append_line(PORT, text.clear().decimal(port).as_bytes());
    fields.append_line(REQUEST_ID, &id_text(origin.request_id));
    if forwarded {
        fields.append(b"forwarded", forwarded_value(origin).as_bytes());
    }
}

/// RFC 7239 section 4: an IPv6 address is bracketed and quoted, and so is a host with a port.
fn forwarded_value(origin: &Origin<'_>) -> String {
    let node = match origin.client.ip() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    };
    let host = origin.authority.to_string();
    let host = if host.contains([':', '[']) { format!("\"{host}\"") } else { host };
    format!("for={node};host={host};proto={}", if origin.https { "https" } else { "http" })
}

/// A request id as applications know it: a UUID's text.
pub fn id_text(id: &[u8; 16]) -> [u8; 36] {
    /// Both digits of each byte.
    const DIGITS: [[u8; 2]; 256] = {
        let (hex, mut all, mut byte) = (b"0123456789abcdef", [[0; 2]; 256], 0);
        while byte < 256 {
            all[byte] = [hex[byte >> 4], hex[byte & 15]];
            byte += 1;
        }
        all
    };
    /// Where each byte stands.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut text = [b'-'; 36];
    for (place, byte) in PLACES.into_iter().zip(id) {
        text[place..place + 2].copy_from_slice(&DIGITS[usize::from(*byte)]);
    }
    text
}

/// A short text on the stack; what does not fit is cut.
struct Text {
    bytes: [u8; 300],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 300], len: 0 }
    }
}

impl Text {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn clear(&mut self) -> &mut Self {
        self.len = 0;
        self
    }

    fn bytes(&mut self, more: &[u8]) -> &mut Self {
        let fits = more.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + fits].copy_from_slice(&more[..fits]);
        self.len += fits;
        self
    }

    fn decimal(&mut self, number: u16) -> &mut Self {
        let digits = [number / 10_000, number / 1_000 % 10, number / 100 % 10, number / 10 % 10, number % 10];
        let digits = digits.map(|digit| b'0' + digit as u8);
        let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len() - 1);
        self.bytes(&digits[first..])
    }

    fn address(&mut self, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets().map(u16::from);
                self.decimal(a).bytes(b".").decimal(b).bytes(b".").decimal(c).bytes(b".").decimal(d)
            }
            IpAddr::V6(v6) => self.bytes(v6.to_string().as_bytes()),
        }
    }
}
