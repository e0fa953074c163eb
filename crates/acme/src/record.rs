//! What is written down: certificates with their keys, the account, orders under way, what was spent.
//!
//! A record is lines of text: its kind and version, the fencing number of who wrote it, `field value` lines in a fixed order,
//! and a checksum over all before it. Text is a JSON string, bytes are base64. Reading is total: whatever a disk gives back is
//! a record or an [`Unreadable`], never a panic and never a part of a record.

mod dns;
pub mod lines;
mod proofs;

use std::fmt;

use zeroize::Zeroizing;

use crate::budget::{Budget, Purpose};
use crate::order::{Phase, Progress, Wish};
use crate::{Secret, Time};
pub use dns::{DnsRecord, DnsRecords};
use lines::{Reader, Writer};

#[cfg(test)]
mod tests;

/// The most bytes of a record.
pub const LONGEST: usize = 16 * 1024 * 1024;

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It was not written whole, or changed since.
    #[error("the checksum does not fit: the record is damaged")]
    Damaged,
    /// Another release wrote it.
    #[error("the record is of version {0}, which this release does not know")]
    Version(u32),
    /// It is no record of this kind.
    #[error("the record is not one of this kind: {0}")]
    Malformed(&'static str),
}

/// A certificate with its key. One record holds both, so that they cannot come apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Counts the certificates of these names, from 1.
    pub generation: u64,
    /// Whose it is.
    pub tenant: String,
    /// The name in it.
    pub host: String,
    /// The directory of the authority that signed it.
    pub authority: String,
    /// The profile it was ordered with.
    pub profile: Option<String>,
    /// When it came.
    pub issued: Time,
    /// Since when nobody wants it.
    pub unwanted: Option<Time>,
    /// PKCS#8, DER.
    pub key: Secret,
    /// Leaf first, DER.
    pub chain: Vec<Vec<u8>>,
}

/// The account at an authority.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The authority's directory.
    pub authority: String,
    /// What the authority calls the account; `None` while it was not asked: the key is kept before it is told.
    pub url: Option<String>,
    /// PKCS#8, DER.
    pub key: Secret,
}

/// An order under way.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// Whose name it is for.
    pub tenant: String,
    /// The name.
    pub host: String,
    /// How far it has come.
    pub progress: Progress,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("host", &self.host)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A body with a checksum that fits, so that tests and fuzzing reach what is behind it.
#[doc(hidden)]
pub fn sealed(body: &str) -> Vec<u8> {
    lines::seal(body.as_bytes().to_vec().into()).to_vec()
}

/// A kind of record.
pub trait Record: Sized {
    /// Its word in the first line.
    const KIND: &'static str;
    /// The version that is written, and the only one that is read.
    const VERSION: u32 = 1;

    /// Writes the fields.
    #[doc(hidden)]
    fn write(&self, into: &mut Writer);
    /// Reads the fields.
    #[doc(hidden)]
    fn read(from: &mut Reader<'_>) -> Result<Self, Unreadable>;

    /// As it is kept, with the fencing number of who writes.
    fn encode(&self, fence: u64) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::new(Self::KIND, Self::VERSION, fence);
        self.write(&mut writer);
        writer.finish()
    }

    /// A record and the fencing number of who wrote it.
    fn decode(bytes: &[u8]) -> Result<(Self, u64), Unreadable> {
        let (mut reader, fence) = Reader::new(bytes, Self::KIND, Self::VERSION)?;
        let record = Self::read(&mut reader)?;
        reader.end()?;
        Ok((record, fence))
    }
}

impl Record for Certificate {
    const KIND: &'static str = "certificate";

    fn write(&self, into: &mut Writer) {
        into.number("generation", self.generation);
        into.text("tenant", &self.tenant);
        into.text("host", &self.host);
        into.text("authority", &self.authority);
        into.maybe_text("profile", self.profile.as_deref());
        into.number("issued", self.issued.0);
        into.maybe_number("unwanted", self.unwanted.map(|at| at.0));
        into.bytes("key", self.key.expose());
        into.number("chain", self.chain.len() as u64);
        self.chain.iter().for_each(|one| into.bytes("certificate", one));
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut record = Self {
            generation: from.number("generation")?,
            tenant: from.text("tenant")?,
            host: from.text("host")?,
            authority: from.text("authority")?,
            profile: from.maybe_text("profile")?,
            issued: Time(from.number("issued")?),
            unwanted: from.maybe_number("unwanted")?.map(Time),
            key: Secret::new(from.bytes("key")?),
            chain: Vec::new(),
        };
        for _ in 0..from.number("chain")? {
            record.chain.push(from.bytes("certificate")?);
        }
        Ok(record)
    }
}

impl Record for Account {
    const KIND: &'static str = "account";

    fn write(&self, into: &mut Writer) {
        into.text("authority", &self.authority);
        into.maybe_text("url", self.url.as_deref());
        into.bytes("key", self.key.expose());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            authority: from.text("authority")?,
            url: from.maybe_text("url")?,
            key: Secret::new(from.bytes("key")?),
        })
    }
}

impl Record for Order {
    const KIND: &'static str = "order";

    fn write(&self, into: &mut Writer) {
        let Progress { phase, wish, began, not_before, failures, retries, error } = &self.progress;
        into.text("tenant", &self.tenant);
        into.text("host", &self.host);
        into.maybe_text(
            "wish",
            wish.as_ref().map(|wish| match wish.purpose {
                Purpose::First => "first",
                Purpose::Renewal => "renewal",
            }),
        );
        into.maybe_text("replaces", wish.as_ref().and_then(|wish| wish.replaces.as_deref()));
        into.number("began", began.0);
        into.number("not_before", not_before.0);
        into.number("failures", u64::from(*failures));
        into.number("retries", u64::from(*retries));
        into.maybe_text("error", error.as_deref());
        let (word, url, key) = match phase {
            Phase::Idle => ("idle", None, None),
            Phase::Granted => ("granted", None, None),
            Phase::Ordering => ("ordering", None, None),
            Phase::Placed { url } => ("placed", Some(url), None),
            Phase::Proving { url } => ("proving", Some(url), None),
            Phase::Finalizing { url, key } => ("finalizing", Some(url), Some(key)),
        };
        into.text("phase", word);
        if let Some(url) = url {
            into.text("url", url);
        }
        if let Some(key) = key {
            into.bytes("key", key.expose());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let (tenant, host) = (from.text("tenant")?, from.text("host")?);
        let purpose = match from.maybe_text("wish")?.as_deref() {
            None => None,
            Some("first") => Some(Purpose::First),
            Some("renewal") => Some(Purpose::Renewal),
            Some(_) => return Err(Unreadable::Malformed("wish")),
        };
        let replaces = from.maybe_text("replaces")?;
        let count = |number: u64| u32::try_from(number).map_err(|_| Unreadable::Malformed("a count"));
        let progress = Progress {
            wish: purpose.map(|purpose| Wish { purpose, replaces }),
            began: Time(from.number("began")?),
            not_before: Time(from.number("not_before")?),
            failures: count(from.number("failures")?)?,
            retries: count(from.number("retries")?)?,
            error: from.maybe_text("error")?,
            phase: match from.text("phase")?.as_str() {
                "idle" => Phase::Idle,
                "granted" => Phase::Granted,
                "ordering" => Phase::Ordering,
                "placed" => Phase::Placed { url: from.text("url")? },
                "proving" => Phase::Proving { url: from.text("url")? },
                "finalizing" => Phase::Finalizing { url: from.text("url")?, key: Secret::new(from.bytes("key")?) },
                _ => return Err(Unreadable::Malformed("phase")),
            },
        };
        Ok(Self { tenant, host, progress })
    }
}

impl Record for Budget {
    const KIND: &'static str = "budget";

    fn write(&self, into: &mut Writer) {
        into.json("spent", self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Unreadable> {
        from.json("spent")
    }
}
