//! The framing between an outer and an inner tier, without I/O.
//!
//! A [`Connection`] turns bytes into [`Event`]s and calls into bytes. It decides what a peer may send and when, and how much of it may wait;
//! it knows no socket, no clock and no HTTP codec. The bytes are specified in `docs/link.md`.
//!
//! What a caller owes it:
//! - hand the input to `read` until it returns `None`; keep at least room for a head (`Settings::max_head`) in the input;
//! - write `output`, `advance` it, then take `next_event` until it returns `None`;
//! - give back every byte of `Event::Data` by `consumed`, and call `release` once for every stream, also for one that is over: a client's slot
//!   is not used again before that. A server learns by `Event::Request` that a slot is used again, which can be before it has let go of an
//!   answered stream; so whoever indexes by slot compares the `StreamId` too;
//! - copy a head that is kept for long: its payload keeps the read buffer alive.

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
pub use meta::{BodyLength, ClientTls, ClientVersion, RequestMeta, ResponseMeta, Scheme, StreamType, Times, Trace};
pub use output::Output;
pub use reason::{CloseReason, ConnectionError, ResetReason};
pub use settings::{PeerHello, Settings, VERSION_MAX, VERSION_MIN};
pub use stream::StreamId;

/// What the connection of a link offers in ALPN.
pub const ALPN: &[u8] = b"bailey/1";
