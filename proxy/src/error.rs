//! The fate of a request that did not get its application's own answer: what happened, on whose side, and whether
//! another try is safe. It decides nothing about the answer (that is [`crate::respond`]) and holds no text from the
//! outside, so that it can be logged, counted and shown without a thought.

use std::fmt;

/// On whose side the cause lies. Decides who is told to look for it: the log level and `Proxy-Status` follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// What the client sent, or that it left.
    Client,
    /// The application, or the next tier.
    Upstream,
    /// This tier: its limits, its configuration, its own mistake.
    Us,
}

impl Side {
    /// The word for it in labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Us => "us",
        }
    }
}

/// Whether the same request may be sent again without doing something twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Never: the answer would be the same, or the application may have acted.
    No,
    /// Nothing of the request reached an application: safe for every method.
    Unsent,
    /// Sent, but not a byte of an answer came: safe for idempotent methods (RFC 9110 9.2.2) only.
    Unanswered,
}

/// What happened to a request. `Copy`, and without text of anyone's: a variant is all there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The request breaks the rules of its protocol.
    Malformed,
    /// No usable host: none, several, or one that is not a name.
    HostInvalid,
    /// `Connection` names a field that only a proxy may remove.
    ConnectionNamesProtected,
    /// A listed proxy in front sent an `X-Forwarded-For` that does not follow the grammar.
    ForwardedForInvalid,
    /// An unknown `Expect`.
    ExpectationUnknown,
    /// A method this proxy does not carry (`CONNECT`).
    MethodUnsupported,
    /// The target is longer than the limit.
    TargetTooLong,
    /// The head has more bytes or fields than the limit.
    HeadTooLarge,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The head did not arrive in time.
    HeadTimeout,
    /// The body stopped, or came too slowly.
    BodyTimeout,
    /// The client left before the answer was complete.
    ClientGone,
    /// The client did not take the answer for too long.
    ClientStalled,
    /// The host belongs to another tenant than the name in the TLS handshake (RFC 9110 15.5.20).
    Misdirected,
    /// Nobody owns the host.
    HostUnknown,
    /// The host has an owner, but no route matches.
    RouteUnknown,
    /// A backend of a `GRPCRoute` does not resolve (Gateway API: `UNAVAILABLE`).
    BackendUnresolved,
    /// The route that matches is broken (Gateway API: 500).
    RouteInvalid,
    /// The backend that was chosen does not exist or may not be used (Gateway API: 500).
    BackendInvalid,
    /// The backend has no endpoint that could be asked.
    NoEndpoint,
    /// The tenant's inner tier has no proxy that is ready.
    TierNotReady,
    /// The tenant is suspended.
    TenantSuspended,
    /// The tenant has as many requests in flight as it may.
    TenantBusy,
    /// The tenant has as many connections as it may.
    TenantConnections,
    /// The tenant has used up its requests per second.
    RateLimited,
    /// No configuration has been loaded yet.
    NotConfigured,
    /// A mistake of ours.
    Internal,
    /// The connection was refused or reset while it was made.
    ConnectFailed,
    /// The connection took too long to make.
    ConnectTimeout,
    /// The other side is not who it must be, or does not speak our TLS.
    TlsFailed,
    /// No link to the tenant's tier could be had.
    LinkUnavailable,
    /// The next tier refused the stream before it did anything with it.
    StreamRefused,
    /// The connection ended before a complete answer.
    UpstreamClosed,
    /// The stream was reset by the other side.
    UpstreamReset,
    /// What came back is not HTTP.
    UpstreamMalformed,
    /// The head of the answer is larger than the limit.
    UpstreamHeadTooLarge,
    /// No answer in time for one try (`timeouts.backendRequest`, or the default of the tier).
    BackendTimeout,
    /// No complete answer in time (`timeouts.request`).
    RequestTimeout,
    /// The answer stopped on the way.
    UpstreamStalled,
}

/// The fate of a request, with the side it comes from and whether another try is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProxyError {
    /// What happened.
    pub fate: Fate,
    /// On whose side.
    pub side: Side,
    /// Whether another try is safe.
    pub retry: Retry,
}

impl ProxyError {
    /// The client's doing.
    pub const fn client(fate: Fate) -> Self {
        Self { fate, side: Side::Client, retry: Retry::No }
    }

    /// This tier's doing.
    pub const fn us(fate: Fate) -> Self {
        Self { fate, side: Side::Us, retry: Retry::No }
    }

    /// The doing of what stands behind us.
    pub const fn upstream(fate: Fate, retry: Retry) -> Self {
        Self { fate, side: Side::Upstream, retry }
    }

    /// Whether a request with this method may be tried again.
    pub const fn may_retry(self, idempotent: bool) -> bool {
        match self.retry {
            Retry::No => false,
            Retry::Unsent => true,
            Retry::Unanswered => idempotent,
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::respond::answer(self.fate).detail)
    }
}

impl std::error::Error for ProxyError {}
