//! Traces of a tier: which requests are traced, and what their spans say.
//!
//! A request makes no span while it lives. What it takes to make them is remembered beside it (`forward::trace`), only if the request is
//! sampled or a rule may want it afterwards; when it is over, [`semantics`] makes the spans of it.

mod semantics;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bailey_crds::{TierConfigSpec, TracePropagation};
use bailey_kit::telemetry::{Propagation, Ratio, Sink, Span, Store};
use tokio::sync::Notify;

use crate::snapshot::Settings;

pub(crate) use semantics::{Attempt, Client, End, Facts};

/// Spans that a worker gathers before it hands them over; it does so anyway a tenth of a second after the first.
const GATHERED: usize = 128;

/// How a tier traces, as its configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tracing {
    /// The collector. `None`: spans are only kept in memory.
    pub endpoint: Option<String>,
    /// The share of requests whose tenant has none of its own.
    pub ratio: Ratio,
    /// The shares of tenants, by name.
    pub tenants: Box<[(Box<str>, Ratio)]>,
    /// Requests that end with a status of 500 or more are traced in any case.
    pub errors: bool,
    /// So are those that take longer.
    pub slower_than: Option<Duration>,
    /// A context from outside is the parent of ours.
    pub accept_parent: bool,
    /// The forms that applications get.
    pub forms: Box<[Propagation]>,
}

impl Tracing {
    /// Every request, kept in memory.
    fn everything() -> Self {
        Self {
            endpoint: None,
            ratio: Ratio::ALL,
            tenants: Box::default(),
            errors: false,
            slower_than: None,
            accept_parent: false,
            forms: [Propagation::W3c].into(),
        }
    }

    /// What a tier's configuration says, if it says anything.
    pub(crate) fn of(spec: &TierConfigSpec) -> Option<Self> {
        let tracing = spec.tracing.as_ref()?;
        let always = tracing.always.unwrap_or_default();
        let share = |tenant: &bailey_crds::TierTenant| {
            Some((tenant.name.as_str().into(), Ratio::millionths(tenant.tracing?.sampling.millionths())))
        };
        let forms = tracing.propagation.iter().map(|form| match form {
            TracePropagation::W3c => Propagation::W3c,
            TracePropagation::B3 => Propagation::B3,
            TracePropagation::B3Multi => Propagation::B3Multi,
        });
        Some(Self {
            endpoint: Some(tracing.endpoint.clone()),
            ratio: Ratio::millionths(tracing.sampling.millionths()),
            tenants: spec.tenants.iter().filter_map(share).collect(),
            errors: always.errors,
            slower_than: always.slower_than_ms.map(|limit| Duration::from_millis(limit.into())),
            accept_parent: tracing.accept_parent,
            forms: forms.collect(),
        })
    }

    /// The share of a tenant's requests.
    pub(crate) fn ratio_of(&self, tenant: Option<&str>) -> Ratio {
        let own = self.tenants.iter().find(|(name, _)| tenant == Some(name));
        own.map_or(self.ratio, |(_, ratio)| *ratio)
    }

    /// The largest share of any tenant.
    pub(crate) fn largest_ratio(&self) -> Ratio {
        self.tenants.iter().map(|(_, ratio)| *ratio).fold(self.ratio, Ratio::max)
    }

    /// Whether requests may be traced that were not sampled.
    pub(crate) fn watches(&self) -> bool {
        self.errors || self.slower_than.is_some()
    }

    /// Whether a rule wants this request, which was not sampled.
    pub(crate) fn wants(&self, status: u16, took: Duration) -> bool {
        (self.errors && status >= 500) || self.slower_than.is_some_and(|limit| took > limit)
    }
}

/// What is said of traces beside the objects, by who starts the tier.
#[derive(Debug, Clone, Default)]
pub struct TracingOptions {
    /// Keep the last traces here too.
    pub store: Option<Arc<Store>>,
    /// Trace every request, and send spans to this collector or to none, whatever the objects say of both: local mode.
    pub everything: Option<Everything>,
}

/// Every request is traced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Everything {
    /// Where spans go beside the store.
    pub endpoint: Option<String>,
}

impl TracingOptions {
    /// Changes settings as these options say.
    pub(crate) fn settle(&self, settings: &mut Settings) {
        let Some(everything) = &self.everything else { return };
        let said = settings.tracing.take().unwrap_or_else(Tracing::everything);
        let endpoint = everything.endpoint.clone();
        settings.tracing = Some(Tracing { endpoint, ratio: Ratio::ALL, tenants: Box::default(), ..said });
    }
}

/// Who a tier is, in its spans.
#[derive(Debug, Clone)]
pub struct SpanOrigin {
    /// `outer`, `inner`, `gateway`.
    pub tier: Arc<str>,
    /// The topology it belongs to.
    pub topology: Option<Arc<str>>,
    /// The tenant that it serves alone.
    pub tenant: Option<Arc<str>>,
}

/// One worker's way out for spans.
#[derive(Debug)]
pub struct Tracer {
    /// Who the tier is.
    pub origin: SpanOrigin,
    sink: Sink,
    gathered: RefCell<Vec<Span>>,
    /// Told when a first span waits for [`Self::flush`].
    waits: Rc<Notify>,
}

impl Tracer {
    /// A way that leads to `sink`, and tells `waits` when a first span is there to be flushed.
    pub fn new(origin: SpanOrigin, sink: Sink, waits: Rc<Notify>) -> Self {
        Self { origin, sink, gathered: RefCell::default(), waits }
    }

    /// Adds spans of a request that is over.
    pub(crate) fn add(&self, spans: impl IntoIterator<Item = Span>) {
        let mut gathered = self.gathered.borrow_mut();
        if gathered.is_empty() {
            self.waits.notify_one();
        }
        gathered.extend(spans);
        if gathered.len() >= GATHERED {
            self.sink.send(std::mem::take(&mut gathered));
        }
    }

    /// Hands over what is there.
    pub fn flush(&self) {
        let gathered = self.gathered.take();
        if !gathered.is_empty() {
            self.sink.send(gathered);
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.flush();
    }
}
