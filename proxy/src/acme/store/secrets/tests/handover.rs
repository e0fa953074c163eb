//! Two replicas and an authority that counts: the one that leads is killed, or taken over, at every action of an order.

use bailey_acme::agenda::{Entry, Held, Next};
use bailey_acme::budget::Cost;
use bailey_acme::order::{Action, Event, Failure, Phase, Status, step};
use bailey_acme::renewal::{Life, Policy};

use super::*;

const HOST: &str = "a.example.com";
/// A day in seconds.
const DAY: u64 = 86_400;

/// What the authority has seen.
#[derive(Default)]
struct Authority {
    /// When orders were placed.
    orders: Vec<Time>,
    /// The key of the request, by the number of the order.
    requested: HashMap<usize, Key>,
}

/// A replica at work. It does what a driver does, one action after the other.
struct Site {
    store: Secrets,
    _leads: watch::Sender<bool>,
    entry: Entry,
    budget: Budget,
    /// It stops before this action.
    left: usize,
    /// What was still to be done when it stopped.
    rest: Vec<Action>,
}

/// It was stopped, or may not write any more.
#[derive(Debug)]
struct Stopped;

impl Site {
    async fn lead(api: &Api, left: usize, now: Time) -> Self {
        let (store, leads) = replica(api, &Process::default(), true);
        let contents = store.load().await.unwrap();
        let mut budget = contents.budget.unwrap();
        let mut entry = Entry::default();
        if let Some(order) = contents.orders.get(&id(HOST)) {
            let (progress, actions) = step(HOST, order.progress.clone(), Event::Restarted, now);
            for action in actions {
                if let Action::Refund(purpose) = action {
                    budget.refund(Cost { host: HOST, tenant: "team-a", purpose });
                }
            }
            entry.progress = progress;
        }
        entry.held = contents.certificates.get(&id(HOST)).map(held);
        Self { store, _leads: leads, entry, budget, left, rest: Vec::new() }
    }

    /// Works until there is nothing to do before `end`.
    async fn work(&mut self, ca: &mut Authority, mut now: Time, end: Time) -> Result<(), Stopped> {
        let rest = std::mem::take(&mut self.rest);
        if let Some(event) = self.row(rest, ca, now).await? {
            self.happen(event, ca, now).await?;
        }
        while now < end {
            let event = match self.entry.next(HOST, Policy::default(), now) {
                Next::Wait(until) => {
                    now = until;
                    continue;
                }
                Next::GoOn => Event::Woken,
                Next::Begin(wish) => {
                    let cost = Cost { host: HOST, tenant: "team-a", purpose: wish.purpose };
                    match self.budget.order(cost, now) {
                        Ok(()) => Event::Begin(wish),
                        Err((_, until)) => {
                            now = until;
                            continue;
                        }
                    }
                }
            };
            self.happen(event, ca, now).await?;
        }
        Ok(())
    }

    async fn happen(&mut self, event: Event, ca: &mut Authority, now: Time) -> Result<(), Stopped> {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let (progress, actions) = step(HOST, self.entry.progress.clone(), event, now);
            self.entry.progress = progress;
            next = self.row(actions, ca, now).await?;
        }
        Ok(())
    }

    /// One action after the other, until one says what has happened.
    async fn row(&mut self, mut actions: Vec<Action>, ca: &mut Authority, now: Time) -> Result<Option<Event>, Stopped> {
        while !actions.is_empty() {
            let Some(left) = self.left.checked_sub(1) else {
                self.rest = actions;
                return Err(Stopped);
            };
            self.left = left;
            match self.carry_out(actions.remove(0), ca, now).await {
                Ok(None) => {}
                Ok(Some(event)) => return Ok(Some(event)),
                Err(error) if error.asks_to_load() || matches!(error, StoreError::Follows) => return Err(Stopped),
                Err(error) => return Ok(Some(Event::Failed(Failure::Store(error.to_string())))),
            }
        }
        Ok(None)
    }

    async fn carry_out(&mut self, action: Action, ca: &mut Authority, now: Time) -> Result<Option<Event>, StoreError> {
        let number = match &self.entry.progress.phase {
            Phase::Placed { url } | Phase::Proving { url } | Phase::Finalizing { url, .. } => url.parse().unwrap(),
            Phase::Idle | Phase::Granted | Phase::Ordering => 0,
        };
        match action {
            Action::Claim => {}
            Action::Probe => self.store.probe().await?,
            Action::Save => {
                self.store.save(Item::Budget(self.budget.clone().into())).await?;
                let progress = self.entry.progress.clone();
                let order = Order { tenant: "team-a".to_owned(), host: HOST.to_owned(), progress };
                self.store.save(Item::Order(id(HOST), order.into())).await?;
            }
            Action::Order(_) => {
                ca.orders.push(now);
                return Ok(Some(Event::Ordered { url: (ca.orders.len() - 1).to_string() }));
            }
            Action::Prove => {
                let mut proofs = Proofs::default();
                proofs.put(HOST, "token", "token.thumb");
                self.store.show(proofs.into(), Until::Seen).await?;
                return Ok(Some(Event::Proved));
            }
            Action::Withdraw => drop(self.store.show(Arc::default(), Until::Written).await?),
            Action::Look => {
                let made = ca.requested.contains_key(&number);
                return Ok(Some(Event::Is(if made { Status::Valid } else { Status::Ready })));
            }
            Action::MakeKey => return Ok(Some(Event::KeyMade(Key::new(now.0.to_be_bytes().to_vec())))),
            Action::Request => {
                if let Phase::Finalizing { key, .. } = &self.entry.progress.phase {
                    ca.requested.entry(number).or_insert_with(|| key.clone());
                }
                return Ok(Some(Event::Requested));
            }
            Action::Install => {
                let Phase::Finalizing { key, .. } = self.entry.progress.phase.clone() else { return Ok(None) };
                assert_eq!(ca.requested.get(&number), Some(&key), "the certificate is for the key that is kept");
                let Item::Certificate(id, record) = certificate(1) else { unreachable!() };
                let record = Certificate { key, issued: now, ..Certificate::clone(&record) };
                self.entry.held = Some(held(&record));
                self.store.save(Item::Certificate(id, record.into())).await?;
                return Ok(Some(Event::Installed));
            }
            Action::CountFailure => self.budget.failed(HOST, now),
            Action::Refund(purpose) => self.budget.refund(Cost { host: HOST, tenant: "team-a", purpose }),
        }
        Ok(None)
    }
}

fn held(record: &Certificate) -> Held {
    let life = Life { begins: record.issued, ends: Time(record.issued.0 + 90 * DAY) };
    Held { issued: record.issued, life, window: None, replaces: None, current: true }
}

/// The first replica stops before action number `at`; the second takes over. Then the first goes on, as one that only slept.
async fn handover(at: usize, wakes: bool) -> (Authority, bool) {
    let (api, mut ca) = (Api::default(), Authority::default());
    let start = Time(DAY);
    let mut first = Site::lead(&api, at, start).await;
    let stopped = first.work(&mut ca, start, Time(2 * DAY)).await.is_err();
    let later = Time(start.0 + 30);
    let mut second = Site::lead(&api, usize::MAX, later).await;
    if wakes {
        first.left = usize::MAX;
        // It stops as soon as it wants to write what comes before an order.
        let _ = first.work(&mut ca, later, Time(3 * DAY)).await;
    }
    if second.work(&mut ca, later, Time(3 * DAY)).await.is_err() {
        // The other one had written something late: all is read again.
        second = Site::lead(&api, usize::MAX, later).await;
        second.work(&mut ca, later, Time(3 * DAY)).await.unwrap();
    }
    let kept = contents(&api).await;
    assert!(kept.certificates.contains_key(&id(HOST)) && kept.orders.is_empty(), "stopped at {at}, wakes: {wakes}");
    (ca, stopped)
}

#[tokio::test]
async fn a_leader_that_dies_at_any_action_loses_no_certificate_and_no_order_is_placed_twice() {
    for wakes in [false, true] {
        let mut points = 0;
        for at in 0.. {
            let (ca, stopped) = handover(at, wakes).await;
            if !stopped {
                assert_eq!(ca.orders.len(), 1);
                break;
            }
            points += 1;
            // Only where it died between its call and the answer is there a second order, and that after a wait.
            match *ca.orders {
                [_] => {}
                [one, other] => assert!(other.since(one) >= Duration::from_mins(15), "stopped at {at}, wakes: {wakes}"),
                _ => panic!("{} orders: stopped at {at}, wakes: {wakes}", ca.orders.len()),
            }
        }
        assert!(points >= 10, "only {points} points");
    }
}
