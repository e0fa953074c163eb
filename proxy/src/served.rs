//! What a tier tells of itself at `/served`: taken from what it serves at the moment it is asked, nothing remembered.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bailey_acme::names::NotWanted;
use bailey_kit::admin::served::{CertificateSeen, Counts, MAX_CERTIFICATES, ORDERED, Served, Window};
use bailey_kit::readiness::Readiness;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::acme::{Listed, Listing, Step};
use crate::page::Member;
use crate::snapshot::certificates::Shown;
use crate::tier::Role;

/// Tells it for one tier.
pub struct Teller {
    /// The tier.
    pub shown: Arc<Member>,
    /// Whether it is ready, and what it lacks.
    pub readiness: Arc<Readiness>,
}

impl Teller {
    /// What is served now.
    pub fn tell(&self) -> Served {
        let Member { role, current, metrics, acme, .. } = &*self.shown;
        let (snapshot, process) = (current.load(), &metrics.process);
        let listing = acme.as_ref().map(|hold| hold.listing());
        let live = snapshot.generation > 0;
        let since = || Timestamp::from_millisecond(metrics.live_since().cast_signed()).ok().map(Time);
        let denied = process.denied.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told = Served {
            component: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tier: role.identity().tier.to_owned(),
            ready: self.readiness.is_ready(),
            digest: live.then(|| format!("{:032x}", snapshot.digest)),
            generation: snapshot.generation,
            since: since().filter(|_| live),
            stale: process.stale.load(Ordering::Relaxed) != 0,
            counts: Counts {
                listeners: snapshot.table.listeners().count(),
                hosts: snapshot.table.host_count(),
                routes: snapshot.table.route_count(),
                upstreams: snapshot.table.upstreams().count(),
                diagnostics: process.diagnostics.load(Ordering::Relaxed) as usize,
            },
            denied: denied.into_iter().collect(),
            troubles: self.readiness.notes(),
            certificates: certificates(snapshot.certificates.shown(), listing.as_deref()),
            orders_trouble: process.orders_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..Served::default()
        };
        match role.clone() {
            Role::Outer { topology } => Served { topology: Some(topology), ..told },
            Role::Inner { topology, tenant } => Served { topology: Some(topology), tenant: Some(tenant), ..told },
            Role::Gateway { namespace, name } => Served { gateway: Some(format!("{namespace}/{name}")), ..told },
        }
    }
}

/// Those that are waited for, then those that end first, as many as are told of.
fn certificates(shown: Vec<Shown>, ordered: Option<&Listing>) -> Vec<CertificateSeen> {
    let time = |seconds| Timestamp::from_second(seconds).ok().map(Time);
    let given = shown.into_iter().map(|one| CertificateSeen {
        not_before: time(one.not_before),
        not_after: time(one.not_after),
        names: one.names,
        issuer: one.issuer,
        source: one.source,
        ..CertificateSeen::default()
    });
    let mut all: Vec<CertificateSeen> =
        given.chain(ordered.into_iter().flat_map(|listing| of_listing(listing, Timestamp::now()))).collect();
    all.sort_by(|a, b| (&a.not_after, &a.names, &a.source).cmp(&(&b.not_after, &b.names, &b.source)));
    all.truncate(MAX_CERTIFICATES);
    all
}

/// The certificates that a tier orders, and the names that get none though somebody may expect one.
pub(crate) fn of_listing(listing: &Listing, now: Timestamp) -> impl Iterator<Item = CertificateSeen> {
    let ordered = listing.certificates.iter().map(move |one| ordered(one, now));
    let without = listing.without.iter().filter_map(|(host, why)| match why {
        NotWanted::Given | NotWanted::Wildcard => None,
        NotWanted::NeedsDns | NotWanted::NotPublic | NotWanted::TenantLimit => Some(CertificateSeen {
            names: vec![host.to_string()],
            source: "not ordered".to_owned(),
            last_error: Some(why.to_string()),
            ..CertificateSeen::default()
        }),
    });
    ordered.chain(without)
}

fn ordered(one: &Listed, now: Timestamp) -> CertificateSeen {
    let served = one.served.as_ref();
    CertificateSeen {
        names: vec![one.host.to_string()],
        issuer: served.map(|served| served.issuer.clone()).unwrap_or_default(),
        not_before: served.and_then(|served| moment(served.life.begins)).map(Time),
        not_after: served.and_then(|served| moment(served.life.ends)).map(Time),
        source: format!("{ORDERED}{}", one.authority),
        tenant: Some(one.tenant.to_string()),
        serial: served.map(|served| served.serial.clone()),
        renewal_window: served
            .and_then(|served| served.window)
            .and_then(|window| Some(Window { start: Time(moment(window.start)?), end: Time(moment(window.end)?) })),
        next_step: Some(next_step(one.next, now)),
        last_error: one.error.clone(),
    }
}

/// What comes next, in words that stay the same until something happens.
fn next_step((step, at): (Step, bailey_acme::Time), now: Timestamp) -> String {
    let later = moment(at).filter(|at| *at > now);
    match (step, later) {
        (Step::HeldUp(held), Some(at)) => format!("waits until {at}: {}", held.text()),
        (step, Some(at)) => format!("{step} at {at}"),
        (step, None) => step.to_string(),
    }
}

fn moment(at: bailey_acme::Time) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(at.0).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use bailey_acme::renewal::{Life, Window};

    use super::*;
    use crate::acme::Served as ServedCertificate;

    fn listed(served: Option<ServedCertificate>, next: (Step, u64), error: Option<&str>) -> Arc<Listed> {
        Arc::new(Listed {
            host: "a.example.com".into(),
            tenant: "team-a".into(),
            authority: "https://acme.example/dir".into(),
            served,
            next: (next.0, bailey_acme::Time(next.1)),
            error: error.map(str::to_owned),
        })
    }

    #[test]
    fn what_is_served_and_what_is_waited_for_is_told_with_the_next_step() {
        let time = bailey_acme::Time;
        let served = ServedCertificate {
            issuer: "R10".to_owned(),
            serial: "0a".to_owned(),
            generation: 2,
            issued: time(10),
            life: Life { begins: time(5), ends: time(1000) },
            window: Some(Window { start: time(600), end: time(700) }),
            renew_at: Some(time(650)),
        };
        let listing = Listing {
            certificates: vec![
                listed(Some(served), (Step::Renew, 650), None),
                listed(None, (Step::Order, 100), Some("dns: no address")),
            ],
            without: [("*.example.com".into(), NotWanted::NeedsDns), ("b.example.com".into(), NotWanted::Given)].into(),
        };
        let told: Vec<_> = of_listing(&listing, Timestamp::from_second(500).unwrap()).collect();
        assert_eq!(told.len(), 3, "one that a Secret covers is not missing");
        assert!(told[0].is_ordered() && told[0].source.ends_with("https://acme.example/dir"), "{:?}", told[0]);
        assert_eq!(told[0].next_step.as_deref(), Some("renew the certificate at 1970-01-01T00:10:50Z"));
        assert_eq!(told[0].renewal_window.as_ref().map(|window| window.end.0.as_second()), Some(700));
        assert_eq!((told[1].not_after.as_ref(), told[1].issuer.as_str()), (None, ""));
        // A moment that is past is no news each time it is asked for.
        assert_eq!(told[1].next_step.as_deref(), Some("order a certificate"));
        assert_eq!(told[1].last_error.as_deref(), Some("dns: no address"));
        assert_eq!(told[2].names, ["*.example.com"]);
        assert!(told[2].last_error.as_deref().is_some_and(|why| why.contains("dns01")) && !told[2].is_ordered());
    }
}
