//! What is done with certificates that are there: those that nobody wants go after a while, and of the others the
//! authority is asked when it wants them renewed.

use std::time::Duration;

use bailey_acme::Time;
use bailey_acme::names::{CertificateId, retired};
use bailey_acme::renewal::{Window, ask_again};

use super::carry::Answer;
use super::{AT_LEAST, Driver};
use crate::acme::authority::Failed;
use crate::acme::store::Item;

impl Driver {
    /// Notes since when certificates are not wanted, and deletes those that have not been for long enough. When to look
    /// again.
    pub(super) async fn retire(&mut self) -> Time {
        let (now, mut changed) = (self.now(), Vec::new());
        for (id, kept) in &mut self.certificates {
            let wanted = self.wants.certificates.contains_key(id);
            match (wanted, kept.unwanted) {
                (true, Some(_)) => kept.unwanted = None,
                (false, None) => kept.unwanted = Some(now),
                (true, None) => continue,
                (false, Some(since)) if !retired(since, now) => continue,
                (false, Some(_)) => {}
            }
            changed.push(id.clone());
        }
        for id in changed {
            let Some(kept) = self.certificates.get(&id) else { continue };
            if kept.unwanted.is_some_and(|since| retired(since, now)) {
                let (host, tenant) = (kept.host.clone(), kept.tenant.clone());
                let deleted = self.store.delete(id.clone()).await;
                if self.kept(deleted).is_ok() {
                    tracing::info!(%host, %tenant, "the certificate of a name that is gone is deleted");
                    self.certificates.remove(&id);
                }
            } else {
                let item = Item::Certificate(id, kept.record().into());
                // What cannot be written now is written when the store is loaded or looked at again.
                let _ = self.keep(item).await;
            }
        }
        now.after(AT_LEAST)
    }

    /// When the authority is asked for the first time: many certificates are asked for one after the other.
    pub(super) fn ask_first(&self, id: &CertificateId) -> Time {
        let share = u64::from_str_radix(id.as_str().get(..4).unwrap_or("0"), 16).unwrap_or_default();
        self.now().after(Duration::from_secs(self.certificates.len() as u64 * share / 0xffff / 4))
    }

    /// Asks the authority when it wants a certificate renewed, if it is time to. That it cannot say changes nothing.
    pub(super) fn ask_for_window(&mut self, id: &CertificateId) -> bool {
        let now = self.now();
        let Some(known) = self.entries.get_mut(id).filter(|known| known.ask_at <= now) else { return false };
        let renewal_id = known.entry.held.as_ref().filter(|held| held.current).and_then(|held| held.replaces.clone());
        let Some(renewal_id) = renewal_id.filter(|_| self.settings.ask_authority) else {
            known.ask_at = Time(u64::MAX);
            return false;
        };
        known.busy = true;
        let (id, door) = (id.clone(), self.door.clone());
        self.calls.push(Box::pin(async move {
            let answer = match door.open().await {
                Ok(authority) => authority.window(&renewal_id).await,
                Err(failed) => Err(failed),
            };
            (id, Answer::Window(answer))
        }));
        true
    }

    /// The authority has answered.
    pub(super) fn take_window(&mut self, id: &CertificateId, answer: Result<Option<(Window, Duration)>, Failed>) {
        let now = self.now();
        let Some(known) = self.entries.get_mut(id) else { return };
        known.ask_at = now.after(AT_LEAST);
        match answer {
            Ok(Some((window, again))) => {
                known.ask_at = now.after(ask_again(again));
                if let Some(held) = &mut known.entry.held {
                    held.window = Some(window);
                }
            }
            Ok(None) => {
                // Such an authority knows no `replaces` either.
                known.ask_at = Time(u64::MAX);
                if let Some(held) = &mut known.entry.held {
                    held.replaces = None;
                }
            }
            Err(failed) => tracing::debug!(host = %known.host, "no renewal window: {}", failed.failure.text()),
        }
        self.unlisted.insert(id.clone());
        self.plan(id);
    }
}
