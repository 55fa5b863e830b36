//! Windows over time: when they roll, and which bucket an outcome is in.

use super::*;

/// Two threads find the bucket over: the window rolls once and keeps both outcomes.
///
/// Fails if `record_slow` rolls by an edge that it loaded before it had the lock, to the bucket after the
/// current one.
#[test]
fn a_bucket_rolls_once() {
    race(|start| {
        let shared = Race::new(last(10));
        shared.record(FAILURE, 0);
        start.two(shared.racer(|race| race.record(SUCCESS, 6)), shared.racer(|race| race.record(FAILURE, 5)));
        let at = |now| (shared.counts(now).calls, shared.counts(now).failures);
        assert_eq!(at(9), (3, 2));
        assert_eq!(at(10), (2, 1), "the first bucket has left");
        assert_eq!(at(15), (0, 0));
    });
}

/// A success that takes no lock while another thread rolls the window is in the bucket that has started.
///
/// Fails if the edge is moved before the sums are taken.
#[test]
fn a_success_lies_in_the_bucket_it_comes_in() {
    race(|start| {
        let shared = Race::new(last(10));
        // The steps of `add_success` without its load of the stripe, after which loom would not try the write
        // before the sums of the other thread.
        let success = shared.racer(|race| {
            let begun = race.window.edge.load(Ordering::Acquire) > 5;
            race.window.successes.local().fetch_add(1, Ordering::SeqCst);
            begun
        });
        let (begun, _) = start.two(success, shared.racer(|race| race.record(FAILURE, 5)));
        let counts = shared.counts(10);
        assert_eq!(counts.failures, 1);
        assert!(!begun || counts.successes == 1, "it came after the beginning");
    });
}
