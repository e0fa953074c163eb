//! An authority made of counters: it answers the calls of a site by its mood, and writes down what a real one would count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bailey_acme::Time;
use bailey_acme::budget::{PAUSE, Purpose};
use bailey_acme::names::registered_domain;
use bailey_acme::order::{Failure, Status};
use bailey_acme::renewal::{Life, Window};

/// How it behaves.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// Well, but for this share of nonces (percent).
    Well { bad_nonces: u64 },
    /// It cannot be reached.
    Away,
    /// It takes every call and cuts the connection instead of an answer.
    Cut,
    /// 429 with `Retry-After`.
    Wait(Duration),
    /// It never likes a proof.
    FailsValidation,
    /// It refuses every order.
    Refuses,
    /// It gives certificates for other names.
    WrongCertificate,
    /// It never comes to an end.
    NeverReady,
}

/// An answer to a call.
pub(crate) enum Answer {
    /// It did it.
    Done,
    /// It says how the order stands.
    Is(Status),
    /// It failed.
    Failed(Failure),
    /// It asks to wait.
    Wait(Duration),
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Order,
    Prove,
    Look,
    Request,
    Fetch,
}

type Counted = BTreeMap<String, Vec<u64>>;

pub(crate) struct Authority {
    pub(crate) mood: Mood,
    life: Duration,
    with_windows: bool,
    dice: u64,
    /// Names whose certificate it has made.
    made: BTreeSet<String>,
    wait_until: u64,
    pub(crate) new_orders: Counted,
    pub(crate) by_domain: Counted,
    pub(crate) by_name: Counted,
    pub(crate) failures: Counted,
    pub(crate) issued: u64,
    pub(crate) while_told_to_wait: u64,
}

impl Authority {
    pub(crate) fn new(life: Duration, with_windows: bool) -> Self {
        Self {
            mood: Mood::Well { bad_nonces: 0 },
            life,
            with_windows,
            dice: 1,
            made: BTreeSet::new(),
            wait_until: 0,
            new_orders: Counted::new(),
            by_domain: Counted::new(),
            by_name: Counted::new(),
            failures: Counted::new(),
            issued: 0,
            while_told_to_wait: 0,
        }
    }

    pub(crate) fn call(&mut self, call: Call, host: &str, purpose: Purpose, now: Time) -> Answer {
        if call == Call::Order && now.0 < self.wait_until {
            self.while_told_to_wait += 1;
        }
        if call == Call::Order && purpose == Purpose::First && !matches!(self.mood, Mood::Away | Mood::Wait(_)) {
            self.new_orders.entry("account".to_owned()).or_default().push(now.0);
        }
        match self.mood.clone() {
            Mood::Away => Answer::Failed(Failure::NotTaken("no route".to_owned())),
            Mood::Wait(wait) => {
                if call == Call::Order {
                    self.wait_until = now.0 + wait.clamp(PAUSE.0, PAUSE.1).as_secs();
                }
                Answer::Wait(wait)
            }
            Mood::Cut => Answer::Failed(Failure::Unknown("cut".to_owned())),
            // Four tries for each call, as a client makes them.
            Mood::Well { bad_nonces } if (0..4).all(|_| self.roll() < bad_nonces) => {
                Answer::Failed(Failure::NotTaken("bad nonce".to_owned()))
            }
            Mood::Refuses if call == Call::Order => Answer::Failed(Failure::Refused("rejectedIdentifier".to_owned())),
            Mood::FailsValidation if call == Call::Look => {
                self.failures.entry(host.to_owned()).or_default().push(now.0);
                Answer::Failed(Failure::Validation("404 instead of the token".to_owned()))
            }
            Mood::NeverReady if call == Call::Look => Answer::Is(Status::Pending),
            Mood::Well { .. } | Mood::WrongCertificate | Mood::FailsValidation | Mood::NeverReady | Mood::Refuses => {
                self.do_it(call, host, purpose, now)
            }
        }
    }

    fn do_it(&mut self, call: Call, host: &str, purpose: Purpose, now: Time) -> Answer {
        match call {
            Call::Order => {
                self.made.remove(host);
                Answer::Done
            }
            Call::Look => Answer::Is(if self.made.contains(host) { Status::Valid } else { Status::Ready }),
            Call::Request => {
                self.made.insert(host.to_owned());
                self.issued += 1;
                self.by_name.entry(host.to_owned()).or_default().push(now.0);
                if purpose == Purpose::First {
                    self.by_domain.entry(registered_domain(host).to_owned()).or_default().push(now.0);
                }
                Answer::Done
            }
            Call::Fetch if matches!(self.mood, Mood::WrongCertificate) => {
                Answer::Failed(Failure::Unusable("for another name".to_owned()))
            }
            Call::Prove | Call::Fetch => Answer::Done,
        }
    }

    pub(crate) fn life(&self, now: Time) -> (Life, Option<Window>) {
        let life = Life { begins: now, ends: now.after(self.life) };
        let start = now.after(self.life * 6 / 10);
        let window = Window { start, end: start.after(self.life / 20) };
        (life, self.with_windows.then_some(window))
    }

    /// 0 to 99, the same in every run.
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % 100
    }
}
