use super::sums::Sums;

/// The head of a window: the number of its last step, what that step was, and what it left behind.
///
/// ```text
///   63                       11  10   9    8    7 6        4 3    2  1  0
///  ┌────────────────────────────┬───┬────┬────┬─┬──────────┬──────┬──────┐
///  │ ticket (53 bits)           │odd│calm│turn│r│ parities │ s, f │ kind │
///  └────────────────────────────┴───┴────┴────┴─┴──────────┴──────┴──────┘
/// ```
///
/// Every step of a window (an outcome that is no plain success, a roll of its buckets, a new visit)
/// is one compare-and-swap of this word. The ticket grows with each, so no value ever comes back and
/// a step prepared for an earlier window cannot land in a later one (S3): 53 bits last fourteen
/// years at twenty million steps a second. What a step changes elsewhere is determined by this word
/// and is applied by whoever comes next, before they take the next step; so the sums, read at an
/// unchanged head, are those of a sequence of whole steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head(pub(super) u64);

/// What the last step was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A visit began, or its configuration changed.
    Begin,
    Record(Kind),
    Roll,
}

/// An outcome that counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) failure: bool,
    pub(crate) slow: bool,
}

impl Kind {
    /// A success that was not slow: in a window without trouble it changes nothing but a total.
    #[inline]
    pub(crate) fn is_plain(self) -> bool {
        !self.failure && !self.slow
    }

    /// As two bits, for a head and for a ring.
    pub(super) fn bits(self) -> u64 {
        u64::from(self.failure) | u64::from(self.slow) << 1
    }

    pub(super) fn from_bits(bits: u64) -> Kind {
        Kind { failure: bits & 1 != 0, slow: bits & 2 != 0 }
    }
}

const TICKET: u64 = 1 << 11;
const ODD: u64 = 1 << 10;
const CALM: u64 = 1 << 9;
const TURN: u64 = 1 << 8;
const ROLLED: u64 = 1 << 7;
const PARITY_SHIFT: u32 = 4;
const KIND_SHIFT: u32 = 2;
const RECORD: u64 = 1;
const ROLL: u64 = 2;

impl Head {
    pub(super) fn first(calm: bool) -> Head {
        Head(if calm { CALM } else { 0 })
    }

    /// The head after one more step, with the sums that it leaves.
    pub(super) fn next(self, step: Step, sums: &Sums, calm: bool) -> Head {
        let ticket = (self.0 & !(TICKET - 1)).wrapping_add(TICKET);
        let (step, turned) = match step {
            Step::Begin => (0, 0),
            Step::Record(kind) if kind.is_plain() => (RECORD, 0),
            Step::Record(kind) => (RECORD | kind.bits() << KIND_SHIFT, TURN),
            Step::Roll => (ROLL, ROLLED),
        };
        let calm = if calm { CALM } else { 0 };
        let kept = self.0 & (ODD | TURN | ROLLED) ^ turned;
        Head(ticket | kept | calm | sums.parities() << PARITY_SHIFT | step)
    }

    pub(super) fn turned(self) -> Head {
        Head(self.0 ^ ODD)
    }

    pub(super) fn step(self) -> Step {
        match self.0 & 0b11 {
            RECORD => Step::Record(Kind::from_bits(self.0 >> KIND_SHIFT & 0b11)),
            ROLL => Step::Roll,
            _ => Step::Begin,
        }
    }

    /// Which of two frames it belongs to.
    #[inline]
    pub(super) fn odd(self) -> bool {
        self.0 & ODD != 0
    }

    /// Changes with every outcome that is no plain success.
    pub(super) fn turn(self) -> bool {
        self.0 & TURN != 0
    }

    /// Changes with every roll.
    pub(super) fn rolled(self) -> bool {
        self.0 & ROLLED != 0
    }

    /// Which step it is of all.
    pub(super) fn ticket(self) -> u64 {
        self.0 / TICKET
    }

    /// No run of failures that a plain success would end.
    pub(super) fn calm(self) -> bool {
        self.0 & CALM != 0
    }

    /// Calm, and of this generation.
    #[inline]
    pub(super) fn is_calm_in(self, odd: bool) -> bool {
        self.0 & (CALM | ODD) == CALM | if odd { ODD } else { 0 }
    }

    /// Whether the sum with this place is odd after the step.
    pub(super) fn parity(self, place: usize) -> u64 {
        self.0 >> (PARITY_SHIFT as usize + place) & 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_back_from_the_head() {
        let slow_failure = Kind { failure: true, slow: true };
        let sums = Sums { successes: 2, failures: 3, slow: 1 };
        let head = Head::first(true).next(Step::Record(slow_failure), &sums, false);
        assert_eq!(head.step(), Step::Record(slow_failure));
        assert!(!head.calm());
        assert_eq!([0, 1, 2].map(|place| head.parity(place)), [0, 1, 1]);
        assert!(head.turn() && head.next(Step::Roll, &sums, true).turn());
        assert!(!head.rolled() && head.next(Step::Roll, &sums, true).rolled());
        assert_eq!(head.next(Step::Roll, &sums, true).step(), Step::Roll);
    }

    #[test]
    fn a_step_changes_what_it_says_and_nothing_else() {
        let kinds = [(true, false), (false, true), (true, true), (false, false)];
        let records = kinds.map(|(failure, slow)| Step::Record(Kind { failure, slow }));
        let steps = records.into_iter().chain([Step::Begin, Step::Roll]);
        for first in [Head::first(false), Head::first(false).turned()] {
            let mut head = first;
            for (number, step) in (1..).zip(steps.clone().cycle().take(60)) {
                let calm = number % 5 < 2;
                let sums = Sums { successes: number / 4, failures: number / 2, slow: number };
                let next = head.next(step, &sums, calm);
                let marked = matches!(step, Step::Record(kind) if kind.failure || kind.slow);
                assert_eq!((next.ticket(), next.step(), next.calm()), (number, step, calm));
                assert_eq!((next.odd(), next.turn()), (first.odd(), head.turn() ^ marked));
                assert!(next.is_calm_in(first.odd()) == calm && !next.is_calm_in(!first.odd()));
                for (place, sum) in [sums.successes, sums.failures, sums.slow].into_iter().enumerate() {
                    assert_eq!(next.parity(place), sum % 2);
                }
                head = next;
            }
        }
    }

    #[test]
    fn no_head_comes_twice() {
        let sums = Sums::default();
        let first = Head::first(true);
        let second = first.next(Step::Begin, &sums, true);
        assert_ne!(first, second);
        assert_ne!(second, second.next(Step::Begin, &sums, true));
        assert!(second.turned().odd());
        assert_eq!(second.turned().turned(), second);
    }
}
