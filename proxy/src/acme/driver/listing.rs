//! From what the driver knows to how each certificate stands.

use std::sync::Arc;

use bailey_acme::Time;
use bailey_acme::names::CertificateId;
use bailey_acme::order::Phase;

use super::{Driver, Known};
use crate::acme::{Listed, Listing, Served, Step};

impl Driver {
    /// Tells how everything stands, if that is not told yet.
    pub(super) fn list(&mut self) {
        let wanted = self.wants.certificates.len();
        if self.unlisted.is_empty() && self.listed.len() == wanted && self.hold.listing().without == self.wants.without
        {
            return;
        }
        for id in std::mem::take(&mut self.unlisted) {
            if let Some(known) = self.entries.get(&id).filter(|_| self.wants.certificates.contains_key(&id)) {
                self.listed.insert(id.clone(), Arc::new(self.listed_of(&id, known)));
            }
        }
        self.listed.retain(|id, _| self.wants.certificates.contains_key(id));
        let mut certificates: Vec<Arc<Listed>> = self.listed.values().cloned().collect();
        certificates.sort_unstable_by(|a, b| (&a.host, &a.tenant).cmp(&(&b.host, &b.tenant)));
        self.hold.list(Listing { certificates, without: self.wants.without.clone() });
    }

    fn listed_of(&self, id: &CertificateId, known: &Known) -> Listed {
        let held = known.entry.held.as_ref();
        let renew_at = known.entry.renew_at(&known.host, self.settings.policy);
        let served = self.certificates.get(id).and_then(super::Kept::served);
        let served = served.map(|served| Served { window: held.and_then(|held| held.window), renew_at, ..served });
        Listed {
            host: known.host.clone(),
            tenant: known.tenant.clone(),
            authority: self.settings.directory.as_str().into(),
            served,
            next: next_of(known, renew_at),
            error: known.entry.progress.error.clone(),
        }
    }
}

fn next_of(known: &Known, renew_at: Option<Time>) -> (Step, Time) {
    let progress = &known.entry.progress;
    if progress.phase != Phase::Idle {
        return (Step::GoOn, progress.not_before);
    }
    let (step, at) = renew_at.map_or((Step::Order, Time::default()), |at| (Step::Renew, at));
    let at = at.max(progress.not_before);
    match known.held_up {
        Some((held, until)) if until > at => (Step::HeldUp(held), until),
        Some(_) | None => (step, at),
    }
}
