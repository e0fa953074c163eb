//! A certificate that is there: ready to be served, and with all that is needed to write it down again.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use bailey_acme::agenda::Held;
use bailey_acme::check::{Facts, read_chain};
use bailey_acme::names::CertificateId;
use bailey_acme::{Secret, Time, record};
use rustls::sign::CertifiedKey;

use crate::acme::keys::{self, KeyError};
use crate::acme::{Served, Settings};

/// A certificate that is there. The chain is kept once, in what is served.
pub(super) struct Kept {
    pub(super) host: Arc<str>,
    pub(super) tenant: Arc<str>,
    pub(super) generation: u64,
    pub(super) unwanted: Option<Time>,
    pub(super) certified: Arc<CertifiedKey>,
    /// What the chain says; `None`: it cannot be read, and another certificate is ordered.
    facts: Option<Facts>,
    authority: Box<str>,
    profile: Option<Box<str>>,
    issued: Time,
    key: Secret,
}

impl Kept {
    /// Of a record. What is expired is served as well: the client decides.
    pub(super) fn of(record: record::Certificate) -> Result<Self, KeyError> {
        let certified = keys::certified(&record.key, &record.chain)?;
        let facts = read_chain(&record.chain)
            .map_err(|error| tracing::error!(host = record.host, "a kept certificate cannot be read: {error}"));
        Ok(Self {
            host: record.host.into(),
            tenant: record.tenant.into(),
            generation: record.generation,
            unwanted: record.unwanted,
            certified,
            facts: facts.ok(),
            authority: record.authority.into(),
            profile: record.profile.map(Into::into),
            issued: record.issued,
            key: record.key,
        })
    }

    /// Of many records, on all cores. Those that cannot be used are logged and left out.
    pub(super) fn of_all(records: BTreeMap<CertificateId, record::Certificate>) -> BTreeMap<CertificateId, Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let mut records: Vec<_> = records.into_iter().collect();
        let share = records.len().div_ceil(cores).max(64);
        let mut shares = Vec::new();
        while !records.is_empty() {
            shares.push(records.split_off(records.len().saturating_sub(share)));
        }
        let usable = |(id, record): (CertificateId, record::Certificate)| {
            let host = record.host.clone();
            match Self::of(record) {
                Ok(kept) => Some((id, kept)),
                Err(error) => {
                    tracing::error!(host, "a kept certificate is not used: {error}");
                    None
                }
            }
        };
        let usable = &usable;
        thread::scope(|scope| {
            let work = |share: Vec<_>| scope.spawn(move || share.into_iter().filter_map(usable).collect::<Vec<_>>());
            let workers: Vec<_> = shares.into_iter().map(work).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        })
    }

    /// As it is written down.
    pub(super) fn record(&self) -> record::Certificate {
        record::Certificate {
            generation: self.generation,
            tenant: self.tenant.to_string(),
            host: self.host.to_string(),
            authority: self.authority.to_string(),
            profile: self.profile.as_deref().map(str::to_owned),
            issued: self.issued,
            unwanted: self.unwanted,
            key: self.key.clone(),
            chain: self.certified.cert.iter().map(|der| der.to_vec()).collect(),
        }
    }

    /// What the agenda knows of it.
    pub(super) fn held(&self, settings: &Settings) -> Option<Held> {
        let facts = self.facts.as_ref()?;
        let current = *self.authority == settings.directory && self.profile.as_deref() == settings.profile.as_deref();
        let replaces = facts.renewal_id.clone();
        Some(Held { issued: self.issued, life: facts.life, window: None, replaces, current })
    }

    /// What people are told of it; `renew_at` and the window are the agenda's.
    pub(super) fn served(&self) -> Option<Served> {
        let facts = self.facts.as_ref()?;
        Some(Served {
            issuer: facts.issuer.clone(),
            serial: facts.serial.clone(),
            generation: self.generation,
            issued: self.issued,
            life: facts.life,
            window: None,
            renew_at: None,
        })
    }

    /// For the moments of a budget that has to be made up.
    pub(super) fn came(&self) -> (&str, Time) {
        (&self.host, self.issued)
    }
}
