use super::*;
use crate::record::{Order, Record};

const HOST: &str = "a.example.com";
const NOW: Time = Time(1_000_000);

fn wish() -> Wish {
    Wish { purpose: Purpose::First, replaces: None }
}

fn key() -> Secret {
    Secret::new(b"key".to_vec())
}

fn url() -> String {
    "https://ca/order/1".to_owned()
}

fn at(phase: Phase) -> Progress {
    Progress { phase, wish: Some(wish()), began: NOW, ..Progress::default() }
}

fn placed() -> Progress {
    at(Phase::Placed { url: url() })
}

fn proving() -> Progress {
    at(Phase::Proving { url: url() })
}

fn finalizing() -> Progress {
    at(Phase::Finalizing { url: url(), key: key() })
}

/// Every phase of an order under way.
fn under_way() -> [Progress; 5] {
    [at(Phase::Granted), at(Phase::Ordering), placed(), proving(), finalizing()]
}

fn go(progress: Progress, event: Event) -> (Progress, Vec<Action>) {
    step(HOST, progress, event, NOW)
}

fn said(text: &str) -> String {
    text.to_owned()
}

#[test]
fn an_order_goes_from_the_wish_to_the_certificate() {
    use Action::{Claim, Install, Look, MakeKey, Probe, Prove, Request, Save, Withdraw};
    let way = [
        (Event::Begin(wish()), vec![Claim, Probe, Save, Action::Order(wish())]),
        (Event::Ordered { url: url() }, vec![Save, Prove]),
        (Event::Proved, vec![Save]),
        (Event::Woken, vec![Look]),
        (Event::Is(Status::Pending), vec![]),
        (Event::Is(Status::Ready), vec![Withdraw, MakeKey]),
        (Event::KeyMade(key()), vec![Claim, Save, Request]),
        (Event::Requested, vec![Look]),
        (Event::Is(Status::Processing), vec![]),
        (Event::Woken, vec![Look]),
        (Event::Is(Status::Valid), vec![Claim, Install]),
        (Event::Installed, vec![Save]),
    ];
    let mut progress = Progress { failures: 3, ..Progress::default() };
    for (event, expected) in way {
        let actions;
        (progress, actions) = go(progress, event.clone());
        assert_eq!(actions, expected, "{event:?}");
    }
    assert_eq!(progress, Progress::default(), "nothing is under way, and failures are forgotten");
}

#[test]
fn a_proof_that_still_holds_is_not_given_again() {
    let (_, actions) = go(placed(), Event::Is(Status::Ready));
    assert_eq!(actions, [Action::Withdraw, Action::MakeKey]);
}

#[test]
fn a_write_comes_before_everything_the_authority_counts() {
    for progress in [Progress::default(), at(Phase::Granted), placed(), proving()] {
        for event in [Event::Begin(wish()), Event::Woken, Event::KeyMade(key())] {
            let (_, actions) = go(progress.clone(), event);
            for counted in [Action::Order(wish()), Action::Request] {
                if let Some(call) = actions.iter().position(|action| *action == counted) {
                    assert!(actions[..call].contains(&Action::Save) && actions[..call].contains(&Action::Claim));
                }
            }
        }
    }
}

/// What the store holds is all that a new process knows. From every point of the way, crash after every action: the
/// authority never gets two orders without a wait of a quarter of an hour between them.
#[test]
fn a_crash_at_any_point_never_orders_twice() {
    let way = [
        Event::Begin(wish()),
        Event::Ordered { url: url() },
        Event::Proved,
        Event::Woken,
        Event::Is(Status::Ready),
        Event::KeyMade(key()),
        Event::Requested,
        Event::Is(Status::Valid),
        Event::Installed,
    ];
    let mut crashes = 0;
    for until in 0..way.len() {
        for after in 0..4 {
            let (mut kept, mut progress, mut orders) = (Progress::default(), Progress::default(), 0);
            for (number, event) in way[..=until].iter().enumerate() {
                let actions;
                (progress, actions) = go(progress, event.clone());
                let done = if number == until { after.min(actions.len()) } else { actions.len() };
                for action in &actions[..done] {
                    if *action == Action::Save {
                        kept = reread(&progress);
                    }
                    orders += usize::from(matches!(action, Action::Order(_)));
                }
            }
            let (next, actions) = go(kept, Event::Restarted);
            assert!(!actions.iter().any(|action| matches!(action, Action::Order(_))));
            if orders > 0 && until < way.len() - 1 {
                let knows = matches!(next.phase, Phase::Placed { .. } | Phase::Finalizing { .. });
                assert!(knows || next.not_before >= NOW.after(REFUSED.first), "{until} {after}: {next:?}");
            }
            crashes += 1;
        }
    }
    assert_eq!(crashes, 36);
}

fn reread(progress: &Progress) -> Progress {
    let order = Order { tenant: said("t"), host: said(HOST), progress: progress.clone() };
    Order::decode(&order.encode(1)).unwrap().0.progress
}

#[test]
fn two_hundred_crashes_in_a_row_order_once() {
    let (mut kept, mut orders) = (Progress::default(), 0);
    for second in 0..200 {
        let now = NOW.after(Duration::from_secs(second * 4));
        let (restarted, actions) = step(HOST, kept.clone(), Event::Restarted, now);
        if actions.contains(&Action::Save) {
            kept = reread(&restarted);
        }
        if kept.phase == Phase::Idle && now >= kept.not_before {
            let (ordering, _) = step(HOST, kept, Event::Begin(wish()), now);
            kept = reread(&ordering);
            orders += 1; // and here the process dies
        }
    }
    assert_eq!(orders, 1);
}

#[test]
fn a_call_that_was_not_taken_is_made_again_and_one_that_may_have_been_is_not() {
    let (granted, actions) = go(at(Phase::Ordering), Event::Failed(Failure::NotTaken(said("no route"))));
    assert_eq!((&granted.phase, actions), (&Phase::Granted, vec![Action::Save]));
    assert!(granted.not_before > NOW);
    let (_, actions) = go(granted, Event::Woken);
    assert_eq!(actions.last(), Some(&Action::Order(wish())));
    let (over, actions) = go(at(Phase::Ordering), Event::Failed(Failure::Unknown(said("cut"))));
    assert_eq!((over.phase, over.error.as_deref()), (Phase::Idle, Some("cut")));
    assert!(over.not_before >= NOW.after(REFUSED.first));
    assert_eq!(actions, [Action::Refund(Purpose::First), Action::Save]);
}

#[test]
fn later_steps_are_tried_again_whatever_went_wrong_on_the_way() {
    for progress in [placed(), proving(), finalizing()] {
        for failure in [Failure::NotTaken(said("x")), Failure::Unknown(said("x")), Failure::Store(said("x"))] {
            let (next, actions) = go(progress.clone(), Event::Failed(failure));
            assert_eq!((&next.phase, actions.len(), next.retries), (&progress.phase, 0, 1));
            assert!(next.not_before > NOW);
        }
    }
}

#[test]
fn an_order_that_comes_to_no_end_is_given_up() {
    let late = NOW.after(GIVE_UP);
    for progress in [placed(), proving(), finalizing()] {
        let unknown = Event::Failed(Failure::Unknown(said("x")));
        assert_eq!(step(HOST, progress.clone(), unknown, late).0.phase, Phase::Idle);
        let (next, _) = step(HOST, progress, Event::Is(Status::Pending), late);
        assert_eq!((next.phase, next.failures), (Phase::Idle, 1));
    }
}

#[test]
fn a_disk_that_cannot_be_written_places_no_order() {
    // `Probe` and `Save` fail before `Order` is carried out, so the authority has heard nothing.
    let (granted, _) = go(at(Phase::Ordering), Event::Failed(Failure::Store(said("no space left"))));
    assert_eq!(granted.phase, Phase::Granted);
    assert_eq!(granted.error.as_deref(), Some("no space left"));
}

#[test]
fn what_an_authority_refuses_waits_longer_each_time_and_says_why() {
    let mut waits = Vec::new();
    let mut failures = 0;
    for _ in 0..8 {
        let progress = Progress { failures, ..proving() };
        let (next, actions) = go(progress, Event::Failed(Failure::Validation(said("connection refused by 192.0.2.1"))));
        assert_eq!(next.error.as_deref(), Some("connection refused by 192.0.2.1"));
        assert_eq!(actions, [Action::Withdraw, Action::CountFailure, Action::Refund(Purpose::First), Action::Save]);
        waits.push(next.not_before.since(NOW));
        failures = next.failures;
    }
    assert!(waits.is_sorted() && waits[7] >= REFUSED.longest, "{waits:?}");
}

#[test]
fn a_certificate_that_was_made_counts_even_when_it_is_of_no_use() {
    let (next, actions) = go(finalizing(), Event::Failed(Failure::Unusable(said("for another name"))));
    assert_eq!((next.phase, next.failures), (Phase::Idle, 1));
    assert_eq!(actions, [Action::Withdraw, Action::Save]);
}

#[test]
fn a_name_that_is_lost_ends_its_order_wherever_it_stands() {
    for progress in under_way() {
        let (next, actions) = go(progress.clone(), Event::Lost);
        assert_eq!(next, Progress::default());
        assert!(actions.contains(&Action::Withdraw) && actions.last() == Some(&Action::Save));
        let refunded = actions.contains(&Action::Refund(Purpose::First));
        assert_eq!(refunded, !matches!(progress.phase, Phase::Finalizing { .. }));
    }
}

#[test]
fn a_key_that_is_not_known_here_ends_the_order() {
    for status in [Status::Valid, Status::Processing] {
        assert_eq!(go(proving(), Event::Is(status)).0.phase, Phase::Idle);
    }
}

#[test]
fn events_that_do_not_belong_change_nothing() {
    let events = [
        Event::Begin(wish()),
        Event::Ordered { url: url() },
        Event::Proved,
        Event::Requested,
        Event::Installed,
        Event::KeyMade(key()),
    ];
    for event in events {
        for progress in
            [Progress::default(), at(Phase::Granted), at(Phase::Ordering), placed(), proving(), finalizing()]
        {
            let (next, actions) = go(progress.clone(), event.clone());
            assert!(!actions.is_empty() || next == progress, "{event:?} in {:?}", progress.phase);
            if matches!(event, Event::Begin(_)) && progress.phase != Phase::Idle {
                assert!(actions.is_empty(), "one order at a time");
            }
        }
    }
}

#[test]
fn a_long_wait_for_the_authority_is_asked_about_less_and_less() {
    let (mut progress, mut now, mut looks) = (finalizing(), NOW, 0);
    while now.since(NOW) < Duration::from_hours(24) {
        (progress, _) = step(HOST, progress, Event::Is(Status::Processing), now);
        now = progress.not_before;
        looks += 1;
    }
    assert!((200..400).contains(&looks), "{looks}");
}
