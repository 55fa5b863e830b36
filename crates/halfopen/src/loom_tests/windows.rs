//! Rules that several threads evaluate concurrently, over each kind of window.

use super::race::race;
use super::{WAIT, probing};
use crate::config::{HalfOpen, Trip, Window};

/// A success that completes the minimum and a concurrent failure: one of them opens the breaker.
///
/// Fails without the fence (outside the models: the sequentially consistent accesses) between the write of a
/// success and its load of `visit`.
#[test]
fn a_success_that_completes_the_minimum_opens() {
    let rolling = Window::last(2 * WAIT).buckets(2);
    for window in [Window::unbounded(), rolling, Window::tumbling(WAIT), Window::last_calls(2)] {
        race(move |start| {
            let half = Trip::failure_rate(0.5).minimum_calls(2);
            let (breaker, _hands) = probing(half, window, HalfOpen::new());
            let permit = || breaker.try_acquire_owned().unwrap();
            let (success, failure) = (permit(), permit());
            start.two(|| success.success(), || failure.failure());
            assert_eq!(breaker.snapshot().totals.trips, 1);
        });
    }
}

/// Two concurrent failures, the first of their bucket, follow one in the previous bucket: in either order of
/// the roll, the window of the one that completes them has all three.
///
/// Fails if the rules are evaluated over the sums before the failure.
#[test]
fn of_two_failures_in_a_new_bucket_one_opens() {
    race(|start| {
        let window = Window::last(2 * WAIT).buckets(2);
        let (breaker, hands) = probing(Trip::failure_count(3), window, HalfOpen::new());
        breaker.try_acquire().unwrap().failure();
        let (first, second) = (breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap());
        hands.advance(WAIT);
        start.two(|| first.failure(), || second.failure());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.totals.trips, snapshot.totals.failures), (1, 3));
        assert_eq!(snapshot.counts.failures, 3);
    });
}

/// A success and a failure in a full count window: the window keeps its size and the failure, and the failure
/// slides out in time.
///
/// Fails if `Ring::counts` does not exclude samples that have left the window.
#[test]
fn a_full_count_window_keeps_its_size() {
    race(|start| {
        let (breaker, _hands) = probing(Trip::failure_count(2), Window::last_calls(2), HalfOpen::new());
        for _ in 0..2 {
            breaker.try_acquire().unwrap().success();
        }
        let (success, other) = (breaker.try_acquire_owned().unwrap(), breaker.clone());
        start.two(|| success.success(), move || other.try_acquire().unwrap().failure());
        let counts = breaker.snapshot().counts;
        assert_eq!((counts.calls, counts.failures), (2, 1));
        for _ in 0..2 {
            breaker.try_acquire().unwrap().success();
        }
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.counts.failures), (2, 0));
        assert_eq!((snapshot.totals.successes, snapshot.totals.failures), (5, 1));
    });
}
