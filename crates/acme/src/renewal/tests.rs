use proptest::prelude::*;

use super::*;

const DAY: u64 = 86_400;

fn life(days: u64) -> Life {
    Life { begins: Time(100 * DAY), ends: Time((100 + days) * DAY) }
}

#[test]
fn a_third_is_left_or_half_of_a_short_life() {
    for (days, left) in [(90, 30), (45, 15), (6, 3)] {
        let at = renew_at("a.example.com", life(days), None, Policy::default());
        let early = life(days).ends.since(at).as_secs();
        assert!((left * DAY..=left * DAY + days * DAY / 20 + 1).contains(&early), "{days}: {early}");
    }
}

#[test]
fn the_user_may_say_what_is_left() {
    let at = renew_at("a.example.com", life(100), None, Policy { remaining_percent: Some(50) });
    let left = life(100).ends.since(at).as_secs() / DAY;
    assert!((50..=55).contains(&left), "{left}");
}

#[test]
fn many_certificates_of_one_day_are_renewed_on_many() {
    let days: std::collections::BTreeSet<_> = (0..200)
        .map(|n| renew_at(&format!("n{n}.example.com"), life(90), None, Policy::default()).0 / (DAY / 2))
        .collect();
    assert!(days.len() >= 8, "{days:?}");
}

#[test]
fn the_authoritys_window_counts_when_it_is_one() {
    let of = |start: u64, end: u64| Some(Window { start: Time(start * DAY), end: Time(end * DAY) });
    let at = |window| renew_at("a.example.com", life(90), window, Policy::default());
    let within = at(of(150, 152));
    assert!(within >= Time(150 * DAY) && within <= Time(152 * DAY));
    assert!(at(of(10, 20)) <= Time(20 * DAY), "a window that has passed: at once");
    assert_eq!(at(of(152, 150)), at(None), "a reversed one is no answer");
    assert_eq!(at(of(5000, 6000)), Time((190 - 9) * DAY), "one after the end is not waited for");
}

#[test]
fn the_authority_is_asked_neither_all_the_time_nor_never() {
    assert_eq!(ask_again(Duration::ZERO), ASK.0);
    assert_eq!(ask_again(Duration::from_hours(6)), Duration::from_hours(6));
    assert_eq!(ask_again(Duration::from_hours(24 * 3650)), ASK.1);
}

proptest! {
    #[test]
    fn whatever_the_authority_says_renewal_comes_before_the_end(
        days in 1_u64..400, start: u32, length: i32, percent in proptest::option::of(5_u8..=90), host in "[a-z]{1,8}\\.com"
    ) {
        let life = life(days);
        let end = u64::from(start).saturating_add_signed(length.into());
        for window in [None, Some(Window { start: Time(start.into()), end: Time(end) })] {
            let at = renew_at(&host, life, window, Policy { remaining_percent: percent });
            prop_assert!(life.ends.since(at) >= (life.length() / 20).saturating_sub(Duration::from_secs(2)), "{at:?} {life:?}");
        }
    }
}
