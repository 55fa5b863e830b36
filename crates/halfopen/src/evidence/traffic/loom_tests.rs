use loom::sync::Arc;

use super::*;

const WIDTH: Seconds = 1e-6;

fn traffic() -> (Arc<Traffic>, Schedule) {
    let (traffic, mut schedule) = (Traffic::new(), Schedule::new());
    schedule.begin(&traffic, 0.0);
    schedule.advance(&traffic, 0.0, WIDTH);
    (Arc::new(traffic), schedule)
}

/// A call that ends while its bucket is judged: it is judged or it is counted, and knows which.
///
/// Fails if `Traffic::take_overdue` loads and stores the slot separately, or stores `judged_until` after it.
#[test]
fn a_call_is_judged_or_counted() {
    loom::model(|| {
        let (traffic, mut schedule) = traffic();
        let place = traffic.enter(Reading::Precise(Tick(100)));
        schedule.advance(&traffic, 2e-6, WIDTH);
        let other = Arc::clone(&traffic);
        let leaving = loom::thread::spawn(move || other.leave(place, true));
        let judged = schedule.take_overdue(&traffic, 1.0, 1e-6).map(|overdue| overdue.calls);
        let left = leaving.join().unwrap();
        let expected = match judged {
            Some(1) => Left::Judged,
            Some(0) => Left::Counted,
            other => panic!("the bucket is overdue, and has one call: {other:?}"),
        };
        assert_eq!(left, expected);
    });
}

/// A call that ends while its slot gets another bucket does not leave in the place of a call of that bucket.
///
/// Fails if a slot that is emptied keeps its version, and `leave` does not compare it.
#[test]
fn a_call_leaves_in_no_other_bucket() {
    loom::model(|| {
        let (traffic, mut schedule) = traffic();
        let old = traffic.enter(Reading::Precise(Tick(100)));
        schedule.advance(&traffic, 2e-6, WIDTH);
        let other = Arc::clone(&traffic);
        let leaving = loom::thread::spawn(move || other.leave(old, true));
        schedule.advance(&traffic, 4e-6, WIDTH);
        let new = traffic.enter(Reading::Precise(Tick(4_100)));
        assert_eq!(old.slot(), new.slot());
        leaving.join().unwrap();
        assert_eq!(traffic.sum(schedule.current, |slot| slot.in_flight), 1);
        assert_eq!(traffic.leave(new, true), Left::Counted);
    });
}

/// A call that is counted while its slot gets another bucket is counted in one of the two, and leaves that one.
///
/// Fails if a slot that is emptied keeps its version, and `enter` does not compare it.
#[test]
fn a_call_is_counted_in_one_bucket() {
    loom::model(|| {
        let (traffic, mut schedule) = traffic();
        let other = Arc::clone(&traffic);
        let entering = loom::thread::spawn(move || {
            let place = other.enter(Reading::Precise(Tick(100)));
            other.leave(place, true);
            place.stripe != Place::NOWHERE
        });
        schedule.advance(&traffic, 2e-6, WIDTH);
        schedule.advance(&traffic, 4e-6, WIDTH);
        let new = traffic.enter(Reading::Precise(Tick(4_100)));
        let counted = entering.join().unwrap();
        let in_flight = traffic.sum(schedule.current, |slot| slot.in_flight);
        assert_eq!(in_flight, 1, "the call that has not left");
        assert_eq!(traffic.leave(new, true), Left::Counted);
        let read = schedule.read(&traffic);
        assert_eq!(read.started, 1 + u64::from(counted), "each call is read once");
    });
}

/// Outcomes that are left while another thread takes them are neither lost nor taken twice.
///
/// Fails if `leave_to_holder` or `take_pending` loads and stores the word separately.
#[test]
fn a_pending_outcome_is_taken_once() {
    loom::model(|| {
        let traffic = Arc::new(Traffic::new());
        let other = Arc::clone(&traffic);
        let leaving = loom::thread::spawn(move || {
            other.leave_to_holder(1, false, false);
            other.leave_to_holder(1, false, true);
        });
        let first = traffic.take_pending(1);
        leaving.join().unwrap();
        let rest = traffic.take_pending(1);
        assert_eq!((first.bad + rest.bad, first.slow + rest.slow), (2, 1));
    });
}

/// Rejections that are counted while another thread takes them are neither lost nor taken twice.
///
/// Fails if `take_missed` loads and stores the number separately.
#[test]
fn a_missed_call_is_taken_once() {
    loom::model(|| {
        let traffic = Arc::new(Traffic::new());
        let other = Arc::clone(&traffic);
        let missing = loom::thread::spawn(move || {
            other.miss();
            other.miss();
        });
        let first = traffic.take_missed();
        missing.join().unwrap();
        assert_eq!(first + traffic.take_missed(), 2);
    });
}

/// Whatever edge is published while a call is counted, an admission that comes when the call is overdue takes the lock,
/// and finds it.
///
/// Fails if `set_edge` ignores the end of the current bucket where no call of the oldest is in flight.
#[test]
fn an_edge_that_is_out_of_date_hides_no_call() {
    loom::model(|| {
        let (traffic, mut schedule) = traffic();
        schedule.set_edge(&traffic, Some(1e-6));
        let other = Arc::clone(&traffic);
        let entering = loom::thread::spawn(move || other.enter(Reading::Precise(Tick(100))));
        schedule.advance(&traffic, 2e-6, WIDTH);
        schedule.set_edge(&traffic, Some(1e-6));
        let place = entering.join().unwrap();
        if place.stripe == Place::NOWHERE {
            return;
        }
        let mut found = 0;
        for now in [4e-6, 6e-6] {
            if traffic.is_at_edge(Tick(nanos(now))) {
                while let Some(overdue) = schedule.take_overdue(&traffic, now, 1e-6) {
                    found += overdue.calls;
                }
                schedule.advance(&traffic, now, WIDTH);
                schedule.set_edge(&traffic, Some(1e-6));
            }
        }
        assert_eq!(found, 1);
    });
}

/// An answer that ends while the limits change is judged by the old ones or by the new ones.
///
/// Fails if `set_limits` does not take the lag off the limit below which an answer is surely good.
#[test]
fn limits_that_change_judge_by_old_or_new() {
    loom::model(|| {
        let (traffic, _) = traffic();
        traffic.set_limits(Some(1.0), Some(1.0));
        let other = Arc::clone(&traffic);
        let changing = loom::thread::spawn(move || other.set_limits(Some(2.0), Some(2.0)));
        let place = Place { stripe: 0, entered: Tick(LAGGING) };
        traffic.edge.store(u64::MAX, Ordering::Relaxed);
        assert!(traffic.is_surely_good(place, Tick(nanos(0.9))), "by both limits");
        assert!(!traffic.is_surely_good(place, Tick(nanos(1.98))), "by neither");
        assert!(!traffic.is_late(nanos(0.99)) && traffic.is_late(nanos(2.01)));
        changing.join().unwrap();
    });
}
