//! The operator from its start to its end: watches, a leader, looks at topologies, a signal.
//!
//! Every replica watches, so that one that becomes leader knows everything already; only the leader writes. A replica that
//! loses the lease ends, since it cannot know how long it went on without it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bailey_kit::admin::{AdminError, AdminOptions, AdminServer};
use bailey_kit::kube::{Candidate, Leadership, LeadershipError, use_provider};
use bailey_kit::readiness::Readiness;
use bailey_kit::signal;
use jiff::Timestamp;
use kube::Client;
use tokio::time::{Instant, sleep_until};

use crate::apply::Cluster;
use crate::args::Args;
use crate::attach::Attachments;
use crate::labels::MANAGER;
use crate::metrics::Metrics;
use crate::observe::{Observed, observe};
use crate::poll::poll;
use crate::reconcile::{Reconciler, Settings};
use crate::report::Reporter;

/// What changes within this time is looked at together.
const SETTLE: Duration = Duration::from_millis(50);
/// Routes and their Gateways are looked at this long after a first change, so that one write tells of all of it.
const ROUTES_SETTLE: Duration = Duration::from_millis(200);
/// The least time between two looks at routes.
const ROUTES_EVERY: Duration = Duration::from_secs(1);
/// The same after a write that failed.
const ROUTES_AGAIN: Duration = Duration::from_secs(5);

/// Why the operator does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no way to a cluster.
    #[error("cannot make a client of the cluster: {0}; run in a pod with a service account, or set KUBECONFIG")]
    Client(#[source] Box<kube::Error>),
    /// The admin port cannot be had.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The lease cannot be asked for.
    #[error(transparent)]
    Lease(#[from] LeadershipError),
    /// Another replica leads now.
    #[error("the lease was lost: another replica leads now")]
    LeaseLost,
    /// The system refuses to hand over signals.
    #[error("cannot wait for signals: {0}")]
    Signal(#[source] std::io::Error),
}

/// Runs until a signal or the loss of the lease ends it.
pub async fn run(args: Args) -> Result<(), RunError> {
    use_provider();
    let shutdown = signal::shutdown().map_err(RunError::Signal)?;
    let client = Client::try_default().await.map_err(|error| RunError::Client(Box::new(error)))?;
    let (metrics, observed, readiness) =
        (Arc::new(Metrics::default()), Arc::new(Observed::default()), Readiness::new());
    let _admin = admin(&args, &metrics, &readiness).await?;
    let mut listed = Some(readiness.task("every list is read"));
    let mut watches = observe(&client, &args.namespace, &observed);
    let mut leadership = Leadership::stand(client.clone(), &candidate(&args)).await?;
    let mut looks = Looks::new(&client, args, &observed, &metrics);
    let mut shutdown = std::pin::pin!(shutdown);
    let mut led = false;
    let outcome = loop {
        if observed.is_complete()
            && let Some(listed) = listed.take()
        {
            listed.done();
            looks.complete();
        }
        readiness.note(observed.troubles());
        let may = led && listed.is_none();
        let next = looks.next();
        tokio::select! {
            signal = &mut shutdown => {
                tracing::info!(signal = signal.as_str(), "ending");
                break Ok(());
            }
            changed = leadership.changed() => {
                let Some(leads) = changed else { break Err(RunError::LeaseLost) };
                metrics.set_leader(leads);
                if led && !leads {
                    break Err(RunError::LeaseLost);
                }
                if leads && !led {
                    watches.spawn(poll(observed.clone()));
                }
                led = leads;
                observed.mark_all();
            }
            () = observed.changed.notified() => {
                tokio::time::sleep(SETTLE).await;
                if led { looks.changed(may).await; }
            }
            () = sleep_until(next), if may => looks.look().await,
        }
    };
    drop(watches);
    leadership.step_down().await;
    outcome
}

/// Health and metrics.
async fn admin(args: &Args, metrics: &Arc<Metrics>, readiness: &Arc<Readiness>) -> Result<AdminServer, AdminError> {
    let metrics = metrics.clone();
    let options = AdminOptions {
        readiness: readiness.clone(),
        metrics: Arc::new(move || metrics.render()),
        served: None,
        pages: None,
        token: None,
    };
    AdminServer::start(args.admin, options).await
}

/// The part in the choice of a leader.
fn candidate(args: &Args) -> Candidate {
    Candidate {
        namespace: args.namespace.clone(),
        lease: MANAGER.to_owned(),
        identity: args.identity.clone(),
        manager: MANAGER.to_owned(),
    }
}

/// Which topology is looked at when.
struct Looks {
    reconciler: Reconciler,
    attachments: Attachments,
    observed: Arc<Observed>,
    due: BTreeMap<String, Instant>,
    /// When routes may be looked at again.
    routes: Instant,
}

impl Looks {
    fn new(client: &Client, args: Args, observed: &Arc<Observed>, metrics: &Arc<Metrics>) -> Self {
        let cluster = Cluster { client: client.clone(), observed: observed.clone(), metrics: metrics.clone() };
        let settings = Settings { namespace: args.namespace, proxy_image: args.proxy_image };
        let reporter = Reporter::new(client.clone(), args.identity, metrics.clone());
        Self {
            reconciler: Reconciler::new(cluster, settings, reporter),
            attachments: Attachments::new(client.clone(), metrics.clone()),
            observed: observed.clone(),
            due: BTreeMap::new(),
            routes: Instant::now(),
        }
    }

    /// When the next is due.
    fn next(&self) -> Instant {
        let topologies = self.due.values().copied();
        let routes = self.attachments.is_due().then_some(self.routes);
        topologies.chain(routes).min().unwrap_or_else(|| Instant::now() + Duration::from_hours(1))
    }

    /// Every list has been read.
    fn complete(&self) {
        self.reconciler.unblocked();
        self.observed.mark_all();
    }

    /// What has changed is due now. While not every list can be read nothing is done, but missing permissions are said.
    async fn changed(&mut self, complete: bool) {
        if !complete {
            return self.reconciler.blocked(&self.observed.world(), Timestamp::now()).await;
        }
        let dirty = self.observed.take_dirty();
        let world = self.observed.world();
        self.due.retain(|name, _| world.topologies.contains_key(name));
        self.reconciler.retain(&world);
        if !self.attachments.is_due() {
            self.routes = self.routes.max(Instant::now() + ROUTES_SETTLE);
        }
        self.attachments.mark(&dirty);
        let changed = world.topologies.keys().filter(|name| dirty.all || dirty.names.contains(*name));
        for name in changed {
            self.due.insert(name.clone(), Instant::now());
        }
    }

    /// Looks at all that are due.
    async fn look(&mut self) {
        let now = Instant::now();
        let due: Vec<String> = self.due.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for name in due {
            let world = self.observed.world();
            let Some(topology) = world.topologies.get(&name) else {
                self.due.remove(&name);
                continue;
            };
            let again = self.reconciler.look(&world, topology, Timestamp::now()).await;
            self.due.insert(name, Instant::now() + again);
        }
        if self.attachments.is_due() && self.routes <= now {
            let world = self.observed.world();
            let again = self.attachments.look(&world, &self.reconciler.valid(), Timestamp::now()).await;
            self.routes = Instant::now() + if again { ROUTES_AGAIN } else { ROUTES_EVERY };
        }
    }
}
