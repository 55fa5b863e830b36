//! The lifetime totals: every permit that ends and every rejection, once.

use loom::thread;

use super::breaker;
use crate::Totals;

/// Calls that two threads end in every way: each is in one total.
///
/// Fails if `Count::add` loads and stores.
#[test]
fn every_end_is_in_one_total() {
    loom::model(|| {
        let (breaker, _hands) = breaker(2);
        let permit = || breaker.try_acquire_owned().unwrap();
        let (ignored, dropped, succeeded) = (permit(), permit(), permit());
        let racer = thread::spawn(move || {
            ignored.ignore();
            drop(dropped);
            succeeded.success();
        });
        permit().ignore();
        drop(permit());
        permit().failure();
        racer.join().unwrap();
        let Totals { successes, failures, ignored, abandoned, late, .. } = breaker.snapshot().totals;
        assert_eq!((successes, failures, ignored, abandoned, late), (1, 1, 2, 2, 0));
    });
}

/// Calls of a disabled breaker that end while it is taken into service: each is counted or late.
///
/// Fails if `end_unrecorded` notes an outcome that it then calls late.
#[test]
fn a_call_of_a_disabled_breaker_is_counted_or_late() {
    loom::model(|| {
        let (breaker, _hands) = breaker(1);
        breaker.disable();
        let permit = breaker.try_acquire_owned().unwrap();
        let racer = thread::spawn(move || permit.failure());
        breaker.reset();
        racer.join().unwrap();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.totals.trips), (0, 0));
        assert_eq!((snapshot.totals.failures + snapshot.totals.late, snapshot.totals.calls()), (1, 1));
    });
}

/// Two calls that an open breaker refuses at once: both are counted.
///
/// Fails if `reject_as_of` loads and stores.
#[test]
fn two_rejections_are_two() {
    loom::model(|| {
        let (breaker, _hands) = breaker(1);
        breaker.trip();
        let other = breaker.clone();
        let racer = thread::spawn(move || other.try_acquire().is_err());
        assert!(breaker.try_acquire().is_err());
        assert!(racer.join().unwrap());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.rejected, snapshot.totals.rejected), (2, 2));
    });
}

/// Two failures in metrics-only of which each would have opened: a rule began to hold once.
///
/// Fails if `note_holding` looks whether one held before it has the lock.
#[test]
fn a_rule_begins_to_hold_once() {
    loom::model(|| {
        let (breaker, _hands) = breaker(1);
        breaker.metrics_only();
        let failed = breaker.try_acquire_owned().unwrap();
        let racer = thread::spawn(move || failed.failure());
        breaker.try_acquire().unwrap().failure();
        racer.join().unwrap();
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.failures, totals.would_trip, totals.trips), (2, 1, 0));
    });
}
