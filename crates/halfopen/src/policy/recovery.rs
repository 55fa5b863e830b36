use crate::config::{Recovery, reached};

/// The outcomes of the probes of a half-open visit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) slow: u64,
    /// Probes that passed: successes that were not slow by the slow-call rule, if there is one.
    pub(crate) passed: u64,
}

impl Tally {
    pub(crate) fn calls(&self) -> u64 {
        self.successes + self.failures
    }

    /// Returns the sum of both.
    pub(crate) fn plus(&self, other: &Tally) -> Tally {
        Tally {
            successes: self.successes + other.successes,
            failures: self.failures + other.failures,
            slow: self.slow + other.slow,
            passed: self.passed + other.passed,
        }
    }

    /// Returns the number of probes that did not pass: failures, and successes that were slow by the slow-call rule.
    pub(crate) fn failed(&self) -> u64 {
        self.calls() - self.passed
    }
}

/// The result of the probes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Undecided,
    Recovered,
    StillSick,
}

/// Returns whether one more probe may be admitted (S22).
pub(crate) fn has_slot(recovery: Recovery, in_flight: u64, tally: &Tally) -> bool {
    let (max_calls, visit) = match recovery {
        Recovery::Counts { max_calls, success_threshold, max_failures } => {
            // With this many outcomes the visit is decided in any order: one less can be a success short of the
            // threshold and a failure short of one too many.
            let needed = u64::from(success_threshold) + u64::from(max_failures);
            (max_calls, needed.max(u64::from(max_calls)))
        }
        Recovery::Rate { max_calls, .. } => (max_calls, u64::from(max_calls)),
    };
    // A probe that was ignored or abandoned is in neither number, so that it is replaced by another one.
    in_flight < u64::from(max_calls) && in_flight + tally.calls() < visit
}

/// Returns the verdict as soon as it is certain (S23). `slow_ppb` is the threshold of the slow-call rule.
pub(crate) fn evaluate(recovery: Recovery, slow_ppb: Option<u32>, tally: &Tally) -> Finding {
    match recovery {
        Recovery::Counts { success_threshold, max_failures, .. } => {
            if tally.passed >= u64::from(success_threshold) {
                Finding::Recovered
            } else if tally.failed() > u64::from(max_failures) {
                Finding::StillSick
            } else {
                Finding::Undecided
            }
        }
        Recovery::Rate { max_calls, threshold_ppb } => {
            // Measured against all probes of the visit: if the failures so far reach the threshold, no later success
            // can change that; if they do not reach it even with all remaining probes, no later failure can.
            let all = u64::from(max_calls);
            let remaining = all.saturating_sub(tally.calls());
            let sick = |part: u64| reached(part, all, threshold_ppb);
            let slow = |part: u64| slow_ppb.is_some_and(|ppb| reached(part, all, ppb));
            if sick(tally.failures) || slow(tally.slow) {
                // Slow successes are among those that did not pass: a dependency that answers too late has not
                // recovered.
                Finding::StillSick
            } else if !sick(tally.failures + remaining) && !slow(tally.slow + remaining) {
                Finding::Recovered
            } else {
                Finding::Undecided
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failures: u64) -> Tally {
        Tally { successes: passed, failures, slow: 0, passed }
    }

    const TWO_OF_THREE: Recovery = Recovery::Counts { max_calls: 1, success_threshold: 2, max_failures: 1 };
    const RATE: Recovery = Recovery::Rate { max_calls: 4, threshold_ppb: 500_000_000 };

    #[test]
    fn a_visit_has_slots_until_the_verdict_must_have_come() {
        assert!(has_slot(TWO_OF_THREE, 0, &tally(0, 0)));
        assert!(!has_slot(TWO_OF_THREE, 1, &tally(0, 0)), "one at a time");
        assert!(has_slot(TWO_OF_THREE, 0, &tally(1, 1)), "the third decides");
        assert!(!has_slot(TWO_OF_THREE, 0, &tally(1, 2)));
    }

    #[test]
    fn successes_close_and_one_failure_too_many_opens() {
        assert_eq!(evaluate(TWO_OF_THREE, None, &tally(1, 1)), Finding::Undecided);
        assert_eq!(evaluate(TWO_OF_THREE, None, &tally(2, 1)), Finding::Recovered);
        assert_eq!(evaluate(TWO_OF_THREE, None, &tally(1, 2)), Finding::StillSick);
    }

    #[test]
    fn a_success_that_was_slow_is_a_failed_probe() {
        let slow = Tally { successes: 1, failures: 0, slow: 1, passed: 0 };
        let one = Recovery::Counts { max_calls: 1, success_threshold: 1, max_failures: 0 };
        assert_eq!(evaluate(one, Some(500_000_000), &slow), Finding::StillSick);
    }

    #[test]
    fn a_rate_decides_as_early_as_possible() {
        assert_eq!(evaluate(RATE, None, &tally(2, 1)), Finding::Undecided);
        assert_eq!(evaluate(RATE, None, &tally(0, 2)), Finding::StillSick);
        assert_eq!(evaluate(RATE, None, &tally(3, 0)), Finding::Recovered);
    }
}
