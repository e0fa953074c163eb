//! The framing between an outer and an inner tier, without I/O.
//!
//! A [`Connection`] turns bytes into [`Event`]s and calls into bytes. It decides what a peer may send and when, and how much of it may wait;
//! it knows no socket, no clock and no HTTP codec. The bytes are specified in `docs/link.md`.

mod connection;
mod event;
mod flow;
mod frame;
mod head;
mod meta;
mod output;
mod reason;
mod settings;
mod stream;
mod tlv;

pub use connection::{Connection, OpenError, Role, StreamClosed};
pub use event::Event;
pub use head::{FieldRanges, RequestHead, ResponseHead, Trailers};
pub use meta::{BodyLength, ClientTls, ClientVersion, RequestMeta, ResponseMeta, Scheme, StreamType, Trace};
pub use output::Output;
pub use reason::{CloseReason, ConnectionError, ResetReason};
pub use settings::{PeerHello, Settings, VERSION_MAX, VERSION_MIN};
pub use stream::StreamId;

/// What the connection of a link offers in ALPN.
pub const ALPN: &[u8] = b"bailey/1";
