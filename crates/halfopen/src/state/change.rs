use std::fmt;

use crate::clock::Tick;
use crate::{Counts, State, TripReason};

/// A small set of [`TripReason`]s, in the order in which they are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reasons(u8);

const ORDER: [TripReason; 8] = [
    TripReason::ConsecutiveFailures,
    TripReason::FailureCount,
    TripReason::FailureRate,
    TripReason::SlowCallRate,
    TripReason::Custom,
    TripReason::ProbeFailed,
    TripReason::ProbeTimedOut,
    TripReason::Manual,
];

impl Reasons {
    pub(crate) fn one(reason: TripReason) -> Reasons {
        Reasons(1 << reason as u8)
    }

    pub(crate) fn with(self, reason: TripReason) -> Reasons {
        Reasons(self.0 | 1 << reason as u8)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = TripReason> {
        ORDER.into_iter().filter(move |&reason| self.0 & 1 << reason as u8 != 0)
    }
}

/// Why the breaker opened, in numbers small enough to ride in every [`Rejected`](crate::Rejected).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reasons: Reasons,
    /// The threshold of the first reason: parts per billion of a rate, else a number of calls.
    pub(crate) threshold: u32,
    /// Failures, slow calls or the run: what was held against the threshold.
    pub(crate) part: u32,
    pub(crate) calls: u32,
}

impl Cause {
    pub(crate) fn plain(reason: TripReason) -> Cause {
        Cause { reasons: Reasons::one(reason), ..Cause::default() }
    }

    /// As two words, for the atomics that a rejection reads.
    pub(crate) fn to_words(self) -> [u64; 2] {
        [
            u64::from(self.reasons.0) << 32 | u64::from(self.threshold),
            u64::from(self.part) << 32 | u64::from(self.calls),
        ]
    }

    pub(crate) fn from_words([first, second]: [u64; 2]) -> Cause {
        Cause {
            reasons: Reasons((first >> 32) as u8),
            threshold: first as u32,
            part: (second >> 32) as u32,
            calls: second as u32,
        }
    }
}

impl fmt::Display for Cause {
    /// "failure rate 62% >= 50% of 26 calls", and "..., and 2 more rules" if several fired.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.reasons.iter().next() else { return f.write_str("opened") };
        let &Cause { part, calls, threshold, .. } = self;
        match first {
            TripReason::ConsecutiveFailures => {
                write!(f, "{} in a row, the limit is {threshold}", Failures(part))
            }
            TripReason::FailureCount => {
                write!(f, "{} in the window, the limit is {threshold}", Failures(part))
            }
            TripReason::FailureRate => write_rate(f, "failure rate", part, calls, threshold),
            TripReason::SlowCallRate => write_rate(f, "slow-call rate", part, calls, threshold),
            TripReason::Custom => write!(f, "its own rule, after {} in {calls} calls", Failures(part)),
            TripReason::ProbeFailed => f.write_str("a probe failed"),
            TripReason::ProbeTimedOut => f.write_str("a probe did not report in time"),
            TripReason::Manual => f.write_str("opened by hand"),
        }?;
        match self.reasons.iter().count() {
            0 | 1 => Ok(()),
            2 => f.write_str(", and one more rule"),
            n => write!(f, ", and {} more rules", n - 1),
        }
    }
}

struct Failures(u32);

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "failure" } else { "failures" })
    }
}

fn write_rate(f: &mut fmt::Formatter<'_>, what: &str, part: u32, calls: u32, threshold: u32) -> fmt::Result {
    let rate = f64::from(part) * 100.0 / f64::from(calls.max(1));
    write!(f, "{what} {}% >= {}% of {calls} calls", Percent(rate), Percent(f64::from(threshold) / 1e7))
}

/// A percentage with the digits that say something: "62", "0.5", "33.3".
pub(crate) struct Percent(pub(crate) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

/// One transition, as the machine made it; becomes a [`StateChange`](crate::StateChange) when told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) cause: Cause,
    pub(crate) counts: Counts,
    /// When it happened, which may be before somebody noticed (S24).
    pub(crate) at: Tick,
}

/// What the machine did in one step, in order.
pub(crate) type Log = Vec<Entry>;

/// Something the listeners are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Change(Change),
    Reset,
    ConfigChanged,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(reason: TripReason) -> Cause {
        Cause { reasons: Reasons::one(reason), threshold: 500_000_000, part: 16, calls: 26 }
    }

    #[test]
    fn a_cause_survives_its_two_words() {
        let cause = cause(TripReason::FailureRate);
        assert_eq!(Cause::from_words(cause.to_words()), cause);
    }

    #[test]
    fn a_rate_is_told_against_its_threshold() {
        assert_eq!(cause(TripReason::FailureRate).to_string(), "failure rate 61.5% >= 50% of 26 calls");
    }

    #[test]
    fn further_rules_are_mentioned() {
        let two = Cause {
            reasons: Reasons::one(TripReason::FailureRate).with(TripReason::Custom),
            ..cause(TripReason::FailureRate)
        };
        assert!(two.to_string().ends_with(", and one more rule"));
    }

    #[test]
    fn reasons_come_out_in_their_order() {
        let reasons = Reasons::one(TripReason::Manual).with(TripReason::ConsecutiveFailures);
        assert_eq!(reasons.iter().collect::<Vec<_>>(), [TripReason::ConsecutiveFailures, TripReason::Manual]);
    }
}
