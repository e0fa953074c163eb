//! What is kept, by which name, as which bytes: the same in every store.

use std::fmt;
use std::sync::Arc;

use bailey_acme::budget::Budget;
use bailey_acme::names::CertificateId;
use bailey_acme::record::{Account, Certificate, DnsRecords, Order, Record};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Something to keep.
#[derive(Clone, Debug)]
pub enum Item {
    /// A certificate with its key.
    Certificate(CertificateId, Arc<Certificate>),
    /// How far an order has come.
    Order(CertificateId, Arc<Order>),
    /// An account.
    Account(Arc<Account>),
    /// What was spent.
    Budget(Arc<Budget>),
    /// What was written into DNS.
    DnsRecords(Arc<DnsRecords>),
}

/// What a record is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// A certificate.
    Certificate(CertificateId),
    /// An order.
    Order(CertificateId),
    /// An account, by a digest of its authority's directory.
    Account(u64),
    /// What was spent.
    Budget,
    /// The proofs that are in place.
    Proofs,
    /// What was written into DNS.
    DnsRecords,
}

impl Item {
    /// What it is called.
    pub fn name(&self) -> Name {
        match self {
            Self::Certificate(id, _) => Name::Certificate(id.clone()),
            Self::Order(id, _) => Name::Order(id.clone()),
            Self::Account(account) => Name::of_account(&account.authority),
            Self::Budget(_) => Name::Budget,
            Self::DnsRecords(_) => Name::DnsRecords,
        }
    }

    /// As it is written, with the fencing number of who writes.
    pub fn encode(&self, fence: u64) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Certificate(_, certificate) => certificate.encode(fence),
            Self::Order(_, order) => order.encode(fence),
            Self::Account(account) => account.encode(fence),
            Self::Budget(budget) => budget.encode(fence),
            Self::DnsRecords(records) => records.encode(fence),
        }
    }

    /// It says nothing that has to be remembered.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Order(_, order) if order.progress.rests())
    }
}

impl Name {
    /// That of the account at an authority.
    pub fn of_account(authority: &str) -> Self {
        let digest = Sha256::digest(authority);
        Self::Account(digest[..8].iter().fold(0_u64, |head, byte| head << 8 | u64::from(*byte)))
    }

    /// As it was written down; `None`: no record is called so.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('-') {
            Some(("certificate", id)) => CertificateId::parse(id).map(Self::Certificate),
            Some(("order", id)) => CertificateId::parse(id).map(Self::Order),
            Some(("account", head)) if head.len() == 16 => u64::from_str_radix(head, 16).ok().map(Self::Account),
            None if text == "budget" => Some(Self::Budget),
            None if text == "proofs" => Some(Self::Proofs),
            None if text == "dns" => Some(Self::DnsRecords),
            Some(_) | None => None,
        }
    }

    /// The kind of record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "certificate",
            Self::Order(_) => "order",
            Self::Account(_) => "account",
            Self::Budget => "budget",
            Self::Proofs => "proofs",
            Self::DnsRecords => "dns",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(id) | Self::Order(id) => write!(f, "{}-{id}", self.kind()),
            Self::Account(head) => write!(f, "account-{head:016x}"),
            Self::Budget | Self::Proofs | Self::DnsRecords => f.write_str(self.kind()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let id = CertificateId::of("team-a", "a.example.com");
        let all = [
            Name::Certificate(id.clone()),
            Name::Order(id),
            Name::of_account("https://ca.example.com/dir"),
            Name::Budget,
            Name::Proofs,
            Name::DnsRecords,
        ];
        for name in all {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for other in ["", "fence", "lock", "certificate-", "certificate-x", "account-1", "broken-1-budget", "budget-1"]
        {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
