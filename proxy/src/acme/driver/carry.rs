//! The actions of the machine. What only writes to the store or changes what is known here is done at once; a call of the
//! authority runs beside others, and its answer is the next event. The first action that fails ends the row.

use std::sync::Arc;
use std::time::Duration;

use bailey_acme::budget::Cost;
use bailey_acme::check::check;
use bailey_acme::names::CertificateId;
use bailey_acme::order::{Action, Event, Failure, Phase, Progress, step};
use bailey_acme::record;
use bailey_acme::renewal::Window;
use futures_util::future::BoxFuture;

use super::{Driver, Kept, TRY};
use crate::acme::authority::{Authority, Failed};
use crate::acme::keys;
use crate::acme::store::{Item, StoreError};

/// A call of the authority.
pub(super) type Call = BoxFuture<'static, (CertificateId, Answer)>;

/// What came of a call.
pub(super) enum Answer {
    /// The next event of an order.
    Event(Result<Event, Failed>),
    /// A certificate with its chain, in PEM.
    Certificate(Result<String, Failed>),
    /// When the authority wants a certificate renewed; `None`: it has no answer to that.
    Window(Result<Option<(Window, Duration)>, Failed>),
    /// A record was taken out of DNS, beside the order.
    Withdrawn,
}

/// What became of an action.
enum Done {
    /// It is done: the next one.
    Well,
    /// It is done, and this has happened.
    Event(Event),
    /// A call is under way.
    Calling,
}

impl Driver {
    /// Lets something happen to an order, with all that follows from it until a call is under way or nothing is left to do.
    pub(super) async fn happen(&mut self, id: &CertificateId, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let actions = self.step(id, event);
            for action in actions {
                match self.carry_out(id, action).await {
                    Ok(Done::Well) => {}
                    Ok(Done::Event(event)) => {
                        next = Some(event);
                        break;
                    }
                    Ok(Done::Calling) => break,
                    Err(failed) => {
                        next = Some(self.failed(failed));
                        break;
                    }
                }
            }
        }
        self.unlisted.insert(id.clone());
        self.plan(id);
    }

    fn step(&mut self, id: &CertificateId, event: Event) -> Vec<Action> {
        let now = self.now();
        let Some(known) = self.entries.get_mut(id) else { return Vec::new() };
        let host = known.host.clone();
        let before = std::mem::take(&mut known.entry.progress);
        let (failures, told) = (before.failures, before.error.clone());
        let (progress, actions) = step(&host, before, event, now);
        if let Some(error) =
            progress.error.clone().filter(|error| told.as_ref() != Some(error) || progress.failures > failures)
        {
            let (tenant, again) = (known.tenant.clone(), progress.not_before);
            tracing::warn!(%host, %tenant, again = again.0, "no certificate yet: {error}");
        }
        if progress.failures > failures {
            self.hold.count(|orders| orders.failed += 1);
        }
        known.entry.progress = progress;
        actions
    }

    /// What failed, as an event. The authority may have asked everybody to wait.
    fn failed(&mut self, failed: Failed) -> Event {
        if let Some(pause) = failed.pause {
            let now = self.now();
            self.budget.pause(pause.wait, now);
        }
        Event::Failed(failed.failure)
    }

    async fn carry_out(&mut self, id: &CertificateId, action: Action) -> Result<Done, Failed> {
        let Some(known) = self.entries.get(id) else { return Ok(Done::Well) };
        let (host, tenant, phase) = (known.host.clone(), known.tenant.clone(), known.entry.progress.phase.clone());
        match action {
            Action::Probe => {
                let probed = self.store.probe().await;
                self.kept(probed)?;
            }
            Action::Save => self.save_order(id).await?,
            Action::Claim if self.hold.owns(&tenant, &host) => {}
            Action::Claim => return Ok(Done::Event(Event::Lost)),
            Action::Withdraw => {
                self.proofs_stale |= self.hold.withdraw(&host);
                self.withdraw_record(id, host);
            }
            Action::MakeKey => {
                let unusable = |error: keys::KeyError| Failed::from(Failure::Refused(error.to_string()));
                return Ok(Done::Event(Event::KeyMade(keys::make().map_err(unusable)?)));
            }
            Action::CountFailure => {
                let now = self.now();
                self.budget.failed(&host, now);
            }
            Action::Refund(purpose) => self.budget.refund(Cost { host: &host, tenant: &tenant, purpose }),
            Action::Order(wish) => {
                let replaces = wish.replaces.filter(|_| self.settings.ask_authority);
                return Ok(self.call(id, |authority| async move { authority.order(&host, replaces.as_deref()).await }));
            }
            Action::Prove => {
                let (url, prover) = (url_of(phase), self.prover.clone());
                return Ok(self.call(id, |authority| async move { authority.prove(&url, &host, &prover).await }));
            }
            Action::Look => {
                let url = url_of(phase);
                return Ok(self.call(id, |authority| async move { authority.look(&url).await }));
            }
            Action::Request => {
                let Phase::Finalizing { url, key } = phase else { return Ok(Done::Well) };
                return Ok(self.call(id, |authority| async move { authority.request(&url, &host, &key).await }));
            }
            Action::Install => return Ok(self.fetch(id, url_of(phase))),
        }
        Ok(Done::Well)
    }

    /// Begins a call whose answer is an event.
    fn call<F, Fut>(&mut self, id: &CertificateId, call: F) -> Done
    where
        F: FnOnce(Arc<Authority>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Event, Failed>> + Send + 'static,
    {
        let (owner, door) = (id.clone(), self.door.clone());
        self.begin(
            id,
            Box::pin(async move {
                let answer = match door.open().await {
                    Ok(authority) => call(authority).await,
                    Err(failed) => Err(failed),
                };
                (owner, Answer::Event(answer))
            }),
        )
    }

    /// Takes the record of a host out of DNS, beside whatever the order does.
    pub(super) fn withdraw_record(&mut self, id: &CertificateId, host: Arc<str>) {
        if let Some(dns) = self.prover.dns().cloned() {
            let owner = id.clone();
            self.calls.push(Box::pin(async move {
                dns.withdraw(&host).await;
                (owner, Answer::Withdrawn)
            }));
        }
    }

    fn fetch(&mut self, id: &CertificateId, url: String) -> Done {
        let (owner, door) = (id.clone(), self.door.clone());
        self.begin(
            id,
            Box::pin(async move {
                let answer = match door.open().await {
                    Ok(authority) => authority.certificate(&url).await,
                    Err(failed) => Err(failed),
                };
                (owner, Answer::Certificate(answer))
            }),
        )
    }

    fn begin(&mut self, id: &CertificateId, call: Call) -> Done {
        if let Some(known) = self.entries.get_mut(id) {
            known.busy = true;
        }
        self.calls.push(call);
        Done::Calling
    }

    /// A call has come to its end.
    pub(super) async fn answered(&mut self, id: &CertificateId, answer: Answer) {
        let Some(known) = self.entries.get_mut(id) else { return };
        known.busy &= matches!(answer, Answer::Withdrawn);
        if !self.leading {
            // Whoever leads now goes on with what is written down.
            return;
        }
        let event = match answer {
            Answer::Window(answer) => return self.take_window(id, answer),
            Answer::Withdrawn => return,
            Answer::Event(Ok(event)) => event,
            Answer::Certificate(Ok(pem)) => match self.install(id, &pem).await {
                Ok(event) => event,
                Err(failed) => self.failed(failed),
            },
            Answer::Event(Err(failed)) | Answer::Certificate(Err(failed)) => self.failed(failed),
        };
        self.happen(id, event).await;
    }

    /// Checks a certificate, keeps it, serves it.
    async fn install(&mut self, id: &CertificateId, pem: &str) -> Result<Event, Failed> {
        let unusable = |error: &dyn std::fmt::Display| Failed::from(Failure::Unusable(error.to_string()));
        let Some(known) = self.entries.get(id) else { return Ok(Event::Lost) };
        let (host, tenant) = (known.host.clone(), known.tenant.clone());
        let Phase::Finalizing { key, .. } = known.entry.progress.phase.clone() else { return Ok(Event::Woken) };
        if !self.hold.owns(&tenant, &host) {
            return Ok(Event::Lost);
        }
        let public = keys::public(&key).map_err(|error| unusable(&error))?;
        let facts = check(pem.as_bytes(), &host, &public, self.now()).map_err(|error| unusable(&error))?;
        let generation = self.certificates.get(id).map_or(1, |kept| kept.generation + 1);
        let record = record::Certificate {
            generation,
            tenant: tenant.to_string(),
            host: host.to_string(),
            authority: self.settings.directory.clone(),
            profile: self.settings.profile.clone(),
            issued: self.now(),
            unwanted: None,
            key,
            chain: facts.chain,
        };
        let kept = Kept::of(record.clone()).map_err(|error| unusable(&error))?;
        self.keep(Item::Certificate(id.clone(), record.into())).await?;
        let (held, ask_at) = (kept.held(&self.settings), self.now());
        self.certificates.insert(id.clone(), kept);
        if let Some(known) = self.entries.get_mut(id) {
            known.entry.held = held;
            known.ask_at = ask_at;
        }
        self.serve();
        let (issuer, serial, ends) = (&facts.issuer, &facts.serial, facts.life.ends.0);
        tracing::info!(%host, %tenant, issuer, serial, not_after = ends, generation, "a certificate is live");
        self.hold.count(|orders| if generation == 1 { orders.issued += 1 } else { orders.renewed += 1 });
        Ok(Event::Installed)
    }

    /// The budget first: what is spent must be known before what it was spent on.
    async fn save_order(&mut self, id: &CertificateId) -> Result<(), Failed> {
        let Some(known) = self.entries.get(id) else { return Ok(()) };
        let (tenant, host) = (known.tenant.to_string(), known.host.to_string());
        let order = Arc::new(record::Order { tenant, host, progress: known.entry.progress.clone() });
        let budget = Arc::new(self.budget.clone());
        self.keep(Item::Budget(budget.clone())).await?;
        self.hold.spend(budget);
        self.keep(Item::Order(id.clone(), order)).await
    }

    /// Forgets an order that nobody wants any more.
    pub(super) async fn forget_order(&mut self, id: &CertificateId) {
        let order = record::Order { tenant: String::new(), host: String::new(), progress: Progress::default() };
        // What stays in the store is found and forgotten by the next who loads it.
        let _ = self.keep(Item::Order(id.clone(), Arc::new(order))).await;
    }

    /// Keeps something in the store.
    pub(super) async fn keep(&mut self, item: Item) -> Result<(), Failed> {
        let saved = self.store.save(item).await;
        self.kept(saved)
    }

    /// What the store answered. If it knows better than this driver, nothing is ordered until it is loaded again.
    pub(super) fn kept(&mut self, result: Result<(), StoreError>) -> Result<(), Failed> {
        result.map_err(|error| {
            tracing::warn!("{error}");
            if error.asks_to_load() {
                self.stop_leading(TRY);
            }
            Failed::from(Failure::Store(error.to_string()))
        })
    }

    /// Takes from the other replicas the proofs that were withdrawn here.
    pub(super) async fn hide_proofs(&mut self) {
        if self.proofs_stale {
            let hidden = self.prover.hide().await;
            self.proofs_stale = self.kept(hidden).is_err();
        }
    }
}

fn url_of(phase: Phase) -> String {
    match phase {
        Phase::Placed { url } | Phase::Proving { url } | Phase::Finalizing { url, .. } => url,
        Phase::Idle | Phase::Granted | Phase::Ordering => String::new(),
    }
}
