//! Request and response heads as every protocol of the proxy sees them. Decides nothing: these are the values the
//! parsers make and the encoders write.

use bytes::Bytes;

use crate::{Authority, Fields, Method, Target};

/// The protocol version a head came in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
    /// HTTP/2
    Http2,
}

/// The scheme of a target in absolute form, or of `:scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// How long a body is, as far as the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BodyLength {
    /// There is no body and none is announced.
    #[default]
    None,
    /// Exactly that many bytes; 0 is written as `Content-Length: 0`.
    Length(u64),
    /// Chunked, or a stream of another protocol: the end is marked.
    Unknown,
    /// Responses only: the body ends when the connection does.
    UntilClose,
}

/// The protocol a request asks to change to. Everything else in Upgrade is ignored, as RFC 9110 section 7.8 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Upgrade {
    /// `websocket`
    WebSocket,
}

/// The head of a request.
///
/// What HTTP/1.1 says in fields but means for the message itself is typed here and **not** among the fields: Host,
/// Content-Length, Transfer-Encoding, Connection, Upgrade, Expect. The parser has removed the other hop-by-hop fields
/// too (see [`crate::remove_hop_by_hop_from_request`]); whoever converts another protocol does the same.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: Target,
    /// Host and port from Host or `:authority`; for a target in absolute form they are equal.
    pub authority: Authority,
    /// The scheme, if the target was in absolute form or the protocol sends one.
    pub scheme: Option<Scheme>,
    /// The version the request came in with.
    pub version: Version,
    /// End-to-end fields.
    pub fields: Fields,
    /// How long the body is.
    pub body: BodyLength,
    /// The client wants to keep the connection after the answer.
    pub keep_alive: bool,
    /// The client asks for another protocol.
    pub upgrade: Option<Upgrade>,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
}

impl RequestHead {
    /// A request without fields and body.
    pub fn new(method: Method, target: Target, authority: Authority) -> Self {
        Self { method, target, authority, keep_alive: true, ..Self::default() }
    }

    /// The path with its leading slash.
    pub fn path(&self) -> &[u8] {
        self.target.path()
    }

    /// What follows the first `?`.
    pub fn query(&self) -> Option<&[u8]> {
        self.target.query()
    }

    /// The canonical host.
    pub fn host(&self) -> &[u8] {
        self.authority.host()
    }

    /// The port, if one was sent.
    pub const fn port(&self) -> Option<u16> {
        self.authority.port()
    }
}

/// The head of a response.
///
/// As with requests, framing and hop-by-hop fields are not among the fields. The one exception: a response without
/// body to HEAD, or with status 304, keeps its Content-Length field, which describes the body it would have had.
#[derive(Debug, Clone, Default)]
pub struct ResponseHead {
    /// The status, 100 to 599.
    pub status: u16,
    /// The reason phrase, if it was sent; the usual one is written otherwise.
    pub reason: Option<Bytes>,
    /// The version the response came in with.
    pub version: Version,
    /// End-to-end fields.
    pub fields: Fields,
    /// How long the body is.
    pub body: BodyLength,
    /// The server keeps the connection after this response.
    pub keep_alive: bool,
    /// The protocol a 101 changes to.
    pub upgrade: Option<Upgrade>,
}

impl ResponseHead {
    /// A response without fields and body.
    pub fn new(status: u16) -> Self {
        Self { status, keep_alive: true, ..Self::default() }
    }

    /// True for 1xx but 101, after which another head follows.
    pub const fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}
