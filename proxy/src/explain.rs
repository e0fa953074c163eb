//! Why a request gets the answer it gets, which tier gives it, and what the application sees.
//!
//! Pure: snapshots and a question in, an explanation out. It decides nothing of its own: ports, tenants, rules, plans, fields
//! and addresses are asked of the code that serves.

mod absent;
mod address;
mod edge;
mod explanation;
mod head;
mod near;
mod question;
mod route;
mod say;
mod tier;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_translate::{Diagnostic, Objects};

use crate::acme::Hold;
use crate::forward::Sender;
use crate::forward::arrival::{Incoming, View};
use crate::snapshot::Snapshot;
use crate::tier::Role;
use edge::Connected;

pub use explanation::*;
pub use question::{HIDDEN, Question, QuestionError, address};
pub use route::route;

/// Who makes certificates in local mode.
pub const DEVELOPMENT_CA: &str = "the development CA, in the handshake";

/// All that an explanation is made of.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The tiers that clients connect to: outer tiers, Gateways.
    pub fronts: &'a [Site],
    /// The inner tiers that are known here.
    pub inners: &'a [Site],
    /// The objects that the tiers are made of, for routes that no table has.
    pub objects: &'a Objects,
    /// What is wrong with them.
    pub diagnostics: &'a [Diagnostic],
    /// Who makes the certificates that nobody has given, such as [`DEVELOPMENT_CA`]; `None`: nobody.
    pub issuer: Option<&'a str>,
}

/// A tier and what it serves from.
#[derive(Debug, Clone)]
pub struct Site {
    /// Which tier.
    pub role: Role,
    /// What it serves from.
    pub snapshot: Arc<Snapshot>,
    /// Declared ports → ports as clients reach them, where they differ.
    pub ports: BTreeMap<u16, u16>,
    /// The certificates that it orders.
    pub acme: Option<Arc<Hold>>,
}

/// Diagnostics of references that exist and may not be used.
const FORBIDDEN: [&str; 2] = ["BLY0303", "BLY0313"];

/// The code that the reason of something invalid begins with.
fn code_of(reason: &str) -> Option<&str> {
    reason.split(':').next().filter(|code| code.starts_with("BLY"))
}

/// Explains one request.
pub fn explain(world: &World<'_>, question: &Question) -> Explanation {
    let mut met = Met::default();
    let verdict = match edge::connect(world, question, &mut met.entry) {
        Err(none) => verdict::without_connection(world, question, none),
        Ok(connected) => requested(world, question, &connected, &mut met),
    };
    let Met { entry, tiers, address } = met;
    Explanation { question: question.clone(), verdict, entry, tiers, address }
}

/// What a request has met so far.
#[derive(Default)]
struct Met {
    entry: Entry,
    tiers: Vec<TierAccount>,
    address: Vec<AddressStep>,
}

/// With a connection there is a request.
fn requested(world: &World<'_>, question: &Question, connected: &Connected<'_>, met: &mut Met) -> Verdict {
    let site = connected.site;
    let (head, removed) = match head::read(question, &site.snapshot) {
        Ok(read) => read,
        Err(unread) => return verdict::without_request(unread, site.role.identity().tier),
    };
    let from = Sender::Client(&connected.info);
    let mut accounts = vec![tier::account(site, from, head, removed)];
    if let Some(incoming) = &accounts[0].incoming {
        met.entry.owner = owner(site, incoming);
        met.entry.limits = limits(site, met.entry.owner.as_ref());
        met.address.push(address::at_the_edge(site, question, incoming.client));
    }
    if let (Some(linked), Role::Outer { topology }) = (accounts[0].link.take(), &site.role) {
        let role = Role::Inner { topology: topology.clone(), tenant: linked.tenant.clone() };
        if let Some(inner) = world.inners.iter().find(|inner| inner.role == role) {
            let meta = tier::meta(from, &linked);
            met.address.push(address::over_the_link(inner, meta.client));
            accounts.push(tier::account(inner, Sender::Link(&meta), (*linked.incoming.head).clone(), Vec::new()));
        }
    }
    let verdict = verdict::of(world, question, connected, &accounts);
    if let Some((last, incoming)) = accounts.last().and_then(|last| Some((last, last.incoming.as_ref()?)))
        && verdict.tier == Some("application")
    {
        met.address.extend(address::at_the_application(last, incoming.client));
    }
    met.tiers = accounts.into_iter().map(|account| account.told).collect();
    verdict
}

/// Who owns the host of the request, and by which pattern.
fn owner(site: &Site, incoming: &Incoming) -> Option<OwnerView> {
    let table = &site.snapshot.table;
    let layers = table.candidates(incoming.listener, incoming.head.host(), &View(&incoming.head));
    let first = layers.first()?;
    let suspended = first.tenant.and_then(|tenant| table.tenant(tenant)).is_some_and(|tenant| tenant.suspended);
    Some(OwnerView { tenant: first.tenant.map(str::to_owned), pattern: say::host(first.pattern), suspended })
}

/// The bounds that a request may meet at the edge.
fn limits(site: &Site, owner: Option<&OwnerView>) -> Vec<LimitView> {
    let limits = &site.snapshot.settings.limits;
    let of_tier = |name, value: u32| LimitView { name, value: value.into(), of: "tier".to_owned() };
    let mut all = vec![
        of_tier("bytes of a request head", limits.http1.header_bytes),
        of_tier("fields of a request head", limits.http1.header_fields),
        of_tier("bytes of a request target", limits.http1.target_bytes),
        of_tier("connections of one source", limits.connection.per_source),
        of_tier("requests in flight of one tenant", limits.upstream.in_flight),
    ];
    let tenant = owner.and_then(|owner| site.snapshot.table.tenant(owner.tenant.as_deref()?));
    if let Some(tenant) = tenant {
        let own = [
            ("connections", tenant.max_connections),
            ("requests per second", tenant.requests_per_second),
            ("requests in flight", tenant.max_in_flight),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let of = format!("tenant {}", tenant.name);
        all.extend(own.map(|(name, value)| LimitView { name, value: value.into(), of: of.clone() }));
    }
    all
}
