//! The records that were written into DNS as proofs, and are not known to be gone.

use std::collections::BTreeSet;

use super::lines::{Reader, Writer};
use super::{Record, Unreadable};

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsRecords(pub BTreeSet<DnsRecord>);

/// A text record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DnsRecord {
    /// The host that it proves.
    pub host: String,
    /// Where it was written.
    pub name: String,
    /// What was written; everybody may read it there.
    pub text: String,
}

impl Record for DnsRecords {
    const KIND: &'static str = "dns";

    fn write(&self, into: &mut Writer) {
        into.number("records", self.0.len() as u64);
        for DnsRecord { host, name, text } in &self.0 {
            into.text("host", host);
            into.text("name", name);
            into.text("text", text);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut records = BTreeSet::new();
        for _ in 0..from.number("records")? {
            let (host, name, text) = (from.text("host")?, from.text("name")?, from.text("text")?);
            records.insert(DnsRecord { host, name, text });
        }
        Ok(Self(records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let record = |host: &str, text: &str| {
            let name = "_acme-challenge.a.example.com".to_owned();
            DnsRecord { host: host.to_owned(), name, text: text.to_owned() }
        };
        let records = DnsRecords([record("*.a.example.com", "one"), record("a.example.com", "two \"\n")].into());
        assert_eq!(DnsRecords::decode(&records.encode(7)), Ok((records, 7)));
        assert_eq!(DnsRecords::decode(&DnsRecords::default().encode(1)), Ok((DnsRecords::default(), 1)));
    }
}
