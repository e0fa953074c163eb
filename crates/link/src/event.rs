//! What a connection reports to its caller.

use bytes::Bytes;

use crate::{CloseReason, PeerHello, RequestHead, ResetReason, ResponseHead, StreamId, Trailers};

/// Something the peer did, or room that came free.
#[derive(Clone, Debug)]
pub enum Event {
    /// The peer's HELLO has come: streams may be opened.
    Ready(PeerHello),
    /// A new stream; only a server sees it.
    Request {
        /// The new stream.
        stream: StreamId,
        /// The head; boxed, so that events are small to move.
        head: Box<RequestHead>,
        /// Nothing follows.
        end: bool,
    },
    /// An informational response; more heads follow. Only a client sees it.
    Informational {
        /// Whose it is.
        stream: StreamId,
        /// The head.
        head: ResponseHead,
    },
    /// The response head. Only a client sees it.
    Response {
        /// Whose it is.
        stream: StreamId,
        /// The head.
        head: ResponseHead,
        /// Nothing follows.
        end: bool,
    },
    /// Bytes of a body or of a raw stream; give them back with `Connection::consumed`.
    Data {
        /// Whose they are.
        stream: StreamId,
        /// A piece of the input; empty only together with `end`.
        data: Bytes,
        /// Nothing follows.
        end: bool,
    },
    /// Trailers; nothing follows.
    Trailers {
        /// Whose they are.
        stream: StreamId,
        /// The fields.
        trailers: Trailers,
    },
    /// The peer gave the stream up, or the connection did so for it. Nothing follows and nothing can be sent;
    /// what was received is still there to be consumed, or let go of with `Connection::release`.
    Reset {
        /// Whose end it is.
        stream: StreamId,
        /// Why.
        reason: ResetReason,
    },
    /// A stream whose `capacity` was 0 may send again.
    Capacity {
        /// Which one.
        stream: StreamId,
    },
    /// A datagram.
    Datagram {
        /// Whose it is.
        stream: StreamId,
        /// The payload.
        data: Bytes,
    },
    /// The peer takes (server) or opens (client) no new streams. To a client, `Reset` with `Refused` follows for each
    /// stream the server never processed.
    Goaway {
        /// Why.
        reason: CloseReason,
        /// A sentence for the log.
        message: Bytes,
    },
    /// The answer to `Connection::ping`.
    Pong {
        /// What the ping carried.
        payload: [u8; 8],
    },
}
