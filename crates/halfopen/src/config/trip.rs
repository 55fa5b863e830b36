use std::fmt;
use std::time::Duration;

use super::error::Problems;
use super::window::Window;
use super::{duration, ratio};
use crate::clock::nanos;

/// A rule that opens the breaker: when too much fails, or takes too long.
///
/// Rules stand side by side, and any one that holds opens. They are asked after every recorded
/// outcome, a success included. A constructor keeps what it is given;
/// [`build`](crate::CircuitBreakerConfigBuilder::build) says what cannot hold. A count of
/// [`u32::MAX`] is never reached.
///
/// # Examples
///
/// ```
/// use halfopen::{Trip, TripKind};
/// use std::time::Duration;
///
/// let slow = Trip::slow_call_rate(0.8, Duration::from_secs(2)).minimum_calls(20);
/// assert_eq!(
///     slow.kind(),
///     TripKind::SlowCallRate { threshold: 0.8, slow_after: Duration::from_secs(2), minimum_calls: 20 },
/// );
/// ```
#[derive(Clone, Copy)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "super::document::Trip", into = "super::document::Trip"))]
pub struct Trip {
    kind: TripKind,
    /// The minimum that was asked for, which is kept apart from one that nobody wrote (S11).
    minimum_calls: Option<u32>,
}

/// What a [`Trip`] looks at, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TripKind {
    /// Failures without a success between them.
    ConsecutiveFailures {
        /// How many open.
        failures: u32,
    },
    /// Failures in the window.
    FailureCount {
        /// How many open.
        failures: u32,
    },
    /// The share of the calls in the window that failed.
    FailureRate {
        /// The share that opens, above 0 and at most 1.
        threshold: f64,
        /// How many calls must lie in the window before the share counts.
        minimum_calls: u32,
    },
    /// The share of the calls in the window that took too long.
    SlowCallRate {
        /// The share that opens, above 0 and at most 1.
        threshold: f64,
        /// How long a slow call takes, at least.
        slow_after: Duration,
        /// How many calls must lie in the window before the share counts.
        minimum_calls: u32,
    },
}

/// A rule as it is asked, in integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    ConsecutiveFailures(u32),
    FailureCount(u32),
    FailureRate { threshold_ppb: u32, minimum_calls: u32 },
    SlowCallRate { threshold_ppb: u32, slow_after_nanos: u64, minimum_calls: u32 },
}

/// What a rate rule waits for if nobody says otherwise.
const MINIMUM_CALLS: u32 = 5;

impl Trip {
    /// Opens after `n` failures in a row, from 1.
    ///
    /// A success ends the run; time does not, but a tumbling window's interval does. A breaker with
    /// such rules alone reads no clock while it is closed.
    pub fn consecutive_failures(n: u32) -> Trip {
        Trip { kind: TripKind::ConsecutiveFailures { failures: n }, minimum_calls: None }
    }

    /// Opens at `n` failures in the window, from 1.
    ///
    /// Above the size of a count window it never does.
    pub fn failure_count(n: u32) -> Trip {
        Trip { kind: TripKind::FailureCount { failures: n }, minimum_calls: None }
    }

    /// Opens when `threshold` of the calls in the window failed, or more; above 0, and 1 means all.
    ///
    /// The threshold is held to nine decimals, rounded down, and compared exactly: 7 of 25 reach
    /// 0.28, and 2 of 3 reach `2.0 / 3.0`. The rule waits for 5 calls, or for a count window to be
    /// full if it is smaller; [`minimum_calls`](Self::minimum_calls) sets another number.
    pub fn failure_rate(threshold: f64) -> Trip {
        Trip { kind: TripKind::FailureRate { threshold, minimum_calls: MINIMUM_CALLS }, minimum_calls: None }
    }

    /// Opens when `threshold` of the calls in the window took `slow_after` or longer; above 0, and 1
    /// means all.
    ///
    /// A slow call counts whether it succeeded or failed. The rule waits for 5 calls, as
    /// [`failure_rate`](Self::failure_rate) does. A configuration has one such rule at most.
    pub fn slow_call_rate(threshold: f64, slow_after: Duration) -> Trip {
        let kind = TripKind::SlowCallRate { threshold, slow_after, minimum_calls: MINIMUM_CALLS };
        Trip { kind, minimum_calls: None }
    }

    /// The calls that must lie in the window before a rate counts: from 1, and at most the size of a
    /// count window.
    ///
    /// An error on a rule that is no rate.
    pub fn minimum_calls(self, n: u32) -> Trip {
        Trip { minimum_calls: Some(n), ..self }.waiting_for(n)
    }

    /// What the rule looks at, with its numbers.
    pub fn kind(&self) -> TripKind {
        self.kind
    }

    fn waiting_for(self, n: u32) -> Trip {
        let kind = match self.kind {
            TripKind::ConsecutiveFailures { .. } | TripKind::FailureCount { .. } => self.kind,
            TripKind::FailureRate { threshold, .. } => TripKind::FailureRate { threshold, minimum_calls: n },
            TripKind::SlowCallRate { threshold, slow_after, .. } => {
                TripKind::SlowCallRate { threshold, slow_after, minimum_calls: n }
            }
        };
        Trip { kind, ..self }
    }

    /// The rule as it holds over a window: with the minimum that nobody wrote brought down to the
    /// size of a small one, and a threshold of nine decimals.
    pub(super) fn over(self, window: Window) -> Trip {
        let size = window.size().unwrap_or(MINIMUM_CALLS);
        let mut rule = self.waiting_for(self.minimum_calls.unwrap_or(MINIMUM_CALLS.min(size)));
        if let TripKind::FailureRate { threshold, .. } | TripKind::SlowCallRate { threshold, .. } =
            &mut rule.kind
        {
            *threshold = ratio::held(*threshold);
        }
        rule
    }

    pub(super) fn rule(self) -> Rule {
        match self.kind {
            TripKind::ConsecutiveFailures { failures } => Rule::ConsecutiveFailures(failures),
            TripKind::FailureCount { failures } => Rule::FailureCount(failures),
            TripKind::FailureRate { threshold, minimum_calls } => {
                Rule::FailureRate { threshold_ppb: ratio::parts_per_billion(threshold), minimum_calls }
            }
            TripKind::SlowCallRate { threshold, slow_after, minimum_calls } => Rule::SlowCallRate {
                threshold_ppb: ratio::parts_per_billion(threshold),
                slow_after_nanos: nanos(slow_after),
                minimum_calls,
            },
        }
    }

    pub(super) fn is_consecutive(&self) -> bool {
        matches!(self.kind, TripKind::ConsecutiveFailures { .. })
    }

    fn is_slow_call_rate(&self) -> bool {
        matches!(self.kind, TripKind::SlowCallRate { .. })
    }

    /// A minimum on a rule that waits for nothing.
    fn stray_minimum(&self) -> Option<u32> {
        match self.kind {
            TripKind::ConsecutiveFailures { .. } | TripKind::FailureCount { .. } => self.minimum_calls,
            TripKind::FailureRate { .. } | TripKind::SlowCallRate { .. } => None,
        }
    }
}

/// Two rules are the same if they open on the same numbers, whoever wrote them.
impl PartialEq for Trip {
    fn eq(&self, other: &Trip) -> bool {
        self.kind == other.kind && self.stray_minimum() == other.stray_minimum()
    }
}

impl fmt::Debug for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

/// What is wrong with these rules over this window.
pub(super) fn judge(rules: &[Trip], window: Window, problems: &mut Problems) {
    for rule in rules {
        judge_one(rule, window, problems);
    }
    let slow = rules.iter().filter(|rule| rule.is_slow_call_rate()).count();
    if slow > 1 {
        problems.add(
            "trip.slow_call_rate",
            format_args!("given {slow} times"),
            "given once at most: a breaker has one count of slow calls",
        );
    }
}

fn judge_one(rule: &Trip, window: Window, problems: &mut Problems) {
    match rule.kind {
        TripKind::ConsecutiveFailures { failures } => {
            problems.at_least_one("trip.consecutive_failures", failures);
            no_minimum("trip.consecutive_failures.minimum_calls", rule, problems);
        }
        TripKind::FailureCount { failures } => {
            problems.at_least_one("trip.failure_count", failures);
            no_minimum("trip.failure_count.minimum_calls", rule, problems);
        }
        TripKind::FailureRate { threshold, .. } => {
            problems.share("trip.failure_rate.threshold", threshold);
            minimum("trip.failure_rate.minimum_calls", rule, window, problems);
        }
        TripKind::SlowCallRate { threshold, slow_after, .. } => {
            problems.share("trip.slow_call_rate.threshold", threshold);
            if slow_after.is_zero() {
                let range = "longer than 0s, or every call is slow";
                problems.add("trip.slow_call_rate.slow_after", duration::print(slow_after), range);
            }
            minimum("trip.slow_call_rate.minimum_calls", rule, window, problems);
        }
    }
}

fn no_minimum(field: &'static str, rule: &Trip, problems: &mut Problems) {
    if let Some(written) = rule.stray_minimum() {
        problems.add(field, written, "left out: only a rate waits for calls");
    }
}

fn minimum(field: &'static str, rule: &Trip, window: Window, problems: &mut Problems) {
    let Some(written) = rule.minimum_calls else { return };
    match window.size() {
        Some(size) if written == 0 || written > size => {
            problems.add(field, written, format!("from 1 to {size}, the calls that `window` holds"));
        }
        Some(_) => {}
        None => problems.at_least_one(field, written),
    }
}
