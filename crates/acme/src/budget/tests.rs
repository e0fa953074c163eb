use proptest::prelude::*;

use super::*;

fn first(host: &str) -> Cost<'_> {
    Cost { host, tenant: "t", purpose: Purpose::First }
}

#[test]
fn an_account_never_orders_more_than_its_window_allows() {
    let mut budget = Budget::default();
    let mut granted = Vec::new();
    for second in (0..40_000).step_by(3) {
        let (host, tenant) = (format!("h{second}.d{second}.com"), format!("t{}", second % 50));
        let cost = Cost { host: &host, tenant: &tenant, purpose: Purpose::First };
        if budget.order(cost, Time(second)).is_ok() {
            granted.push(second);
        }
    }
    let window = ACCOUNT.window.as_secs();
    let most =
        granted.iter().map(|start| granted.iter().filter(|at| (*start..start + window).contains(at)).count()).max();
    let most = most.unwrap_or_default() as u64;
    assert!(most <= ACCOUNT.most() && most >= ACCOUNT.most() - 10, "used, and not passed: {most}");
}

#[test]
fn what_holds_an_order_up_is_named_with_its_end_and_nothing_is_taken() {
    let mut budget = Budget::default();
    let now = Time(1_000_000);
    let tries = (0..100).map(|n| budget.order(first(&format!("n{n}.example.com")), now));
    let granted = tries.flatten().count() as u64;
    assert_eq!(granted, DOMAIN.at_once.min(TENANT.at_once));
    let before = budget.clone();
    let (held, until) = budget.order(first("more.example.com"), now).unwrap_err();
    assert_eq!((held, budget.clone()), (Held::Domain, before));
    assert!(until > now);
    assert!(
        budget.order(Cost { tenant: "u", ..first("a.example.org") }, now).is_ok(),
        "another tenant, another domain"
    );
    assert!(budget.order(first("more.example.com"), Time(until.0 - 1)).is_err());
    assert!(budget.order(first("more.example.com"), until).is_ok());
}

#[test]
fn a_renewal_counts_as_nothing_but_a_duplicate() {
    let mut budget = Budget::default();
    let now = Time(1_000_000);
    for n in 0..1000 {
        let host = format!("n{n}.example.com");
        assert!(budget.order(Cost { purpose: Purpose::Renewal, ..first(&host) }, now).is_ok());
    }
    let again = Cost { purpose: Purpose::Renewal, ..first("n1.example.com") };
    assert!(budget.order(again, now).is_ok());
    assert_eq!(budget.order(again, now).unwrap_err().0, Held::Duplicate);
}

#[test]
fn failures_hold_up_only_their_own_name() {
    let mut budget = Budget::default();
    budget.failed("a.example.com", Time(10));
    budget.failed("a.example.com", Time(10));
    assert_eq!(budget.order(first("a.example.com"), Time(10)).unwrap_err().0, Held::Failures);
    assert!(budget.order(first("b.example.com"), Time(10)).is_ok());
}

#[test]
fn a_certificate_that_never_was_is_given_back_and_its_order_is_not() {
    let mut budget = Budget::default();
    let now = Time(1_000_000);
    for _ in 0..TENANT.at_once {
        budget.order(first("a.example.com"), now).unwrap();
        budget.refund(first("a.example.com"));
    }
    assert_eq!(budget.order(first("a.example.com"), now).unwrap_err().0, Held::Tenant);
}

#[test]
fn the_authoritys_word_is_obeyed_within_reason() {
    for (said, wait) in [
        (Some(Duration::ZERO), PAUSE.0),
        (Some(Duration::from_mins(7)), Duration::from_mins(7)),
        (Some(Duration::from_secs(u64::MAX)), PAUSE.1),
        (None, Duration::from_hours(1)),
    ] {
        let mut budget = Budget::default();
        budget.pause(said, Time(100));
        let until = Time(100).after(wait);
        assert_eq!(budget.order(first("a.example.com"), Time(100)).unwrap_err(), (Held::Authority, until));
        assert_eq!((budget.paused(Time(100)), budget.paused(until)), (Some(until), None));
        assert!(budget.order(first("a.example.com"), until).is_ok());
    }
}

#[test]
fn a_budget_that_was_lost_is_taken_as_spent() {
    let now = Time(10_000_000);
    let hosts: Vec<String> = (0..60).map(|n| format!("n{n}.example.com")).collect();
    let mut budget = Budget::rebuilt(hosts.iter().map(|host| (host.as_str(), now)), now);
    assert_eq!(budget.paused(now), Some(now.after(ACCOUNT.window)));
    let later = now.after(ACCOUNT.window);
    assert_eq!(budget.order(first("more.example.com"), later).unwrap_err().0, Held::Domain);
    assert!(budget.order(first("a.example.org"), later).is_ok());
    assert_eq!(Budget::rebuilt([("a.example.com", Time(0))].into_iter(), now).full.len(), 0);
}

#[test]
fn what_is_full_again_is_forgotten() {
    let mut budget = Budget::default();
    budget.order(first("a.example.com"), Time(0)).unwrap();
    assert_eq!(budget.full.len(), 4);
    budget.order(first("b.example.org"), Time(WEEK.as_secs() * 2)).unwrap();
    assert!(budget.full.keys().all(|key| !key.contains("a.example.com")), "{:?}", budget.full);
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_than_the_limit(gaps in prop::collection::vec(0_u64..100_000, 1..300)) {
        let (mut budget, mut now, mut granted) = (Budget::default(), 1_000, Vec::new());
        for gap in gaps {
            now += gap;
            if budget.order(first("a.example.com"), Time(now)).is_ok() {
                granted.push(now);
            }
        }
        let week = WEEK.as_secs();
        for start in &granted {
            let within = granted.iter().filter(|at| (*start..start + week).contains(at)).count() as u64;
            prop_assert!(within <= DUPLICATE.most(), "{within} in a week");
        }
    }
}
