//! Years of certificates in seconds: the machine, the agenda and the budget against an authority of our own, which is down
//! for weeks, refuses nonces, asks to wait and gives wrong certificates.

#[path = "simulation/authority.rs"]
mod authority;
#[path = "simulation/site.rs"]
mod site;

use std::time::Duration;

use authority::{Authority, Mood};
use bailey_acme::Time;
use bailey_acme::budget::{ACCOUNT, DOMAIN, DUPLICATE, FAILURES, Limit};
use site::Site;

const DAY: u64 = 86_400;
const BEGIN: u64 = 20_000 * DAY;

fn day(number: u64) -> Time {
    Time(BEGIN + number * DAY)
}

/// The most moments in any window of the limit's length.
fn busiest(moments: &[u64], limit: Limit) -> u64 {
    let window = limit.window.as_secs();
    let (mut most, mut from) = (0, 0);
    for (at, moment) in moments.iter().enumerate() {
        while moments[from] + window <= *moment {
            from += 1;
        }
        most = most.max(at - from + 1);
    }
    most as u64
}

fn no_limit_was_passed(authority: &Authority) {
    let limits = [
        ("new orders", &authority.new_orders, ACCOUNT),
        ("certificates of a domain", &authority.by_domain, DOMAIN),
        ("certificates with the same name", &authority.by_name, DUPLICATE),
        ("failed validations of a name", &authority.failures, FAILURES),
    ];
    for (what, counted, limit) in limits {
        for (key, moments) in counted {
            let most = busiest(moments, limit);
            assert!(most <= limit.most(), "{what} ({key}): {most} within {:?}", limit.window);
        }
    }
    assert_eq!(authority.while_told_to_wait, 0, "calls while the authority had asked to wait");
}

/// Three outages of a week, by their first day.
const OUTAGES: [u64; 3] = [60, 180, 300];

/// Between outages all is well, but for a fifth of the nonces.
fn with_outages(now: Time) -> Mood {
    let number = (now.0 - BEGIN) / DAY;
    if OUTAGES.iter().any(|start| (*start..*start + 7).contains(&number)) {
        Mood::Away
    } else {
        Mood::Well { bad_nonces: 20 }
    }
}

/// In an outage that is longer than a certificate's life, and for three hours after it, nobody can have renewed.
fn unavoidable(life: u64, hour: u64) -> bool {
    life < 8 && OUTAGES.iter().any(|start| (start * 24..(start + 7) * 24 + 3).contains(&hour))
}

fn four_hundred_days(life: u64, with_windows: bool) {
    let mut authority = Authority::new(Duration::from_secs(life * DAY), with_windows);
    let mut site = Site::new(20);
    for hour in 0..400 * 24 {
        let now = Time(BEGIN + hour * 3600);
        authority.mood = with_outages(now);
        site.run_until(Time(now.0 + 3600), &mut authority, now);
        if hour > 2 && !unavoidable(life, hour) {
            let gaps: Vec<&str> = site.uncovered(Time(now.0 + 3600)).collect();
            assert!(gaps.is_empty(), "lives of {life} days, hour {hour}: no certificate for {gaps:?}");
        }
    }
    no_limit_was_passed(&authority);
    let each = authority.issued / 20;
    assert!((400 / life..=400 * 5 / 2 / life + 4).contains(&each), "{each} certificates each");
}

#[test]
fn lives_of_90_days_outlast_every_outage() {
    four_hundred_days(90, false);
}

#[test]
fn lives_of_45_days_outlast_every_outage_with_the_authoritys_windows() {
    four_hundred_days(45, true);
}

#[test]
fn lives_of_6_days_are_back_soon_after_an_outage() {
    four_hundred_days(6, true);
}

#[test]
fn an_evil_authority_neither_harms_what_serves_nor_gets_more_than_its_limits() {
    for mood in [
        Mood::Well { bad_nonces: 90 },
        Mood::Away,
        Mood::Cut,
        Mood::Wait(Duration::from_secs(0)),
        Mood::Wait(Duration::from_hours(5)),
        Mood::Wait(Duration::from_hours(24 * 3650)),
        Mood::FailsValidation,
        Mood::Refuses,
        Mood::WrongCertificate,
        Mood::NeverReady,
    ] {
        let mut authority = Authority::new(Duration::from_hours(90 * 24), false);
        let mut site = Site::new(10);
        site.run_until(day(2), &mut authority, day(0));
        assert_eq!(site.uncovered(day(2)).count(), 0);
        let before = authority.issued;
        authority.mood = mood.clone();
        // Into the time of renewals, and not to the end of the certificates.
        site.run_until(day(67), &mut authority, day(2));
        assert_eq!(site.uncovered(day(67)).count(), 0, "{mood:?}: the old certificates serve");
        no_limit_was_passed(&authority);
        if matches!(mood, Mood::Well { .. }) {
            assert!(authority.issued >= before + 10);
        } else {
            assert!(site.errors() > 0, "{mood:?} is told");
        }
        // And as soon as it is well again, all is well.
        authority.mood = Mood::Well { bad_nonces: 0 };
        site.run_until(day(75), &mut authority, day(67));
        assert_eq!(site.uncovered(day(91)).count(), 0, "{mood:?}: renewed in time");
        no_limit_was_passed(&authority);
    }
}

#[test]
fn a_process_that_dies_all_the_time_passes_no_limit() {
    let mut authority = Authority::new(Duration::from_hours(90 * 24), false);
    let mut site = Site::new(40);
    site.dies_every = Some(97);
    site.run_until(day(5), &mut authority, day(0));
    no_limit_was_passed(&authority);
    assert!(site.deaths > 10, "{}", site.deaths);
    assert_eq!(site.uncovered(day(5)).count(), 0, "and gets there all the same");
}

#[test]
fn more_names_than_the_limits_allow_come_one_after_the_other() {
    let mut authority = Authority::new(Duration::from_hours(90 * 24), false);
    let mut site = Site::of_one_domain(90);
    site.run_until(day(1), &mut authority, day(0));
    assert_eq!(site.uncovered(day(1)).count(), 90 - DOMAIN.at_once as usize - 2);
    site.run_until(day(25), &mut authority, day(1));
    assert_eq!(site.uncovered(day(25)).count(), 0);
    no_limit_was_passed(&authority);
}
