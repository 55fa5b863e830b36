//! Windows over time: who rolls them on, and what lies in which bucket.

use super::*;
use crate::window::marks::{Found, Marks};

/// Two threads that find the bucket over: the window rolls once and keeps both outcomes.
///
/// Fails if a mark is written when the window stands at that bucket already.
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

/// A success that comes when the window has been rolled on, while somebody else is still at it: it lies in
/// the bucket that has begun.
///
/// Fails if each who helps marks the beginning of the bucket with the successes that it finds.
#[test]
fn a_success_lies_in_the_bucket_it_comes_in() {
    race_of_three(|start| {
        let sums = Sums::default();
        let (marks, plain) = (Marks::new(Tick(0), 10, 1, false, &sums, 0), Arc::new(AtomicU64::new(0)));
        let head = Head::first(true).next(Step::Roll, &sums, true);
        marks.aim(1);
        let helper = || {
            let (marks, plain) = (marks.clone(), Arc::clone(&plain));
            move || marks.roll(head, &sums, || plain.load(Ordering::Acquire), || true).unwrap()
        };
        let (other, count) = (marks.clone(), Arc::clone(&plain));
        let success = move || {
            let begun = other.current() == 1;
            count.fetch_add(1, Ordering::AcqRel);
            begun
        };
        let (one, two, begun) = start.three(helper(), helper(), success);
        let Found::Since(since) = marks.since(Tick(10)) else { panic!("it has begun") };
        assert_eq!((one, two), (since.successes, since.successes));
        assert!(!begun || since.successes == 0, "it came after the beginning");
    });
}
