//! Canonical hostnames: the one spelling in which hosts are owned, compared and named.
//!
//! Two spellings of one host must never look like two hosts, so every comparison of owned hosts goes through this type.
//! It does no IDNA: a name with other letters than ASCII is refused and has to be written as punycode (`xn--...`).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

/// The longest host name in DNS, without the final dot (RFC 1035, 2.3.4).
pub const MAX_HOSTNAME: usize = 253;

/// What the API server checks of a hostname: lower case, labels of 1 to 63 characters, a wildcard only as the whole first
/// label, no dot at the end.
pub(crate) const HOSTNAME_PATTERN: &str =
    r"^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$";

/// A host (`a.example.com`) or a wildcard (`*.example.com`) in canonical form: lower case, ASCII, no final dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Hostname(String);

/// Why a text is not a hostname.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostnameError {
    /// Nothing, or only a dot.
    #[error("a hostname must not be empty")]
    Empty,
    /// More than 253 characters.
    #[error("a hostname has at most 253 characters")]
    TooLong,
    /// Characters beyond ASCII, which IDNA would have to translate.
    #[error("a hostname with other than ASCII letters must be written in punycode (xn--...)")]
    NotAscii,
    /// An IP address.
    #[error("an IP address is not a hostname")]
    Address,
    /// A `*` anywhere but as the whole first label, or alone.
    #[error("a wildcard must be the whole first label, as in *.example.com")]
    Wildcard,
    /// An empty label, one of more than 63 characters, or one with other than letters, digits and inner hyphens.
    #[error("each part of a hostname has 1 to 63 letters, digits or hyphens, and no hyphen at its ends")]
    Label,
}

impl Hostname {
    /// Brings a hostname into canonical form: letters become lower case, one final dot goes.
    pub fn parse(text: &str) -> Result<Self, HostnameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(HostnameError::Empty);
        }
        if !text.is_ascii() {
            return Err(HostnameError::NotAscii);
        }
        if text.len() > MAX_HOSTNAME {
            return Err(HostnameError::TooLong);
        }
        let base = text.strip_prefix("*.").unwrap_or(text);
        if base.contains('*') {
            return Err(HostnameError::Wildcard);
        }
        if base.contains(':') || base.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err(HostnameError::Address);
        }
        if !base.split('.').all(is_label) {
            return Err(HostnameError::Label);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a `*.` name.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether every host of `other` is one of this name's. A wildcard stands for one label or more (Gateway API), never
    /// for none: `*.example.com` covers `a.example.com`, `a.b.example.com` and `*.b.example.com`, not `example.com`.
    pub fn covers(&self, other: &Self) -> bool {
        self == other || (self.is_wildcard() && other.0.len() >= self.0.len() && other.0.ends_with(&self.0[1..]))
    }

    /// Whether some host belongs to both names.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The name of the `HostnameBinding` of this host: `host-` and the first 40 hexadecimal digits of SHA-256 over the
    /// canonical text. Creating an object of this name is what takes the host, so the name must depend on nothing else.
    pub fn binding_name(&self) -> String {
        use fmt::Write as _;
        let digest = Sha256::digest(self.0.as_bytes());
        digest.iter().take(20).fold(String::from("host-"), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    (1..=63).contains(&bytes.len()) && bytes.iter().all(inner) && bytes[0] != b'-' && bytes[bytes.len() - 1] != b'-'
}

impl FromStr for Hostname {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, HostnameError> {
        Self::parse(text)
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Hostname {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Hostname {
    fn schema_name() -> Cow<'static, str> {
        "Hostname".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A host name in lower case, or a wildcard such as *.example.com.",
            "minLength": 1,
            "maxLength": MAX_HOSTNAME,
            "pattern": HOSTNAME_PATTERN,
        })
    }
}

#[cfg(test)]
mod tests;
