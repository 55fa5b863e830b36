use std::sync::Arc;

use super::head::Kind;
use super::raise;
use super::sums::Sums;
use crate::sync::{AtomicU64, Ordering};

/// The failures and slow calls among the last N outcomes, by their place in the sequence of all
/// outcomes.
///
/// Plain successes write nothing here: they move the window on by being counted, and what has slid out
/// is found by looking at the places that it has passed. A place is looked at once, so a failure costs
/// in all what the calls before it spared.
///
/// ```text
///   63                                    12 11           0
///  ┌────────────────────────────────────────┬──────────────┐
///  │ which block of the sequence (52 bits)  │ 6 outcomes   │
///  └────────────────────────────────────────┴──────────────┘
/// ```
///
/// A block's number never comes twice (a hundred million calls a second would need eight years), so a
/// helper who comes late writes nothing, and a clone, which is the same ring, can serve visit after visit.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    words: Arc<[AtomicU64]>,
    size: u64,
}

/// The window right after a marked outcome: two take turns, so that the one before stands while the next
/// is written.
struct Cut<'a>(&'a [AtomicU64]);

/// Failures and slow calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) failures: u64,
    pub(super) slow: u64,
}

/// Where the window begins at the earliest: all outcomes when it was last empty.
const BASE: usize = 0;
const CUTS: usize = 1;
const CUT_WIDTH: usize = 3;
const BLOCKS: usize = CUTS + 2 * CUT_WIDTH;

const LANES: u64 = 6;
const NUMBER_SHIFT: u32 = 12;
const FAILURES: u64 = 0b01_01_01_01_01_01;

impl Ring {
    /// An empty window of `size` outcomes, after `total` of them.
    pub(super) fn new(size: u32, total: u64, sums: &Sums) -> Ring {
        let size = u64::from(size);
        // One lane short of a block more than the window: a block is used again only when all of it
        // has slid out.
        let blocks = (size + LANES - 1).div_ceil(LANES) as usize;
        let ring = Ring { words: (0..BLOCKS + blocks).map(|_| AtomicU64::new(0)).collect(), size };
        ring.begin_at(total, sums);
        ring
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Empties the window; nobody records into it yet.
    pub(super) fn begin_at(&self, total: u64, sums: &Sums) {
        self.words[BASE].store(total, Ordering::Release);
        for cut in [self.cut(false), self.cut(true)] {
            for (word, value) in cut.0.iter().zip([total, sums.failures, sums.slow]) {
                word.store(value, Ordering::Release);
            }
        }
    }

    pub(super) fn base(&self) -> u64 {
        self.words[BASE].load(Ordering::Acquire)
    }

    fn cut(&self, turn: bool) -> Cut<'_> {
        let start = CUTS + usize::from(turn) * CUT_WIDTH;
        Cut(&self.words[start..start + CUT_WIDTH])
    }

    /// The first place in the window that ends after `total` outcomes.
    fn from(&self, total: u64) -> u64 {
        self.base().max(total.saturating_sub(self.size))
    }

    /// Notes a marked outcome, whose turn this is; none if others have gone on meanwhile.
    ///
    /// `total` counts all outcomes, this one included. Helpers may count differently, as plain successes
    /// come in; the first decides where the outcome lies, and the rest follows from that.
    pub(super) fn note(
        &self,
        turn: bool,
        kind: Kind,
        total: impl Fn() -> u64,
        unmoved: impl Fn() -> bool,
    ) -> Option<()> {
        let (before, now) = (self.cut(!turn), self.cut(turn));
        let (last, seen) = (before.end().load(Ordering::Acquire), now.end().load(Ordering::Acquire));
        let end = if seen > last { seen } else { total() };
        // Asked after both are loaded: a place never comes twice, so who is late from here on decides nothing.
        if !unmoved() {
            return None;
        }
        let end = now.decide(seen, end);
        // The mark comes last: where it stands, all of this has been done.
        if self.is_marked(end - 1, kind) {
            return Some(());
        }
        let gone = self.marked(self.from(last)..self.from(end).min(last));
        let (failures, slow) =
            (before.failures().load(Ordering::Acquire), before.slow().load(Ordering::Acquire));
        if !unmoved() {
            return None;
        }
        // Before the mark: it may take the place of one that was counted just now.
        raise(now.failures(), failures + gone.failures);
        raise(now.slow(), slow + gone.slow);
        self.mark(end - 1, kind);
        Some(())
    }

    /// What lies in the window that ends after `total` outcomes, of which the marked ones are in `sums`;
    /// true only if no marked outcome has come in meanwhile.
    pub(super) fn lying(&self, turn: bool, sums: &Sums, total: u64) -> Marked {
        let cut = self.cut(turn);
        let end = cut.end().load(Ordering::Acquire);
        let gone = self.marked(self.from(end)..self.from(total).min(end));
        let left = |sum: u64, before: &AtomicU64, gone: u64| {
            sum.wrapping_sub(before.load(Ordering::Acquire)).saturating_sub(gone)
        };
        Marked {
            failures: left(sums.failures, cut.failures(), gone.failures),
            slow: left(sums.slow, cut.slow(), gone.slow),
        }
    }

    fn block(&self, number: u64) -> &AtomicU64 {
        let blocks = &self.words[BLOCKS..];
        &blocks[(number % blocks.len() as u64) as usize]
    }

    /// The marks at these places, which are no more than the window holds.
    fn marked(&self, places: std::ops::Range<u64>) -> Marked {
        let mut marked = Marked::default();
        for number in places.start / LANES..places.end.div_ceil(LANES) {
            let word = self.block(number).load(Ordering::Acquire);
            if word >> NUMBER_SHIFT != number {
                continue;
            }
            let skip = places.start.saturating_sub(number * LANES);
            let keep = (places.end - number * LANES).min(LANES);
            let bits = word & lanes(keep) & !lanes(skip);
            marked.failures += u64::from((bits & FAILURES).count_ones());
            marked.slow += u64::from((bits & FAILURES << 1).count_ones());
        }
        marked
    }

    fn is_marked(&self, place: u64, kind: Kind) -> bool {
        let (number, lane) = (place / LANES, place % LANES);
        let word = self.block(number).load(Ordering::Acquire);
        word >> NUMBER_SHIFT == number && word >> (2 * lane) & 0b11 == kind.bits()
    }

    fn mark(&self, place: u64, kind: Kind) {
        let (number, lane) = (place / LANES, place % LANES);
        let bits = kind.bits() << (2 * lane);
        let block = self.block(number);
        let mut seen = block.load(Ordering::Acquire);
        loop {
            let next = match (seen >> NUMBER_SHIFT).cmp(&number) {
                std::cmp::Ordering::Greater => return,
                std::cmp::Ordering::Equal => seen | bits,
                std::cmp::Ordering::Less => number << NUMBER_SHIFT | bits,
            };
            if next == seen {
                return;
            }
            match block.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }
}

impl Cut<'_> {
    /// All outcomes up to the marked one, itself included.
    fn end(&self) -> &AtomicU64 {
        &self.0[0]
    }

    /// All failures that do not lie in the window.
    fn failures(&self) -> &AtomicU64 {
        &self.0[1]
    }

    fn slow(&self) -> &AtomicU64 {
        &self.0[2]
    }

    /// Where the outcome lies whose turn it is, `end` unless it has been decided.
    fn decide(&self, seen: u64, end: u64) -> u64 {
        if seen == end {
            return end;
        }
        // A failure means that somebody else has decided.
        self.end()
            .compare_exchange(seen, end, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|end| end, |_| end)
    }
}

/// The bits of the first lanes of a block.
fn lanes(count: u64) -> u64 {
    (1 << (2 * count)) - 1
}

#[cfg(all(test, not(loom)))]
#[path = "ring_tests.rs"]
mod tests;
