//! A site with names: does what a driver does, in virtual time, with a store that is a map of encoded records.

use std::collections::BTreeMap;

use bailey_acme::agenda::{Entry, Held, Next};
use bailey_acme::budget::{Budget, Cost, Purpose};
use bailey_acme::order::{Action, Event, Failure, step};
use bailey_acme::record::{Order, Record};
use bailey_acme::renewal::Policy;
use bailey_acme::{Secret, Time};

use crate::authority::{Answer, Authority, Call};

pub(crate) struct Site {
    names: BTreeMap<String, Name>,
    budget: Budget,
    /// What a new process would find.
    kept: BTreeMap<String, Vec<u8>>,
    kept_budget: Vec<u8>,
    /// The process dies after so many actions.
    pub(crate) dies_every: Option<u64>,
    actions: u64,
    pub(crate) deaths: u64,
}

#[derive(Default)]
struct Name {
    entry: Entry,
    error: bool,
    due: Time,
}

/// The process has died.
struct Died;

impl Site {
    /// Names of different domains and tenants.
    pub(crate) fn new(count: u64) -> Self {
        Self::of((0..count).map(|n| format!("www.site{n}.com")))
    }

    /// Names of one domain.
    pub(crate) fn of_one_domain(count: u64) -> Self {
        Self::of((0..count).map(|n| format!("n{n}.example.com")))
    }

    fn of(names: impl Iterator<Item = String>) -> Self {
        let budget = Budget::default();
        Self {
            names: names.map(|name| (name, Name::default())).collect(),
            kept_budget: budget.encode(1).to_vec(),
            budget,
            kept: BTreeMap::new(),
            dies_every: None,
            actions: 0,
            deaths: 0,
        }
    }

    /// Lets time pass, from one thing to do to the next.
    pub(crate) fn run_until(&mut self, end: Time, authority: &mut Authority, from: Time) {
        let mut now = from;
        while now < end {
            let due: Vec<String> =
                self.names.iter().filter(|(_, name)| name.due <= now).map(|(host, _)| host.clone()).collect();
            for host in due {
                if self.work(&host, authority, now).is_err() {
                    self.restart(now);
                    break;
                }
            }
            let next = self.names.values().map(|name| name.due).min().unwrap_or(end);
            now = next.max(Time(now.0 + 1)).min(end);
        }
    }

    fn work(&mut self, host: &str, authority: &mut Authority, now: Time) -> Result<(), Died> {
        let entry = &self.names[host].entry;
        let event = match entry.next(host, Policy::default(), now) {
            Next::Wait(at) => {
                self.later(host, at);
                return Ok(());
            }
            Next::GoOn => Event::Woken,
            Next::Begin(wish) => {
                let cost = Cost { host, tenant: tenant(host), purpose: wish.purpose };
                match self.budget.order(cost, now) {
                    Ok(()) => Event::Begin(wish),
                    Err((_, until)) => {
                        self.later(host, until);
                        return Ok(());
                    }
                }
            }
        };
        // Paused for everybody: what is granted waits as well.
        if let Some(until) = self.budget.paused(now) {
            self.later(host, until);
            return Ok(());
        }
        self.happen(host, event, authority, now)?;
        let due = match self.names[host].entry.next(host, Policy::default(), now) {
            Next::Wait(at) => at,
            Next::GoOn | Next::Begin(_) => now,
        };
        self.later(host, due);
        Ok(())
    }

    fn later(&mut self, host: &str, at: Time) {
        if let Some(name) = self.names.get_mut(host) {
            name.due = at;
        }
    }

    fn happen(&mut self, host: &str, event: Event, authority: &mut Authority, now: Time) -> Result<(), Died> {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let name = self.names.get_mut(host).expect("the name is known");
            let (progress, actions) = step(host, name.entry.progress.clone(), event, now);
            name.error |= progress.error.is_some();
            name.entry.progress = progress;
            for action in &actions {
                self.actions += 1;
                if self.dies_every.is_some_and(|every| self.actions.is_multiple_of(every)) {
                    return Err(Died);
                }
                if let Some(event) = self.carry_out(host, action, authority, now) {
                    events.push(event);
                    break;
                }
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, host: &str, action: &Action, authority: &mut Authority, now: Time) -> Option<Event> {
        let wish = self.names[host].entry.progress.wish.as_ref();
        let purpose = wish.map_or(Purpose::First, |wish| wish.purpose);
        let mut call = |call| match authority.call(call, host, purpose, now) {
            Answer::Done => Ok(None),
            Answer::Is(status) => Ok(Some(Event::Is(status))),
            Answer::Failed(failure) => Err(Event::Failed(failure)),
            Answer::Wait(wait) => {
                self.budget.pause(Some(wait), now);
                Err(Event::Failed(Failure::NotTaken("rateLimited".to_owned())))
            }
        };
        let answer = match action {
            Action::Probe | Action::Claim | Action::Withdraw => Ok(None),
            Action::Save => {
                self.save(host);
                Ok(None)
            }
            Action::Order(_) => call(Call::Order).map(|_| Some(Event::Ordered { url: "order".to_owned() })),
            Action::Prove => call(Call::Prove).map(|_| Some(Event::Proved)),
            Action::Look => call(Call::Look),
            Action::MakeKey => Ok(Some(Event::KeyMade(Secret::new(vec![1])))),
            Action::Request => call(Call::Request).map(|_| Some(Event::Requested)),
            Action::Install => call(Call::Fetch).map(|_| {
                let (life, window) = authority.life(now);
                let held = Held { issued: now, life, window, replaces: Some("id".to_owned()), current: true };
                self.names.get_mut(host).expect("the name is known").entry.held = Some(held);
                Some(Event::Installed)
            }),
            Action::CountFailure => {
                self.budget.failed(host, now);
                Ok(None)
            }
            Action::Refund(purpose) => {
                self.budget.refund(Cost { host, tenant: tenant(host), purpose: *purpose });
                Ok(None)
            }
        };
        answer.unwrap_or_else(Some)
    }

    fn save(&mut self, host: &str) {
        let progress = self.names[host].entry.progress.clone();
        let order = Order { tenant: tenant(host).to_owned(), host: host.to_owned(), progress };
        self.kept.insert(host.to_owned(), order.encode(1).to_vec());
        self.kept_budget = self.budget.encode(1).to_vec();
    }

    /// A new process: it knows what was kept, and nothing else. Certificates are kept when they are installed.
    fn restart(&mut self, now: Time) {
        self.deaths += 1;
        self.budget = Budget::decode(&self.kept_budget).expect("the budget is whole").0;
        for (host, name) in &mut self.names {
            let kept = self.kept.get(host).map(|bytes| Order::decode(bytes).expect("the order is whole").0.progress);
            let (progress, actions) = step(host, kept.unwrap_or_default(), Event::Restarted, now);
            for action in &actions {
                if let Action::Refund(purpose) = action {
                    self.budget.refund(Cost { host, tenant: tenant(host), purpose: *purpose });
                }
            }
            name.entry.progress = progress;
            name.due = now;
        }
        let hosts: Vec<String> = self.names.keys().cloned().collect();
        for host in &hosts {
            self.save(host);
        }
    }

    /// Names without a certificate that holds.
    pub(crate) fn uncovered(&self, now: Time) -> impl Iterator<Item = &str> {
        let covered = move |name: &Name| name.entry.held.as_ref().is_some_and(|held| held.life.holds(now));
        self.names.iter().filter(move |(_, name)| !covered(name)).map(|(host, _)| host.as_str())
    }

    /// Names whose error was told.
    pub(crate) fn errors(&self) -> usize {
        self.names.values().filter(|name| name.error).count()
    }
}

/// Four tenants.
fn tenant(host: &str) -> &'static str {
    ["a", "b", "c", "d"][host.len() % 4]
}
