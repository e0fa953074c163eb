//! Hosts of requests: lower-cased into a buffer on the stack, cut at labels.

/// Longest host in DNS's text form (RFC 1035 3.1).
const MAX_HOST: usize = 253;

/// A host ready to be looked up: lower-case, without a trailing dot, 1 to 253 bytes.
#[expect(clippy::large_enum_variant, reason = "lives on the stack for one look-up; a box would allocate")]
pub(crate) enum HostName<'h> {
    /// It came as it has to be, as nearly all do.
    Given(&'h [u8]),
    /// It had upper-case letters.
    Lowered { bytes: [u8; MAX_HOST], length: usize },
}

/// The host of an authority or `Host` field: what is before the port, brackets of an IPv6 address kept.
pub fn host_of(authority: &[u8]) -> &[u8] {
    let after_address = authority.iter().rposition(|&b| b == b']').map_or(0, |at| at + 1);
    let colon = authority[after_address..].iter().position(|&b| b == b':');
    colon.map_or(authority, |at| &authority[..after_address + at])
}

impl<'h> HostName<'h> {
    /// `None` when no pattern but "every host" can match: an empty or an overlong host.
    #[inline]
    pub(crate) fn new(host: &'h [u8]) -> Option<Self> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        if host.is_empty() || host.len() > MAX_HOST {
            return None;
        }
        if !host.iter().fold(false, |upper, b| upper | b.is_ascii_uppercase()) {
            return Some(Self::Given(host));
        }
        Some(Self::lowered(host))
    }

    #[cold]
    fn lowered(host: &[u8]) -> Self {
        let mut bytes = [0; MAX_HOST];
        bytes[..host.len()].copy_from_slice(host);
        bytes[..host.len()].make_ascii_lowercase();
        Self::Lowered { bytes, length: host.len() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Given(host) => host,
            Self::Lowered { bytes, length } => &bytes[..*length],
        }
    }
}

/// How many labels a host has.
pub(crate) fn labels(host: &[u8]) -> u32 {
    host.split(|&b| b == b'.').count() as u32
}

/// The bit for suffixes of this many labels in a set of depths.
pub(crate) fn depth_bit(labels: u32) -> u128 {
    1 << labels.min(127)
}
