//! Why a message is refused, and with which status. Every refusal ends the connection: after bytes that two parsers
//! could read differently, nothing that follows can be trusted.

/// Why a request, a response, or a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.reason())]
pub enum Refusal {
    /// A line feed without carriage return, or the reverse.
    BareLineBreak,
    /// A control character, NUL included, in a line.
    ControlCharacter,
    /// A field line that starts with a space or tab (obsolete line folding).
    FoldedLine,
    /// A field line without name or colon, or with a space before the colon.
    FieldName,
    /// A field name with an underscore.
    Underscore,
    /// More fields than the limit.
    TooManyFields,
    /// A head larger than the limit.
    HeadTooLarge,
    /// A start line that is not three parts with one space between.
    StartLine,
    /// A method that is no token, too long, or a known one in other letters.
    Method,
    /// `CONNECT`.
    Connect,
    /// `TRACE`.
    Trace,
    /// A request target of a wrong form, or with bytes it may not hold.
    Target,
    /// A request target longer than the limit.
    TargetTooLong,
    /// A path two parties could read differently: encoded slash, backslash, dot or NUL, `//`, `/../`.
    AmbiguousPath,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version,
    /// No Host field.
    MissingHost,
    /// More than one Host field.
    RepeatedHost,
    /// A Host that is no host name or address, with an optional port.
    InvalidHost,
    /// A target in absolute form names another host than the Host field.
    HostMismatch,
    /// A Content-Length that is no plain decimal number, or occurs twice.
    ContentLength,
    /// Content-Length and Transfer-Encoding together.
    LengthAndEncoding,
    /// A Transfer-Encoding other than one line `chunked`, or in HTTP/1.0.
    TransferEncoding,
    /// A transfer coding Bailey does not know.
    UnknownCoding,
    /// An Expect other than `100-continue`.
    Expectation,
    /// A Connection field that names an end-to-end field, or holds something else than tokens.
    ConnectionToken,
    /// A chunk line that is not a plain hexadecimal size, or too long.
    ChunkSize,
    /// Chunk data without the line end that must follow.
    ChunkEnd,
    /// The peer closed inside a message.
    Truncated,
    /// A response status outside 100 to 599.
    Status,
    /// A 101 that was not asked for.
    UnexpectedInterim,
    /// More interim responses than the limit.
    TooManyInterim,
    /// Bytes from the upstream where none may come.
    UnexpectedBytes,
}

impl Refusal {
    /// A stable name for logs and metric labels.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BareLineBreak => "bare_line_break",
            Self::ControlCharacter => "control_character",
            Self::FoldedLine => "folded_line",
            Self::FieldName => "field_name",
            Self::Underscore => "underscore",
            Self::TooManyFields => "too_many_fields",
            Self::HeadTooLarge => "head_too_large",
            Self::StartLine => "start_line",
            Self::Method => "method",
            Self::Connect => "connect",
            Self::Trace => "trace",
            Self::Target => "target",
            Self::TargetTooLong => "target_too_long",
            Self::AmbiguousPath => "ambiguous_path",
            Self::Version => "version",
            Self::MissingHost => "missing_host",
            Self::RepeatedHost => "repeated_host",
            Self::InvalidHost => "invalid_host",
            Self::HostMismatch => "host_mismatch",
            Self::ContentLength => "content_length",
            Self::LengthAndEncoding => "length_and_encoding",
            Self::TransferEncoding => "transfer_encoding",
            Self::UnknownCoding => "unknown_coding",
            Self::Expectation => "expectation",
            Self::ConnectionToken => "connection_token",
            Self::ChunkSize => "chunk_size",
            Self::ChunkEnd => "chunk_end",
            Self::Truncated => "truncated",
            Self::Status => "status",
            Self::UnexpectedInterim => "unexpected_interim",
            Self::TooManyInterim => "too_many_interim",
            Self::UnexpectedBytes => "unexpected_bytes",
        }
    }

    /// The status a client gets if nothing was sent yet. What came from an upstream is the proxy's 502.
    pub const fn status(self) -> u16 {
        match self {
            Self::TooManyFields | Self::HeadTooLarge => 431,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::Connect | Self::UnknownCoding => 501,
            Self::Trace => 405,
            Self::Version => 505,
            Self::Status | Self::UnexpectedInterim | Self::TooManyInterim | Self::UnexpectedBytes => 502,
            Self::BareLineBreak
            | Self::ControlCharacter
            | Self::FoldedLine
            | Self::FieldName
            | Self::Underscore
            | Self::StartLine
            | Self::Method
            | Self::Target
            | Self::AmbiguousPath
            | Self::MissingHost
            | Self::RepeatedHost
            | Self::InvalidHost
            | Self::HostMismatch
            | Self::ContentLength
            | Self::LengthAndEncoding
            | Self::TransferEncoding
            | Self::ConnectionToken
            | Self::ChunkSize
            | Self::ChunkEnd
            | Self::Truncated => 400,
        }
    }

    /// True: every refusal closes the connection.
    pub const fn closes(self) -> bool {
        true
    }
}
