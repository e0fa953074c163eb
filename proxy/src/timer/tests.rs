use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counter() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), Waker::from(count))
}

fn wakes(count: &Arc<Count>) -> usize {
    count.0.load(Ordering::Relaxed)
}

#[test]
fn a_deadline_expires_at_its_tick_and_wakes_once() {
    let wheel = Wheel::manual();
    let (count, waker) = counter();
    let mut cx = Context::from_waker(&waker);
    let deadline = wheel.deadline();
    deadline.set(Duration::from_secs(1));
    assert!(deadline.poll_expired(&mut cx).is_pending());
    wheel.advance_to(10);
    assert_eq!(wakes(&count), 0);
    wheel.advance_to(11);
    assert_eq!(wakes(&count), 1);
    assert!(deadline.poll_expired(&mut cx).is_ready());
}

#[test]
fn moving_later_keeps_the_deadline_quiet_until_the_new_time() {
    let wheel = Wheel::manual();
    let (count, waker) = counter();
    let mut cx = Context::from_waker(&waker);
    let deadline = wheel.deadline();
    deadline.set_at(5);
    deadline.set_at(20);
    assert!(deadline.poll_expired(&mut cx).is_pending());
    wheel.advance_to(19);
    assert_eq!(wakes(&count), 0);
    assert!(!deadline.is_expired());
    wheel.advance_to(20);
    assert_eq!(wakes(&count), 1);
}

#[test]
fn moving_earlier_is_honoured() {
    let wheel = Wheel::manual();
    let (count, waker) = counter();
    let deadline = wheel.deadline();
    deadline.set_at(500);
    deadline.set_at(3);
    assert!(deadline.poll_expired(&mut Context::from_waker(&waker)).is_pending());
    wheel.advance_to(3);
    assert_eq!(wakes(&count), 1);
}

#[test]
fn a_deadline_beyond_one_turn_of_the_wheel_waits_for_its_time() {
    let wheel = Wheel::manual();
    let (count, waker) = counter();
    let deadline = wheel.deadline();
    deadline.set_at(36_000);
    assert!(deadline.poll_expired(&mut Context::from_waker(&waker)).is_pending());
    wheel.advance_to(35_999);
    assert_eq!(wakes(&count), 0);
    wheel.advance_to(36_000);
    assert_eq!(wakes(&count), 1);
}

#[test]
fn a_cleared_or_dropped_deadline_never_fires_and_leaves_the_wheel_empty() {
    let wheel = Wheel::manual();
    let (count, waker) = counter();
    let mut cx = Context::from_waker(&waker);
    let (cleared, dropped, other) = (wheel.deadline(), wheel.deadline(), wheel.deadline());
    for deadline in [&cleared, &dropped, &other] {
        deadline.set_at(7);
        assert!(deadline.poll_expired(&mut cx).is_pending());
    }
    cleared.clear();
    drop(dropped);
    drop(other);
    wheel.advance_to(1000);
    assert_eq!(wakes(&count), 0);
    assert_eq!(wheel.0.linked.get(), 0);
    cleared.set_at(1001);
    wheel.advance_to(1001);
    assert_eq!(wakes(&count), 1);
}

#[test]
fn wake_all_wakes_owners_without_expiring_anything() {
    let wheel = Wheel::manual();
    let (count, waker) = counter();
    let deadline = wheel.deadline();
    assert!(deadline.poll_expired(&mut Context::from_waker(&waker)).is_pending());
    wheel.wake_all();
    assert_eq!(wakes(&count), 1);
    assert!(!deadline.is_expired());
}

#[test]
fn many_deadlines_in_one_slot_unlink_in_any_order() {
    let wheel = Wheel::manual();
    let (count, waker) = counter();
    let mut cx = Context::from_waker(&waker);
    let mut all: Vec<Deadline> = (0..9).map(|_| wheel.deadline()).collect();
    for deadline in &all {
        deadline.set_at(50);
        assert!(deadline.poll_expired(&mut cx).is_pending());
    }
    all.remove(0);
    all.remove(3);
    all.pop();
    wheel.advance_to(50);
    assert_eq!(wakes(&count), 6);
}

#[tokio::test]
async fn the_ticker_follows_the_clock_and_sleeps_when_idle() {
    let wheel = Wheel::new();
    let deadline = wheel.deadline();
    deadline.set(Duration::from_millis(100));
    tokio::select! {
        () = wheel.run() => {}
        () = poll_fn(|cx| deadline.poll_expired(cx)) => {}
    }
    assert!(deadline.is_expired());
}
