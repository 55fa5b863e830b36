use std::num::NonZeroU64;

use crate::State;
use crate::sync::{AtomicU64, Ordering};

/// The state as every call reads it: which state, since which epoch, and what a call must bring.
///
/// ```text
///   63                                  8 7   6   5   4   3 2       0
///  ┌─────────────────────────────────────┬───┬───┬───┬───┬─┬─────────┐
///  │ epoch (56 bits)                     │ 1 │ C │ W │ T │G│  state  │
///  └─────────────────────────────────────┴───┴───┴───┴───┴─┴─────────┘
///    T: a call must be timed    W: every outcome must be weighed
///    C: its window asks for the time of every outcome
///    G: the generation of the window that belongs to this epoch
/// ```
///
/// 56 bits of epoch last 228 years at ten million transitions a second. The bit that is always set
/// leaves zero for the permit that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(NonZeroU64);

const STATE: u64 = 0b111;
const GENERATION: u64 = 1 << 3;
const TIMED: u64 = 1 << 4;
const WEIGHED: u64 = 1 << 5;
const CLOCKED: u64 = 1 << 6;
const ALWAYS: NonZeroU64 = NonZeroU64::new(1 << 7).expect("a bit is no zero");
const EPOCH_SHIFT: u32 = 8;

impl Word {
    pub(crate) fn new(epoch: u64, state: State) -> Word {
        Word::of(epoch << EPOCH_SHIFT | state_bits(state))
    }

    #[inline]
    fn of(bits: u64) -> Word {
        Word(ALWAYS | bits)
    }

    #[inline]
    fn bits(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn with_generation(self, odd: bool) -> Word {
        self.with(GENERATION, odd)
    }

    pub(crate) fn with_timed(self, timed: bool) -> Word {
        self.with(TIMED, timed)
    }

    pub(crate) fn with_weighed(self, weighed: bool) -> Word {
        self.with(WEIGHED, weighed)
    }

    pub(crate) fn with_clocked(self, clocked: bool) -> Word {
        self.with(CLOCKED, clocked)
    }

    fn with(self, bit: u64, on: bool) -> Word {
        Word::of(if on { self.bits() | bit } else { self.bits() & !bit })
    }

    #[inline]
    pub(crate) fn state(self) -> State {
        match self.bits() & STATE {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            3 => State::ForcedOpen,
            4 => State::Disabled,
            _ => State::MetricsOnly,
        }
    }

    #[inline]
    pub(crate) fn epoch(self) -> u64 {
        self.bits() >> EPOCH_SHIFT
    }

    #[inline]
    pub(crate) fn generation(self) -> bool {
        self.bits() & GENERATION != 0
    }

    #[inline]
    pub(crate) fn timed(self) -> bool {
        self.bits() & TIMED != 0
    }

    #[inline]
    pub(crate) fn weighed(self) -> bool {
        self.bits() & WEIGHED != 0
    }

    #[inline]
    pub(crate) fn clocked(self) -> bool {
        self.bits() & CLOCKED != 0
    }

    /// Closed, with no time to be read at the end of a call and no rule that must be asked every time.
    #[inline]
    pub(crate) fn is_plain(self) -> bool {
        self.bits() & (STATE | TIMED | WEIGHED | CLOCKED) == 0
    }

    /// Closed, where the permitted path asks nothing more.
    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.bits() & STATE == 0
    }

    #[inline]
    pub(crate) fn same_epoch(self, other: Word) -> bool {
        (self.bits() ^ other.bits()) >> EPOCH_SHIFT == 0
    }
}

fn state_bits(state: State) -> u64 {
    match state {
        State::Closed => 0,
        State::Open => 1,
        State::HalfOpen => 2,
        State::ForcedOpen => 3,
        State::Disabled => 4,
        State::MetricsOnly => 5,
    }
}

/// The one atomic that publishes the state; written only under the transition lock.
#[derive(Debug)]
pub(crate) struct StateWord(AtomicU64);

impl StateWord {
    pub(crate) fn new(word: Word) -> StateWord {
        StateWord(AtomicU64::new(word.bits()))
    }

    /// Acquire, with the store in [`publish`](Self::publish).
    #[inline]
    pub(crate) fn load(&self) -> Word {
        Word::of(self.0.load(Ordering::Acquire))
    }

    /// Release, with the load in [`load`](Self::load): a thread that sees the new epoch sees everything written for it.
    pub(crate) fn publish(&self, word: Word) {
        self.0.store(word.bits(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gives_back_what_was_put_in() {
        for state in [
            State::Closed,
            State::Open,
            State::HalfOpen,
            State::ForcedOpen,
            State::Disabled,
            State::MetricsOnly,
        ] {
            let word = Word::new((1 << 56) - 1, state).with_timed(true).with_generation(true);
            assert_eq!(word.state(), state);
            assert_eq!(word.epoch(), (1 << 56) - 1);
            assert!(word.timed() && word.generation() && !word.weighed());
            assert_eq!(word.is_closed(), state == State::Closed);
        }
    }

    #[test]
    fn flags_are_no_part_of_the_epoch() {
        let word = Word::new(7, State::Closed);
        assert!(word.same_epoch(word.with_timed(true).with_weighed(true)));
        assert!(!word.same_epoch(Word::new(8, State::Closed)));
    }
}
