//! Windows over time: who rolls them on, and what lies in which bucket.

use super::*;
use crate::window::head::Step;
use crate::window::marks::{Found, Marks, Since};

/// Two threads that find the bucket over: the window rolls once and keeps both outcomes.
///
/// Fails if a roll does not say where it goes before it is a step (nobody gets on).
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

/// A writer whose bucket is written over by somebody who is held up finishes all the same.
///
/// Fails if it waits for them (for ever).
#[test]
fn a_writer_waits_for_nobody_who_rolls_the_window_on() {
    race(|start| {
        let shared = Race::new(last(10));
        let rolling = shared.racer(|race| race.record(FAILURE, 10));
        let (one, other) = start.two(shared.racer(|race| race.record(FAILURE, 0)), rolling);
        assert_ne!(one, Recorded::Late);
        assert_ne!(other, Recorded::Late);
        // Before the roll it lies in a bucket that has left by now, after it in the current one.
        let counts = shared.counts(10);
        assert!((1..=2).contains(&counts.failures) && counts.calls == counts.failures, "{counts:?}");
    });
}

/// A mark that is written over while it is looked at is found as it was, or to have moved.
///
/// Fails if a mark that is written over does not say so before anything else.
#[test]
fn a_mark_is_found_as_it_was_or_to_have_moved() {
    race(|start| {
        let since = |n| Since { successes: n, failures: n, slow: n };
        let sums = |n| Sums { successes: n, failures: n, slow: n };
        let marks = Marks::new(Tick(0), 10, 2, true, &sums(1), 1);
        let first = roll(&marks, Head::first(true), 1, sums(2));
        let (marks, other) = (marks.clone(), marks);
        let look = {
            let marks = marks.clone();
            move || match marks.since(Tick(5)) {
                Found::Since(found) => assert!([since(1), since(2)].contains(&found), "{found:?}"),
                found => assert_eq!(found, Found::Moved),
            }
        };
        start.two(look, move || roll(&other, first, 2, sums(3)));
        assert_eq!(marks.since(Tick(10)), Found::Since(since(2)));
    });
}

/// Helpers of one roll for which somebody has aimed further meanwhile: wherever each of them goes, no
/// half of a mark is taken for the beginning.
///
/// Fails if a mark says that it is whole before it is.
#[test]
fn helpers_who_roll_to_different_buckets_leave_no_mark_half_written() {
    race(|start| {
        let sums = Sums { successes: 1, failures: 1, slow: 1 };
        let marks = Marks::new(Tick(0), 10, 2, true, &Sums::default(), 0);
        marks.aim(1);
        let helper = marks.clone();
        let (aiming, all) = (marks.clone(), marks);
        let further = move || {
            roll(&aiming, Head::first(true), 2, sums);
            let since = Since { successes: 1, failures: 1, slow: 1 };
            assert_eq!(aiming.since(Tick(10)), Found::Since(since));
        };
        start.two(further, move || roll(&helper, Head::first(true), 1, sums));
        assert_ne!(all.current(), 0);
    });
}

/// Rolls the window to a bucket, which has begun with these sums; gives the head after that.
fn roll(marks: &Marks, head: Head, bucket: u64, sums: Sums) -> Head {
    let next = head.next(Step::Roll, &sums, true);
    marks.aim(bucket);
    marks.roll(next, &sums, || sums.successes, || true).expect("nobody has gone on");
    next
}
