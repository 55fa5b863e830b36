use std::ops::Range;

use super::samples::counts;
use crate::counts::Counts;
use crate::outcome::Finished;

/// The failures and slow calls among the last N outcomes, marked by their place in the sequence of all
/// outcomes.
///
/// Plain successes write nothing here: counting them advances the window. Marks that have left the window
/// since the last mark are removed with the next one, so each place is examined only one time.
#[derive(Debug)]
pub(super) struct Ring {
    size: u64,
    /// All outcomes when the window was last empty.
    base: u64,
    /// All outcomes up to the last mark, itself included.
    end: u64,
    /// Marks of each kind in the window that ends there.
    failures: u64,
    slow: u64,
    /// Two bits for each outcome; a power of two words that hold at least a window, none before the first mark.
    words: Box<[u64]>,
}

/// Outcomes in one word.
const LANES: u64 = 32;
const FAILURES: u64 = 0x5555_5555_5555_5555;

impl Ring {
    /// An empty window of `size` outcomes, after `total` of them.
    pub(super) fn new(size: u32, total: u64) -> Ring {
        Ring { size: size.into(), base: total, end: total, failures: 0, slow: 0, words: Box::default() }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Empties the window.
    pub(super) fn begin(&mut self, total: u64) {
        self.words.fill(0);
        (self.base, self.end, self.failures, self.slow) = (total, total, 0, 0);
    }

    /// The outcomes since the window was empty, after `total` of all.
    pub(super) fn held(&self, total: u64) -> u64 {
        total - self.base
    }

    /// The same, up to the last mark.
    pub(super) fn seen(&self) -> u64 {
        self.held(self.end)
    }

    /// Marks the last of `total` outcomes.
    pub(super) fn mark(&mut self, total: u64, call: &Finished) {
        if self.words.is_empty() {
            // A power of two, so that a place is found with a mask; the words beyond the size hold places that have
            // left and are cleared before they come again.
            let words = self.size.div_ceil(LANES).next_power_of_two();
            self.words = vec![0; words as usize].into();
        }
        // First, because the new mark takes a place that can still have the bits of an outcome one round ago.
        self.advance(total);
        let (word, lane) = self.place(total - 1);
        let (failure, slow) = (u64::from(call.is_failure()), u64::from(call.slow));
        self.words[word] |= (failure | slow << 1) << (2 * lane);
        self.failures += failure;
        self.slow += slow;
    }

    /// The counts of the window that ends after `total` outcomes, without the runs.
    pub(super) fn counts(&self, total: u64) -> Counts {
        // Reading must not change the ring: marks that have left since the last one are counted and subtracted, and
        // cleared only by the next mark.
        let (failures, slow) = self.marked(self.leaving(total));
        let (failures, slow) = (self.failures - failures, self.slow - slow);
        counts(self.held(total).min(self.size) - failures, failures, slow)
    }

    /// Moves the end of the window on, and takes out what leaves it.
    fn advance(&mut self, total: u64) {
        let leaving = self.leaving(total);
        let (failures, slow) = self.marked(leaving.clone());
        if failures + slow > 0 {
            (self.failures, self.slow) = (self.failures - failures, self.slow - slow);
            for (word, lanes) in self.chunks(leaving) {
                self.words[word] &= !lanes;
            }
        }
        self.end = total;
    }

    /// The places that may be marked, and that a window leaves which ends after `total` outcomes.
    fn leaving(&self, total: u64) -> Range<u64> {
        // No marks: nothing to look for, however many successes have come.
        if self.failures + self.slow == 0 {
            return 0..0;
        }
        let start = |end: u64| self.base.max(end.saturating_sub(self.size));
        start(self.end)..start(total).min(self.end)
    }

    /// The marks of each kind at these places.
    fn marked(&self, places: Range<u64>) -> (u64, u64) {
        self.chunks(places).fold((0, 0), |(failures, slow), (word, lanes)| {
            let marks = self.words[word] & lanes;
            let count = |bits: u64| u64::from(bits.count_ones());
            (failures + count(marks & FAILURES), slow + count(marks & !FAILURES))
        })
    }

    /// Returns the words that contain these places, each with their bits.
    fn chunks(&self, places: Range<u64>) -> impl Iterator<Item = (usize, u64)> + use<> {
        let (mask, mut next) = (self.mask(), places.start);
        std::iter::from_fn(move || {
            if next >= places.end {
                return None;
            }
            let (number, first) = (next / LANES, next % LANES);
            // A range reaches over a word's end: it is cut there, and goes on in the next word.
            let end = places.end.min((number + 1) * LANES);
            let lanes = u64::MAX >> (64 - 2 * (end - next)) << (2 * first);
            next = end;
            Some(((number & mask) as usize, lanes))
        })
    }

    fn place(&self, place: u64) -> (usize, u64) {
        (((place / LANES) & self.mask()) as usize, place % LANES)
    }

    fn mask(&self) -> u64 {
        // Without a word there is no place to ask for.
        (self.words.len() as u64).wrapping_sub(1)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::outcome::Ended;

    const FAILURE: Finished = Finished::untimed(Ended::Failure);
    const SUCCESS: Finished = Finished::untimed(Ended::Success);

    /// Enough to leave every window behind; where each step is interpreted, all but the longest.
    const PLACES: u64 = if cfg!(miri) { 40 } else { 1000 };

    /// A ring with the count of all outcomes, which the rest of a window keeps.
    struct Bench {
        ring: Ring,
        total: u64,
    }

    impl Bench {
        fn new(size: u32, total: u64) -> Bench {
            Bench { ring: Ring::new(size, total), total }
        }

        fn record(&mut self, call: Finished) {
            self.total += 1;
            if !call.is_plain() {
                self.ring.mark(self.total, &call);
            }
        }

        fn counts(&self) -> (u64, u64, u64) {
            let counts = self.ring.counts(self.total);
            (counts.calls, counts.failures, counts.slow)
        }
    }

    #[test]
    fn marks_leave_after_as_many_outcomes_as_the_size() {
        for (size, before) in
            [(1, 5), (2, 0), (5, 6), (31, 5), (32, 31), (33, 1 << 50), (64, 63), (65, 2), (100, 5)]
        {
            let mut bench = Bench::new(size, before);
            let mut history = Vec::new();
            for place in 0..PLACES {
                let slow = place % 11 < 2 && place % 400 > 150;
                let call = Finished { slow, ..if place % 7 == 3 { FAILURE } else { SUCCESS } };
                bench.record(call);
                history.push(call);
                let last = history.iter().rev().take(size as usize);
                let count =
                    |mark: fn(&Finished) -> bool| last.clone().filter(|call| mark(call)).count() as u64;
                let expected = (last.len() as u64, count(Finished::is_failure), count(|call| call.slow));
                assert_eq!(bench.counts(), expected, "size {size}, place {place}");
            }
        }
    }

    #[test]
    fn successes_alone_make_no_words() {
        let mut bench = Bench::new(100, 0);
        (0..1000).for_each(|_| bench.record(SUCCESS));
        assert_eq!((bench.counts(), bench.ring.words.len()), ((100, 0, 0), 0));
        bench.record(FAILURE);
        assert_eq!((bench.counts(), bench.ring.words.len()), ((100, 1, 0), 4));
    }

    #[test]
    fn an_emptied_window_remembers_nothing() {
        let mut bench = Bench::new(12, 0);
        (0..5).for_each(|_| bench.record(FAILURE));
        bench.ring.begin(bench.total);
        assert_eq!((bench.counts(), bench.ring.seen()), ((0, 0, 0), 0));
        bench.record(FAILURE);
        assert_eq!(bench.counts(), (1, 1, 0), "in a word that it shares with the window before");
        (0..12).for_each(|_| bench.record(SUCCESS));
        assert_eq!(bench.counts(), (12, 0, 0));
    }

    #[test]
    fn looking_at_a_window_changes_nothing() {
        let mut bench = Bench::new(4, 0);
        (0..4).for_each(|_| bench.record(FAILURE));
        let later = bench.ring.counts(bench.total + 3);
        assert_eq!((later.calls, later.failures), (4, 1));
        assert_eq!(bench.counts(), (4, 4, 0));
    }
}
