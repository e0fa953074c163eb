//! How far an order has come, and what is to be done next (RFC 8555 section 7.1.6, as data).
//!
//! [`step`] is the whole machine. What it must remember across a crash is a [`Progress`], and an [`Action::Save`] comes before
//! every call that the authority counts: at whatever point a process dies, the next one either goes on with the order that
//! is known, or treats it as lost and waits, and never orders a second time for the same wish.

use std::time::Duration;

use crate::backoff::{LOOK, REFUSED, UNREACHABLE};
use crate::budget::Purpose;
use crate::{Secret, Time};

#[cfg(test)]
mod tests;

/// An order that comes to nothing in this time is given up. Authorities forget theirs after a week.
pub const GIVE_UP: Duration = Duration::from_hours(7 * 24);

/// How far the order of one certificate has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub phase: Phase,
    /// What the order is for; `None` when none is under way.
    pub wish: Option<Wish>,
    /// When the order began.
    pub began: Time,
    /// Nothing is done before.
    pub not_before: Time,
    /// Orders that came to nothing since the last certificate.
    pub failures: u32,
    /// How often this step was tried again.
    pub retries: u32,
    /// What went wrong last, in the authority's own words where it said something.
    pub error: Option<String>,
}

impl Progress {
    /// Nothing is under way and nothing has failed: there is nothing to remember.
    pub fn rests(&self) -> bool {
        *self == Self::default()
    }
}

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// A first certificate or a renewal.
    pub purpose: Purpose,
    /// The certificate it comes in place of, as the authority names it (RFC 9773 section 4.1).
    pub replaces: Option<String>,
}

/// Where an order stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// None is under way.
    #[default]
    Idle,
    /// Paid for out of the budget, and certainly not placed yet.
    Granted,
    /// Sent; whether it arrived is not known until there is an answer.
    Ordering,
    /// Placed; the authority waits for proof (its state `pending`).
    Placed {
        /// The order.
        url: String,
    },
    /// The authority was told to look at the proof (still `pending`).
    Proving {
        /// The order.
        url: String,
    },
    /// Proven; the key exists and the request for the certificate was sent or is about to be (`ready`, `processing`, `valid`).
    Finalizing {
        /// The order.
        url: String,
        /// The certificate's key.
        key: Secret,
    },
}

/// What an authority says about an order (RFC 8555 section 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It waits for proof.
    Pending,
    /// It waits for the request.
    Ready,
    /// It makes the certificate.
    Processing,
    /// The certificate can be fetched.
    Valid,
    /// It has come to nothing.
    Invalid,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A certificate is wanted, and the budget has granted it.
    Begin(Wish),
    /// The process has started and knows of this order from its store.
    Restarted,
    /// `not_before` has come.
    Woken,
    /// The authority took the order.
    Ordered {
        /// Where it is.
        url: String,
    },
    /// The proof is in place and the authority was told.
    Proved,
    /// The authority said how the order stands.
    Is(Status),
    /// A new key.
    KeyMade(Secret),
    /// The request was sent.
    Requested,
    /// The certificate came and is in use.
    Installed,
    /// Something failed.
    Failed(Failure),
    /// The name is not ours any more.
    Lost,
}

/// What failed, by what may be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The authority has certainly not taken the call: no connection, a bad nonce, a refusal to work now.
    NotTaken(String),
    /// Whether it took the call is not known: a cut connection, a time-out, an answer that makes no sense.
    Unknown(String),
    /// The authority looked at the proof and did not like it.
    Validation(String),
    /// The authority refuses the order, or knows it no more.
    Refused(String),
    /// What it gave cannot be used.
    Unusable(String),
    /// Our own store cannot be written.
    Store(String),
}

impl Failure {
    /// What to tell people.
    pub fn text(&self) -> &str {
        match self {
            Self::NotTaken(text)
            | Self::Unknown(text)
            | Self::Validation(text)
            | Self::Refused(text)
            | Self::Unusable(text)
            | Self::Store(text) => text,
        }
    }
}

/// What is to be done, in this order; when one fails, [`Event::Failed`] takes the place of the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// See that the store can take as much as a certificate.
    Probe,
    /// Keep the progress and the budget so that a crash does not lose them.
    Save,
    /// See that the name is still ours; if not, [`Event::Lost`].
    Claim,
    /// Place the order.
    Order(Wish),
    /// Put the proof in place and tell the authority.
    Prove,
    /// Take the proof away.
    Withdraw,
    /// Ask how the order stands.
    Look,
    /// Make a key.
    MakeKey,
    /// Send the request for the certificate.
    Request,
    /// Fetch the certificate, check it, store it, serve it.
    Install,
    /// Count a failed validation.
    CountFailure,
    /// Give back what was taken for a certificate that will never be.
    Refund(Purpose),
}

/// What becomes of `progress` by `event`, and what is to be done. Total: an event that does not belong where the order
/// stands changes nothing.
pub fn step(host: &str, progress: Progress, event: Event, now: Time) -> (Progress, Vec<Action>) {
    match event {
        Event::Failed(failure) => failed(host, progress, failure, now),
        Event::Lost => lost(&progress),
        Event::Is(status) => stands(host, progress, status, now),
        Event::Restarted => restarted(host, progress, now),
        Event::Begin(_)
        | Event::Woken
        | Event::Ordered { .. }
        | Event::Proved
        | Event::KeyMade(_)
        | Event::Requested
        | Event::Installed => advanced(host, progress, event, now),
    }
}

/// All is well so far.
fn advanced(host: &str, progress: Progress, event: Event, now: Time) -> (Progress, Vec<Action>) {
    use Action::{Claim, Look, Prove, Request, Save};
    let phase = progress.phase.clone();
    match (phase, event) {
        (Phase::Idle, Event::Begin(wish)) => place(progress, wish, now),
        (Phase::Granted, Event::Woken) => match progress.wish.clone() {
            Some(wish) => place(progress, wish, now),
            None => (Progress { phase: Phase::Idle, ..progress }, vec![Save]),
        },
        (Phase::Ordering, Event::Ordered { url }) => (on(progress, Phase::Placed { url }), vec![Save, Prove]),
        (Phase::Placed { .. }, Event::Woken) => (progress, vec![Prove]),
        (Phase::Placed { url }, Event::Proved) => {
            let (next, _) = later(host, on(progress, Phase::Proving { url }), now);
            (next, vec![Save])
        }
        (Phase::Placed { url } | Phase::Proving { url }, Event::KeyMade(key)) => {
            (on(progress, Phase::Finalizing { url, key }), vec![Claim, Save, Request])
        }
        (Phase::Proving { .. }, Event::Woken) | (Phase::Finalizing { .. }, Event::Woken | Event::Requested) => {
            (progress, vec![Look])
        }
        (Phase::Finalizing { .. }, Event::Installed) => (Progress::default(), vec![Save]),
        (_, _) => (progress, Vec::new()),
    }
}

/// The process before has died.
fn restarted(host: &str, progress: Progress, now: Time) -> (Progress, Vec<Action>) {
    match progress.phase.clone() {
        // Whether the authority has this order nobody can tell: another one would be a second.
        Phase::Ordering => {
            let text = "the process ended while it ordered; whether the order arrived is not known";
            give_up(host, &progress, text.to_owned(), now, &[], true)
        }
        // The proof lived in the memory of that process: it is put in place again, which harms nothing.
        Phase::Proving { url } => (on(progress, Phase::Placed { url }), Vec::new()),
        Phase::Idle | Phase::Granted | Phase::Placed { .. } | Phase::Finalizing { .. } => (progress, Vec::new()),
    }
}

/// The authority has said how the order stands.
fn stands(host: &str, progress: Progress, status: Status, now: Time) -> (Progress, Vec<Action>) {
    use Action::{Claim, CountFailure, Install, MakeKey, Request, Withdraw};
    match (&progress.phase, status) {
        (Phase::Idle | Phase::Granted | Phase::Ordering, _) => (progress, Vec::new()),
        (_, Status::Invalid) => {
            let text = "the authority declared the order invalid".to_owned();
            give_up(host, &progress, text, now, &[Withdraw, CountFailure], true)
        }
        (Phase::Placed { .. } | Phase::Proving { .. }, Status::Ready) => (progress, vec![Withdraw, MakeKey]),
        // Somebody else's request with our account, or one of ours whose key is lost.
        (Phase::Placed { .. } | Phase::Proving { .. }, Status::Valid | Status::Processing) => {
            let text = "the authority made a certificate for a key that is not known here".to_owned();
            give_up(host, &progress, text, now, &[Withdraw], false)
        }
        (Phase::Finalizing { .. }, Status::Ready) => (progress, vec![Claim, Request]),
        (Phase::Finalizing { .. }, Status::Valid) => (progress, vec![Claim, Install]),
        (Phase::Placed { .. } | Phase::Proving { .. } | Phase::Finalizing { .. }, Status::Pending)
        | (Phase::Finalizing { .. }, Status::Processing) => {
            if now.since(progress.began) >= GIVE_UP {
                let text = "the authority did not come to an end with the order".to_owned();
                return give_up(host, &progress, text, now, &[Withdraw], false);
            }
            later(host, progress, now)
        }
    }
}

fn lost(progress: &Progress) -> (Progress, Vec<Action>) {
    if progress.phase == Phase::Idle {
        return (Progress::default(), Vec::new());
    }
    let refund = refund_of(progress).filter(|_| !matches!(progress.phase, Phase::Finalizing { .. }));
    let actions = [Action::Withdraw].into_iter().chain(refund).chain([Action::Save]).collect();
    (Progress::default(), actions)
}

fn failed(host: &str, progress: Progress, failure: Failure, now: Time) -> (Progress, Vec<Action>) {
    use Action::{CountFailure, Save, Withdraw};
    let text = failure.text().to_owned();
    let may_go_on = now.since(progress.began) < GIVE_UP;
    match (&progress.phase, failure) {
        (Phase::Idle, _) => (Progress { error: Some(text), ..progress }, Vec::new()),
        (Phase::Ordering, Failure::NotTaken(_) | Failure::Store(_)) => {
            let granted = Progress { phase: Phase::Granted, ..progress };
            // If this cannot be saved the store still says `Ordering`, which costs a wait after a crash and no order.
            (again(host, granted, text, now).0, vec![Save])
        }
        (Phase::Ordering, Failure::Unknown(_)) => give_up(host, &progress, text, now, &[], true),
        (_, Failure::NotTaken(_) | Failure::Unknown(_) | Failure::Store(_)) if may_go_on => {
            again(host, progress, text, now)
        }
        (_, Failure::Validation(_)) => give_up(host, &progress, text, now, &[Withdraw, CountFailure], true),
        // The authority may have made a certificate: it counts, whether or not it is of use.
        (_, Failure::Unusable(_)) | (Phase::Finalizing { .. }, _) => {
            give_up(host, &progress, text, now, &[Withdraw], false)
        }
        (_, Failure::Refused(_) | Failure::NotTaken(_) | Failure::Unknown(_) | Failure::Store(_)) => {
            give_up(host, &progress, text, now, &[Withdraw], true)
        }
    }
}

fn place(progress: Progress, wish: Wish, now: Time) -> (Progress, Vec<Action>) {
    let next = Progress { phase: Phase::Ordering, wish: Some(wish.clone()), began: now, ..progress };
    (next, vec![Action::Claim, Action::Probe, Action::Save, Action::Order(wish)])
}

fn on(progress: Progress, phase: Phase) -> Progress {
    Progress { phase, retries: 0, not_before: Time::default(), ..progress }
}

/// The authority works on it: it is asked again after a while.
fn later(host: &str, progress: Progress, now: Time) -> (Progress, Vec<Action>) {
    let retries = progress.retries.saturating_add(1);
    (Progress { retries, not_before: now.after(LOOK.wait(retries, host)), ..progress }, Vec::new())
}

/// The same once more, after a while.
fn again(host: &str, progress: Progress, text: String, now: Time) -> (Progress, Vec<Action>) {
    let retries = progress.retries.saturating_add(1);
    let not_before = now.after(UNREACHABLE.wait(retries, host));
    (Progress { retries, not_before, error: Some(text), ..progress }, Vec::new())
}

/// The order is over without a certificate. What was taken for a certificate is given back where there can be none.
fn give_up(
    host: &str,
    progress: &Progress,
    text: String,
    now: Time,
    then: &[Action],
    refund: bool,
) -> (Progress, Vec<Action>) {
    let failures = progress.failures.saturating_add(1);
    let not_before = now.after(REFUSED.wait(failures, host));
    let refund = refund_of(progress).filter(|_| refund);
    let actions = then.iter().cloned().chain(refund).chain([Action::Save]).collect();
    (Progress { failures, not_before, error: Some(text), ..Progress::default() }, actions)
}

fn refund_of(progress: &Progress) -> Option<Action> {
    progress.wish.as_ref().map(|wish| Action::Refund(wish.purpose))
}
