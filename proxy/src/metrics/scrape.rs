//! One scrape: sums up what the workers have counted and reads what is known elsewhere at that moment. Runs on the control
//! runtime, never on a worker.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bailey_routing::RouteTable;
use bailey_routing::ir::{BackendProtocol, RouteId, RouteKind, UpstreamId, UpstreamKey};

use super::exposition::Exposition;
use super::histogram::{Count, Total};
use super::series::{Key, MAX_SERIES, OTHER, Shared, class_word};
use super::shard::Shard;
use super::{Limit, Metrics, table};
use bailey_kit::telemetry::Counts as SpanCounts;

use crate::access_log::Counts;
use crate::acme::{Hold, Orders};
use crate::snapshot::Current;
use crate::tls::link::LinkTls;

/// The kinds of hops.
const LINK: &str = "link";
const SERVICE: &str = "service";

/// Certificates whose end is shown.
const MAX_CERTIFICATES: usize = 1000;

/// Where a scrape reads what is not counted by workers.
#[derive(Debug, Clone)]
pub struct Sources {
    /// What is served.
    pub current: Arc<Current>,
    /// Lines of the access log.
    pub log: Option<Arc<Counts>>,
    /// What became of spans.
    pub spans: Option<Arc<SpanCounts>>,
    /// The certificates that the tier orders.
    pub acme: Option<Arc<Hold>>,
    /// The tier's own certificate for links.
    pub link: Option<Arc<LinkTls>>,
}

/// Renders the metrics of one tier.
#[derive(Debug)]
pub struct Scrape {
    metrics: Arc<Metrics>,
    labels: Vec<(&'static str, String)>,
    sources: Sources,
}

impl Metrics {
    /// What shows these metrics, each with the tier's own labels (`tier`, `topology`).
    pub fn scrape(self: &Arc<Self>, labels: Vec<(&'static str, String)>, sources: Sources) -> Scrape {
        Scrape { metrics: self.clone(), labels, sources }
    }

    /// Requests since the start, by tenant, route and hundreds of the status.
    pub fn requests(&self) -> Vec<(Arc<str>, Arc<str>, u8, Total)> {
        let totals = totals(&self.shards(), |shard| &shard.requests, Key::clone);
        totals.into_iter().map(|(key, total)| (key.first, key.second, key.class, total)).collect()
    }

    /// Attempts at Services since the start, by route, Service (`namespace/name:port`) and hundreds of the status.
    pub fn attempts(&self) -> Vec<(Arc<str>, Arc<str>, u8, Total)> {
        let totals = totals(&self.shards(), |shard| &shard.attempts, Key::clone);
        let of_services = totals.into_iter().filter(|(key, _)| &*key.first == SERVICE);
        of_services.map(|(key, total)| (key.via, key.second, key.class, total)).collect()
    }
}

impl Scrape {
    /// The text, as a scrape gets it.
    pub fn render(&self) -> String {
        let shards = self.metrics.shards();
        let mut text = Exposition::new(&self.labels);
        requests(&mut text, &shards);
        plain(&mut text, &shards);
        self.certificates(&mut text);
        self.configuration(&mut text);
        self.telemetry(&mut text);
        text.finish()
    }

    fn certificates(&self, text: &mut Exposition) {
        let mut ends = self.sources.current.load().certificates.shown();
        ends.sort_by_key(|certificate| certificate.not_after);
        let mut family = text.family(&table::CERTIFICATE_END);
        if let Some(end) = self.sources.link.as_ref().and_then(|link| link.not_after()) {
            family.sample(&[LINK], end);
        }
        for certificate in ends.iter().take(MAX_CERTIFICATES) {
            family.sample(&[&certificate.source], certificate.not_after);
        }
        let ordered = self.sources.acme.as_ref().map(|hold| (hold.listing(), hold.orders()));
        let (mut served, mut orders) = (0, Orders::default());
        if let Some((listing, counts)) = &ordered {
            let mut ends: Vec<_> = listing
                .certificates
                .iter()
                .filter_map(|one| Some((one.served.as_ref()?.life.ends, &one.host)))
                .collect();
            (served, orders) = (ends.len(), *counts);
            ends.sort_unstable();
            for (end, host) in ends.into_iter().take(MAX_CERTIFICATES) {
                family.sample(&[host], end.0);
            }
        }
        text.family(&table::CERTIFICATES).sample(&[], ends.len() + served);
        let mut family = text.family(&table::CERTIFICATE_ORDERS);
        for (result, count) in [("issued", orders.issued), ("renewed", orders.renewed), ("failed", orders.failed)] {
            family.sample(&[result], count);
        }
    }

    fn configuration(&self, text: &mut Exposition) {
        let process = &self.metrics.process;
        let snapshot = self.sources.current.load();
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        text.family(&table::BUILD).sample(&[env!("CARGO_PKG_VERSION")], 1);
        if snapshot.generation > 0 {
            text.family(&table::CONFIG).sample(&[&format!("{:032x}", snapshot.digest)], 1);
        }
        text.family(&table::CONFIG_GENERATION).sample(&[], snapshot.generation);
        let loaded = Duration::from_millis(get(&process.loaded)).as_secs_f64();
        text.family(&table::CONFIG_LOADED).sample(&[], loaded);
        text.family(&table::CONFIG_STALE).sample(&[], get(&process.stale));
        text.family(&table::CONFIG_DIAGNOSTICS).sample(&[], get(&process.diagnostics));
        text.family(&table::CONFIG_REJECTED).sample(&[], get(&process.rejected));
        let denied = process.denied.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut missing = text.family(&table::PERMISSION_MISSING);
        for one in &denied {
            missing.sample(&[&one.verb, &one.resource, &one.namespace, &one.subject], 1);
        }
    }

    fn telemetry(&self, text: &mut Exposition) {
        let lines = |pick: fn(&Counts) -> &AtomicU64| {
            self.sources.log.as_ref().map_or(0, |counts| pick(counts).load(Ordering::Relaxed))
        };
        text.family(&table::LOG_WRITTEN).sample(&[], lines(|counts| &counts.written));
        text.family(&table::LOG_DROPPED).sample(&[], lines(|counts| &counts.dropped));
        let spans = |pick: fn(&SpanCounts) -> &AtomicU64| {
            self.sources.spans.as_ref().map_or(0, |counts| pick(counts).load(Ordering::Relaxed))
        };
        text.family(&table::SPANS_EXPORTED).sample(&[], spans(|counts| &counts.exported));
        text.family(&table::SPANS_DROPPED).sample(&[], spans(|counts| &counts.dropped));
        text.family(&table::SPANS_FAILED).sample(&[], spans(|counts| &counts.failed));
        text.family(&table::SPANS_QUEUED).sample(&[], spans(|counts| &counts.queued));
    }
}

fn requests(text: &mut Exposition, shards: &[Arc<Shard>]) {
    let totals = totals(shards, |shard| &shard.requests, Key::clone);
    let mut durations = text.family(&table::REQUEST_DURATION);
    for (key, total) in &totals {
        durations.histogram(&[&key.first, &key.second, class_word(key.class)], total);
    }
    let mut bytes = |metric, pick: fn(&Total) -> u64| {
        let mut family = text.family(metric);
        for (key, total) in &totals {
            family.sample(&[&key.first, &key.second, class_word(key.class)], pick(total));
        }
    };
    bytes(&table::REQUEST_BODIES, |total| total.received);
    bytes(&table::RESPONSE_BODIES, |total| total.sent);
    attempts(text, shards);
    let mut errors: BTreeMap<(&'static str, &'static str), u64> = BTreeMap::new();
    for shard in shards {
        for ((side, reason), count) in shard.errors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            *errors.entry((side.as_str(), reason)).or_default() += count.get();
        }
    }
    let mut family = text.family(&table::REQUEST_ERRORS);
    for ((side, reason), count) in errors {
        family.sample(&[side, reason], count);
    }
}

fn attempts(text: &mut Exposition, shards: &[Arc<Shard>]) {
    let mut family = text.family(&table::ATTEMPT_DURATION);
    for (key, total) in totals(shards, |shard| &shard.attempts, Key::whole) {
        family.histogram(&[&key.first, &key.second, class_word(key.class)], &total);
    }
}

/// The sums over all workers under the keys that `told` makes of theirs, for as many as there is room for.
fn totals(shards: &[Arc<Shard>], of: fn(&Shard) -> &Shared, told: fn(&Key) -> Key) -> BTreeMap<Key, Total> {
    let mut totals: BTreeMap<Key, Total> = BTreeMap::new();
    for shard in shards {
        of(shard).each(|key, series| {
            let key = told(key);
            if let Some(total) = totals.get_mut(&key) {
                return total.add(series);
            }
            let key = if totals.len() < MAX_SERIES { key } else { key.other() };
            totals.entry(key).or_default().add(series);
        });
    }
    totals
}

/// Which of a worker's numbers.
type Pick = fn(&Shard) -> &Count;

/// What is one number for each worker, and how the numbers make one.
fn plain(text: &mut Exposition, shards: &[Arc<Shard>]) {
    let sum = |pick: Pick| shards.iter().fold(0_u64, |sum, shard| sum.wrapping_add(pick(shard).get()));
    let open = |opened: u64, closed: Pick| opened.saturating_sub(sum(closed));
    let connections = sum(|shard| &shard.connections_opened);
    let upstream = sum(|shard| &shard.upstream.opened);
    let links = sum(|shard| &shard.link.opened);
    let streams = sum(|shard| &shard.link.streams_opened);
    for (metric, value) in [
        (&table::ACTIVE_REQUESTS, sum(|shard| &shard.active_requests)),
        (&table::CONNECTIONS, open(connections, |shard| &shard.connections_closed)),
        (&table::CONNECTIONS_OPENED, connections),
        (&table::UPSTREAM_CONNECTIONS, open(upstream, |shard| &shard.upstream.closed)),
        (&table::UPSTREAM_IDLE, sum(|shard| &shard.upstream.idle)),
        (&table::UPSTREAM_OPENED, upstream),
        (&table::UPSTREAM_FAILED, sum(|shard| &shard.upstream.failed)),
        (&table::UPSTREAM_EJECTIONS, sum(|shard| &shard.upstream.ejections)),
        (&table::RETRIES, sum(|shard| &shard.retries)),
        (&table::MIRRORS, sum(|shard| &shard.mirrors)),
        (&table::MIRRORS_SKIPPED, sum(|shard| &shard.mirrors_skipped)),
        (&table::LINK_CONNECTIONS, open(links, |shard| &shard.link.closed)),
        (&table::LINK_STREAMS, open(streams, |shard| &shard.link.streams_closed)),
        (&table::LINK_OPENED, links),
    ] {
        text.family(metric).sample(&[], value);
    }
    let mut labelled = |metric, rows: &[(&str, Pick)]| {
        let mut family = text.family(metric);
        for (label, pick) in rows {
            family.sample(&[label], sum(*pick));
        }
    };
    labelled(
        &table::LINK_FAILURES,
        &[
            ("connect_failed", |shard| &shard.link.connect_failed),
            ("connect_timeout", |shard| &shard.link.timed_out),
            ("tls_failed", |shard| &shard.link.tls_failed),
            ("unusable", |shard| &shard.link.unusable),
        ],
    );
    labelled(
        &table::LINK_REFUSED,
        &[("handshake", |shard| &shard.link.refused), ("timeout", |shard| &shard.link.too_slow)],
    );
    labelled(&table::LINK_BYTES, &[("received", |shard| &shard.link.received), ("sent", |shard| &shard.link.sent)]);
    let mut limits = text.family(&table::LIMITS_HIT);
    for limit in Limit::ALL {
        let hit: u64 = shards.iter().map(|shard| shard.limits.of(*limit).get()).sum();
        limits.sample(&[limit.as_str()], hit);
    }
}

/// The label of a route: `Kind/namespace/name`.
pub fn route_label(id: &RouteId) -> Arc<str> {
    format!("{}/{}/{}", id.kind.as_str(), id.namespace, id.name).into()
}

/// The labels of an upstream: the kind of hop and its name.
pub(super) fn upstream_labels(key: &UpstreamKey) -> (&'static str, Arc<str>) {
    match key {
        UpstreamKey::Link { tenant } => (LINK, tenant.clone()),
        UpstreamKey::Service { namespace, name, port, .. } => (SERVICE, format!("{namespace}/{name}:{port}").into()),
    }
}

/// The upstreams that have these labels: those of a Service's port may speak several protocols.
fn upstream_ids(hop: &str, upstream: &str) -> Vec<UpstreamId> {
    if hop == LINK {
        return vec![UpstreamKey::Link { tenant: upstream.into() }.into()];
    }
    let parts = || {
        let (service, port) = upstream.rsplit_once(':')?;
        let (namespace, name) = service.split_once('/')?;
        Some((namespace, name, port.parse().ok()?))
    };
    let Some((namespace, name, port)) = parts() else { return Vec::new() };
    [BackendProtocol::Http1, BackendProtocol::H2c]
        .map(|protocol| UpstreamKey::Service { namespace: namespace.into(), name: name.into(), port, protocol }.into())
        .into()
}

/// What a table says there is.
pub(super) struct Configured<'a>(&'a RouteTable);

impl<'a> Configured<'a> {
    pub(super) fn of(table: &'a RouteTable) -> Self {
        Self(table)
    }

    /// Whether requests can still be counted under this key.
    pub(super) fn has_route(&self, key: &Key) -> bool {
        if key.second.is_empty() || &*key.second == OTHER {
            return true;
        }
        let Some(id) = route_id(&key.second) else { return false };
        self.0.route(&id).is_some_and(|route| route.tenant.as_deref().unwrap_or_default() == &*key.first)
    }

    /// Whether attempts can still be counted under this key.
    pub(super) fn has_upstream(&self, key: &Key) -> bool {
        let sent = key.via.is_empty() || route_id(&key.via).is_some_and(|id| self.0.route(&id).is_some());
        sent && upstream_ids(&key.first, &key.second).iter().any(|id| self.0.upstream(id).is_some())
    }
}

/// The route of a [label](route_label).
pub fn route_id(label: &str) -> Option<RouteId> {
    let mut parts = label.splitn(3, '/');
    let kind = parts.next()?;
    let kinds = [RouteKind::Http, RouteKind::Grpc, RouteKind::Ingress, RouteKind::Binding];
    let kind = kinds.into_iter().find(|known| known.as_str() == kind)?;
    Some(RouteId { kind, namespace: parts.next()?.into(), name: parts.next()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_leads_back_to_its_route() {
        for kind in [RouteKind::Http, RouteKind::Grpc, RouteKind::Ingress, RouteKind::Binding] {
            let id = RouteId { kind, namespace: "shop".into(), name: "web".into() };
            assert_eq!(route_id(&route_label(&id)), Some(id));
        }
        assert_eq!(route_id("other"), None);
    }

    #[test]
    fn labels_lead_back_to_their_upstream() {
        let service = |protocol| UpstreamKey::Service { namespace: "a".into(), name: "web".into(), port: 80, protocol };
        for key in [
            UpstreamKey::Link { tenant: "team-a".into() },
            service(BackendProtocol::Http1),
            service(BackendProtocol::H2c),
        ] {
            let (hop, upstream) = upstream_labels(&key);
            assert!(upstream_ids(hop, &upstream).contains(&key.into()));
        }
        assert!(upstream_ids(SERVICE, "other").is_empty());
    }
}
