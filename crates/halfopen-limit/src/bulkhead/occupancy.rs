/// How many calls hold a slot of a bulkhead and how many wait for one: both in one atomic word, so that
/// no thread sees a slot that a waiter is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occupancy {
    pub(crate) in_flight: u32,
    pub(crate) waiting: u32,
}

/// The limits that an [`Occupancy`] is held against, in one word as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) concurrent: u32,
    pub(crate) waiting: u32,
}

/// The next word after a slot was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// The slot is free, or was one too many for limits that have shrunk.
    Freed(Occupancy),
    /// The slot belongs to the first in the queue.
    HandedOver(Occupancy),
}

impl Occupancy {
    pub(crate) fn from_word(word: u64) -> Occupancy {
        let (in_flight, waiting) = halves(word);
        Occupancy { in_flight, waiting }
    }

    pub(crate) fn to_word(self) -> u64 {
        whole(self.in_flight, self.waiting)
    }

    /// Takes a slot, unless there is none or a waiter comes first.
    pub(crate) fn enter(self, limits: Limits) -> Option<Occupancy> {
        // Not past the queue, even with a free slot: a waiter would starve behind calls that come later.
        let free = self.waiting == 0 && self.in_flight < limits.concurrent;
        free.then(|| Occupancy { in_flight: self.in_flight + 1, ..self })
    }

    /// Takes a place in the queue, unless it is full.
    pub(crate) fn queue(self, limits: Limits) -> Option<Occupancy> {
        (self.waiting < limits.waiting).then(|| Occupancy { waiting: self.waiting + 1, ..self })
    }

    /// Leaves the queue without a slot.
    pub(crate) fn leave(self) -> Occupancy {
        Occupancy { waiting: self.waiting - 1, ..self }
    }

    /// Gives a slot back: to the queue, if one waits and the limits have not shrunk below the calls in flight.
    pub(crate) fn give_back(self, limits: Limits) -> Returned {
        // The slot goes to the first waiter without being free in between, so that no arrival can take it. Above
        // the limit, which was lowered, it is not given out again.
        if self.waiting > 0 && self.in_flight <= limits.concurrent {
            Returned::HandedOver(self.leave())
        } else {
            Returned::Freed(Occupancy { in_flight: self.in_flight - 1, ..self })
        }
    }

    /// Gives a slot that larger limits have made to the first in the queue.
    pub(crate) fn hand_new_slot(self, limits: Limits) -> Option<Occupancy> {
        let next = self.waiting > 0 && self.in_flight < limits.concurrent;
        next.then(|| Occupancy { in_flight: self.in_flight + 1, ..self.leave() })
    }
}

impl Limits {
    pub(crate) fn from_word(word: u64) -> Limits {
        let (concurrent, waiting) = halves(word);
        Limits { concurrent, waiting }
    }

    pub(crate) fn to_word(self) -> u64 {
        whole(self.concurrent, self.waiting)
    }
}

fn whole(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a word")]
fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { concurrent: 2, waiting: 1 };

    fn occupancy(in_flight: u32, waiting: u32) -> Occupancy {
        Occupancy { in_flight, waiting }
    }

    #[test]
    fn a_slot_is_taken_while_one_is_free() {
        assert_eq!(occupancy(1, 0).enter(LIMITS), Some(occupancy(2, 0)));
        assert_eq!(occupancy(2, 0).enter(LIMITS), None);
    }

    #[test]
    fn a_waiter_comes_before_a_late_arrival() {
        assert_eq!(occupancy(1, 1).enter(LIMITS), None, "a waiter is owed the free slot");
    }

    #[test]
    fn the_queue_has_a_limit() {
        assert_eq!(occupancy(2, 0).queue(LIMITS), Some(occupancy(2, 1)));
        assert_eq!(occupancy(2, 1).queue(LIMITS), None);
    }

    #[test]
    fn a_slot_goes_to_the_queue_first() {
        assert_eq!(occupancy(2, 1).give_back(LIMITS), Returned::HandedOver(occupancy(2, 0)));
        assert_eq!(occupancy(2, 0).give_back(LIMITS), Returned::Freed(occupancy(1, 0)));
    }

    #[test]
    fn a_slot_above_shrunk_limits_is_not_handed_over() {
        assert_eq!(occupancy(3, 1).give_back(LIMITS), Returned::Freed(occupancy(2, 1)));
    }

    #[test]
    fn larger_limits_serve_the_queue() {
        assert_eq!(occupancy(1, 1).hand_new_slot(LIMITS), Some(occupancy(2, 0)));
        assert_eq!(occupancy(2, 1).hand_new_slot(LIMITS), None);
        assert_eq!(occupancy(1, 0).hand_new_slot(LIMITS), None);
    }

    #[test]
    fn words_keep_both_halves() {
        let full = occupancy(u32::MAX, u32::MAX - 1);
        assert_eq!(Occupancy::from_word(full.to_word()), full);
    }
}
