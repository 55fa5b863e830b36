//! The generic cell rate algorithm, as a pure function of one number and the time.
//!
//! The number is the *theoretical arrival time*: when the next call would come if every call had kept the
//! pace. A call moves it on by the interval between two calls; one is permitted while it is no more than
//! the burst ahead of the time.

/// A quota in numbers: nanoseconds between two calls at an even pace, and how many of them may come in one
/// burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) interval: u64,
    pub(crate) burst: u32,
}

/// The answer to calls at a moment; the arrival times are those after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// They conform now.
    Permit { arrival: u64 },
    /// They will conform in so many nanoseconds if nothing else is permitted until then.
    Wait { nanos: u64, arrival: u64 },
    /// They are more than a burst, and conform at no time.
    Never,
}

impl Pace {
    pub(crate) fn cost(self, calls: u32) -> u64 {
        self.interval.saturating_mul(calls.into())
    }

    pub(crate) fn decide(self, arrival: u64, now: u64, calls: u32) -> Decision {
        if calls == 0 {
            return Decision::Permit { arrival };
        }
        // More than ever fit in: a wait for them would not end.
        if calls > self.burst {
            return Decision::Never;
        }
        // Time that passed unused is not saved beyond the burst, which is reckoned from now.
        let arrival = arrival.max(now).saturating_add(self.cost(calls));
        match arrival.saturating_sub(now.saturating_add(self.cost(self.burst))) {
            0 => Decision::Permit { arrival },
            nanos => Decision::Wait { nanos, arrival },
        }
    }

    /// How many calls conform at this moment.
    pub(crate) fn available(self, arrival: u64, now: u64) -> u32 {
        let room = self.cost(self.burst).saturating_sub(arrival.saturating_sub(now));
        u32::try_from(room / self.interval).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { interval: 10, burst: 3 };

    #[test]
    fn a_burst_conforms_and_then_the_pace_holds() {
        assert_eq!(PACE.decide(0, 100, 1), Decision::Permit { arrival: 110 });
        assert_eq!(PACE.decide(110, 100, 1), Decision::Permit { arrival: 120 });
        assert_eq!(PACE.decide(120, 100, 1), Decision::Permit { arrival: 130 });
        assert_eq!(PACE.decide(130, 100, 1), Decision::Wait { nanos: 10, arrival: 140 });
        assert_eq!(PACE.decide(130, 109, 1), Decision::Wait { nanos: 1, arrival: 140 });
        assert_eq!(PACE.decide(130, 110, 1), Decision::Permit { arrival: 140 });
    }

    #[test]
    fn a_whole_burst_can_be_taken_at_once() {
        assert_eq!(PACE.decide(0, 100, 3), Decision::Permit { arrival: 130 });
        assert_eq!(PACE.decide(110, 100, 3), Decision::Wait { nanos: 10, arrival: 140 });
        assert_eq!(PACE.decide(0, 100, 4), Decision::Never);
    }

    #[test]
    fn no_calls_conform_at_any_time_and_cost_nothing() {
        assert_eq!(PACE.decide(130, 100, 0), Decision::Permit { arrival: 130 });
    }

    #[test]
    fn what_is_available_is_permitted_and_no_more() {
        for arrival in 0..200 {
            let available = PACE.available(arrival, 100);
            let all = PACE.decide(arrival, 100, available);
            assert!(matches!(all, Decision::Permit { .. }), "{available} of arrival {arrival}");
            let more = PACE.decide(arrival, 100, available + 1);
            assert!(!matches!(more, Decision::Permit { .. }), "one more of arrival {arrival}");
        }
    }

    #[test]
    fn the_end_of_time_saturates() {
        let pace = Pace { interval: u64::MAX, burst: u32::MAX };
        assert_eq!(pace.decide(u64::MAX, u64::MAX, 1), Decision::Permit { arrival: u64::MAX });
        assert_eq!(pace.available(0, 0), 1);
    }
}
