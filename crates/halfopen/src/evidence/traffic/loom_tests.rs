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
