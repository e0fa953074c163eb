//! What was written into DNS and is not known to be gone: kept before a record is written, so that whoever comes after a crash finds it and
//! takes it away.

use std::fmt;
use std::sync::Arc;

use bailey_acme::challenge;
use bailey_acme::order::Failure;
use bailey_acme::record::{DnsRecord, DnsRecords};
use tokio::sync::Mutex;

use super::Dns;
use crate::acme::authority::Failed;
use crate::acme::store::{Item, Store, StoreError};

/// Proofs in DNS, with their memory.
pub(in crate::acme) struct Journal {
    dns: Arc<Dns>,
    store: Arc<dyn Store>,
    records: Mutex<DnsRecords>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("dns", &self.dns).finish_non_exhaustive()
    }
}

impl Journal {
    pub(in crate::acme) fn new(dns: Arc<Dns>, store: Arc<dyn Store>) -> Self {
        Self { dns, store, records: Mutex::default() }
    }

    /// Takes over what the store holds, in place of what was known.
    pub(in crate::acme) async fn take(&self, records: DnsRecords) {
        *self.records.lock().await = records;
    }

    /// Adds the proof of a host, and waits until the servers of the zone show it. The authority has not been told yet, so what fails is
    /// not counted as a failed validation.
    pub(in crate::acme) async fn prove(&self, host: &str, authorization: &str) -> Result<(), Failed> {
        let not_taken = |error: String| Failed::from(Failure::NotTaken(error));
        let name = self.dns.place(&challenge::record_name(host)).await.map_err(not_taken)?;
        let record = DnsRecord { host: host.to_owned(), name, text: challenge::record_text(authorization) };
        let kept = self.keep(|records| records.0.insert(record.clone())).await;
        kept.map_err(|error| Failed::from(Failure::Store(error.to_string())))?;
        self.dns.publish(&record.name, &record.text).await.map_err(not_taken)
    }

    /// Takes the proofs of a host away. One that cannot be taken away now stays known.
    pub(in crate::acme) async fn withdraw(&self, host: &str) {
        let own: Vec<DnsRecord> = self.records.lock().await.0.iter().filter(|one| one.host == host).cloned().collect();
        for record in own {
            let gone = match self.dns.retract(&record.name, &record.text).await {
                Ok(()) => self.keep(|records| records.0.remove(&record)).await.map_err(|error| error.to_string()),
                Err(error) => Err(error),
            };
            if let Err(error) = gone {
                tracing::warn!(host, "the record of a proof stays in DNS for now: {error}");
            }
        }
    }

    /// Changes what is known, and keeps it; what cannot be kept is not changed.
    async fn keep(&self, change: impl FnOnce(&mut DnsRecords) -> bool) -> Result<(), StoreError> {
        let mut records = self.records.lock().await;
        let mut changed = records.clone();
        if change(&mut changed) {
            self.store.save(Item::DnsRecords(Arc::new(changed.clone()))).await?;
            *records = changed;
        }
        Ok(())
    }
}
