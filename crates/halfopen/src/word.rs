//! The published state: its name, and the word from which every call reads it.

use std::num::NonZeroU64;

use crate::sync::{AtomicU64, Ordering};

/// What the breaker does with a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// Calls are admitted and recorded; a rule can open the breaker.
    #[default]
    Closed,
    /// Calls are rejected immediately until the wait is over.
    Open,
    /// A few probes are admitted; their outcomes close the breaker or open it again.
    HalfOpen,
    /// Override: every call is rejected until an operator ends it.
    ForcedOpen,
    /// Override: every call is admitted, and only the lifetime totals are recorded.
    Disabled,
    /// Override: every call is admitted; the rules are evaluated, and the openings that they would have caused are
    /// counted but not carried out.
    MetricsOnly,
}

impl State {
    /// All states, each once.
    pub const ALL: &'static [State] = &[
        State::Closed,
        State::Open,
        State::HalfOpen,
        State::ForcedOpen,
        State::Disabled,
        State::MetricsOnly,
    ];

    /// Returns the state's name in documents, labels and messages: `closed`, `half_open`, `forced_open`, ..
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
            State::ForcedOpen => "forced_open",
            State::Disabled => "disabled",
            State::MetricsOnly => "metrics_only",
        }
    }
}

impl State {
    /// Returns whether calls are admitted and recorded without a decision of the machine.
    #[inline]
    pub(crate) fn is_unlocked(self) -> bool {
        match self {
            State::Closed | State::MetricsOnly => true,
            State::Open | State::HalfOpen | State::ForcedOpen | State::Disabled => false,
        }
    }
}

impl std::fmt::Display for State {
    /// Formats the state in words: `closed`, `half-open`, `forced open`, ..
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            State::HalfOpen => "half-open",
            State::ForcedOpen => "forced open",
            State::MetricsOnly => "metrics only",
            State::Closed | State::Open | State::Disabled => self.as_str(),
        })
    }
}

/// The number of a visit: each transition begins the next one.
///
/// An outcome counts only in the epoch that admitted its call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(pub(crate) u64);

impl Epoch {
    /// The epoch of a new breaker.
    pub(crate) const FIRST: Epoch = Epoch(1);

    /// Returns the epoch after `transitions` more of them.
    #[must_use]
    pub(crate) const fn after(self, transitions: u64) -> Epoch {
        Epoch(self.0 + transitions)
    }
}

/// The state as every call reads it: the state, its epoch, and the flags that a call must observe.
///
/// ```text
///   63                       12  11 10   8 7   6   5   4   3   2     0
///  ┌───────────────────────────┬───┬──────┬───┬───┬───┬───┬───┬───────┐
///  │ epoch (52 bits)           │ S │ turn │ 1 │ C │ E │ T │ D │ state │
///  └───────────────────────────┴───┴──────┴───┴───┴───┴───┴───┴───────┘
///    T: a call must be timed    E: the rules are evaluated for every outcome
///    D: evidence doubts that the dependency is up, so that a success is evidence
///    C: its window asks for the time of every outcome
///    turn: calls are filed while they are in flight, in the ring of this turn; 0: they are not;
///          7: evidence decides, and files them
///    S: shadows see the calls; in a ticket, its time is a place in their table
/// ```
///
/// In the ticket of a call that evidence files, the bits from D to C are the stripe in which it is counted.
///
/// 52 bits of epoch last 14 years at ten million transitions a second. The bit that is always set
/// leaves zero for the permit that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(NonZeroU64);

const STATE: u64 = 0b111;
const DOUBTED: u64 = 1 << 3;
const TIMED: u64 = 1 << 4;
const EVALUATED: u64 = 1 << 5;
const CLOCKED: u64 = 1 << 6;
const ALWAYS: NonZeroU64 = NonZeroU64::new(1 << 7).expect("a set bit is not zero");
const TURN_SHIFT: u32 = 8;
const TURN: u64 = 0b111 << TURN_SHIFT;
const SHADOWED: u64 = 1 << 11;
const EPOCH_SHIFT: u32 = 12;
/// The flags, where a ticket has a stripe.
const STRIPE: u64 = DOUBTED | TIMED | EVALUATED | CLOCKED;
const STRIPE_SHIFT: u32 = 3;
/// The turn that no ring has.
const EVIDENCE: u8 = 7;

impl Word {
    pub(crate) fn new(epoch: Epoch, state: State) -> Word {
        Word::of(epoch.0 << EPOCH_SHIFT | state_bits(state))
    }

    #[inline]
    fn of(bits: u64) -> Word {
        Word(ALWAYS | bits)
    }

    #[inline]
    fn bits(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn with_timed(self, timed: bool) -> Word {
        self.with(TIMED, timed)
    }

    pub(crate) fn with_evaluated(self, evaluated: bool) -> Word {
        self.with(EVALUATED, evaluated)
    }

    pub(crate) fn with_clocked(self, clocked: bool) -> Word {
        self.with(CLOCKED, clocked)
    }

    /// Of a visit whose calls are filed in the ring of this turn, or with 0 are not filed.
    pub(crate) fn with_turn(self, turn: u8) -> Word {
        Word::of(self.bits() & !TURN | u64::from(turn) << TURN_SHIFT & TURN)
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
    pub(crate) fn epoch(self) -> Epoch {
        Epoch(self.bits() >> EPOCH_SHIFT)
    }

    #[inline]
    pub(crate) fn timed(self) -> bool {
        self.bits() & TIMED != 0
    }

    #[inline]
    pub(crate) fn evaluated(self) -> bool {
        self.bits() & EVALUATED != 0
    }

    #[inline]
    pub(crate) fn clocked(self) -> bool {
        self.bits() & CLOCKED != 0
    }

    /// The turn of the ring in which calls are filed; 0 if they are not.
    #[inline]
    pub(crate) fn turn(self) -> u8 {
        ((self.bits() & TURN) >> TURN_SHIFT) as u8
    }

    /// Of a visit in which evidence decides.
    pub(crate) fn with_evidence(self) -> Word {
        self.with_turn(EVIDENCE)
    }

    pub(crate) fn with_doubted(self, doubted: bool) -> Word {
        self.with(DOUBTED, doubted)
    }

    /// Whether a success is evidence.
    #[inline]
    pub(crate) fn doubted(self) -> bool {
        self.bits() & DOUBTED != 0
    }

    /// Of a call that evidence counts in this stripe, from 0 to 15.
    pub(crate) fn with_stripe(self, stripe: u8) -> Word {
        Word::of(self.bits() & !STRIPE | u64::from(stripe) << STRIPE_SHIFT & STRIPE)
    }

    pub(crate) fn stripe(self) -> u8 {
        ((self.bits() & STRIPE) >> STRIPE_SHIFT) as u8
    }

    /// Whether evidence decides, and no rule.
    #[inline]
    pub(crate) fn is_by_evidence(self) -> bool {
        self.turn() == EVIDENCE
    }

    /// Whether calls are admitted without the lock where evidence decides.
    #[inline]
    pub(crate) fn is_unlocked(self) -> bool {
        self.state().is_unlocked()
    }

    /// Whether a call of an adaptive breaker is admitted without the lock, and no shadow asks for it.
    #[inline]
    pub(crate) fn is_unlocked_by_evidence(self) -> bool {
        // One comparison for both: where evidence decides, every bit of the turn is set.
        const { assert!((EVIDENCE as u64) << TURN_SHIFT == TURN) };
        self.bits() & (TURN | SHADOWED) == TURN && self.is_unlocked()
    }

    /// Closed or only watching, with evidence that has no doubt, and neither durations nor rules that are asked for.
    #[inline]
    pub(crate) fn is_healthy(self) -> bool {
        self.is_by_evidence() && self.is_unlocked() && self.bits() & (TIMED | EVALUATED | DOUBTED) == 0
    }

    /// Whether calls are filed while they are in flight.
    #[inline]
    pub(crate) fn is_filed(self) -> bool {
        self.bits() & TURN != 0
    }

    pub(crate) fn with_shadowed(self, shadowed: bool) -> Word {
        self.with(SHADOWED, shadowed)
    }

    /// Whether shadows see the calls.
    #[inline]
    pub(crate) fn is_shadowed(self) -> bool {
        self.bits() & SHADOWED != 0
    }

    /// Closed, with no time to be read at the end of a call, no rule that is evaluated for every outcome, no calls filed and no
    /// shadows.
    #[inline]
    pub(crate) fn is_plain(self) -> bool {
        self.bits() & (STATE | TIMED | EVALUATED | CLOCKED | TURN | SHADOWED) == 0
    }

    /// Closed, where the permitted path asks nothing more.
    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.bits() & (STATE | TURN | SHADOWED) == 0
    }

    /// The bits of an epoch alone, as a window stores them.
    pub(crate) fn visit(epoch: Epoch) -> u64 {
        epoch.0 << EPOCH_SHIFT
    }

    /// Whether this word has the epoch of those bits, whatever else is in the lower ones.
    #[inline]
    pub(crate) fn is_in_visit(self, visit: u64) -> bool {
        (self.bits() ^ visit) >> EPOCH_SHIFT == 0
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

    const LAST: Epoch = Epoch((1 << 52) - 1);

    #[test]
    fn a_word_gives_back_what_was_put_in() {
        for &state in State::ALL {
            let word = Word::new(LAST, state).with_timed(true);
            assert_eq!(word.state(), state);
            assert_eq!(word.epoch(), LAST);
            assert!(word.timed() && !word.evaluated() && !word.is_filed());
            assert_eq!(word.is_closed(), state == State::Closed);
            for turn in 1..8 {
                let filed = word.with_turn(7).with_turn(turn);
                assert_eq!((filed.turn(), filed.epoch(), filed.state()), (turn, word.epoch(), state));
                assert!(filed.is_filed() && !filed.is_closed() && !filed.is_plain());
                assert_eq!(filed.with_turn(0), word);
            }
        }
    }

    #[test]
    fn flags_are_no_part_of_the_epoch() {
        let word = Word::new(Epoch(7), State::Closed);
        assert!(word.same_epoch(word.with_timed(true).with_evaluated(true)));
        assert!(!word.same_epoch(Word::new(Epoch(8), State::Closed)));
        assert!(word.with_timed(true).is_in_visit(Word::visit(Epoch(7)) | 1));
        assert!(!word.is_in_visit(Word::visit(Epoch(8))));
    }

    #[test]
    fn a_state_has_two_names() {
        let names = State::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]);
        let words = State::ALL.iter().map(State::to_string).collect::<Vec<_>>();
        assert_eq!(words, ["closed", "open", "half-open", "forced open", "disabled", "metrics only"]);
        assert_eq!(format!("{:>6}", State::Open), "  open", "it can be aligned");
    }

    #[test]
    fn a_flag_that_is_set_twice_is_set() {
        let word = Word::new(Epoch::FIRST, State::Closed);
        let set = word.with_timed(true).with_evaluated(true);
        assert_eq!(set.with_timed(true).with_evaluated(true), set);
        assert_eq!(set.with_timed(false).with_evaluated(false), word);
    }
}
