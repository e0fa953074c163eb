//! What a store holds: all of it, or what has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_acme::budget::Budget;
use bailey_acme::challenge::Proofs;
use bailey_acme::names::CertificateId;
use bailey_acme::record::{Account, Certificate, DnsRecords, Order, Record, Unreadable};

use super::Name;

/// Everything that is kept.
#[derive(Debug, Default)]
pub struct Contents {
    /// Whoever has read it may write.
    pub leads: bool,
    /// Certificates that can be read.
    pub certificates: BTreeMap<CertificateId, Certificate>,
    /// Orders under way.
    pub orders: BTreeMap<CertificateId, Order>,
    /// Accounts, by the directory of their authority.
    pub accounts: BTreeMap<String, Account>,
    /// What was spent. `None`: nothing is known of it, so that it must be taken as spent.
    pub budget: Option<Budget>,
    /// The proofs that are in place.
    pub proofs: Proofs,
    /// What was written into DNS and is not known to be gone.
    pub dns: DnsRecords,
    /// What cannot be read, and what became of it.
    pub unreadable: Vec<Unread>,
}

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: Unreadable,
    /// It was set aside under this name; `None`: it stays where it is, for the release that wrote it or because nothing
    /// can be written.
    pub aside: Option<String>,
}

/// What has changed. An entry without a value is gone.
#[derive(Debug, Default)]
pub struct Changes {
    /// Certificates.
    pub certificates: BTreeMap<CertificateId, Option<Certificate>>,
    /// Orders.
    pub orders: BTreeMap<CertificateId, Option<Order>>,
    /// The proofs that are in place now.
    pub proofs: Option<Arc<Proofs>>,
}

impl Contents {
    /// Takes a record in.
    pub(super) fn take(&mut self, name: &Name, bytes: &[u8]) -> Result<(), Unreadable> {
        match name {
            Name::Certificate(id) => drop(self.certificates.insert(id.clone(), Certificate::decode(bytes)?.0)),
            Name::Order(id) => drop(self.orders.insert(id.clone(), Order::decode(bytes)?.0)),
            Name::Account(_) => {
                let (account, _) = Account::decode(bytes)?;
                self.accounts.insert(account.authority.clone(), account);
            }
            Name::Budget => self.budget = Some(Budget::decode(bytes)?.0),
            Name::Proofs => self.proofs = Proofs::decode(bytes)?.0,
            Name::DnsRecords => self.dns = DnsRecords::decode(bytes)?.0,
        }
        Ok(())
    }
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.orders.is_empty() && self.proofs.is_none()
    }

    /// Takes a record in; `None`: it is gone. One that cannot be read changes nothing: what was known goes on.
    pub(super) fn take(&mut self, name: &Name, bytes: Option<&[u8]>) -> Result<(), Unreadable> {
        match name {
            Name::Certificate(id) => {
                let record = bytes.map(Certificate::decode).transpose()?.map(|(record, _)| record);
                self.certificates.insert(id.clone(), record);
            }
            Name::Order(id) => {
                let record = bytes.map(Order::decode).transpose()?.map(|(record, _)| record);
                self.orders.insert(id.clone(), record);
            }
            Name::Proofs => {
                let record = bytes.map(Proofs::decode).transpose()?.map(|(record, _)| record);
                self.proofs = Some(Arc::new(record.unwrap_or_default()));
            }
            // Whoever orders is the only one that needs them, and reads them when it begins.
            Name::Account(_) | Name::Budget | Name::DnsRecords => {}
        }
        Ok(())
    }
}
