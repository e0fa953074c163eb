//! From the store to what is served: what is there is taken as it is, also when it has expired; what cannot be used is said.

use bailey_acme::agenda::{Entry, Held};
use bailey_acme::budget::{Budget, Cost};
use bailey_acme::check::read_chain;
use bailey_acme::order::{Action, Event, step};
use bailey_acme::{Time, record};

use super::{Driver, DriverError, Kept, Known, now};
use crate::acme::keys;

impl Driver {
    /// Takes over what the store holds.
    pub(super) async fn take_contents(&mut self) -> Result<(), DriverError> {
        let store = self.store.clone();
        let loaded = tokio::task::spawn_blocking(move || store.load()).await;
        let contents = loaded.map_err(|_| DriverError::Stopped)??;
        for unread in &contents.unreadable {
            let aside = unread.aside.as_deref().unwrap_or("nowhere: it stays where it is");
            tracing::error!(file = unread.name, set_aside = aside, "{}", unread.why);
        }
        for (id, record) in contents.certificates {
            match keys::certified(&record.key, &record.chain) {
                Ok(key) => drop(self.certificates.insert(id, Kept { record, key })),
                Err(error) => tracing::error!(host = record.host, "a kept certificate is not used: {error}"),
            }
        }
        self.budget = contents.budget.unwrap_or_else(|| {
            tracing::error!("what was ordered is not known any more: no order for three hours");
            let came = self.certificates.values().map(|kept| (kept.record.host.as_str(), kept.record.issued));
            Budget::rebuilt(came, now())
        });
        self.account = contents.accounts.into_values().find(|one| one.authority == self.settings.directory);
        for (id, order) in contents.orders {
            let (progress, actions) = step(&order.host, order.progress, Event::Restarted, now());
            for action in actions {
                if let Action::Refund(purpose) = action {
                    self.budget.refund(Cost { host: &order.host, tenant: &order.tenant, purpose });
                }
            }
            let held = self.certificates.get(&id).and_then(|kept| self.held(&kept.record));
            let entry = Entry { progress, held };
            let known = Known { host: order.host.into(), tenant: order.tenant.into(), entry, ask_at: Time::default() };
            self.entries.insert(id, known);
        }
        Ok(())
    }

    /// What the agenda knows of a certificate.
    pub(super) fn held(&self, record: &record::Certificate) -> Option<Held> {
        let facts = read_chain(&record.chain)
            .map_err(|error| tracing::error!(host = record.host, "a kept certificate cannot be read: {error}"))
            .ok()?;
        let current = record.authority == self.settings.directory && record.profile == self.settings.profile;
        Some(Held { life: facts.life, window: None, replaces: facts.renewal_id, current })
    }
}
