//! The decisions of the replay, as functions of what happened.

use std::time::Duration;

use halfopen::Outcome;

/// How an attempt to deliver a stored item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Delivered,
    /// The breaker did not permit it.
    Rejected,
    /// The sender failed.
    Failed {
        outcome: Outcome,
        /// Whether the breaker is closed after the failure.
        closed: bool,
    },
    /// The sender panicked.
    Panicked,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next item of the lane.
    GoOn,
    /// The item is tried again, after this time; the failure was an outage.
    Wait(Duration),
    /// The item is tried again, after this time; the failure was its own.
    Retry(Duration),
    /// The item is set aside, and the next one follows.
    SetAside,
}

/// The settings that decide about failures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) max_attempts: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) max_retry_delay: Duration,
}

impl Policy {
    /// Decides about an item with this many counted attempts. `others` is true if the receiver has taken another item
    /// since the last failure of this one.
    pub(crate) fn decide(&self, attempt: Attempt, attempts: u32, others: bool) -> Next {
        match attempt {
            Attempt::Delivered => Next::GoOn,
            Attempt::Rejected => Next::Wait(Duration::ZERO),
            Attempt::Failed { outcome, closed } if is_outage(outcome, closed, others) => {
                // A breaker that is not closed decides when it is worth another try.
                Next::Wait(if closed { self.retry_delay } else { Duration::ZERO })
            }
            Attempt::Failed { .. } | Attempt::Panicked if attempts + 1 >= self.max_attempts => Next::SetAside,
            Attempt::Failed { .. } | Attempt::Panicked => Next::Retry(self.delay(attempts)),
        }
    }

    /// The time before the next attempt: doubled by each one, up to the maximum.
    fn delay(&self, attempts: u32) -> Duration {
        self.retry_delay
            .saturating_mul(2_u32.saturating_pow(attempts))
            .min(self.max_retry_delay.max(self.retry_delay))
    }
}

/// Whether a failure is the receiver's and not the item's: the classifier calls it one, and nothing shows that the
/// receiver works for others.
fn is_outage(outcome: Outcome, closed: bool, others: bool) -> bool {
    outcome.is_failure() && !(closed && others)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        max_attempts: 3,
        retry_delay: Duration::from_secs(1),
        max_retry_delay: Duration::from_secs(3),
    };

    fn failed(outcome: Outcome, closed: bool) -> Attempt {
        Attempt::Failed { outcome, closed }
    }

    #[test]
    fn an_outage_never_sets_an_item_aside() {
        for (attempt, others, wait) in [
            (failed(Outcome::Failure, true), false, POLICY.retry_delay),
            (failed(Outcome::Failure, false), true, Duration::ZERO),
            (failed(Outcome::Throttled, false), false, Duration::ZERO),
            (Attempt::Rejected, true, Duration::ZERO),
        ] {
            assert_eq!(POLICY.decide(attempt, 99, others), Next::Wait(wait), "{attempt:?}, {others}");
        }
    }

    #[test]
    fn a_refused_item_is_retried_later_and_later() {
        let delays = [0, 1, 2].map(|attempts| {
            Policy { max_attempts: 9, ..POLICY }.decide(failed(Outcome::Success, true), attempts, false)
        });
        assert_eq!(delays, [1, 2, 3].map(|seconds| Next::Retry(Duration::from_secs(seconds))));
        assert_eq!(POLICY.delay(u32::MAX), POLICY.max_retry_delay, "no overflow");
    }

    #[test]
    fn an_item_is_set_aside_with_its_last_attempt() {
        for attempt in [failed(Outcome::Ignored, true), failed(Outcome::Success, false), Attempt::Panicked] {
            assert!(matches!(POLICY.decide(attempt, 1, false), Next::Retry(_)), "{attempt:?}");
            assert_eq!(POLICY.decide(attempt, 2, false), Next::SetAside, "{attempt:?}");
        }
    }

    #[test]
    fn a_failure_while_others_are_delivered_is_the_items_own() {
        let attempt = failed(Outcome::Failure, true);
        assert_eq!(POLICY.decide(attempt, 0, true), Next::Retry(Duration::from_secs(1)));
        assert_eq!(POLICY.decide(attempt, 2, true), Next::SetAside);
    }
}
