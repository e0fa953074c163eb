//! What one tenant may use at a time, so that a flood at one is not felt by another: connections, requests in progress,
//! requests per second. Decides only whether there is room; who the tenant is was decided before.
//!
//! The counts are shared by all workers, but taken from the shared account in small lots, so that workers rarely touch
//! the same memory: a limit is exact for small numbers, and within a few percent for large ones.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bailey_crds::TierLimits;
use bailey_routing::ir::Tenant;

#[cfg(test)]
mod tests;

/// The account of a tier alone, which has no tenants: all its requests are counted as one tenant's.
pub const NOBODY: &str = "";

/// A number of places that all workers share.
#[derive(Debug, Default)]
struct Account {
    limit: AtomicU32,
    used: AtomicU32,
    /// How many places a worker takes at once.
    lot: AtomicU32,
}

impl Account {
    fn set_limit(&self, limit: u32, workers: u32) {
        self.limit.store(limit, Ordering::Relaxed);
        self.lot.store((limit / (16 * workers.max(1))).clamp(1, 32), Ordering::Relaxed);
    }

    fn take(&self, places: u32) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let taken = |used: u32| used.checked_add(places).filter(|used| *used <= limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    fn give_back(&self, places: u32) {
        self.used.fetch_sub(places, Ordering::Relaxed);
    }
}

/// Requests per second by the generic cell rate algorithm (ITU-T I.371): one number, no window that could be gamed.
#[derive(Debug, Default)]
struct Rate {
    /// Nanoseconds between two requests; 0: no limit.
    interval: AtomicU64,
    /// When the next request would be due if all had come evenly, in nanoseconds of the process's clock.
    due: AtomicU64,
}

impl Rate {
    fn set(&self, per_second: Option<u32>) {
        let interval = per_second.map_or(0, |rate| 1_000_000_000 / u64::from(rate.max(1)));
        self.interval.store(interval, Ordering::Relaxed);
    }

    /// Whether a request at `now` is within the rate. A second's worth may come at once.
    fn admit(&self, now: u64) -> bool {
        let interval = self.interval.load(Ordering::Relaxed);
        let next = |due: u64| gcra(due, now, interval);
        interval == 0 || self.due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// The next due time after a request at `now`, or `None` when it comes more than a second's worth too early.
fn gcra(due: u64, now: u64, interval: u64) -> Option<u64> {
    const BURST: u64 = 1_000_000_000;
    let due = due.max(now);
    (due - now + interval <= BURST.max(interval)).then_some(due + interval)
}

/// The accounts of one tenant.
#[derive(Debug, Default)]
struct Shared {
    connections: Account,
    requests: Account,
    rate: Rate,
}

/// The accounts of all tenants of a process. They outlive snapshots, since what they count does.
#[derive(Debug)]
pub struct Tenants {
    workers: u32,
    started: Instant,
    accounts: Mutex<HashMap<Arc<str>, Arc<Shared>>>,
}

impl Tenants {
    /// No tenants yet.
    pub fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self { workers: workers as u32, started: Instant::now(), accounts: Mutex::default() })
    }

    /// Applies what a new configuration says. Places that are taken stay taken; tenants that are gone are forgotten when
    /// their last place is given back.
    pub fn configure(&self, tenants: &[Tenant], limits: &TierLimits) {
        let connections = u64::from(limits.connection.total) * u64::from(limits.connection.tenant_percent) / 100;
        let (connections, in_flight) = (connections.max(1) as u32, limits.upstream.in_flight);
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts
            .retain(|name, shared| Arc::strong_count(shared) > 1 || tenants.iter().any(|tenant| tenant.name == *name));
        let nobody = accounts.entry(NOBODY.into()).or_default();
        nobody.requests.set_limit(in_flight, self.workers);
        for tenant in tenants {
            let shared = accounts.entry(tenant.name.clone()).or_default();
            shared.connections.set_limit(tenant.max_connections.unwrap_or(connections), self.workers);
            shared.requests.set_limit(tenant.max_in_flight.unwrap_or(in_flight), self.workers);
            shared.rate.set(tenant.requests_per_second);
        }
    }

    fn of(&self, name: &str) -> Option<Arc<Shared>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// One worker's view of the accounts.
#[derive(Debug)]
pub struct WorkerTenants {
    tenants: Arc<Tenants>,
    known: RefCell<HashMap<Arc<str>, Rc<Local>>>,
    /// The one asked for last, which is mostly the next one too.
    last: RefCell<Option<(Arc<str>, Rc<Local>)>>,
}

#[derive(Debug)]
struct Local {
    shared: Arc<Shared>,
    free_connections: Cell<u32>,
    free_requests: Cell<u32>,
}

/// Which account a place is from.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Connection,
    Request,
}

impl Local {
    fn account(&self, kind: Kind) -> (&Account, &Cell<u32>) {
        match kind {
            Kind::Connection => (&self.shared.connections, &self.free_connections),
            Kind::Request => (&self.shared.requests, &self.free_requests),
        }
    }

    fn take(&self, kind: Kind) -> bool {
        let (account, free) = self.account(kind);
        if free.get() == 0 {
            let lot = account.lot.load(Ordering::Relaxed);
            // Near the limit a whole lot may be more than is left.
            let got = if account.take(lot) { lot } else { u32::from(account.take(1)) };
            free.set(got);
        }
        let left = free.get().checked_sub(1);
        left.map(|left| free.set(left)).is_some()
    }

    fn give_back(&self, kind: Kind) {
        let (account, free) = self.account(kind);
        let lot = account.lot.load(Ordering::Relaxed);
        free.set(free.get() + 1);
        // With small limits nothing is kept, so that no other worker is refused for what nobody uses.
        let keep = if lot == 1 { 0 } else { lot };
        if free.get() > keep {
            account.give_back(free.get() - keep);
            free.set(keep);
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.shared.connections.give_back(self.free_connections.get());
        self.shared.requests.give_back(self.free_requests.get());
    }
}

/// A place that is taken; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    local: Rc<Local>,
    kind: Kind,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.local.give_back(self.kind);
    }
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// Too many requests in progress.
    InFlight,
    /// Too many requests a second.
    Rate,
}

impl WorkerTenants {
    /// The view of one worker.
    pub fn new(tenants: Arc<Tenants>) -> Self {
        Self { tenants, known: RefCell::default(), last: RefCell::default() }
    }

    /// A place for a connection of this tenant; a tenant without account has no limit of its own, and gets `Ok(None)`.
    pub fn connection(&self, tenant: &Arc<str>) -> Result<Option<Place>, NoRoom> {
        let Some(local) = self.local(tenant) else { return Ok(None) };
        if !local.take(Kind::Connection) {
            return Err(NoRoom::InFlight);
        }
        Ok(Some(Place { local, kind: Kind::Connection }))
    }

    /// A place for a request of this tenant.
    pub fn request(&self, tenant: &Arc<str>) -> Result<Option<Place>, NoRoom> {
        let Some(local) = self.local(tenant) else { return Ok(None) };
        let rate = &local.shared.rate;
        let limited = rate.interval.load(Ordering::Relaxed) != 0;
        if limited && !rate.admit(self.tenants.started.elapsed().as_nanos() as u64) {
            return Err(NoRoom::Rate);
        }
        if !local.take(Kind::Request) {
            return Err(NoRoom::InFlight);
        }
        Ok(Some(Place { local, kind: Kind::Request }))
    }

    /// Forgets tenants that a new configuration no longer has.
    pub fn refresh(&self) {
        *self.last.borrow_mut() = None;
        self.known.borrow_mut().retain(|name, local| Rc::strong_count(local) > 1 || self.tenants.of(name).is_some());
    }

    fn local(&self, tenant: &Arc<str>) -> Option<Rc<Local>> {
        if let Some((name, local)) = &*self.last.borrow()
            && Arc::ptr_eq(name, tenant)
        {
            return Some(local.clone());
        }
        let local = self.found(tenant)?;
        *self.last.borrow_mut() = Some((tenant.clone(), local.clone()));
        Some(local)
    }

    fn found(&self, tenant: &Arc<str>) -> Option<Rc<Local>> {
        if let Some(local) = self.known.borrow().get(tenant) {
            return Some(local.clone());
        }
        let shared = self.tenants.of(tenant)?;
        let local = Rc::new(Local { shared, free_connections: Cell::new(0), free_requests: Cell::new(0) });
        self.known.borrow_mut().insert(tenant.clone(), local.clone());
        Some(local)
    }
}
