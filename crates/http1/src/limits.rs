//! How much of a message Bailey is ready to hold. Decides nothing else.

/// Limits of the parser. The defaults are safe; every value can be lowered or raised by the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a head, from the first of the start line to the empty line's last; also of a trailer section.
    pub head_bytes: usize,
    /// Fields in a head or trailer section.
    pub fields: usize,
    /// Bytes of a request target.
    pub target_bytes: usize,
    /// Refuse field names with an underscore, which applications cannot tell from a dash.
    pub refuse_underscore: bool,
    /// Interim responses (1xx) before the final one.
    pub interim: u8,
    /// Bytes of an ignored request body that are read so that the connection can be kept.
    pub drain_bytes: u64,
    /// Whether Connection may name this field, given in lower case: one that the caller deletes from every request anyway, so that naming it
    /// changes nothing. A token that names any other end-to-end field refuses the request.
    pub connection_may_name: fn(&[u8]) -> bool,
}

impl Limits {
    /// The limits that hold when nothing is configured.
    pub const DEFAULT: Self = Self {
        head_bytes: 32 * 1024,
        fields: 100,
        target_bytes: 8 * 1024,
        refuse_underscore: true,
        interim: 8,
        drain_bytes: 64 * 1024,
        connection_may_name: |_| false,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
