//! The typed metadata of heads: what one tier knows of an exchange and tells the next beside the header fields. Values only; bytes are in `head`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $code,)+
        }

        impl $name {
            pub(crate) fn from_wire(byte: u8) -> Option<Self> {
                match byte { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

wire_enum! {
    /// What flows on a stream.
    StreamType {
        /// One HTTP request and its response.
        Http = 0,
        /// An HTTP request that asks for an upgrade; after a 101 both directions are raw bytes.
        Upgrade = 1,
        /// Raw bytes both ways once the response head has come.
        Tcp = 2,
        /// As `Tcp`; the bytes are a TLS connection this side does not open.
        TlsPassthrough = 3,
        /// Datagrams both ways.
        Udp = 4,
    }
}

wire_enum! {
    /// The scheme the client used.
    Scheme {
        /// Not an HTTP exchange.
        None = 0,
        /// Plain text.
        Http = 1,
        /// TLS.
        Https = 2,
    }
}

wire_enum! {
    /// The protocol the client speaks to the outer tier.
    ClientVersion {
        /// Not an HTTP exchange.
        None = 0,
        /// HTTP/1.0.
        Http10 = 1,
        /// HTTP/1.1.
        Http11 = 2,
        /// HTTP/2.
        Http2 = 3,
        /// HTTP/3.
        Http3 = 4,
    }
}

/// The length of a body as its head announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// Exactly so many bytes.
    Known(u64),
    /// Until the end.
    Unknown,
}

/// What the handshake with the client told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientTls<'a> {
    /// The version's number in TLS: 0x0303 for 1.2, 0x0304 for 1.3.
    pub version: u16,
    /// The name the client asked for; empty when it sent none.
    pub sni: &'a [u8],
    /// SHA-256 of the client's certificate, when it showed one that was verified.
    pub certificate_digest: Option<[u8; 32]>,
    /// The certificate's subject; empty without a certificate.
    pub certificate_subject: &'a [u8],
}

/// The trace an exchange belongs to. Opaque here; all empty means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace<'a> {
    /// W3C `traceparent`.
    pub parent: &'a [u8],
    /// W3C `tracestate`.
    pub state: &'a [u8],
    /// The sampling decision and what goes with it.
    pub sampling: &'a [u8],
}

/// What a request head says beside its header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestMeta<'a> {
    /// What flows on the stream.
    pub stream_type: StreamType,
    /// The client, as the outer tier decided who that is.
    pub client: SocketAddr,
    /// The listener the client came in by; at most 255 bytes.
    pub listener: &'a [u8],
    /// The scheme the client used.
    pub scheme: Scheme,
    /// The protocol the client speaks.
    pub version: ClientVersion,
    /// The client's handshake, if there was one.
    pub tls: Option<ClientTls<'a>>,
    /// The request id, made by the outer tier.
    pub request_id: [u8; 16],
    /// The trace context.
    pub trace: Trace<'a>,
    /// Milliseconds left when the head was written; `None` without a deadline.
    pub deadline_ms: Option<u32>,
    /// Tiers the request has passed.
    pub hops: u8,
    /// The request method; empty for streams that are not HTTP.
    pub method: &'a [u8],
    /// The authority's host, without port; a name or an address.
    pub host: &'a [u8],
    /// The authority's port, if it was written.
    pub port: Option<u16>,
    /// Path and query, or `*`.
    pub target: &'a [u8],
    /// What the head says of the body.
    pub body: BodyLength,
}

impl Default for RequestMeta<'_> {
    fn default() -> Self {
        Self {
            stream_type: StreamType::Http,
            client: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            listener: &[],
            scheme: Scheme::None,
            version: ClientVersion::None,
            tls: None,
            request_id: [0; 16],
            trace: Trace::default(),
            deadline_ms: None,
            hops: 0,
            method: &[],
            host: &[],
            port: None,
            target: &[],
            body: BodyLength::None,
        }
    }
}

/// How long the tier that answers took, by its own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Microseconds from the request's head to the response's.
    pub head_us: u32,
    /// Of these, microseconds until the head of the application's answer had come; `None` when it was not asked.
    pub upstream_us: Option<u32>,
}

/// What a response head says beside its header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseMeta {
    /// The status: 100 to 199 but 101 for an informational response, else 101 or 200 to 999.
    pub status: u16,
    /// What the head says of the body.
    pub body: BodyLength,
    /// How long it took; for logs only.
    pub times: Option<Times>,
}
