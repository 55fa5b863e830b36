//! The contents of a slot of the [`Traffic`](super::Traffic), in one word.

const IN_FLIGHT_BITS: u32 = 18;
const COUNT_BITS: u32 = 19;
const STARTED_SHIFT: u32 = IN_FLIGHT_BITS;
const GOOD_SHIFT: u32 = STARTED_SHIFT + COUNT_BITS;
const VERSION_SHIFT: u32 = GOOD_SHIFT + COUNT_BITS;
pub(super) const VERSION_MASK: u64 = 0xff;
const MOST_IN_FLIGHT: u64 = (1 << IN_FLIGHT_BITS) - 1;
pub(super) const MOST_STARTED: u64 = (1 << COUNT_BITS) - 1;

/// The contents of a slot.
///
/// ```text
///   │ version (8) │ good (19) │ started (19) │ in flight (18) │
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
            good: word >> GOOD_SHIFT & MOST_STARTED,
            started: word >> STARTED_SHIFT & MOST_STARTED,
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
        let has_room = self.in_flight < MOST_IN_FLIGHT && self.started < MOST_STARTED;
        has_room.then(|| Slot { started: self.started + 1, in_flight: self.in_flight + 1, ..self })
    }

    /// With one call in flight less; [`None`] if there is none.
    pub(super) fn left(self, good: bool) -> Option<Slot> {
        let in_flight = self.in_flight.checked_sub(1)?;
        Some(Slot { in_flight, good: self.good + u64::from(good), ..self })
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
