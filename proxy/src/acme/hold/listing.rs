//! How each certificate stands, for status, metrics, page and people. Holds no key and no proof.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bailey_acme::Time;
use bailey_acme::budget;
use bailey_acme::names::NotWanted;
use bailey_acme::renewal::{Life, Window};

/// All certificates, and the names that get none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The wanted certificates, by host.
    pub certificates: Vec<Arc<Listed>>,
    /// Names that get none, and why.
    pub without: BTreeMap<Arc<str>, NotWanted>,
}

/// How one certificate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub host: Arc<str>,
    /// Whose it is.
    pub tenant: Arc<str>,
    /// The directory of the authority that it is ordered from.
    pub authority: Arc<str>,
    /// The certificate that is served; `None` while there is only one that stands in, or none.
    pub served: Option<Served>,
    /// What comes next, and when.
    pub next: (Step, Time),
    /// What went wrong last, in the authority's own words where it said something.
    pub error: Option<String>,
}

/// A certificate that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Who signed it.
    pub issuer: String,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// Counts the certificates of these names, from 1.
    pub generation: u64,
    /// When it came.
    pub issued: Time,
    /// From when until when it is valid.
    pub life: Life,
    /// When its authority wants it renewed, where it has said so.
    pub window: Option<Window>,
    /// When it is renewed; `None`: as soon as possible.
    pub renew_at: Option<Time>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A first certificate is ordered, or one in place of another authority's.
    Order,
    /// The order that is under way goes on.
    GoOn,
    /// The certificate is renewed.
    Renew,
    /// A limit holds the order up until then.
    HeldUp(budget::Held),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => f.write_str("order a certificate"),
            Self::GoOn => f.write_str("go on with the order"),
            Self::Renew => f.write_str("renew the certificate"),
            Self::HeldUp(held) => write!(f, "wait: {}", held.text()),
        }
    }
}

/// How orders have ended in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// With a first certificate.
    pub issued: u64,
    /// With another one in place of the one before.
    pub renewed: u64,
    /// Without a certificate.
    pub failed: u64,
}
