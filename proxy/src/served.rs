//! What a tier tells of itself at `/served`: taken from what it serves at the moment it is asked, nothing remembered.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bailey_kit::admin::served::{CertificateSeen, Counts, MAX_CERTIFICATES, Served};
use bailey_kit::readiness::Readiness;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

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
        let Member { role, current, metrics, .. } = &*self.shown;
        let (snapshot, process) = (current.load(), &metrics.process);
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
            certificates: certificates(snapshot.certificates.shown()),
            ..Served::default()
        };
        match role.clone() {
            Role::Outer { topology } => Served { topology: Some(topology), ..told },
            Role::Inner { topology, tenant } => Served { topology: Some(topology), tenant: Some(tenant), ..told },
            Role::Gateway { namespace, name } => Served { gateway: Some(format!("{namespace}/{name}")), ..told },
        }
    }
}

/// Those that end first, as many as are told of.
fn certificates(mut shown: Vec<Shown>) -> Vec<CertificateSeen> {
    let time = |seconds| Timestamp::from_second(seconds).ok().map(Time);
    shown.sort_by(|a, b| (a.not_after, &a.names, &a.source).cmp(&(b.not_after, &b.names, &b.source)));
    let seen = shown.into_iter().take(MAX_CERTIFICATES).map(|one| CertificateSeen {
        not_before: time(one.not_before),
        not_after: time(one.not_after),
        names: one.names,
        issuer: one.issuer,
        source: one.source,
        ..CertificateSeen::default()
    });
    seen.collect()
}
