//! The bounds of buckets, and the samples that remain of earlier ones.

use super::*;

fn buckets(nanos: u64, count: u32) -> Buckets {
    Buckets::new(Tick(3), nanos, count, Sums::default())
}

fn sums(n: u64) -> Sums {
    Sums { successes: n, failures: n, slow: n }
}

#[test]
fn a_bucket_ends_where_the_next_begins() {
    for (nanos, count) in [(10, 2), (10, 3), (7, 5), (1_000, 1), (1, 1)] {
        let mut buckets = buckets(nanos, count);
        for index in 0..40 {
            assert_eq!((buckets.current, buckets.edge()), (index, buckets.end(index)));
            let end = buckets.edge();
            assert!(!buckets.roll(Tick(end.0 - 1), &sums(1)), "{nanos} in {count}");
            assert!(buckets.roll(end, &sums(1)), "{nanos} in {count}");
        }
    }
    assert_eq!(buckets(10, 2).edge(), Tick(8));
    assert_eq!(buckets(u64::MAX, 1).edge(), Tick::NEVER);
}

#[test]
fn a_window_begins_with_the_sums_of_its_oldest_bucket() {
    let mut buckets = buckets(10, 2);
    assert!(buckets.starts.is_empty(), "made by the first roll");
    assert!(buckets.roll(Tick(8), &sums(4)));
    let start = |buckets: &Buckets, now| buckets.start_of_window(Tick(now)).copied();
    assert_eq!(start(&buckets, 8), Some(sums(0)));
    assert_eq!(start(&buckets, 13), Some(sums(4)), "looked at before it rolls");
    assert_eq!(start(&buckets, 18), None, "all has left");
    assert!(buckets.roll(Tick(13), &sums(9)));
    assert_eq!(start(&buckets, 13), Some(sums(4)));
    assert_eq!(buckets.starts(Tick(13)).copied().collect::<Vec<_>>(), [sums(9), sums(4)]);
    assert_eq!(buckets.starts(Tick(18)).copied().collect::<Vec<_>>(), [sums(9)]);
}

#[test]
fn buckets_that_are_skipped_begin_with_the_same_sums() {
    for jump in [2, 3, 4, 9, u64::MAX / 2] {
        let mut buckets = buckets(9, 3);
        buckets.roll(Tick(6), &sums(1));
        buckets.roll(Tick(6 + 3 * jump.min(1 << 40)), &sums(5));
        let oldest = if jump == 2 { sums(1) } else { sums(5) };
        let now = Tick(6 + 3 * jump.min(1 << 40));
        assert_eq!(buckets.start_of_window(now), Some(&oldest), "{jump}");
        assert!(buckets.starts(now).take(2).all(|start| *start == sums(5)), "{jump}");
    }
}

#[test]
fn a_clock_that_steps_back_stays_in_the_current_bucket() {
    let mut buckets = buckets(10, 2);
    buckets.roll(Tick(13), &sums(1));
    assert!(!buckets.roll(Tick(0), &sums(2)));
    assert_eq!(buckets.start_of_window(Tick(0)), Some(&sums(1)));
}
