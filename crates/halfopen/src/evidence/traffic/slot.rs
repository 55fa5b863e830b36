//! The contents of a slot of the [`Traffic`](super::Traffic), in one word.

const IN_FLIGHT_BITS: u32 = 20;
const COUNT_BITS: u32 = 18;
const STARTED_SHIFT: u32 = IN_FLIGHT_BITS;
const GOOD_SHIFT: u32 = STARTED_SHIFT + COUNT_BITS;
const VERSION_SHIFT: u32 = GOOD_SHIFT + COUNT_BITS;
pub(super) const VERSION_MASK: u64 = 0xff;
pub(super) const MOST_IN_FLIGHT: u64 = (1 << IN_FLIGHT_BITS) - 1;
const MOST_COUNTED: u64 = (1 << COUNT_BITS) - 1;
/// From so many calls on, that have begun or ended well since the last reading, the slot is to be read.
const MANY: u64 = 1 << (COUNT_BITS - 1);

/// The contents of a slot: the calls in flight, and those that have begun and that have ended well since the last reading.
///
/// ```text
///   │ version (8) │ good (18) │ started (18) │ in flight (20) │
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) version: u64,
    pub(super) good: u64,
    pub(super) started: u64,
    pub(super) in_flight: u64,
}

impl Slot {
    pub(super) fn of(word: u64) -> Slot {
        Slot {
            version: word >> VERSION_SHIFT,
            good: word >> GOOD_SHIFT & MOST_COUNTED,
            started: word >> STARTED_SHIFT & MOST_COUNTED,
            in_flight: word & MOST_IN_FLIGHT,
        }
    }

    pub(super) fn word(self) -> u64 {
        self.version << VERSION_SHIFT
            | self.good << GOOD_SHIFT
            | self.started << STARTED_SHIFT
            | self.in_flight
    }

    /// With one more call in flight; [`None`] if there is no room.
    pub(super) fn entered(self) -> Option<Slot> {
        let started = one_more(self.started, true);
        (self.in_flight < MOST_IN_FLIGHT).then(|| Slot { started, in_flight: self.in_flight + 1, ..self })
    }

    /// With one call in flight less; [`None`] if there is none.
    pub(super) fn left(self, good: bool) -> Option<Slot> {
        let in_flight = self.in_flight.checked_sub(1)?;
        Some(Slot { in_flight, good: one_more(self.good, good), ..self })
    }

    /// Whether it is to be read before it cannot count any more.
    pub(super) fn has_many(self) -> bool {
        (self.started | self.good) & MANY != 0
    }

    /// Whether something has been counted since the last reading.
    pub(super) fn has_news(self) -> bool {
        self.started | self.good != 0
    }

    /// With nothing to read.
    pub(super) fn as_read(self) -> Slot {
        Slot { started: 0, good: 0, ..self }
    }

    /// Empty, for a new bucket: a thread that has loaded the slot before cannot write it any more.
    pub(super) fn empty(version: u64) -> Slot {
        Slot { version, good: 0, started: 0, in_flight: 0 }
    }

    /// Whether a bucket that began then is the one of this slot.
    pub(super) fn is_of(self, begin: u64) -> bool {
        self.version == begin & VERSION_MASK
    }
}

/// A slot that is not read in time, because the lock is held meanwhile, stays at the most that it can count.
fn one_more(count: u64, one: bool) -> u64 {
    (count + u64::from(one)).min(MOST_COUNTED)
}
