use super::sums::Sums;
use crate::clock::Tick;
use crate::sync::{AtomicU64, Ordering};

/// Where each bucket of a time window began, in sums; a window is what has come since its oldest.
///
/// Only buckets that something was recorded in have a mark, so idle time costs nothing to note and
/// at most one look at each mark to skip. Everything here only grows, so a helper who comes late
/// changes nothing.
#[derive(Debug)]
pub(super) struct Marks {
    anchor: Tick,
    nanos: u64,
    marks: Box<[Mark]>,
    /// The index of the bucket that is recorded into.
    current: AtomicU64,
    /// The index that the roll under way goes to: the latest that anybody's clock has shown.
    target: AtomicU64,
}

/// The sums when a bucket began.
#[derive(Debug)]
struct Mark {
    /// Twice the index of the bucket, or one less while the rest is being written.
    index: AtomicU64,
    successes: AtomicU64,
    failures: AtomicU64,
    slow: AtomicU64,
}

/// No clock gets as far as this bucket; twice its index still fits a word.
const LAST: u64 = 1 << 62;

/// A mark, read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Since {
    pub(super) successes: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

/// What a look for the beginning of a window found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Since(Since),
    /// All that was recorded has left the window.
    Nothing,
    /// The window moved on meanwhile.
    Moved,
}

impl Marks {
    /// An empty window of `buckets` over `nanos`; with `u64::MAX` nanoseconds it never rolls.
    pub(super) fn new(anchor: Tick, nanos: u64, buckets: u32, sums: &Sums, successes: u64) -> Marks {
        let marks: Box<[Mark]> = (0..buckets).map(|_| Mark::unused()).collect();
        let first = &marks[0];
        first.successes.store(successes, Ordering::Relaxed);
        first.failures.store(sums.failures, Ordering::Relaxed);
        first.slow.store(sums.slow, Ordering::Relaxed);
        first.index.store(0, Ordering::Release);
        Marks { anchor, nanos, marks, current: AtomicU64::new(0), target: AtomicU64::new(0) }
    }

    /// Moves the beginning of a window that nobody records into yet.
    pub(super) fn begin_at(&self, successes: u64) {
        self.marks[0].successes.store(successes, Ordering::Release);
    }

    pub(super) fn rolls(&self) -> bool {
        self.nanos != u64::MAX
    }

    pub(super) fn current(&self) -> u64 {
        self.current.load(Ordering::Acquire)
    }

    fn buckets(&self) -> u64 {
        self.marks.len() as u64
    }

    /// The bucket that `now` lies in; a step back stays in the first.
    pub(super) fn index(&self, now: Tick) -> u64 {
        if !self.rolls() {
            return 0;
        }
        let elapsed = u128::from(now.since(self.anchor)) * u128::from(self.buckets());
        u64::try_from(elapsed / u128::from(self.nanos.max(1))).map_or(LAST, |index| index.min(LAST))
    }

    /// The first moment that no longer lies in this bucket.
    pub(super) fn end(&self, index: u64) -> Tick {
        if !self.rolls() {
            return Tick::NEVER;
        }
        let nanos = (u128::from(index) + 1) * u128::from(self.nanos);
        let nanos = nanos.div_ceil(u128::from(self.buckets()));
        u64::try_from(nanos).map_or(Tick::NEVER, |nanos| self.anchor.after(nanos))
    }

    /// A moment from which on nothing recorded at `now` lies in the window any more.
    pub(super) fn forgotten_by(&self, now: Tick) -> Tick {
        if !self.rolls() {
            return Tick::NEVER;
        }
        now.after(self.nanos).after(self.nanos / self.buckets() + 1)
    }

    /// Says where a roll is to go; called before the roll is made a step.
    pub(super) fn aim(&self, index: u64) {
        self.target.fetch_max(index, Ordering::AcqRel);
    }

    /// Notes that the bucket aimed at began with these sums. Told by several helpers, all agree but
    /// for successes that came in between, and the later number holds.
    pub(super) fn roll(&self, sums: &Sums, successes: u64) {
        let index = self.target.load(Ordering::Acquire);
        let mark = &self.marks[(index % self.buckets()) as usize];
        mark.index.fetch_max((2 * index).saturating_sub(1), Ordering::AcqRel);
        mark.successes.fetch_max(successes, Ordering::AcqRel);
        mark.failures.fetch_max(sums.failures, Ordering::AcqRel);
        mark.slow.fetch_max(sums.slow, Ordering::AcqRel);
        mark.index.fetch_max(2 * index, Ordering::AcqRel);
        self.current.fetch_max(index, Ordering::AcqRel);
    }

    /// The sums at the beginning of the window that ends at `now`.
    pub(super) fn since(&self, now: Tick) -> Found {
        let current = self.current();
        let newest = self.index(now).max(current);
        let oldest = (newest + 1).saturating_sub(self.buckets());
        for index in oldest..=current {
            match self.marks[(index % self.buckets()) as usize].read(index) {
                Found::Nothing => {}
                found => return found,
            }
        }
        Found::Nothing
    }
}

impl Mark {
    fn unused() -> Mark {
        Mark {
            // No bucket's: odd, and less than any that could be asked for in its place.
            index: AtomicU64::new(1),
            successes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            slow: AtomicU64::new(0),
        }
    }

    fn read(&self, index: u64) -> Found {
        let before = self.index.load(Ordering::Acquire);
        if before != 2 * index {
            return if before > 2 * index { Found::Moved } else { Found::Nothing };
        }
        let since = Since {
            successes: self.successes.load(Ordering::Acquire),
            failures: self.failures.load(Ordering::Acquire),
            slow: self.slow.load(Ordering::Acquire),
        };
        // Whoever writes it for a later bucket says so first.
        if self.index.load(Ordering::Acquire) == before { Found::Since(since) } else { Found::Moved }
    }
}

#[cfg(all(test, not(loom)))]
#[path = "marks_tests.rs"]
mod tests;
