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
#[path = "buckets_tests.rs"]
mod tests;
