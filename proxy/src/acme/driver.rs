//! Carries out what the machine asks for: one task that orders, keeps, renews and retires the certificates of a tier.
//!
//! Decides nothing about orders, budgets or renewal; those are in `bailey-acme`. What it decides is that whatever fails, the
//! certificates that are there go on serving; that only the process that leads orders, and the others show what it has
//! written; and that a slow order holds up no other: calls of the authority run side by side, writes to the store one after the other.

mod carry;
mod due;
mod kept;
mod listing;
mod load;
mod retire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bailey_acme::Time;
use bailey_acme::agenda::{Entry, Next};
use bailey_acme::budget::{self, Budget, Cost};
use bailey_acme::names::{CertificateId, Terms, Wanted, Wants, wanted};
use bailey_acme::order::{Event, Phase};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::sign::CertifiedKey;
use tokio::sync::{oneshot, watch};

use super::account::Door;
use super::hold::{Hold, Listed, Names, Renewals};
use super::prover::Prover;
use super::store::{Store, StoreError};
use super::{Settings, keys};
use carry::Call;
use due::Due;
use kept::Kept;

#[cfg(test)]
pub(super) mod tests;

/// The driver looks at everything at least this often: clocks may be set.
const AT_LEAST: Duration = Duration::from_mins(10);
/// Calls of the authority that run side by side.
const AT_ONCE: usize = 8;
/// Between two tries to load a store that this process cannot write to any more.
const TRY: Duration = Duration::from_secs(5);
/// Between two looks at the same certificate.
const BETWEEN: Duration = Duration::from_secs(1);

/// Why no driver can run.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Orders, keeps, renews and retires certificates.
pub struct Driver {
    settings: Arc<Settings>,
    clock: Arc<dyn Fn() -> Time + Send + Sync>,
    store: Arc<dyn Store>,
    hold: Arc<Hold>,
    prover: Prover,
    door: Arc<Door>,
    names: watch::Receiver<Arc<Names>>,
    renewals: watch::Receiver<Arc<Renewals>>,
    leads: watch::Receiver<bool>,
    /// This process leads, and what it knows is what the store holds.
    leading: bool,
    /// When the store is loaded again.
    load_at: Option<Time>,
    budget: Budget,
    certificates: BTreeMap<CertificateId, Kept>,
    entries: BTreeMap<CertificateId, Known>,
    wants: Wants,
    due: Due,
    calls: FuturesUnordered<Call>,
    /// Certificates of no authority, until there are real ones.
    stand_ins: HashMap<Arc<str>, Arc<CertifiedKey>>,
    retire_at: Time,
    /// The other replicas answer with proofs that were withdrawn.
    proofs_stale: bool,
    listed: BTreeMap<CertificateId, Arc<Listed>>,
    /// What is listed is not how it stands for these.
    unlisted: BTreeSet<CertificateId>,
}

/// What is known of a certificate that is or was wanted.
struct Known {
    host: Arc<str>,
    tenant: Arc<str>,
    entry: Entry,
    /// When the authority is asked for its window.
    ask_at: Time,
    /// A call is under way.
    busy: bool,
    /// A limit holds the order up until then.
    held_up: Option<(budget::Held, Time)>,
}

impl Driver {
    /// Reads the store. What cannot be used of it is set aside and logged. What another driver served from the same hold
    /// goes on serving.
    pub async fn load(settings: Settings, store: Arc<dyn Store>, hold: Arc<Hold>) -> Result<Self, DriverError> {
        let settings = Arc::new(settings);
        let (names, renewals, mut leads) = (hold.names(), hold.renewals(), store.leads());
        leads.mark_unchanged();
        let contents = store.load().await?;
        let mut driver = Self {
            prover: Prover::new(hold.clone(), store.clone(), settings.dns.clone()),
            door: Arc::new(Door::new(settings.clone(), store.clone(), None)),
            settings,
            clock: Arc::new(time_of_day),
            store,
            hold,
            names,
            renewals,
            leads,
            leading: contents.leads,
            load_at: None,
            budget: Budget::default(),
            certificates: BTreeMap::new(),
            entries: BTreeMap::new(),
            wants: Wants::default(),
            due: Due::default(),
            calls: FuturesUnordered::new(),
            stand_ins: HashMap::new(),
            retire_at: Time::default(),
            proofs_stale: false,
            listed: BTreeMap::new(),
            unlisted: BTreeSet::new(),
        };
        driver.take_contents(contents).await?;
        driver.follow();
        Ok(driver)
    }

    /// Works until its task is ended, which may happen at any point.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            let next = self.work().await;
            let wait = next.since(self.now()).clamp(Duration::from_millis(200), AT_LEAST);
            tokio::select! {
                Some((id, answer)) = self.calls.next(), if !self.calls.is_empty() => self.answered(&id, answer).await,
                changed = self.names.changed() => match changed {
                    Ok(()) => self.follow(),
                    Err(_) => return,
                },
                changed = self.renewals.changed() => match changed {
                    Ok(()) => self.take_renewals(),
                    Err(_) => return,
                },
                changed = self.leads.changed() => match changed {
                    Ok(()) => self.stop_leading(Duration::ZERO),
                    Err(_) => return,
                },
                changes = self.store.changed() => self.take_changes(changes),
                _ = &mut stop => return self.come_to_rest().await,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Lets the orders that are being placed come to their answer: of one that is cut off nobody knows whether it has arrived.
    async fn come_to_rest(&mut self) {
        while self.entries.values().any(|known| known.entry.progress.phase == Phase::Ordering) {
            let Some((id, answer)) = self.calls.next().await else { return };
            self.answered(&id, answer).await;
        }
    }

    fn now(&self) -> Time {
        (self.clock)()
    }

    /// Works until nothing is under way and nothing is due; the moment of what comes next.
    #[cfg(test)]
    pub(super) async fn settle(&mut self) -> Time {
        loop {
            let next = self.work().await;
            match self.calls.next().await {
                Some((id, answer)) => self.answered(&id, answer).await,
                None => return next,
            }
        }
    }

    /// Goes by another clock.
    #[cfg(test)]
    pub(super) fn with_clock(mut self, clock: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        self.clock = clock;
        self
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
        let now = self.now();
        for (id, want) in &wants.certificates {
            if !self.entries.contains_key(id) {
                self.entries.insert(id.clone(), self.known(want));
                self.due.set(id, now);
            }
        }
        for id in self.entries.keys().filter(|id| !wants.certificates.contains_key(id)) {
            self.due.set(id, now);
        }
        self.unlisted.extend(wants.certificates.keys().filter(|id| !self.listed.contains_key(id)).cloned());
        self.wants = wants;
        self.retire_at = now;
        self.serve();
        self.list();
    }

    fn known(&self, want: &Wanted) -> Known {
        let held = self.certificates.get(&want.id).and_then(|kept| kept.held(&self.settings));
        self.known_of(&want.id, want.host.clone(), want.tenant.clone(), Entry { held, ..Entry::default() })
    }

    fn known_of(&self, id: &CertificateId, host: Arc<str>, tenant: Arc<str>, entry: Entry) -> Known {
        let entry = Entry { asked: self.renewals.borrow().get(&host).copied(), ..entry };
        Known { ask_at: self.ask_first(id), host, tenant, entry, busy: false, held_up: None }
    }

    /// Takes over which certificates somebody wants renewed before it is time.
    fn take_renewals(&mut self) {
        let renewals = self.renewals.borrow_and_update().clone();
        let mut changed = Vec::new();
        for (id, known) in &mut self.entries {
            let asked = renewals.get(&known.host).copied();
            if known.entry.asked != asked {
                known.entry.asked = asked;
                changed.push(id.clone());
            }
        }
        for id in changed {
            self.plan(&id);
            self.unlisted.insert(id);
        }
        self.list();
    }

    /// Serves what is there, of wanted names only, and what stands in for what is missing.
    fn serve(&mut self) {
        if !self.names.borrow().known {
            return;
        }
        let mut served = HashMap::with_capacity(self.wants.certificates.len());
        let mut stand_ins = HashMap::new();
        for (id, want) in &self.wants.certificates {
            if let Some(kept) = self.certificates.get(id) {
                served.insert(want.host.clone(), kept.certified.clone());
            } else if self.settings.self_signed
                && let Some(key) = self.stand_ins.get(&want.host).cloned().or_else(|| stand_in(&want.host))
            {
                served.insert(want.host.clone(), key.clone());
                stand_ins.insert(want.host.clone(), key);
            }
        }
        self.stand_ins = stand_ins;
        self.hold.serve(served);
    }

    /// Does all that can be done now; the moment of what comes next.
    async fn work(&mut self) -> Time {
        let far = self.now().after(AT_LEAST);
        if self.load_at.is_some_and(|at| at <= self.now()) {
            self.load_again().await;
        }
        if !self.leading || !self.names.borrow().known {
            return self.load_at.unwrap_or(far);
        }
        if self.retire_at <= self.now() {
            self.retire_at = self.retire().await;
        }
        self.hide_proofs().await;
        if self.settings.held_back {
            self.list();
            return self.load_at.map_or(far, |at| far.min(at)).min(self.retire_at);
        }
        let mut paused = None;
        while self.leading && self.calls.len() < AT_ONCE {
            paused = self.budget.paused(self.now());
            if paused.is_some() {
                break;
            }
            let Some(id) = self.due.take(self.now()) else { break };
            self.work_on(&id).await;
        }
        self.list();
        let next = paused.or_else(|| self.due.next()).unwrap_or(far);
        // With as many calls under way as may be, what is due waits for one of them.
        let next = if self.calls.len() < AT_ONCE { next.min(self.retire_at).min(far) } else { far };
        self.load_at.map_or(next, |at| next.min(at))
    }

    async fn work_on(&mut self, id: &CertificateId) {
        let Some(known) = self.entries.get(id).filter(|known| !known.busy) else { return };
        let (host, tenant) = (known.host.clone(), known.tenant.clone());
        if !self.wants.certificates.contains_key(id) {
            return self.lose(id).await;
        }
        if self.ask_for_window(id) {
            return;
        }
        let Some(known) = self.entries.get(id) else { return };
        let event = match known.entry.next(&host, self.settings.policy, self.now()) {
            Next::Wait(_) => return self.plan(id),
            Next::GoOn => Event::Woken,
            Next::Begin(wish) => {
                let cost = Cost { host: &host, tenant: &tenant, purpose: wish.purpose };
                let now = self.now();
                match self.budget.order(cost, now) {
                    Ok(()) => Event::Begin(wish),
                    Err((held, until)) => return self.hold_up(id, held, until),
                }
            }
        };
        if let Some(known) = self.entries.get_mut(id) {
            known.held_up = None;
        }
        self.happen(id, event).await;
    }

    /// Nobody wants the certificate any more.
    async fn lose(&mut self, id: &CertificateId) {
        let written = self.entries.get(id).is_some_and(|known| !known.entry.progress.rests());
        self.happen(id, Event::Lost).await;
        if written {
            self.forget_order(id).await;
        }
        self.entries.remove(id);
        self.due.forget(id);
    }

    /// A limit holds an order up.
    fn hold_up(&mut self, id: &CertificateId, held: budget::Held, until: Time) {
        let Some(known) = self.entries.get_mut(id) else { return };
        if known.held_up.is_none_or(|(before, _)| before != held) {
            tracing::info!(host = %known.host, until = until.0, "no order now: {}", held.text());
        }
        known.held_up = Some((held, until));
        self.unlisted.insert(id.clone());
        self.plan(id);
    }

    /// When a certificate is looked at next.
    fn plan(&mut self, id: &CertificateId) {
        let Some(known) = self.entries.get(id).filter(|known| !known.busy) else { return };
        let now = self.now();
        let at = match known.entry.next(&known.host, self.settings.policy, now) {
            _ if !self.wants.certificates.contains_key(id) => now,
            Next::Wait(until) => until.min(known.ask_at),
            Next::GoOn => now,
            Next::Begin(_) => known.held_up.map_or(now, |(_, until)| until),
        };
        self.due.set(id, at.max(now.after(BETWEEN)));
    }
}

fn stand_in(host: &str) -> Option<Arc<CertifiedKey>> {
    keys::stand_in(host).map_err(|error| tracing::error!(%host, "no certificate until one is issued: {error}")).ok()
}

/// The time of day. Renewals are counted in days, so the system's clock is good enough.
fn time_of_day() -> Time {
    Time(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
}
