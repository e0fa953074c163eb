//! Why a stream or a connection ended, with the numbers of the wire. Decides nothing.

use crate::Role;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A number of a later release.
            Other(u16),
        }

        impl $name {
            /// The number on the wire.
            pub fn code(self) -> u16 {
                match self { $(Self::$variant => $code,)+ Self::Other(code) => code }
            }

            /// From the number on the wire; every number is legal.
            pub fn from_code(code: u16) -> Self {
                match code { $($code => Self::$variant,)+ other => Self::Other(other) }
            }
        }
    };
}

reasons! {
    /// Why one stream was given up.
    ResetReason {
        /// The answer is complete and the rest of the request is not wanted.
        Done = 0,
        /// Whoever asked has left.
        Cancelled = 1,
        /// Nothing of the stream was processed: it may be tried again elsewhere.
        Refused = 2,
        /// A deadline passed.
        Timeout = 3,
        /// No connection to the backend came about: nothing was sent to it.
        ConnectFailed = 4,
        /// The backend broke off or answered nonsense.
        BackendFailed = 5,
        /// A head or trailers could not be read, or hold what HTTP forbids.
        Malformed = 6,
        /// A limit of the receiver was passed.
        TooLarge = 7,
        /// The receiver has no room now.
        Overloaded = 8,
        /// A fault of the sender's own.
        Internal = 9,
    }
}

reasons! {
    /// Why a connection ends; sent in GOAWAY.
    CloseReason {
        /// The sender takes no new streams and finishes the ones it has.
        Shutdown = 0,
        /// A payload is not what its kind says.
        Malformed = 1,
        /// The first bytes are not a HELLO of this protocol.
        NotLink = 2,
        /// No version is spoken by both sides.
        Version = 3,
        /// A frame is longer than its kind or the settings allow.
        FrameTooLarge = 4,
        /// More data was sent, or more credit given, than was due.
        FlowControl = 5,
        /// A frame does not fit the state of its stream.
        StreamState = 6,
        /// A stream was opened under an id that is in use or out of order.
        StreamReused = 7,
        /// A stream was opened beyond the limit of streams.
        StreamLimit = 8,
        /// A kind that is unknown and must not be skipped.
        UnknownKind = 9,
        /// A ping before the answer to the last one was written.
        PingFlood = 10,
        /// The peer makes us write without reading what we wrote.
        Stalled = 11,
        /// A setting in HELLO is outside what the protocol allows.
        Settings = 12,
    }
}

/// The peer broke the protocol; the connection is over. GOAWAY with the reason is in the output already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} broke the link protocol: {what} ({reason:?})", match peer { Role::Client => "outer tier", Role::Server => "inner tier" })]
pub struct ConnectionError {
    /// The role of the peer that broke it.
    pub peer: Role,
    /// What the peer is told.
    pub reason: CloseReason,
    /// The rule in a few words, for the log.
    pub what: &'static str,
}

/// A broken rule before it is known whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) CloseReason, pub(crate) &'static str);
