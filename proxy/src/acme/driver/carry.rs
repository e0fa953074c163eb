//! The actions of the machine, carried out one after the other. The first that fails ends the row, and what failed is the next
//! event.

use std::sync::Arc;

use bailey_acme::budget::Cost;
use bailey_acme::check::check;
use bailey_acme::names::CertificateId;
use bailey_acme::order::{Action, Event, Failure, Phase, step};
use bailey_acme::record;

use super::{Driver, Kept, now};
use crate::acme::authority::{Authority, Failed};
use crate::acme::keys;
use crate::acme::store::{StoreError, Volume, volume::Item};

impl Driver {
    /// Lets something happen to an order, with all that follows from it.
    pub(super) async fn happen(&mut self, id: &CertificateId, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let Some(known) = self.entries.get_mut(id) else { return };
            let host = known.host.clone();
            let before = known.entry.progress.error.clone();
            let (progress, actions) = step(&host, known.entry.progress.clone(), event, now());
            if let Some(error) = progress.error.as_ref().filter(|error| before.as_ref() != Some(error)) {
                tracing::warn!(%host, tenant = %known.tenant, again = progress.not_before.0, "no certificate yet: {error}");
            }
            known.entry.progress = progress;
            for action in actions {
                match self.carry_out(id, action).await {
                    Ok(None) => {}
                    Ok(Some(event)) => {
                        next = Some(event);
                        break;
                    }
                    Err(failed) => {
                        if let Some(pause) = failed.pause {
                            self.budget.pause(pause.wait, now());
                        }
                        next = Some(Event::Failed(failed.failure));
                        break;
                    }
                }
            }
        }
    }

    async fn carry_out(&mut self, id: &CertificateId, action: Action) -> Result<Option<Event>, Failed> {
        let Some(known) = self.entries.get(id) else { return Ok(None) };
        let (host, tenant, phase) = (known.host.clone(), known.tenant.clone(), known.entry.progress.phase.clone());
        match action {
            Action::Probe => self.blocking(Volume::probe).await?,
            Action::Save => self.save_order(id).await?,
            Action::Claim => return Ok((!self.hold.owns(&tenant, &host)).then_some(Event::Lost)),
            Action::Order(wish) => {
                let replaces = wish.replaces.filter(|_| self.settings.ask_authority);
                return self.authority().await?.order(&host, replaces.as_deref()).await.map(Some);
            }
            Action::Prove => {
                let hold = self.hold.clone();
                let Some(url) = url_of(&phase) else { return Ok(None) };
                return self.authority().await?.prove(url, &host, &hold).await.map(Some);
            }
            Action::Withdraw => self.hold.withdraw(&host),
            Action::Look => {
                let Some(url) = url_of(&phase) else { return Ok(None) };
                return self.authority().await?.look(url).await.map(Some);
            }
            Action::MakeKey => {
                let unusable = |error: keys::KeyError| Failed::from(Failure::Refused(error.to_string()));
                return Ok(Some(Event::KeyMade(keys::make().map_err(unusable)?)));
            }
            Action::Request => {
                let Phase::Finalizing { url, key } = &phase else { return Ok(None) };
                return self.authority().await?.request(url, &host, key).await.map(Some);
            }
            Action::Install => return self.install(id, &host, &tenant, &phase).await.map(Some),
            Action::CountFailure => self.budget.failed(&host, now()),
            Action::Refund(purpose) => self.budget.refund(Cost { host: &host, tenant: &tenant, purpose }),
        }
        Ok(None)
    }

    /// Fetches a certificate, checks it, keeps it, serves it.
    async fn install(
        &mut self,
        id: &CertificateId,
        host: &Arc<str>,
        tenant: &Arc<str>,
        phase: &Phase,
    ) -> Result<Event, Failed> {
        let unusable = |error: &dyn std::fmt::Display| Failed::from(Failure::Unusable(error.to_string()));
        let Phase::Finalizing { url, key } = phase else { return Ok(Event::Woken) };
        let pem = self.authority().await?.certificate(url).await?;
        let public = keys::public(key).map_err(|error| unusable(&error))?;
        let facts = check(pem.as_bytes(), host, &public, now()).map_err(|error| unusable(&error))?;
        let certified = keys::certified(key, &facts.chain).map_err(|error| unusable(&error))?;
        let generation = self.certificates.get(id).map_or(1, |kept| kept.record.generation + 1);
        let record = record::Certificate {
            generation,
            tenant: tenant.to_string(),
            host: host.to_string(),
            authority: self.settings.directory.clone(),
            profile: self.settings.profile.clone(),
            issued: now(),
            unwanted: None,
            key: key.clone(),
            chain: facts.chain,
        };
        let (name, kept) = (id.clone(), record.clone());
        self.blocking(move |store| store.save(Item::Certificate(&name, &kept))).await?;
        let held = self.held(&record);
        self.certificates.insert(id.clone(), Kept { record, key: certified });
        if let Some(known) = self.entries.get_mut(id) {
            known.entry.held = held;
        }
        self.serve();
        let (issuer, serial, ends) = (&facts.issuer, &facts.serial, facts.life.ends.0);
        tracing::info!(%host, %tenant, issuer, serial, not_after = ends, generation, "a certificate is live");
        Ok(Event::Installed)
    }

    /// The account; opened, and made if need be, at the first call.
    pub(super) async fn authority(&mut self) -> Result<&Authority, Failed> {
        if self.authority.is_none() {
            let mut account = if let Some(account) = &self.account {
                account.clone()
            } else {
                let authority = self.settings.directory.clone();
                let made = record::Account { authority, url: None, key: Authority::new_key()? };
                // Before the authority hears of it: a crash then makes no second account.
                self.keep_account(&made).await?;
                made
            };
            let known = account.url.is_some();
            let authority = Authority::open(&self.settings, &mut account).await?;
            if !known {
                self.keep_account(&account).await?;
            }
            self.authority = Some(authority);
        }
        self.authority.as_ref().ok_or_else(|| Failed::from(Failure::NotTaken("no account".to_owned())))
    }

    async fn keep_account(&mut self, account: &record::Account) -> Result<(), Failed> {
        let kept = account.clone();
        self.blocking(move |store| store.save(Item::Account(&kept))).await?;
        self.account = Some(account.clone());
        Ok(())
    }

    /// The budget first: what is spent must be known before what it was spent on.
    async fn save_order(&self, id: &CertificateId) -> Result<(), Failed> {
        let Some(known) = self.entries.get(id) else { return Ok(()) };
        let (id, budget) = (id.clone(), self.budget.clone());
        let (tenant, host) = (known.tenant.to_string(), known.host.to_string());
        let order = record::Order { tenant, host, progress: known.entry.progress.clone() };
        self.blocking(move |store| {
            store.save(Item::Budget(&budget))?;
            store.save(Item::Order(&id, &order))
        })
        .await
    }

    /// Keeps a certificate's record; that it cannot be kept is logged and tried again.
    pub(super) async fn save_certificate(&self, id: &CertificateId, record: record::Certificate) {
        let id = id.clone();
        if let Err(failed) = self.blocking(move |store| store.save(Item::Certificate(&id, &record))).await {
            tracing::warn!("{}", failed.failure.text());
        }
    }

    /// Deletes a certificate that nobody wants.
    pub(super) async fn delete(&self, id: &CertificateId) -> bool {
        let id = id.clone();
        let deleted = self.blocking(move |store| store.delete(&id)).await;
        deleted.map_err(|failed| tracing::warn!("{}", failed.failure.text())).is_ok()
    }

    async fn blocking<F>(&self, work: F) -> Result<(), Failed>
    where
        F: FnOnce(&Volume) -> Result<(), StoreError> + Send + 'static,
    {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        let result = done.map_err(|_| Failed::from(Failure::Store("the process is ending".to_owned())))?;
        result.map_err(|error| Failed::from(Failure::Store(error.to_string())))
    }
}

fn url_of(phase: &Phase) -> Option<&str> {
    match phase {
        Phase::Placed { url } | Phase::Proving { url } | Phase::Finalizing { url, .. } => Some(url),
        Phase::Idle | Phase::Granted | Phase::Ordering => None,
    }
}
