//! The choice of one replica among many, by a Lease (`coordination.k8s.io`).
//!
//! Who holds the Lease may act; that two replicas hold it for a moment (a stopped process, clocks that differ) cannot be
//! ruled out by a Lease. What must never happen twice needs a check of its own where it is written down.

use std::time::Duration;

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Seconds a lease holds without being renewed, and how long before its end it is renewed.
const SECONDS: u64 = 15;
const GRACE: u64 = 5;
/// How long giving back the lease may take.
const RELEASE: Duration = Duration::from_secs(3);

/// A Lease, and who asks for it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub lease: String,
    /// Who asks: another one for each replica.
    pub identity: String,
    /// The field manager of the writes.
    pub manager: String,
}

/// The part in the choice could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot take part in the choice of a leader: {0}")]
pub struct LeadershipError(#[source] Box<LeaseManagerError>);

/// A part in the choice. Dropping it gives the lease back in the background; [`Self::step_down`] waits for that.
#[derive(Debug)]
pub struct Leadership {
    leads: watch::Receiver<bool>,
    task: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Leadership {
    /// Takes part from now on. Fails when the Lease can neither be read nor made.
    pub async fn stand(client: Client, candidate: &Candidate) -> Result<Self, LeadershipError> {
        let manager = LeaseManagerBuilder::new(client, &candidate.lease)
            .with_namespace(&candidate.namespace)
            .with_identity(&candidate.identity)
            .with_duration(SECONDS)
            .with_grace(GRACE)
            .with_field_manager(&candidate.manager)
            .build()
            .await
            .map_err(|error| LeadershipError(Box::new(error)))?;
        let (leads, task) = manager.watch().await;
        Ok(Self { leads, task })
    }

    /// Waits until this replica leads or leads no more, and says which; `None`: it takes part no longer. May be dropped at any
    /// time.
    pub async fn changed(&mut self) -> Option<bool> {
        self.leads.changed().await.ok()?;
        Some(*self.leads.borrow_and_update())
    }

    /// Gives the lease back, so that another replica need not wait for its end.
    pub async fn step_down(self) {
        drop(self.leads);
        if timeout(RELEASE, self.task).await.is_err() {
            tracing::warn!("the lease could not be given back; it ends by itself");
        }
    }
}
