//! Why an upstream gave no (complete) answer: a closed set of facts, and what follows from each for a repetition.
//! How a client is told is decided in `respond`.

use crate::error::{Fate, ProxyError, Retry};
use crate::upstream::retry::Failure;
use bailey_http1::Refusal;

/// What went wrong between us and what answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The upstream has no endpoint at all.
    #[error("the upstream has no endpoint")]
    NoEndpoint,
    /// Every endpoint that was tried refused the connection or cut it while it was made.
    #[error("no connection to the upstream: {0}")]
    ConnectFailed(std::io::ErrorKind),
    /// No endpoint accepted a connection in time.
    #[error("no connection to the upstream in time")]
    ConnectTimeout,
    /// The peer of a link is not who it must be, or speaks no TLS of ours.
    #[error("the TLS handshake of the link failed")]
    TlsFailed,
    /// No link to the tenant's tier came about in time.
    #[error("no link to the tier")]
    LinkUnavailable,
    /// All links are as full as their peers allow.
    #[error("the links to the tier are full")]
    LinkFull,
    /// The head is larger than the next tier takes.
    #[error("the request head is too large for the link")]
    HeadTooLarge,
    /// The next tier refused the stream before it did anything with it, or the link broke before the head had left.
    #[error("the request was not processed")]
    Unprocessed,
    /// An idle connection that was used again was closed before a byte of the answer came.
    #[error("the idle connection was closed")]
    Stale,
    /// The connection was closed before a byte of the answer came.
    #[error("the connection was closed without an answer")]
    Unanswered,
    /// The connection was closed within the answer.
    #[error("the answer was cut short")]
    Truncated,
    /// The other side gave the request up; `answered`: within its answer.
    #[error("the upstream reset the request")]
    Reset {
        /// A part of the answer had come.
        answered: bool,
    },
    /// The next tier could not reach its own backend; nothing was sent to that.
    #[error("the next tier could not connect to its backend")]
    NextConnectFailed,
    /// A deadline of the next tier passed.
    #[error("a deadline of the next tier passed")]
    NextTimeout,
    /// What came is not HTTP as we accept it.
    #[error("the answer breaks the rules: {0}")]
    Malformed(Refusal),
    /// What came breaks HTTP/2.
    #[error("the upstream broke HTTP/2")]
    MalformedH2,
    /// The answer's status is one the route wants repeated.
    #[error("the upstream answered {0}")]
    Status(u16),
    /// A mistake of ours.
    #[error("internal error towards the upstream")]
    Internal,
}

impl UpstreamError {
    /// What this means for a repetition.
    pub const fn failure(self) -> Failure {
        match self {
            Self::NoEndpoint
            | Self::ConnectFailed(_)
            | Self::ConnectTimeout
            | Self::TlsFailed
            | Self::LinkUnavailable
            | Self::LinkFull
            | Self::HeadTooLarge
            | Self::Unprocessed
            | Self::NextConnectFailed => Failure::SentNothing,
            Self::Stale => Failure::Stale,
            Self::Unanswered | Self::Reset { answered: false } => Failure::Unanswered,
            Self::Status(status) => Failure::Status(status),
            Self::Truncated
            | Self::Reset { answered: true }
            | Self::NextTimeout
            | Self::Malformed(_)
            | Self::MalformedH2
            | Self::Internal => Failure::Answered,
        }
    }

    /// Whether nothing of the request reached an application.
    pub const fn sent_nothing(self) -> bool {
        matches!(self.failure(), Failure::SentNothing)
    }

    const fn fate(self) -> Fate {
        match self {
            Self::NoEndpoint => Fate::NoEndpoint,
            Self::ConnectFailed(_) | Self::NextConnectFailed => Fate::ConnectFailed,
            Self::ConnectTimeout => Fate::ConnectTimeout,
            Self::TlsFailed => Fate::TlsFailed,
            Self::LinkUnavailable => Fate::LinkUnavailable,
            Self::LinkFull => Fate::TenantBusy,
            Self::HeadTooLarge => Fate::HeadTooLarge,
            Self::Stale | Self::Unanswered | Self::Truncated => Fate::UpstreamClosed,
            Self::Reset { .. } => Fate::UpstreamReset,
            Self::NextTimeout => Fate::BackendTimeout,
            Self::Malformed(Refusal::HeadTooLarge | Refusal::TooManyFields) => Fate::UpstreamHeadTooLarge,
            Self::Malformed(_) | Self::MalformedH2 => Fate::UpstreamMalformed,
            // A status is told here only when it was worth another attempt and the budget for them is used up.
            Self::Unprocessed | Self::Status(_) => Fate::StreamRefused,
            Self::Internal => Fate::Internal,
        }
    }
}

impl From<UpstreamError> for ProxyError {
    fn from(error: UpstreamError) -> Self {
        let retry = match error.failure() {
            // Repeating these leads to the same end.
            Failure::SentNothing if matches!(error, UpstreamError::NoEndpoint | UpstreamError::HeadTooLarge) => {
                Retry::No
            }
            Failure::SentNothing => Retry::Unsent,
            Failure::Stale | Failure::Unanswered | Failure::Status(_) => Retry::Unanswered,
            Failure::Answered => Retry::No,
        };
        Self::upstream(error.fate(), retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_sent_may_always_be_repeated() {
        assert_eq!(ProxyError::from(UpstreamError::Unprocessed).retry, Retry::Unsent);
        assert_eq!(ProxyError::from(UpstreamError::ConnectTimeout).retry, Retry::Unsent);
        assert_eq!(ProxyError::from(UpstreamError::NoEndpoint).retry, Retry::No);
    }

    #[test]
    fn what_was_answered_in_part_is_never_repeated() {
        assert_eq!(ProxyError::from(UpstreamError::Truncated).retry, Retry::No);
        assert_eq!(ProxyError::from(UpstreamError::Reset { answered: true }).retry, Retry::No);
        assert_eq!(ProxyError::from(UpstreamError::Reset { answered: false }).retry, Retry::Unanswered);
    }
}
