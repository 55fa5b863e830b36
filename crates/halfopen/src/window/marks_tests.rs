//! Where buckets begin and end, and what a reader finds whose mark was written over.

use super::super::head::Step;
use super::*;

fn marks(nanos: u64, buckets: u32) -> Marks {
    Marks::new(Tick(3), nanos, buckets, true, &Sums::default(), 0)
}

#[test]
fn a_bucket_ends_where_the_next_begins() {
    for (nanos, buckets) in [(10, 2), (10, 3), (7, 5), (1_000, 1), (1, 10)] {
        let marks = marks(nanos, buckets);
        for index in 0..40 {
            let end = marks.end(index);
            assert!(marks.index(end) > index, "{nanos} in {buckets}");
            assert!(marks.index(Tick(end.0 - 1)) <= index, "{nanos} in {buckets}");
        }
    }
    assert_eq!(marks(10, 2).end(0), Tick(8));
    assert_eq!(marks(u64::MAX, 1).end(0), Tick::NEVER);
}

#[test]
fn a_mark_that_was_written_over_says_so_and_one_never_written_says_nothing() {
    let marks = marks(10, 2);
    assert!(matches!(marks.mark(0).read(0), Found::Since(_)));
    assert_eq!(marks.mark(1).read(1), Found::Nothing);
    marks.aim(2);
    let sums = Sums { failures: 4, ..Sums::default() };
    let head = Head::first(true).next(Step::Roll, &sums, true);
    assert_eq!(marks.roll(head, &sums, || 9, || true), Some(9));
    assert_eq!(marks.mark(0).read(0), Found::Moved);
    assert_eq!(marks.mark(0).read(2), Found::Since(Since { successes: 9, failures: 4, slow: 0 }));
    assert_eq!(marks.mark(0).read(4), Found::Nothing);
}

#[test]
fn the_first_to_mark_a_bucket_decides_how_many_successes_came_before_it() {
    let (marks, sums) = (marks(10, 2), Sums::default());
    let first = Head::first(true).next(Step::Roll, &sums, true);
    marks.aim(1);
    assert_eq!(marks.roll(first, &sums, || 4, || true), Some(4));
    assert_eq!(marks.roll(first, &sums, || 7, || true), Some(4), "three have come since");
    assert_eq!(marks.mark(1).read(1), Found::Since(Since { successes: 4, failures: 0, slow: 0 }));

    let second = first.next(Step::Roll, &sums, true);
    marks.aim(2);
    assert_eq!(marks.roll(second, &sums, || 7, || true), Some(7));
    assert_eq!(marks.roll(first, &sums, || 9, || false), None, "others have gone on");
    assert_eq!(marks.roll(second, &sums, || 9, || true), Some(7));
}

#[test]
fn marks_begin_with_any_turn_of_the_rolls() {
    let sums = Sums::default();
    let mut head = Head::first(true);
    for _ in 0..2 {
        let marks = marks(10, 2);
        marks.begin_after(head);
        head = head.next(Step::Roll, &sums, true);
        marks.aim(1);
        assert_eq!(marks.roll(head, &sums, || 4, || true), Some(4));
        marks.begin_after(head);
        assert_eq!(marks.roll(head, &sums, || 5, || true), Some(4), "decided");
    }
}

#[test]
fn a_bucket_takes_three_words_and_one_more_where_slow_calls_are_marked() {
    for (slow, width) in [(false, 3), (true, 4)] {
        let marks = Marks::new(Tick(0), 10, 5, slow, &Sums::default(), 0);
        assert_eq!(marks.words.len(), MARKS + 5 * width);
    }
}
