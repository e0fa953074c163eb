//! Carries out what the machine asks for: one task that orders, keeps, renews and retires the certificates of a tier.
//!
//! Decides nothing about orders, budgets or renewal; those are in `bailey-acme`. What it decides is that whatever fails, the
//! certificates that are there go on serving.

mod carry;
mod load;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bailey_acme::agenda::{Entry, Next};
use bailey_acme::budget::{Budget, Cost};
use bailey_acme::names::{CertificateId, Terms, Wanted, Wants, retired, wanted};
use bailey_acme::order::Event;
use bailey_acme::{Time, record};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::authority::Authority;
use super::hold::{Hold, Names};
use super::store::{StoreError, Volume};
use super::{Settings, keys};

/// The driver looks at everything at least this often: clocks may be set.
const AT_LEAST: Duration = Duration::from_mins(10);

/// Why no driver can run.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is ending.
    #[error("the process is ending")]
    Stopped,
}

/// Orders, keeps, renews and retires certificates.
pub struct Driver {
    settings: Settings,
    store: Arc<Volume>,
    hold: Arc<Hold>,
    names: watch::Receiver<Arc<Names>>,
    budget: Budget,
    authority: Option<Authority>,
    account: Option<record::Account>,
    certificates: BTreeMap<CertificateId, Kept>,
    entries: BTreeMap<CertificateId, Known>,
    wants: Wants,
    /// Certificates of no authority, until there are real ones.
    stand_ins: HashMap<Arc<str>, Arc<CertifiedKey>>,
}

/// A certificate that is there.
struct Kept {
    record: record::Certificate,
    key: Arc<CertifiedKey>,
}

/// What is known of a certificate that is or was wanted.
struct Known {
    host: Arc<str>,
    tenant: Arc<str>,
    entry: Entry,
    /// When the authority is asked for its window.
    ask_at: Time,
}

impl Driver {
    /// Reads the store. What cannot be used of it is set aside and logged.
    pub async fn load(settings: Settings, store: Volume, hold: Arc<Hold>) -> Result<Self, DriverError> {
        let names = hold.names();
        let mut driver = Self {
            settings,
            store: Arc::new(store),
            hold,
            names,
            budget: Budget::default(),
            authority: None,
            account: None,
            certificates: BTreeMap::new(),
            entries: BTreeMap::new(),
            wants: Wants::default(),
            stand_ins: HashMap::new(),
        };
        driver.take_contents().await?;
        driver.follow();
        driver.serve();
        Ok(driver)
    }

    /// Works until its task is ended, which may happen at any point.
    pub async fn run(mut self) {
        loop {
            let next = self.work().await;
            let wait = next.since(now()).clamp(Duration::from_millis(200), AT_LEAST);
            match tokio::time::timeout(wait, self.names.changed()).await {
                Ok(Ok(())) => self.follow(),
                Ok(Err(_)) => return,
                Err(_) => {}
            }
        }
    }

    /// Takes over which names are served.
    fn follow(&mut self) {
        let names = self.names.borrow_and_update().clone();
        if !names.known {
            return;
        }
        let terms = Terms {
            challenge: self.settings.challenge,
            covered: names.covered.clone(),
            most: self.settings.most.clone(),
        };
        let wants = wanted(&names.owned, &terms, |id| self.certificates.contains_key(id));
        for (host, why) in &wants.without {
            if self.wants.without.get(host) != Some(why) {
                tracing::info!(%host, "no certificate is ordered: {why}");
            }
        }
        for (id, want) in &wants.certificates {
            if !self.entries.contains_key(id) {
                self.entries.insert(id.clone(), self.known(want));
            }
        }
        self.wants = wants;
        self.make_stand_ins();
        self.serve();
    }

    fn known(&self, want: &Wanted) -> Known {
        let held = self.certificates.get(&want.id).and_then(|kept| self.held(&kept.record));
        let entry = Entry { held, ..Entry::default() };
        Known { host: want.host.clone(), tenant: want.tenant.clone(), entry, ask_at: Time::default() }
    }

    fn make_stand_ins(&mut self) {
        if !self.settings.self_signed {
            return;
        }
        let hosts: Vec<Arc<str>> = self.wants.certificates.values().map(|want| want.host.clone()).collect();
        self.stand_ins.retain(|host, _| hosts.contains(host));
        for host in hosts {
            if let std::collections::hash_map::Entry::Vacant(missing) = self.stand_ins.entry(host) {
                match keys::stand_in(missing.key()) {
                    Ok(key) => drop(missing.insert(key)),
                    Err(error) => tracing::error!(host = %missing.key(), "no certificate until one is issued: {error}"),
                }
            }
        }
    }

    /// Serves what is there, of wanted names only.
    fn serve(&self) {
        let mut served: HashMap<Arc<str>, Arc<CertifiedKey>> = self.stand_ins.clone();
        for (id, want) in &self.wants.certificates {
            if let Some(kept) = self.certificates.get(id) {
                served.insert(want.host.clone(), kept.key.clone());
            }
        }
        self.hold.serve(served);
    }

    /// Does all that can be done now; the moment of what comes next.
    async fn work(&mut self) -> Time {
        if !self.names.borrow().known {
            return now().after(AT_LEAST);
        }
        self.retire().await;
        let mut soonest = now().after(AT_LEAST);
        let ids: Vec<CertificateId> = self.entries.keys().cloned().collect();
        for id in ids {
            if let Some(until) = self.budget.paused(now()) {
                return until.min(soonest);
            }
            let next = self.work_on(&id).await;
            soonest = soonest.min(next);
        }
        soonest
    }

    async fn work_on(&mut self, id: &CertificateId) -> Time {
        let Some(known) = self.entries.get(id) else { return Time(u64::MAX) };
        let (host, tenant) = (known.host.clone(), known.tenant.clone());
        if !self.wants.certificates.contains_key(id) {
            self.happen(id, Event::Lost).await;
            self.entries.remove(id);
            if !self.certificates.contains_key(id) {
                self.delete(id).await;
            }
            return Time(u64::MAX);
        }
        self.ask_for_window(id).await;
        let Some(known) = self.entries.get(id) else { return Time(u64::MAX) };
        let event = match known.entry.next(&host, self.settings.policy, now()) {
            Next::Wait(until) => return until.min(known.ask_at),
            Next::GoOn => Event::Woken,
            Next::Begin(wish) => {
                let cost = Cost { host: &host, tenant: &tenant, purpose: wish.purpose };
                match self.budget.order(cost, now()) {
                    Ok(()) => Event::Begin(wish),
                    Err((held, until)) => {
                        tracing::info!(%host, until = until.0, "no order now: {}", held.text());
                        return until;
                    }
                }
            }
        };
        self.happen(id, event).await;
        match self.entries.get(id).map(|known| known.entry.next(&host, self.settings.policy, now())) {
            Some(Next::Wait(until)) => until,
            Some(Next::GoOn | Next::Begin(_)) => now(),
            None => Time(u64::MAX),
        }
    }

    /// Notes since when certificates are not wanted, and deletes those that have not been for long enough.
    async fn retire(&mut self) {
        let mut changed = Vec::new();
        for (id, kept) in &mut self.certificates {
            let wanted = self.wants.certificates.contains_key(id);
            match (wanted, kept.record.unwanted) {
                (true, Some(_)) => kept.record.unwanted = None,
                (false, None) => kept.record.unwanted = Some(now()),
                (true, None) => continue,
                (false, Some(since)) if !retired(since, now()) => continue,
                (false, Some(_)) => {}
            }
            changed.push(id.clone());
        }
        for id in changed {
            let Some(kept) = self.certificates.get(&id) else { continue };
            match kept.record.unwanted {
                Some(since) if retired(since, now()) => {
                    if self.delete(&id).await {
                        self.certificates.remove(&id);
                    }
                }
                _ => {
                    let record = kept.record.clone();
                    self.save_certificate(&id, record).await;
                }
            }
        }
    }

    /// Asks the authority when it wants a certificate renewed. That it cannot say changes nothing.
    async fn ask_for_window(&mut self, id: &CertificateId) {
        let Some(known) = self.entries.get(id) else { return };
        let renewal_id = known.entry.held.as_ref().filter(|held| held.current).and_then(|held| held.replaces.clone());
        let Some(renewal_id) = renewal_id.filter(|_| self.settings.ask_authority && known.ask_at <= now()) else {
            return;
        };
        let answer = match self.authority().await {
            Ok(authority) => authority.window(&renewal_id).await,
            Err(failed) => Err(failed),
        };
        let Some(known) = self.entries.get_mut(id) else { return };
        known.ask_at = now().after(AT_LEAST);
        match answer {
            Ok(Some((window, again))) => {
                known.ask_at = now().after(bailey_acme::renewal::ask_again(again));
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
    }
}

/// The time of day. Renewals are counted in days, so the system's clock is good enough.
pub(super) fn now() -> Time {
    Time(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
}
