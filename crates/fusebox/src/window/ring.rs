use std::sync::Arc;

use super::head::Kind;
use crate::sync::{AtomicU64, Ordering};

/// The last N outcomes, two bits each, eight to a word; the rest of a word counts the writes to it.
///
/// ```text
///   63                                   16 15            0
///  ┌───────────────────────────────────────┬───────────────┐
///  │ writes to this word (48 bits)         │ 8 outcomes    │
///  └───────────────────────────────────────┴───────────────┘
/// ```
///
/// Which write of its word an outcome is follows from its place in the sequence, so it can be
/// applied by any number of helpers and takes effect once. A ring that is made later begins as if it
/// had always been written to.
///
/// A clone is the same ring.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    words: Arc<[AtomicU64]>,
    size: u64,
}

const LANES: u64 = 8;
const VERSION_SHIFT: u32 = 16;

/// Where an outcome goes.
struct Slot {
    word: usize,
    lane: u64,
    /// Writes to the word before this one.
    version: u64,
}

impl Ring {
    /// An empty ring, whose first outcome has this place in the sequence.
    pub(super) fn new(size: u32, place: u64) -> Ring {
        let size = u64::from(size);
        let (lap, position) = (place / size, place % size);
        let versions = (0..size.div_ceil(LANES)).map(|word| {
            let lanes = lanes(word, size);
            lap * lanes + position.saturating_sub(word * LANES).min(lanes)
        });
        let words = versions.map(|version| AtomicU64::new(version << VERSION_SHIFT)).collect();
        Ring { words, size }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    fn slot(&self, place: u64) -> Slot {
        let (lap, position) = (place / self.size, place % self.size);
        let (word, lane) = (position / LANES, position % LANES);
        Slot { word: word as usize, lane, version: lap * lanes(word, self.size) + lane }
    }

    /// What lies where the outcome with this place will go: the one that it pushes out.
    pub(super) fn oldest(&self, place: u64) -> Kind {
        let slot = self.slot(place);
        Kind::from_bits(self.words[slot.word].load(Ordering::Acquire) >> (2 * slot.lane))
    }

    /// Writes the outcome with this place, unless somebody has.
    pub(super) fn write(&self, place: u64, kind: Kind) {
        let slot = self.slot(place);
        let word = &self.words[slot.word];
        let seen = word.load(Ordering::Acquire);
        if seen >> VERSION_SHIFT != slot.version & (u64::MAX >> VERSION_SHIFT) {
            return;
        }
        let kept = seen & !(0b11 << (2 * slot.lane));
        let next = (kept | kind.bits() << (2 * slot.lane)).wrapping_add(1 << VERSION_SHIFT);
        let _ = word.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// How many outcomes of a ring lie in this word: the last may hold fewer.
fn lanes(word: u64, size: u64) -> u64 {
    LANES.min(size - word * LANES)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const FAILURE: Kind = Kind { failure: true, slow: false };

    #[test]
    fn an_outcome_comes_out_after_a_lap() {
        for size in [1, 2, 7, 8, 9, 100] {
            let ring = Ring::new(size, 5);
            for place in 5..1000 {
                let kind = Kind { failure: place % 3 == 0, slow: place % 5 == 0 };
                if place >= 5 + u64::from(size) {
                    let then = place - u64::from(size);
                    assert_eq!(ring.oldest(place), Kind { failure: then % 3 == 0, slow: then % 5 == 0 });
                }
                ring.write(place, kind);
            }
        }
    }

    #[test]
    fn a_late_helper_writes_nothing() {
        let ring = Ring::new(2, 0);
        ring.write(0, FAILURE);
        ring.write(1, FAILURE);
        ring.write(2, Kind::default());
        ring.write(0, FAILURE);
        assert_eq!(ring.oldest(4), Kind::default());
    }
}
