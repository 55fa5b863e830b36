//! Why a breaker opened, and why a call was rejected.

use std::fmt;

use crate::text::Percent;

/// Why a breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
#[repr(u8)]
pub enum TripReason {
    /// The number of consecutive failures reached its threshold.
    ConsecutiveFailures,
    /// The number of failures in the window reached its threshold.
    FailureCount,
    /// The share of failed calls in the window reached its threshold.
    FailureRate,
    /// The share of slow calls in the window reached its threshold.
    SlowCallRate,
    /// A rule given with `ready_to_trip` returned true.
    Custom,
    /// Too many probes of a half-open breaker failed.
    ProbeFailed,
    /// A probe of a half-open breaker did not report within `probe_timeout`.
    ProbeTimedOut,
    /// A control was called, such as [`trip`](crate::CircuitBreaker::trip).
    Manual,
    /// Adaptive: by all that was seen, a call is not worth making.
    Evidence,
    /// Adaptive: the dependency throttles, and asked for silence or takes next to nothing.
    Throttled,
    /// The breakers of other processes, with which this one opens and closes.
    Fleet,
}

impl TripReason {
    /// Returns the reason's name in documents and labels: `failure_rate`, `probe_failed`, ..
    pub fn as_str(self) -> &'static str {
        match self {
            TripReason::ConsecutiveFailures => "consecutive_failures",
            TripReason::FailureCount => "failure_count",
            TripReason::FailureRate => "failure_rate",
            TripReason::SlowCallRate => "slow_call_rate",
            TripReason::Custom => "custom",
            TripReason::ProbeFailed => "probe_failed",
            TripReason::ProbeTimedOut => "probe_timed_out",
            TripReason::Manual => "manual",
            TripReason::Evidence => "evidence",
            TripReason::Throttled => "throttled",
            TripReason::Fleet => "fleet",
        }
    }
}

/// The reason of a change of the share that a half-open breaker admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RampReason {
    /// The probes have passed, and the [`ramp`](crate::HalfOpen::ramp) begins.
    ProbesPassed,
    /// Adaptive: the silence that a server asked for is over.
    HoldOver,
    /// Adaptive: answers came late, so the share was cut.
    Slow,
    /// Adaptive: the dependency throttles, so the share was cut.
    Throttled,
}

impl RampReason {
    /// Returns the reason's name in documents and labels: `probes_passed`, `hold_over`, `slow`, `throttled`.
    pub fn as_str(self) -> &'static str {
        match self {
            RampReason::ProbesPassed => "probes_passed",
            RampReason::HoldOver => "hold_over",
            RampReason::Slow => "slow",
            RampReason::Throttled => "throttled",
        }
    }
}

/// Why a call was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RejectReason {
    /// The circuit breaker is open and the wait is not over.
    Open,
    /// The circuit breaker is half-open and all the probes that it allows are in flight.
    HalfOpenSaturated,
    /// The circuit breaker is half-open and admits a growing share of the calls, which does not include this call.
    HalfOpenRamp,
    /// An operator has forced the circuit breaker open.
    ForcedOpen,
    /// The bulkhead has as many calls in flight and waiting as it allows.
    BulkheadFull,
    /// The calls that the rate limit allows at this time are used up.
    RateLimited,
}

impl RejectReason {
    /// Returns the reason's name in documents and labels: `open`, `half_open_saturated`, `half_open_ramp`,
    /// `forced_open`, `bulkhead_full`, `rate_limited`.
    pub fn as_str(self) -> &'static str {
        match self {
            RejectReason::Open => "open",
            RejectReason::HalfOpenSaturated => "half_open_saturated",
            RejectReason::HalfOpenRamp => "half_open_ramp",
            RejectReason::ForcedOpen => "forced_open",
            RejectReason::BulkheadFull => "bulkhead_full",
            RejectReason::RateLimited => "rate_limited",
        }
    }
}

/// A small set of [`TripReason`]s, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reasons(u16);

/// The order in which reasons are reported.
const ORDER: [TripReason; 11] = [
    TripReason::ConsecutiveFailures,
    TripReason::FailureCount,
    TripReason::FailureRate,
    TripReason::SlowCallRate,
    TripReason::Custom,
    TripReason::ProbeFailed,
    TripReason::ProbeTimedOut,
    TripReason::Manual,
    TripReason::Evidence,
    TripReason::Throttled,
    TripReason::Fleet,
];

impl Reasons {
    pub(crate) fn one(reason: TripReason) -> Reasons {
        Reasons(1 << reason as u16)
    }

    pub(crate) fn with(self, reason: TripReason) -> Reasons {
        Reasons(self.0 | 1 << reason as u16)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = TripReason> {
        ORDER.into_iter().filter(move |&reason| self.0 & 1 << reason as u16 != 0)
    }
}

/// Why the breaker opened, small enough to be stored in every [`Rejected`](crate::Rejected).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reasons: Reasons,
    /// The threshold of the first reason: parts per billion for a rate, otherwise a number of calls.
    pub(crate) threshold: u32,
    /// The number compared with the threshold: failures, slow calls or the length of the run.
    pub(crate) part: u32,
    pub(crate) calls: u32,
}

impl Cause {
    pub(crate) fn plain(reason: TripReason) -> Cause {
        Cause { reasons: Reasons::one(reason), ..Cause::default() }
    }

    /// Packs the cause into two words, for the atomics that a rejection loads.
    pub(crate) fn to_words(self) -> [u64; 2] {
        [
            u64::from(self.reasons.0) << 32 | u64::from(self.threshold),
            u64::from(self.part) << 32 | u64::from(self.calls),
        ]
    }

    pub(crate) fn from_words([first, second]: [u64; 2]) -> Cause {
        Cause {
            reasons: Reasons((first >> 32) as u16),
            threshold: first as u32,
            part: (second >> 32) as u32,
            calls: second as u32,
        }
    }
}

impl fmt::Display for Cause {
    /// Formats the first reason, such as "failure rate 62% >= 50% of 26 calls", and the number of the others.
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
            TripReason::Custom => write!(f, "custom rule, after {} in {calls} calls", Failures(part)),
            TripReason::ProbeFailed => f.write_str("a probe failed"),
            TripReason::ProbeTimedOut => f.write_str("a probe did not report in time"),
            TripReason::Manual => f.write_str("opened by hand"),
            TripReason::Evidence => {
                let percent = |parts: u32| Percent(f64::from(parts) / 1e7);
                write!(
                    f,
                    "{}% sure that more than {}% fail, by {calls} calls",
                    percent(part),
                    percent(threshold)
                )
            }
            TripReason::Throttled => f.write_str("the dependency throttles"),
            TripReason::Fleet => f.write_str("opened by its fleet"),
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
    fn a_rate_is_shown_with_its_threshold() {
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

    #[test]
    fn one_failure_is_shown_in_the_singular() {
        let shown = |reason, part| Cause { threshold: 1, part, ..Cause::plain(reason) }.to_string();
        assert_eq!(shown(TripReason::ConsecutiveFailures, 1), "1 failure in a row, the limit is 1");
        assert_eq!(shown(TripReason::FailureCount, 3), "3 failures in the window, the limit is 1");
    }
}
