use super::samples::Sums;
use crate::clock::Tick;

/// The sums at the start of each bucket of a time window. The window is the difference to those of the oldest bucket.
#[derive(Debug)]
pub(super) struct Buckets {
    anchor: Tick,
    /// The length of the window; `u64::MAX` if it never rolls.
    nanos: u64,
    count: u32,
    /// The bucket that outcomes are recorded in, counted from the anchor.
    current: u64,
    /// When it is over.
    edge: Tick,
    /// The sums at the anchor or, where there is one bucket, at the start of the current one.
    first: Sums,
    /// The sums at the start of each bucket, by its index modulo the count; empty until the first roll.
    starts: Box<[Sums]>,
}

/// No clock gets as far as this bucket.
const LAST: u64 = 1 << 62;

impl Buckets {
    /// An empty window of `count` buckets over `nanos`.
    pub(super) fn new(anchor: Tick, nanos: u64, count: u32, first: Sums) -> Buckets {
        let edge = Tick::NEVER;
        let mut buckets = Buckets { anchor, nanos, count, current: 0, edge, first, starts: Box::default() };
        buckets.edge = buckets.end(0);
        buckets
    }

    /// When the current bucket is over; [`Tick::NEVER`] if the window never rolls.
    pub(super) fn edge(&self) -> Tick {
        self.edge
    }

    fn count(&self) -> u64 {
        self.count.into()
    }

    /// Returns the bucket of `now`, the current one or a later one. If the clock has stepped back, it is the current one.
    fn index(&self, now: Tick) -> u64 {
        // Also where the clock has stepped back: an outcome is never recorded in a bucket that is over, whose sums
        // are taken.
        if now < self.edge {
            return self.current;
        }
        // Multiplied before it is divided: a bucket that is not a whole number of nanoseconds would drift
        // otherwise. The product does not fit into 64 bits.
        let elapsed = u128::from(now.since(self.anchor)) * u128::from(self.count);
        let index = elapsed / u128::from(self.nanos.max(1));
        u64::try_from(index).map_or(LAST, |index| index.min(LAST)).max(self.current)
    }

    /// The first moment that is no longer in this bucket.
    fn end(&self, index: u64) -> Tick {
        if self.nanos == u64::MAX {
            return Tick::NEVER;
        }
        let nanos = (u128::from(index) + 1) * u128::from(self.nanos);
        let nanos = nanos.div_ceil(u128::from(self.count));
        u64::try_from(nanos).map_or(Tick::NEVER, |nanos| self.anchor.after(nanos))
    }

    /// Begins the bucket of this moment with these sums; returns false if it is the current one.
    pub(super) fn roll(&mut self, now: Tick, sums: &Sums) -> bool {
        let index = self.index(now);
        if index == self.current {
            return false;
        }
        if self.count == 1 {
            // The one bucket is the whole window: its start is all that need be kept.
            self.first = *sums;
        } else {
            if self.starts.is_empty() {
                // Allocated by the first roll, because a breaker that is idle or short-lived stays in its first
                // bucket. The earlier buckets are empty: they begin with the sums at the anchor.
                self.starts = vec![self.first; self.count as usize].into();
            }
            // Nothing was recorded in the buckets that were skipped: they begin with the same sums.
            let skipped = (index - self.current).min(self.count());
            for bucket in index + 1 - skipped..=index {
                self.starts[(bucket % self.count()) as usize] = *sums;
            }
        }
        (self.current, self.edge) = (index, self.end(index));
        true
    }

    /// The sums at which the window that ends at `now` begins; [`None`] if all that was recorded has left it.
    pub(super) fn start_of_window(&self, now: Tick) -> Option<&Sums> {
        let oldest = (self.index(now) + 1).saturating_sub(self.count());
        // The current bucket can be older than the window if nothing was recorded since: then nothing in it counts.
        (oldest <= self.current).then(|| self.start(oldest))
    }

    /// The sums at the start of each bucket in the window that ends at `now`, the youngest first.
    pub(super) fn starts(&self, now: Tick) -> impl Iterator<Item = &Sums> {
        let oldest = (self.index(now) + 1).saturating_sub(self.count());
        (oldest..=self.current).rev().map(|index| self.start(index))
    }

    fn start(&self, index: u64) -> &Sums {
        // One bucket, or none but the first has begun.
        if self.starts.is_empty() { &self.first } else { &self.starts[(index % self.count()) as usize] }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
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
    fn a_clock_that_steps_back_stays_in_its_bucket() {
        let mut buckets = buckets(10, 2);
        buckets.roll(Tick(13), &sums(1));
        assert!(!buckets.roll(Tick(0), &sums(2)));
        assert_eq!(buckets.start_of_window(Tick(0)), Some(&sums(1)));
    }
}
