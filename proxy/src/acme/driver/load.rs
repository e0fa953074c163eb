//! From the store to what is served: what is there is taken as it is, also when it has expired; what cannot be used is said.
//! Whoever begins to lead reads everything anew; whoever follows takes over what changes.

use std::collections::BTreeSet;
use std::time::Duration;

use bailey_acme::agenda::Entry;
use bailey_acme::budget::{Budget, Cost};
use bailey_acme::names::{CertificateId, Challenge};
use bailey_acme::order::{Action, Event, Phase, Progress, step};
use bailey_acme::record::{self, DnsRecords};

use super::{Door, Driver, Kept, TRY};
use crate::acme::store::{Changes, Contents, StoreError};

impl Driver {
    /// Takes over what the store holds, in place of what was known of it.
    pub(super) async fn take_contents(&mut self, contents: Contents) -> Result<(), StoreError> {
        for unread in &contents.unreadable {
            let aside = unread.aside.as_deref().unwrap_or("nowhere: it stays where it is");
            tracing::error!(record = unread.name, set_aside = aside, "{}", unread.why);
        }
        let records = contents.certificates;
        let loaded = tokio::task::spawn_blocking(move || Kept::of_all(records)).await;
        self.certificates = loaded.map_err(|_| StoreError::Ending)?;
        let account = contents.accounts.into_values().find(|one| one.authority == self.settings.directory);
        self.door = Door::new(self.settings.clone(), self.store.clone(), account).into();
        self.entries.clear();
        self.due.clear();
        if self.leading {
            self.take_budget(contents.budget);
        }
        for (id, order) in contents.orders {
            let progress = if self.leading { self.restart(&order) } else { order.progress };
            self.take_order(&id, order.host, order.tenant, progress);
        }
        if self.leading {
            // Orders that wait for the authority to look keep their proofs: it may be looking now.
            let proving = self.entries.values().filter(|known| is_proving(&known.entry.progress.phase));
            let proving: BTreeSet<&str> = proving.map(|known| &*known.host).collect();
            self.hold.keep_proofs(|host| proving.contains(host));
            self.proofs_stale = *self.hold.proofs() != contents.proofs;
            let left = contents.dns.0.iter().filter(|record| !proving.contains(&*record.host));
            let left: BTreeSet<String> = left.map(|record| record.host.clone()).collect();
            self.take_records(contents.dns, left).await;
        } else {
            self.hold.take_proofs(&contents.proofs.into(), self.settings.challenge == Challenge::TlsAlpn01);
        }
        Ok(())
    }

    /// Takes what no order waits for out of DNS.
    async fn take_records(&mut self, records: DnsRecords, left: BTreeSet<String>) {
        let Some(dns) = self.prover.dns() else { return };
        dns.take(records).await;
        for host in left {
            self.withdraw_record(&CertificateId::of("", &host), host.into());
        }
    }

    fn take_budget(&mut self, budget: Option<Budget>) {
        let now = self.now();
        self.budget = budget.unwrap_or_else(|| {
            tracing::error!("what was ordered is not known any more: no order for three hours");
            Budget::rebuilt(self.certificates.values().map(Kept::came), now)
        });
        self.hold.spend(self.budget.clone().into());
    }

    /// How far an order has come of which this process knows from the store only.
    fn restart(&mut self, order: &record::Order) -> Progress {
        let (progress, actions) = step(&order.host, order.progress.clone(), Event::Restarted, self.now());
        for action in actions {
            if let Action::Refund(purpose) = action {
                self.budget.refund(Cost { host: &order.host, tenant: &order.tenant, purpose });
            }
        }
        progress
    }

    fn take_order(&mut self, id: &CertificateId, host: String, tenant: String, progress: Progress) {
        let held = self.certificates.get(id).and_then(|kept| kept.held(&self.settings));
        let known = self.known_of(id, host.into(), tenant.into(), Entry { progress, held, asked: None });
        self.entries.insert(id.clone(), known);
        self.due.set(id, self.now());
    }

    /// Nothing is ordered until the store is loaded again. Calls that are under way come to nothing here; what they were
    /// about is written down.
    pub(super) fn stop_leading(&mut self, load_after: Duration) {
        self.leading = false;
        self.calls.clear();
        self.entries.values_mut().for_each(|known| known.busy = false);
        self.load_at = Some(self.now().after(load_after));
    }

    /// Reads everything again, with the right to write if this process leads.
    pub(super) async fn load_again(&mut self) {
        self.load_at = Some(self.now().after(TRY));
        self.leads.mark_unchanged();
        let loaded = match self.store.load().await {
            Ok(contents) => {
                self.leading = contents.leads;
                self.take_contents(contents).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = loaded {
            self.leading = false;
            return tracing::warn!("the certificate store cannot be read, and nothing is ordered: {error}");
        }
        self.load_at = None;
        tracing::info!(
            "{}",
            if self.leading { "this replica orders certificates" } else { "another replica orders certificates" }
        );
        self.listed.clear();
        self.follow();
    }

    /// Takes over what another process has written.
    pub(super) fn take_changes(&mut self, changes: Changes) {
        let mut served = false;
        for (id, record) in changes.certificates {
            served |= self.take_certificate(&id, record);
            self.unlisted.insert(id);
        }
        if !self.leading {
            for (id, order) in changes.orders {
                self.unlisted.insert(id.clone());
                match order {
                    Some(order) => self.take_order(&id, order.host, order.tenant, order.progress),
                    None => {
                        if let Some(known) = self.entries.get_mut(&id) {
                            known.entry.progress = Progress::default();
                        }
                    }
                }
            }
            if let Some(proofs) = changes.proofs {
                self.hold.take_proofs(&proofs, self.settings.challenge == Challenge::TlsAlpn01);
            }
        }
        if served {
            self.serve();
        }
        self.list();
    }

    /// Whether something else is to be served.
    fn take_certificate(&mut self, id: &CertificateId, record: Option<record::Certificate>) -> bool {
        let known = self.certificates.get(id).map(|kept| kept.generation);
        let Some(record) = record else {
            return !self.leading && self.certificates.remove(id).is_some();
        };
        // Whoever leads hears of its own writes too.
        if self.leading && known.is_some_and(|known| known >= record.generation) {
            return false;
        }
        let host = record.host.clone();
        match Kept::of(record) {
            Ok(kept) => {
                let held = kept.held(&self.settings);
                self.certificates.insert(id.clone(), kept);
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.entry.held = held;
                }
                true
            }
            Err(error) => {
                tracing::error!(host, "a certificate that another replica has kept is not used: {error}");
                false
            }
        }
    }
}

/// The authority may be looking at its proof.
fn is_proving(phase: &Phase) -> bool {
    matches!(phase, Phase::Placed { .. } | Phase::Proving { .. })
}
