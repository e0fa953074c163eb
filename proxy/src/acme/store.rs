//! Where certificates, their keys, the account and what was spent are kept: so that a crash at any point leaves what was
//! there before or what was to come, and what cannot be read is set aside and never written over.
//!
//! [`Store`] is what a driver knows of it. [`Volume`] is a folder for one process, [`Secrets`] a namespace for many, of which
//! one at a time orders.

mod contents;
mod files;
mod item;
mod secrets;
mod volume;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bailey_acme::challenge::Proofs;
use bailey_acme::names::CertificateId;
use tokio::sync::watch;

pub use contents::{Changes, Contents, Unread};
pub use files::{Disk, Files};
pub use item::{Item, Name};
pub use secrets::Secrets;
pub use volume::Volume;

/// Keeps records. Every call comes to an end within a bounded time.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Whether this process is the one that orders, and whenever that changes.
    fn leads(&self) -> watch::Receiver<bool>;

    /// Reads everything; whoever leads gets the right to write with it.
    async fn load(&self) -> Result<Contents, StoreError>;

    /// Keeps something. When this returns well a crash does not lose it. An order with nothing to remember is deleted.
    async fn save(&self, item: Item) -> Result<(), StoreError>;

    /// Deletes a certificate with the one before it and what is known of its order.
    async fn delete(&self, id: CertificateId) -> Result<(), StoreError>;

    /// Sees that something as large as a certificate can be written.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Gives these proofs, and no others, to all processes of the tier; how much later all of them surely answer with them.
    async fn show(&self, proofs: Arc<Proofs>, until: Until) -> Result<Duration, StoreError>;

    /// What other processes have written since it was asked last, as soon as there is something. May be dropped at any time.
    async fn changed(&self) -> Changes;
}

/// How long [`Store::show`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// They are written.
    Written,
    /// They have come back as they come to all others.
    Seen,
}

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
    /// The API server refused, or cannot be reached.
    #[error("cannot {action} Secret {name} of the certificate store: {source}")]
    Api {
        /// What was to be done.
        action: &'static str,
        /// With which Secret.
        name: String,
        /// What the server answered.
        source: Box<kube::Error>,
    },
    /// The API server does not answer.
    #[error("cannot {action} Secret {name} of the certificate store: no answer from the API server within {seconds} s")]
    Late {
        /// What was to be done.
        action: &'static str,
        /// With which Secret.
        name: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Another process writes here.
    #[error("another process holds the certificate store; a volume is for one replica, use certificates.store.secrets")]
    Taken,
    /// Another replica is the one that orders.
    #[error("another replica orders certificates, this one follows it")]
    Follows,
    /// Somebody with a newer fencing number has written.
    #[error("the certificate store was taken over by another process (its number is {theirs}, ours {ours})")]
    Fenced {
        /// Ours.
        ours: u64,
        /// Theirs.
        theirs: u64,
    },
    /// A record is not what it was when it was read.
    #[error("Secret {name} of the certificate store was changed by somebody else: everything is read again")]
    Changed {
        /// Which.
        name: String,
    },
    /// Somebody else's object has the name.
    #[error(
        "Secret {name} exists and does not belong to the certificate store of this topology: delete it, or give the outer tier a namespace of its own"
    )]
    Foreign {
        /// Which.
        name: String,
    },
    /// The process is ending.
    #[error("the process is ending")]
    Ending,
}

impl StoreError {
    /// What this process knows of the store does not hold any more: it has to be loaded before anything is written.
    pub fn asks_to_load(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::Changed { .. })
    }
}
