use std::time::Duration;

use super::error::Problems;
use super::{parts_per_billion, window::Form};
use crate::clock::nanos;

/// A rule that opens a closed breaker. Of several, any one that holds opens it.
///
/// The rules are asked after every recorded outcome. Thresholds are inclusive and exact: they are
/// held in parts per billion, rounded down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trip {
    pub(super) kind: Kind,
    pub(super) minimum_calls: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    ConsecutiveFailures(u32),
    FailureCount(u32),
    FailureRate(f64),
    SlowCallRate(f64, Duration),
}

/// The same, checked, in the numbers that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    ConsecutiveFailures(u32),
    FailureCount(u32),
    FailureRate { threshold_ppb: u32, minimum_calls: u32 },
    SlowCallRate { threshold_ppb: u32, slow_after_nanos: u64, minimum_calls: u32 },
}

/// What a rate waits for if nobody says otherwise.
const MINIMUM_CALLS: u32 = 5;

impl Trip {
    /// So many failures in a row, from 1; `u32::MAX` means never.
    pub fn consecutive_failures(n: u32) -> Trip {
        Trip::of(Kind::ConsecutiveFailures(n))
    }

    /// So many failures in the window, from 1; `u32::MAX` means never. More than a count window
    /// holds never happens.
    pub fn failure_count(n: u32) -> Trip {
        Trip::of(Kind::FailureCount(n))
    }

    /// This share of the calls in the window failed: above 0, 1 means all.
    ///
    /// Waits for [`minimum_calls`](Self::minimum_calls): 5, or the size of a smaller count window.
    pub fn failure_rate(threshold: f64) -> Trip {
        Trip::of(Kind::FailureRate(threshold))
    }

    /// This share of the calls in the window took `slow_after` or longer, failed or not: above 0, 1
    /// means all. A configuration has at most one such rule; with it every call is timed.
    ///
    /// Waits for [`minimum_calls`](Self::minimum_calls): 5, or the size of a smaller count window.
    pub fn slow_call_rate(threshold: f64, slow_after: Duration) -> Trip {
        Trip::of(Kind::SlowCallRate(threshold, slow_after))
    }

    /// How many calls a rate waits for, from 1 to the size of a count window; `u32::MAX` means never.
    pub fn minimum_calls(self, n: u32) -> Trip {
        Trip { minimum_calls: Some(n), ..self }
    }

    fn of(kind: Kind) -> Trip {
        Trip { kind, minimum_calls: None }
    }

    /// The limit of a rule on failures in a row or in the window.
    pub fn limit(&self) -> Option<u32> {
        match self.kind {
            Kind::ConsecutiveFailures(n) | Kind::FailureCount(n) => Some(n),
            Kind::FailureRate(_) | Kind::SlowCallRate(..) => None,
        }
    }

    /// The threshold of a rule on a rate.
    pub fn threshold(&self) -> Option<f64> {
        match self.kind {
            Kind::FailureRate(threshold) | Kind::SlowCallRate(threshold, _) => Some(threshold),
            Kind::ConsecutiveFailures(_) | Kind::FailureCount(_) => None,
        }
    }

    /// From how long on a call is slow, for a slow-call rule.
    pub fn slow_after(&self) -> Option<Duration> {
        match self.kind {
            Kind::SlowCallRate(_, slow_after) => Some(slow_after),
            Kind::ConsecutiveFailures(_) | Kind::FailureCount(_) | Kind::FailureRate(_) => None,
        }
    }

    /// The minimum that was written, if one was.
    pub fn written_minimum_calls(&self) -> Option<u32> {
        self.minimum_calls
    }

    /// The event that names this rule when it opens a breaker.
    pub fn reason(&self) -> crate::TripReason {
        match self.kind {
            Kind::ConsecutiveFailures(_) => crate::TripReason::ConsecutiveFailures,
            Kind::FailureCount(_) => crate::TripReason::FailureCount,
            Kind::FailureRate(_) => crate::TripReason::FailureRate,
            Kind::SlowCallRate(..) => crate::TripReason::SlowCallRate,
        }
    }

    pub(super) fn is_consecutive(&self) -> bool {
        matches!(self.kind, Kind::ConsecutiveFailures(_))
    }

    pub(super) fn check(&self, form: Form, problems: &mut Problems) {
        let minimum = match self.kind {
            Kind::ConsecutiveFailures(n) => {
                problems.count("trip.consecutive_failures", n, u32::MAX);
                "trip.consecutive_failures.minimum_calls"
            }
            Kind::FailureCount(n) => {
                problems.count("trip.failure_count", n, u32::MAX);
                "trip.failure_count.minimum_calls"
            }
            Kind::FailureRate(threshold) => {
                problems.threshold("trip.failure_rate.threshold", threshold);
                "trip.failure_rate.minimum_calls"
            }
            Kind::SlowCallRate(threshold, slow_after) => {
                problems.threshold("trip.slow_call_rate.threshold", threshold);
                problems.duration("trip.slow_call_rate.slow_after", slow_after);
                "trip.slow_call_rate.minimum_calls"
            }
        };
        let Some(n) = self.minimum_calls else { return };
        match (self.threshold(), form) {
            (None, _) => problems.add(minimum, n, "only a rate has a minimum: must not be set"),
            (Some(_), _) if n == 0 => problems.add(minimum, n, "must be at least 1"),
            (Some(_), Form::LastCalls(size)) if n > size && n != u32::MAX => problems.add(
                minimum,
                n,
                format_args!("must be at most {size}: the window holds no more calls"),
            ),
            (Some(_), _) => {}
        }
    }

    /// After `check` has found nothing.
    pub(super) fn rule(&self, form: Form) -> Rule {
        let default = match form {
            Form::LastCalls(size) => MINIMUM_CALLS.min(size),
            Form::Time { .. } | Form::Tumbling { .. } | Form::Unbounded => MINIMUM_CALLS,
        };
        let minimum_calls = self.minimum_calls.unwrap_or(default);
        let ppb = |threshold| parts_per_billion(threshold).unwrap_or(super::BILLION);
        match self.kind {
            Kind::ConsecutiveFailures(n) => Rule::ConsecutiveFailures(n),
            Kind::FailureCount(n) => Rule::FailureCount(n),
            Kind::FailureRate(threshold) => {
                Rule::FailureRate { threshold_ppb: ppb(threshold), minimum_calls }
            }
            Kind::SlowCallRate(threshold, slow_after) => Rule::SlowCallRate {
                threshold_ppb: ppb(threshold),
                slow_after_nanos: nanos(slow_after),
                minimum_calls,
            },
        }
    }
}
