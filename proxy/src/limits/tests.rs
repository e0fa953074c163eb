//! Counting places and seconds.

use super::*;

const IN_FLIGHT: u32 = 1024;

fn tenant(name: &str, connections: Option<u32>, rate: Option<u32>) -> Tenant {
    Tenant {
        name: name.into(),
        max_connections: connections,
        requests_per_second: rate,
        max_in_flight: None,
        suspended: false,
    }
}

fn worker(tenants: &Arc<Tenants>) -> WorkerTenants {
    WorkerTenants::new(tenants.clone())
}

fn take_all(take: impl Fn() -> Result<Option<Place>, NoRoom>) -> Vec<Option<Place>> {
    std::iter::from_fn(|| take().ok()).collect()
}

#[test]
fn a_small_limit_is_exact_over_all_workers() {
    let tenants = Tenants::new(2);
    tenants.configure(&[tenant("a", Some(10), None)], &TierLimits::default());
    let (one, two, name) = (worker(&tenants), worker(&tenants), Arc::from("a"));
    let mut first = take_all(|| one.connection(&name));
    assert_eq!(first.len(), 10);
    assert!(two.connection(&name).is_err());
    first.pop();
    assert!(two.connection(&name).is_ok());
}

#[test]
fn one_worker_alone_reaches_the_whole_limit() {
    let tenants = Tenants::new(4);
    tenants.configure(&[tenant("a", None, None)], &TierLimits::default());
    let (one, name) = (worker(&tenants), Arc::from("a"));
    assert_eq!(take_all(|| one.request(&name)).len(), IN_FLIGHT as usize);
}

#[test]
fn what_is_given_back_can_be_taken_again() {
    let tenants = Tenants::new(2);
    tenants.configure(&[tenant("a", None, None)], &TierLimits::default());
    let (one, two, name) = (worker(&tenants), worker(&tenants), Arc::from("a"));
    drop(take_all(|| one.request(&name)));
    let again = take_all(|| two.request(&name)).len() as u32;
    assert!(again >= IN_FLIGHT - 32, "{again}");
    drop(one);
    assert_eq!(take_all(|| two.request(&name)).len() as u32, IN_FLIGHT);
}

#[test]
fn tenants_do_not_share() {
    let tenants = Tenants::new(1);
    tenants.configure(&[tenant("a", Some(1), None), tenant("b", Some(1), None)], &TierLimits::default());
    let one = worker(&tenants);
    let _held = one.connection(&"a".into()).unwrap();
    assert!(one.connection(&"a".into()).is_err());
    assert!(one.connection(&"b".into()).is_ok());
    assert!(one.connection(&"unknown".into()).unwrap().is_none());
}

#[test]
fn a_lower_limit_holds_at_once_for_new_requests_and_cuts_none() {
    let tenants = Tenants::new(1);
    tenants.configure(&[tenant("a", Some(5), None)], &TierLimits::default());
    let (one, name) = (worker(&tenants), Arc::from("a"));
    let mut held = take_all(|| one.connection(&name));
    tenants.configure(&[tenant("a", Some(2), None)], &TierLimits::default());
    held.truncate(2);
    assert!(one.connection(&name).is_err());
    held.pop();
    assert!(one.connection(&name).is_ok());
}

#[test]
fn a_second_s_worth_comes_at_once_and_then_evenly() {
    let interval = 100_000_000;
    let (mut due, mut admitted) = (0, 0);
    for now in [0; 30] {
        if let Some(next) = gcra(due, now, interval) {
            (due, admitted) = (next, admitted + 1);
        }
    }
    assert_eq!(admitted, 10);
    assert_eq!(gcra(due, 99_999_999, interval), None);
    assert!(gcra(due, 100_000_000, interval).is_some());
    assert!(gcra(due, u64::MAX / 2, interval).is_some());
}

#[test]
fn one_request_a_second_is_possible() {
    assert!(gcra(0, 5, 1_000_000_000).is_some());
}

#[test]
fn a_rate_refuses_with_its_own_reason() {
    let tenants = Tenants::new(1);
    tenants.configure(&[tenant("a", None, Some(1))], &TierLimits::default());
    let (one, name) = (worker(&tenants), Arc::from("a"));
    assert!(one.request(&name).is_ok());
    assert_eq!(one.request(&name).unwrap_err(), NoRoom::Rate);
}

#[test]
fn the_tier_and_the_tenant_say_how_much_there_may_be() {
    let tenants = Tenants::new(1);
    let mut limits = TierLimits::default();
    (limits.connection.total, limits.connection.tenant_percent, limits.upstream.in_flight) = (40, 25, 8);
    let own = Tenant { max_in_flight: Some(3), ..tenant("b", None, None) };
    tenants.configure(&[tenant("a", None, None), own], &limits);
    let one = worker(&tenants);
    assert_eq!(take_all(|| one.connection(&"a".into())).len(), 10);
    assert_eq!(take_all(|| one.request(&"a".into())).len(), 8);
    assert_eq!(take_all(|| one.request(&"b".into())).len(), 3);
    assert_eq!(take_all(|| one.request(&NOBODY.into())).len(), 8);
    limits.upstream.in_flight = 2;
    tenants.configure(&[tenant("a", None, None)], &limits);
    assert_eq!(take_all(|| one.request(&"a".into())).len(), 2);
}
