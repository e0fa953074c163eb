//! Where certificates, their keys, the account and what was spent are kept: so that a crash at any point leaves what was
//! there before or what was to come, and what cannot be read is set aside and never written over.

mod files;
pub mod volume;

use std::collections::BTreeMap;
use std::io;

use bailey_acme::budget::Budget;
use bailey_acme::names::CertificateId;
use bailey_acme::record::{Account, Certificate, Order, Unreadable};

pub use files::{Disk, Files};
pub use volume::Volume;

/// Why something could not be kept. Serving goes on with what is in memory, and no order is placed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {action} {name} in the certificate store: {source}")]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        name: String,
        /// What the system answered.
        source: io::Error,
    },
    /// Another process writes here.
    #[error("another process holds the certificate store; a volume is for one replica, use certificates.store.secrets")]
    Taken,
    /// Somebody with a newer fencing number has written.
    #[error("the certificate store was taken over by another process (its number is {theirs}, ours {ours})")]
    Fenced {
        /// Ours.
        ours: u64,
        /// Theirs.
        theirs: u64,
    },
}

/// Everything that is kept.
#[derive(Debug, Default)]
pub struct Contents {
    /// Certificates that can be read.
    pub certificates: BTreeMap<CertificateId, Certificate>,
    /// Orders under way.
    pub orders: BTreeMap<CertificateId, Order>,
    /// Accounts, by the directory of their authority.
    pub accounts: BTreeMap<String, Account>,
    /// What was spent. `None`: nothing is known of it, so that it must be taken as spent.
    pub budget: Option<Budget>,
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
