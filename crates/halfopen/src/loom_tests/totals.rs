//! The lifetime totals: every permit that ends and every rejection is counted once.

use super::breaker;
use super::race::race;
use crate::totals::Totals;

/// Calls that two threads end with every outcome: each is in one total.
///
/// Fails if `Count::add` loads and stores separately.
#[test]
fn every_end_is_in_one_total() {
    race(|start| {
        let (breaker, _hands) = breaker(2);
        let permit = || breaker.try_acquire_owned().unwrap();
        let (ignored, dropped, succeeded) = (permit(), permit(), permit());
        let one = move || {
            ignored.ignore();
            drop(dropped);
            succeeded.success();
        };
        let (ignored, dropped, failed) = (permit(), permit(), permit());
        let other = move || {
            ignored.ignore();
            drop(dropped);
            failed.failure();
        };
        start.two(one, other);
        let Totals { successes, failures, ignored, abandoned, late, .. } = breaker.snapshot().totals;
        assert_eq!((successes, failures, ignored, abandoned, late), (1, 1, 2, 2, 0));
    });
}

/// Calls of a disabled breaker that end while it is enabled: each is counted or late.
///
/// Fails if `record_in_totals` counts an outcome that it then returns as late.
#[test]
fn a_call_of_a_disabled_breaker_is_counted_or_late() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        breaker.disable();
        let permit = breaker.try_acquire_owned().unwrap();
        let other = breaker.clone();
        start.two(move || other.reset(), || permit.failure());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.totals.trips), (0, 0));
        assert_eq!((snapshot.totals.failures + snapshot.totals.late, snapshot.totals.calls()), (1, 1));
    });
}

/// Two calls that an open breaker refuses concurrently: both are counted.
///
/// Fails if `Lane::reject_as_of` loads and stores separately.
#[test]
fn two_rejections_are_two() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        breaker.trip();
        let (one, other) = (breaker.clone(), breaker.clone());
        let refused = start.two(move || one.try_acquire().is_err(), move || other.try_acquire().is_err());
        assert_eq!(refused, (true, true));
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.rejected, snapshot.totals.rejected), (2, 2));
    });
}

/// Two failures in metrics-only, each of which would open the breaker: a rule began to hold once.
///
/// Fails if `note_would_trip` checks whether a rule held before it takes the lock.
#[test]
fn a_rule_begins_to_hold_once() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        breaker.metrics_only();
        let (failed, other) = (breaker.try_acquire_owned().unwrap(), breaker.clone());
        start.two(|| failed.failure(), move || other.try_acquire().unwrap().failure());
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.failures, totals.would_trip, totals.trips), (2, 1, 0));
    });
}
