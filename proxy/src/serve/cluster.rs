//! A tier in a cluster: its objects are watched, and the last good ones kept on disk for a start without the API server.
//!
//! Decides what is served when: whole sets of objects; before the first one, after a while, the last good one from disk;
//! and never nothing in place of something.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bailey_kit::kube::{Denied, use_provider};
use bailey_kit::signal::{Hangups, Shutdown};
use bailey_translate::{Diagnostic, Objects, Severity};
use kube::Client;
use tokio::time::{Instant, sleep_until};

use super::orders::{Means, Orders};
use super::{LinkFolder, ServeError, kept_objects};
use crate::acme::Hold;
use crate::args::Args;
use crate::page::{self, Board};
use crate::source::disk;
use crate::source::kubernetes::{Source, View};
use crate::tier::{Applied, Pending, Role, Tier, TierHandle, TierOptions};

/// How long the API server has before the last good configuration is served.
const PATIENCE: Duration = Duration::from_secs(3);
/// The least time between two writes of the last good configuration.
const KEEP_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn serve(
    args: &Args,
    shutdown: impl Future<Output = Shutdown>,
    mut hangups: Hangups,
) -> Result<(), ServeError> {
    use_provider();
    let client = Client::try_default().await.map_err(|error| ServeError::Cluster(Box::new(error)))?;
    let mut options = args.options()?;
    let (namespace, board) = (args.namespace.clone().unwrap_or_default(), options.board.clone());
    let orders = orders(args, &client, &namespace, &mut options);
    let mut source = Source::start(client, options.role.clone(), namespace);
    let mut link = LinkFolder::watch(args.link.as_deref())?;
    let (tier, pending) = Tier::start_waiting(options).await?;
    let mut serving = Serving::new(tier, pending, board, orders);
    let mut shutdown = std::pin::pin!(shutdown);
    let patience = Instant::now() + PATIENCE;
    let far = || Instant::now() + Duration::from_hours(1);
    loop {
        let keep_at = serving.keep_at.unwrap_or_else(far);
        tokio::select! {
            signal = &mut shutdown => {
                tracing::info!(signal = signal.as_str(), "draining");
                serving.tier.drain().await;
                return Ok(());
            }
            () = source.changed() => serving.take(source.view()),
            () = changed(serving.orders.as_ref()) => serving.tell_orders(),
            () = link.changed() => link.reload(&serving.tier),
            () = hangups.next() => serving.tier.reopen_log(),
            () = sleep_until(patience), if !serving.live => {
                serving.fall_back(args.last_good.as_deref());
                // Once is enough: from here on the API server is waited for, and what it tells is news.
                serving.live = true;
            }
            () = sleep_until(keep_at) => serving.keep(args.last_good.as_deref(), source.view().objects).await,
        }
    }
}

/// What orders certificates, for a tier that faces clients.
fn orders(args: &Args, client: &Client, namespace: &str, options: &mut TierOptions) -> Option<Orders> {
    let Role::Outer { topology } = &options.role else { return None };
    let hold = Arc::<Hold>::default();
    let means = Means {
        client: client.clone(),
        namespace: namespace.to_owned(),
        topology: topology.clone(),
        replica: args.replica.clone(),
        folder: args.certificates.clone(),
    };
    options.issuer = Some(hold.clone());
    options.acme = Some(hold.clone());
    Some(Orders::start(means, hold))
}

/// Waits for what is to be said of orders; for ever where there are none.
async fn changed(orders: Option<&Orders>) {
    match orders {
        Some(orders) => orders.changed().await,
        None => std::future::pending().await,
    }
}

/// A tier and what has been said about it.
struct Serving {
    tier: TierHandle,
    /// Where it is shown what is served, and what is wrong with it.
    board: Arc<Board>,
    pending: Option<Pending>,
    /// Certificates that the tier orders.
    orders: Option<Orders>,
    /// What is wrong with requests to renew some.
    requests: Vec<String>,
    /// What keeps lists from being read.
    lists: (BTreeSet<Denied>, Vec<String>),
    /// Everything was read and is served; what is pending then are certificates only.
    bound: bool,
    /// A whole set of objects came from the cluster.
    whole: bool,
    /// Some set of objects is served, or there is none to fall back to.
    live: bool,
    keep_at: Option<Instant>,
    told: Told,
}

/// What is in the log already.
#[derive(Default)]
struct Told {
    troubles: BTreeSet<String>,
    diagnostics: BTreeSet<Diagnostic>,
}

impl Serving {
    fn new(tier: TierHandle, pending: Pending, board: Arc<Board>, orders: Option<Orders>) -> Self {
        Self {
            tier,
            board,
            pending: Some(pending),
            orders,
            requests: Vec::new(),
            lists: (BTreeSet::new(), Vec::new()),
            bound: false,
            whole: false,
            live: false,
            keep_at: None,
            told: Told::default(),
        }
    }

    /// What the watches know now.
    fn take(&mut self, view: View) {
        self.lists = (view.denied, view.troubles);
        self.note_troubles();
        // The first set must be whole. Later a new list that cannot be read yet holds up nothing else; and when the tier's
        // own configuration is gone, what it said last still holds.
        if !(view.complete || (self.whole && view.configured)) {
            return;
        }
        let bound = self.apply(view.objects);
        if view.complete {
            self.whole = true;
            self.tier.set_stale(false);
            self.bound |= bound;
            self.settle();
            self.live = true;
            self.keep_at.get_or_insert_with(|| Instant::now() + KEEP_EVERY);
        }
    }

    /// There is something else to say of orders.
    fn tell_orders(&mut self) {
        self.note_troubles();
        self.settle();
    }

    /// Ready, once everything is read: objects, and the certificates that there are. No order is waited for.
    fn settle(&mut self) {
        let loaded = self.orders.as_ref().is_none_or(Orders::are_loaded);
        if self.bound
            && loaded
            && let Some(pending) = self.pending.take()
        {
            pending.done();
            tracing::info!("every list and certificate is read: ready");
        }
    }

    fn note_troubles(&mut self) {
        let (denied, mut troubles) = self.lists.clone();
        troubles.extend(self.requests.iter().cloned());
        self.say_troubles(&troubles);
        let orders = self.orders.as_ref().and_then(Orders::trouble);
        troubles.extend(orders.iter().map(|trouble| format!("no certificate is ordered: {trouble}")));
        self.tier.note_troubles(denied, troubles);
        self.tier.note_orders_trouble(orders);
    }

    /// Serves these objects, and says what is wrong with them in the log and on the page. `false`: a port is not bound.
    fn apply(&mut self, objects: Objects) -> bool {
        let applied = self.tier.apply(&objects);
        if let Some(orders) = &self.orders {
            self.requests = orders.follow(&objects);
            self.note_troubles();
        }
        self.say(&applied);
        self.board.tell(page::Told::live(objects, Vec::new(), applied.diagnostics));
        applied.refused.is_empty()
    }

    /// Serves the last good configuration, if there is one.
    fn fall_back(&mut self, path: Option<&Path>) {
        let last = match path.map(disk::load).transpose() {
            Ok(last) => last.flatten(),
            Err(error) => return tracing::error!("{error}"),
        };
        let Some(last) = last else {
            return tracing::warn!("not every list could be read yet, and there is no last good configuration");
        };
        tracing::warn!(
            version = last.version,
            digest = last.digest,
            "not every list could be read yet: serving the last good configuration"
        );
        self.apply(kept_objects(last));
        self.tier.set_stale(true);
        self.bound = true;
        self.settle();
    }

    /// Keeps what is served now for a start without the API server. That it cannot be kept is said, and nothing else:
    /// serving goes on.
    async fn keep(&mut self, path: Option<&Path>, objects: Objects) {
        self.keep_at = None;
        let Some(path) = path.map(Path::to_owned) else { return };
        let digest = format!("{:032x}", self.tier.snapshot().digest);
        let written = tokio::task::spawn_blocking(move || disk::save(&path, &objects.to_values(), &digest)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!("{error}");
        }
    }

    fn say_troubles(&mut self, troubles: &[String]) {
        let now: BTreeSet<String> = troubles.iter().cloned().collect();
        for new in now.difference(&self.told.troubles) {
            tracing::error!("{new}");
        }
        for over in self.told.troubles.difference(&now) {
            tracing::info!("over: {over}");
        }
        self.told.troubles = now;
    }

    /// Each diagnostic once, when it is new.
    fn say(&mut self, applied: &Applied) {
        for refused in &applied.refused {
            tracing::error!("{refused}");
        }
        let now: BTreeSet<Diagnostic> = applied.diagnostics.iter().cloned().collect();
        for new in now.difference(&self.told.diagnostics) {
            match new.severity() {
                Severity::Error => tracing::error!("{new}"),
                Severity::Warning => tracing::warn!("{new}"),
                Severity::Info => tracing::info!("{new}"),
            }
        }
        self.told.diagnostics = now;
        if applied.changed {
            tracing::info!(generation = self.tier.snapshot().generation, "configuration is live");
        }
    }
}

#[cfg(test)]
mod tests {
    use bailey_translate::Object;

    use super::*;
    use crate::page::Site;
    use crate::tier::LogTarget;
    use bailey_kit::admin::{Content, Pages as _};

    fn page(board: &Arc<Board>, target: &str) -> String {
        let head = http::Request::get(target).body(()).unwrap().into_parts().0;
        let Content::Whole(bytes) = Site::new(board.clone()).answer(&head).content else { panic!("it streams") };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn view(service: &str) -> View {
        let mut objects = Objects::default();
        let gateway = serde_json::json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "web", "namespace": "shop"}, "spec": {"gatewayClassName": "bailey",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}});
        let route = serde_json::json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "web", "namespace": "shop"}, "spec": {"parentRefs": [{"name": "web"}],
            "hostnames": ["a.example"], "rules": [{"backendRefs": [{"name": service, "port": 80}]}]}});
        for object in [gateway, route] {
            objects.insert_any(Object::from_value(object).unwrap(), None);
        }
        View { objects, configured: true, complete: true, ..View::default() }
    }

    #[tokio::test]
    async fn the_page_of_a_tier_in_a_cluster_says_what_is_wrong_with_its_objects() {
        let role = Role::Gateway { namespace: "shop".into(), name: "web".into() };
        let options = TierOptions {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            ports: [(80, 0)].into(),
            access_log: LogTarget::Nowhere,
            ..TierOptions::new(role)
        };
        let board = options.board.clone();
        let (tier, pending) = Tier::start_waiting(options).await.unwrap();
        let mut serving = Serving::new(tier, pending, board.clone(), None);
        serving.take(view("missing"));
        let routes = page(&board, "/api/routes");
        assert!(routes.contains("BLY0301") && routes.contains("missing"), "{routes}");
        assert!(page(&board, "/explain?route=HTTPRoute%2Fshop%2Fweb").contains("missing"));
        serving.take(view("gone"));
        let routes = page(&board, "/api/routes");
        assert!(routes.contains("gone") && !routes.contains("missing"), "{routes}");
        serving.tier.drain().await;
    }
}
