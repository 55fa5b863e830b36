use super::pending::MOST_PENDING;
use super::schedule::Read;
use super::slot::{MOST_IN_FLIGHT, Slot, VERSION_MASK};
use super::*;

const LIMIT: Seconds = 0.8;
const WIDTH: Seconds = 0.1;

/// The calls of a visit that began at the start of the clock.
fn traffic() -> (Traffic, Schedule) {
    let (traffic, mut schedule) = (Traffic::new(), Schedule::new());
    schedule.begin(&traffic, 0.0);
    schedule.advance(&traffic, 0.0, WIDTH);
    (traffic, schedule)
}

fn enter(traffic: &Traffic, now: Seconds) -> Place {
    traffic.enter(Reading::Precise(Tick(nanos(now))))
}

#[test]
fn a_call_is_overdue_when_its_bucket_is() {
    let (traffic, mut schedule) = traffic();
    let (first, second) = (enter(&traffic, 0.01), enter(&traffic, 0.05));
    assert_eq!(traffic.leave(first, true), Left::Counted);
    schedule.advance(&traffic, 0.2, WIDTH);
    assert!(schedule.take_overdue(&traffic, 0.89, LIMIT).is_none(), "the bucket ends at 0.1");
    let overdue = schedule.take_overdue(&traffic, 0.91, LIMIT).map(|overdue| overdue.calls);
    assert_eq!(overdue, Some(1));
    assert_eq!(traffic.leave(second, true), Left::Judged);
    assert!(schedule.take_overdue(&traffic, 10.0, LIMIT).is_none(), "the current bucket is not over");
}

#[test]
fn a_call_after_the_end_of_its_bucket_is_judged_once() {
    let (traffic, mut schedule) = traffic();
    // Another thread holds the lock, so that no bucket has begun.
    let call = enter(&traffic, 0.15);
    schedule.advance(&traffic, 0.2, WIDTH);
    let overdue = schedule.take_overdue(&traffic, 0.96, LIMIT).map(|overdue| overdue.calls);
    assert_eq!(overdue, Some(1));
    assert_eq!(traffic.leave(call, true), Left::Judged, "not once more at its end");
}

#[test]
fn calls_of_a_reused_slot_are_gone() {
    let (traffic, mut schedule) = traffic();
    let old = enter(&traffic, 0.01);
    for bucket in 1..=SLOTS {
        schedule.advance(&traffic, bucket as f64 * WIDTH, WIDTH);
    }
    let now = SLOTS as f64 * WIDTH + 0.01;
    let new = enter(&traffic, now);
    assert_eq!(old.slot(), new.slot());
    assert_eq!(traffic.leave(old, true), Left::Gone);
    assert_eq!(traffic.leave(new, true), Left::Counted);
}

#[test]
fn each_call_is_read_once() {
    let (traffic, mut schedule) = traffic();
    let mut read = Read::default();
    for call in 0..100_u32 {
        let now = f64::from(call) * 0.03;
        schedule.advance(&traffic, now, WIDTH);
        let place = enter(&traffic, now);
        traffic.leave(place, call % 2 == 0);
        if call % 7 == 0 {
            let new = schedule.read(&traffic);
            (read.started, read.good) = (read.started + new.started, read.good + new.good);
        }
    }
    let new = schedule.read(&traffic);
    assert_eq!((read.started + new.started, read.good + new.good), (100, 50));
    assert_eq!(schedule.read(&traffic), Read::default());
}

#[test]
fn threads_with_stripes_of_their_own_lose_no_call() {
    let (traffic, mut schedule) = traffic();
    const EACH: u64 = if cfg!(miri) { 40 } else { 2_000 };
    let enter_and_leave = || {
        for call in 0..EACH {
            let place = enter(&traffic, 0.01);
            assert_eq!(traffic.leave(place, call % 2 == 0), Left::Counted);
        }
    };
    traffic.contended_slow();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(enter_and_leave);
        }
    });
    assert_eq!(schedule.read(&traffic), Read { started: 4 * EACH, good: 2 * EACH });
    assert_eq!(traffic.sum(schedule.current, |slot| slot.in_flight), 0);
}

#[test]
fn a_full_bucket_counts_no_more_calls() {
    let (traffic, schedule) = traffic();
    let full = Slot {
        in_flight: MOST_IN_FLIGHT,
        ..Slot::of(traffic.first.0[schedule.current].load(Ordering::Relaxed))
    };
    traffic.first.0[schedule.current].store(full.word(), Ordering::Relaxed);
    let place = enter(&traffic, 0.01);
    assert_eq!(place.stripe, Place::NOWHERE);
    assert_eq!(traffic.leave(place, true), Left::Gone);
}

#[test]
fn a_slot_that_is_read_counts_on() {
    let (traffic, mut schedule) = traffic();
    traffic.learn_from(0.05);
    let (mut read, mut asked) = (Read::default(), 0);
    const CALLS: u64 = if cfg!(miri) { 100 } else { 600_000 };
    for _ in 0..CALLS {
        let place = enter(&traffic, 0.01);
        assert_eq!(traffic.leave(place, true), Left::Counted);
        if traffic.learns(Tick(nanos(0.01))) {
            asked += 1;
            traffic.learn_from(0.05);
            let new = schedule.read(&traffic);
            (read.started, read.good) = (read.started + new.started, read.good + new.good);
        }
    }
    let new = schedule.read(&traffic);
    assert_eq!((read.started + new.started, read.good + new.good), (CALLS, CALLS));
    assert_eq!(asked, CALLS / 131_072, "a reading for each half of what a slot counts");
}

#[test]
fn a_slot_that_is_not_read_stays_full() {
    let (traffic, mut schedule) = traffic();
    let place = enter(&traffic, 0.01);
    let slot = &traffic.first.0[schedule.current];
    let full = slot.load(Ordering::Relaxed) | ((1 << 36) - 1) << 20;
    slot.store(full, Ordering::Relaxed);
    let more = enter(&traffic, 0.01);
    assert_eq!((traffic.leave(more, true), traffic.leave(place, true)), (Left::Counted, Left::Counted));
    let most = (1 << 18) - 1;
    assert_eq!(schedule.read(&traffic), Read { started: most, good: most });
    assert_eq!(traffic.in_flight(), 0);
}

#[test]
fn a_clock_that_steps_back_begins_a_bucket() {
    let (traffic, mut schedule) = traffic();
    schedule.advance(&traffic, 500.0, WIDTH);
    traffic.learn_from(500.05);
    let hanging = enter(&traffic, 500.01);
    let back = 100.0;
    for (now, learns) in [(499.96, false), (500.04, false), (500.06, true), (back, true)] {
        assert_eq!(traffic.learns(Tick(nanos(now))), learns, "at {now} s");
    }
    assert!(!traffic.has_stepped_back(Tick(nanos(499.96))), "threads may be a little apart");
    assert!(traffic.has_stepped_back(Tick(nanos(back))));
    schedule.advance(&traffic, back, WIDTH);
    let place = enter(&traffic, back + 0.02);
    assert_eq!(place.started(), Tick(nanos(back + 0.02) & INSTANT_MASK), "its own instant");
    assert_eq!(traffic.leave(place, true), Left::Counted);
    let later = back + LIMIT + 0.01;
    let overdue = schedule.take_overdue(&traffic, later, LIMIT).map(|overdue| overdue.calls);
    let first = overdue.unwrap_or(0);
    let next = schedule.take_overdue(&traffic, later, LIMIT).map_or(0, |overdue| overdue.calls);
    assert_eq!(first + next, 1, "the call that hangs is overdue after the limit");
    assert_eq!(traffic.leave(hanging, true), Left::Judged);
}

#[test]
fn a_clock_that_steps_back_counts_from_the_bucket() {
    let (traffic, mut schedule) = traffic();
    schedule.advance(&traffic, 5.0, WIDTH);
    let place = enter(&traffic, 1.0);
    assert!(place.started() >= Tick(nanos(5.0) & !VERSION_MASK), "{place:?}");
    assert_eq!(traffic.leave(place, true), Left::Counted);
}

#[test]
fn outcomes_wait_for_the_holder_of_their_visit() {
    let traffic = Traffic::new();
    for good in [true, false, false] {
        traffic.leave_to_holder(7, good, !good);
    }
    traffic.leave_to_holder(6, true, false);
    assert!(traffic.has_pending());
    let pending = traffic.take_pending(7);
    assert_eq!((pending.good, pending.bad, pending.slow), (1, 2, 2), "one of an earlier visit is late");
    assert!(!traffic.has_pending());
    traffic.leave_to_holder(7, true, false);
    assert_eq!(traffic.take_pending(8), Pending::default(), "the visit is over");
    for _ in 0..10_000 {
        traffic.leave_to_holder(9, false, false);
    }
    assert_eq!(traffic.take_pending(9).bad, MOST_PENDING);
}
