use std::sync::Arc;

use super::head::Head;
use super::sums::Sums;
use crate::clock::Tick;
use crate::sync::{AtomicU64, Ordering};

/// Where each bucket of a time window began, in sums; a window is what has come since its oldest.
///
/// Only buckets that something was recorded in have a mark, so idle time costs nothing to note and
/// at most one look at each mark to skip. Everything here only grows, so a helper who comes late
/// changes nothing.
///
/// A clone is the same marks.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    anchor: Tick,
    nanos: u64,
    buckets: u32,
    /// Whether slow calls are marked: where no rule asks there are none.
    slow: bool,
    /// Three words of all, then each mark.
    words: Arc<[AtomicU64]>,
}

/// The sums when a bucket began: three words, and one more where slow calls are marked.
struct Mark<'a>(&'a [AtomicU64]);

/// Words before the first mark.
const CURRENT: usize = 0;
const TARGET: usize = 1;
const BEGUN: usize = 2;
const MARKS: usize = 3;

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
    pub(super) fn new(
        anchor: Tick,
        nanos: u64,
        buckets: u32,
        slow: bool,
        sums: &Sums,
        successes: u64,
    ) -> Marks {
        let marks = Marks { anchor, nanos, buckets, slow, words: unused(buckets, slow) };
        marks.mark(0).write(0, successes, sums.failures, sums.slow);
        marks
    }

    /// The same window with slow calls marked, of which there have been none since it began; not to be
    /// asked for while it rolls.
    pub(super) fn with_slow(&self, sums: &Sums) -> Marks {
        let wide = Marks { slow: true, words: unused(self.buckets, true), ..self.clone() };
        for (to, from) in wide.words.iter().zip(&self.words[..MARKS]) {
            to.store(from.load(Ordering::Acquire), Ordering::Relaxed);
        }
        for bucket in 0..u64::from(self.buckets) {
            let [index, successes, failures] = self.mark(bucket).narrow();
            wide.mark(bucket).write(index, successes, failures, sums.slow);
        }
        wide
    }

    pub(super) fn marks_slow(&self) -> bool {
        self.slow
    }

    /// Moves the beginning of a window that nobody records into yet.
    pub(super) fn begin_at(&self, successes: u64) {
        self.mark(0).successes().store(successes, Ordering::Release);
    }

    fn mark(&self, index: u64) -> Mark<'_> {
        let width = width(self.slow);
        let start = MARKS + (index % self.buckets()) as usize * width;
        Mark(&self.words[start..start + width])
    }

    pub(super) fn rolls(&self) -> bool {
        self.nanos != u64::MAX
    }

    pub(super) fn current(&self) -> u64 {
        self.words[CURRENT].load(Ordering::Acquire)
    }

    fn buckets(&self) -> u64 {
        u64::from(self.buckets)
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

    /// Says where a roll is to go; called before the roll is made a step.
    pub(super) fn aim(&self, index: u64) {
        self.words[TARGET].fetch_max(index, Ordering::AcqRel);
    }

    /// Notes that the bucket aimed at began with these sums, and says after how many successes; none if
    /// others have gone on meanwhile.
    ///
    /// Helpers may count differently, as plain successes come in; the first decides, so that none is
    /// taken out of the bucket it came in.
    pub(super) fn roll(
        &self,
        head: Head,
        sums: &Sums,
        successes: impl Fn() -> u64,
        unmoved: impl Fn() -> bool,
    ) -> Option<u64> {
        let index = self.words[TARGET].load(Ordering::Acquire);
        let successes = self.decide(head, successes, unmoved)?;
        let mark = self.mark(index);
        mark.index().fetch_max((2 * index).saturating_sub(1), Ordering::AcqRel);
        mark.successes().fetch_max(successes, Ordering::AcqRel);
        mark.failures().fetch_max(sums.failures, Ordering::AcqRel);
        if let Some(slow) = mark.slow() {
            slow.fetch_max(sums.slow, Ordering::AcqRel);
        }
        mark.index().fetch_max(2 * index, Ordering::AcqRel);
        self.words[CURRENT].fetch_max(index, Ordering::AcqRel);
        Some(successes)
    }

    /// After how many successes the roll of this head was made.
    ///
    /// Its lowest bit says which of two rolls in a row has decided. The rest is more with every roll, as the
    /// head's ticket is added to it: so a helper who comes late, and has loaded it before the head was seen
    /// unmoved, swaps nothing.
    fn decide(&self, head: Head, successes: impl Fn() -> u64, unmoved: impl Fn() -> bool) -> Option<u64> {
        let (begun, turn) = (&self.words[BEGUN], u64::from(head.rolled()));
        let seen = begun.load(Ordering::Acquire);
        let next = successes().wrapping_add(head.ticket()) << 1 | turn;
        if !unmoved() {
            return None;
        }
        let decided = if seen & 1 == turn {
            seen
        } else {
            match begun.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => next,
                Err(other) => unmoved().then_some(other)?,
            }
        };
        Some((decided >> 1).wrapping_sub(head.ticket()))
    }

    /// Says that the rolls before this head were those of other marks; changes nothing in marks that have rolled.
    pub(super) fn begin_after(&self, head: Head) {
        self.words[BEGUN].fetch_max(head.rolled().into(), Ordering::AcqRel);
    }

    /// The sums at the beginning of the window that ends at `now`.
    pub(super) fn since(&self, now: Tick) -> Found {
        self.within(now)
            .map(|index| self.mark(index).read(index))
            .find(|found| *found != Found::Nothing)
            .unwrap_or(Found::Nothing)
    }

    /// What each bucket began with, of those in the window that ends at `now`, the youngest first.
    pub(super) fn beginnings(&self, now: Tick) -> impl Iterator<Item = Found> {
        self.within(now).rev().map(|index| self.mark(index).read(index))
    }

    fn within(&self, now: Tick) -> std::ops::RangeInclusive<u64> {
        let current = self.current();
        let newest = self.index(now).max(current);
        (newest + 1).saturating_sub(self.buckets())..=current
    }
}

/// Words of one mark.
fn width(slow: bool) -> usize {
    if slow { 4 } else { 3 }
}

/// The words of a window without a bucket: the first mark is written at once, and what is looked for in
/// any other place has an index above zero.
fn unused(buckets: u32, slow: bool) -> Arc<[AtomicU64]> {
    (0..MARKS + buckets as usize * width(slow)).map(|_| AtomicU64::new(0)).collect()
}

impl Mark<'_> {
    /// Twice the index of the bucket, or one less while the rest is being written.
    fn index(&self) -> &AtomicU64 {
        &self.0[0]
    }

    fn successes(&self) -> &AtomicU64 {
        &self.0[1]
    }

    fn failures(&self) -> &AtomicU64 {
        &self.0[2]
    }

    fn slow(&self) -> Option<&AtomicU64> {
        self.0.get(3)
    }

    /// Writes what nobody reads yet.
    fn write(&self, index: u64, successes: u64, failures: u64, slow: u64) {
        for (word, value) in self.0.iter().zip([index, successes, failures, slow]) {
            word.store(value, Ordering::Relaxed);
        }
    }

    fn narrow(&self) -> [u64; 3] {
        [self.index(), self.successes(), self.failures()].map(|word| word.load(Ordering::Acquire))
    }

    fn read(&self, index: u64) -> Found {
        let before = self.index().load(Ordering::Acquire);
        match before.cmp(&(2 * index)) {
            std::cmp::Ordering::Less => return Found::Nothing,
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => return Found::Moved,
        }
        let since = Since {
            successes: self.successes().load(Ordering::Acquire),
            failures: self.failures().load(Ordering::Acquire),
            // Not marked: then none since, however many before.
            slow: self.slow().map_or(u64::MAX, |slow| slow.load(Ordering::Acquire)),
        };
        // Whoever writes it for a later bucket says so first.
        if self.index().load(Ordering::Acquire) == before { Found::Since(since) } else { Found::Moved }
    }
}

#[cfg(all(test, not(loom)))]
#[path = "marks_tests.rs"]
mod tests;
