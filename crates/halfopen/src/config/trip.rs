use std::fmt;
use std::time::Duration;

use super::error::Problems;
use super::window::Window;
use super::{duration, ratio};
use crate::clock::nanos;

/// A rule that opens the breaker when too many calls fail or are slow.
///
/// A breaker can have several rules, and any rule that holds opens it. They are evaluated after every recorded
/// outcome, successes included. Constructors accept any value;
/// [`build`](crate::CircuitBreakerConfigBuilder::build) reports invalid ones. A count of
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
    /// The minimum that was set explicitly; the default depends on the window (S11).
    minimum_calls: Option<u32>,
    /// The threshold of a rate as it is compared, from [`over`](Self::over) on: each failure evaluates it.
    threshold_ppb: u32,
    in_flight: bool,
}

/// The kind of a [`Trip`], with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TripKind {
    /// Failures without a success between them.
    ConsecutiveFailures {
        /// The number of failures that opens the breaker.
        failures: u32,
    },
    /// Failures in the window.
    FailureCount {
        /// The number of failures that opens the breaker.
        failures: u32,
    },
    /// The share of failed calls in the window.
    FailureRate {
        /// The share that opens the breaker, above 0 and at most 1.
        threshold: f64,
        /// The number of calls in the window from which the rate is evaluated.
        minimum_calls: u32,
    },
    /// The share of slow calls in the window.
    SlowCallRate {
        /// The share that opens the breaker, above 0 and at most 1.
        threshold: f64,
        /// The duration from which a call is slow.
        slow_after: Duration,
        /// The number of calls in the window from which the rate is evaluated.
        minimum_calls: u32,
    },
}

/// A rule as it is evaluated, in integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    ConsecutiveFailures(u32),
    FailureCount(u32),
    FailureRate { threshold_ppb: u32, minimum_calls: u32 },
    SlowCallRate { threshold_ppb: u32, slow_after_nanos: u64, minimum_calls: u32, in_flight: bool },
}

/// The default of `minimum_calls`.
const MINIMUM_CALLS: u32 = 5;

impl Trip {
    /// Creates a rule that opens the breaker after `n` failures in a row, from 1.
    ///
    /// A success ends the run, and so does the end of a tumbling window's interval; time alone does not. A breaker that
    /// has only such rules reads no clock while it is closed.
    pub fn consecutive_failures(n: u32) -> Trip {
        Trip::of(TripKind::ConsecutiveFailures { failures: n })
    }

    /// Creates a rule that opens the breaker at `n` failures in the window, from 1.
    ///
    /// A number above the size of a count window is never reached.
    pub fn failure_count(n: u32) -> Trip {
        Trip::of(TripKind::FailureCount { failures: n })
    }

    /// Creates a rule that opens the breaker when the share of failed calls in the window is `threshold` or more.
    ///
    /// `threshold` is above 0, and 1 means all calls. It is rounded down to nine decimals and compared exactly: 7 of
    /// 25 reach 0.28, and 2 of 3 reach `2.0 / 3.0`. The rule is evaluated from 5 calls on, or from the size of a
    /// smaller count window; [`minimum_calls`](Self::minimum_calls) sets another number.
    pub fn failure_rate(threshold: f64) -> Trip {
        Trip::of(TripKind::FailureRate { threshold, minimum_calls: MINIMUM_CALLS })
    }

    /// Creates a rule that opens the breaker when the share of calls in the window that took `slow_after` or longer is
    /// `threshold` or more.
    ///
    /// `threshold` is above 0, and 1 means all calls. A slow call counts whether it succeeded or failed. The default of
    /// [`minimum_calls`](Self::minimum_calls) is that of [`failure_rate`](Self::failure_rate). A configuration can
    /// have only one such rule.
    pub fn slow_call_rate(threshold: f64, slow_after: Duration) -> Trip {
        Trip::of(TripKind::SlowCallRate { threshold, slow_after, minimum_calls: MINIMUM_CALLS })
    }

    /// Sets the number of calls in the window from which a rate is evaluated: at least 1, and at most the size of a
    /// count window.
    ///
    /// On a rule that is not a rate this is an error.
    pub fn minimum_calls(self, n: u32) -> Trip {
        Trip { minimum_calls: Some(n), ..self }.waiting_for(n)
    }

    /// Sets whether a slow-call rate counts a call as slow as soon as it has been in flight for `slow_after`, and not
    /// again at its end. The default is false.
    ///
    /// Without this option, a dependency that hangs opens the breaker only when its callers give up. With it, the rule is
    /// also evaluated at every admission, on the calls in the window and the overdue calls in flight
    /// ([`Counts::overdue`](crate::Counts::overdue)), and an admission at which it holds opens the breaker. A call
    /// becomes overdue at most an eighth of `slow_after` late. Each call costs two more atomic operations, on words
    /// that all threads share.
    ///
    /// On a rule that is not a slow-call rate this is an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Trip;
    /// use std::time::Duration;
    ///
    /// let hangs = Trip::slow_call_rate(0.5, Duration::from_secs(2)).in_flight(true);
    /// assert!(hangs.counts_in_flight());
    /// ```
    pub fn in_flight(self, on: bool) -> Trip {
        Trip { in_flight: on, ..self }
    }

    /// Returns whether a slow-call rate counts overdue calls while they are in flight: [`in_flight`](Self::in_flight).
    pub fn counts_in_flight(&self) -> bool {
        self.in_flight
    }

    /// Returns the kind of the rule, with its numbers.
    pub fn kind(&self) -> TripKind {
        self.kind
    }

    fn of(kind: TripKind) -> Trip {
        Trip { kind, minimum_calls: None, threshold_ppb: 0, in_flight: false }
    }

    fn waiting_for(self, n: u32) -> Trip {
        // A minimum on a rule that is no rate stays in its field, where `judge` finds it.
        let kind = match self.kind {
            TripKind::ConsecutiveFailures { .. } | TripKind::FailureCount { .. } => self.kind,
            TripKind::FailureRate { threshold, .. } => TripKind::FailureRate { threshold, minimum_calls: n },
            TripKind::SlowCallRate { threshold, slow_after, .. } => {
                TripKind::SlowCallRate { threshold, slow_after, minimum_calls: n }
            }
        };
        Trip { kind, ..self }
    }

    /// Returns the rule as it is evaluated over a window: a default minimum is limited to the size of the window, and
    /// the threshold is rounded to nine decimals.
    pub(super) fn over(self, window: Window) -> Trip {
        // A minimum that was set is not limited: one that the window never holds is an error, which `judge` reports.
        let size = window.size().unwrap_or(MINIMUM_CALLS);
        let mut rule = self.waiting_for(self.minimum_calls.unwrap_or(MINIMUM_CALLS.min(size)));
        if let TripKind::FailureRate { threshold, .. } | TripKind::SlowCallRate { threshold, .. } =
            &mut rule.kind
        {
            // The threshold that is shown is the one that is compared.
            *threshold = ratio::rounded(*threshold);
            rule.threshold_ppb = ratio::parts_per_billion(*threshold);
        }
        rule
    }

    /// Returns the rule in integers, of a rule that [`over`](Self::over) returned.
    pub(super) fn rule(&self) -> Rule {
        let threshold_ppb = self.threshold_ppb;
        match self.kind {
            TripKind::ConsecutiveFailures { failures } => Rule::ConsecutiveFailures(failures),
            TripKind::FailureCount { failures } => Rule::FailureCount(failures),
            TripKind::FailureRate { minimum_calls, .. } => Rule::FailureRate { threshold_ppb, minimum_calls },
            TripKind::SlowCallRate { slow_after, minimum_calls, .. } => Rule::SlowCallRate {
                threshold_ppb,
                slow_after_nanos: nanos(slow_after),
                minimum_calls,
                in_flight: self.in_flight,
            },
        }
    }

    pub(super) fn is_consecutive(&self) -> bool {
        matches!(self.kind, TripKind::ConsecutiveFailures { .. })
    }

    fn is_slow_call_rate(&self) -> bool {
        matches!(self.kind, TripKind::SlowCallRate { .. })
    }

    /// Returns the minimum that was set on a rule that is not a rate.
    fn stray_minimum(&self) -> Option<u32> {
        match self.kind {
            TripKind::ConsecutiveFailures { .. } | TripKind::FailureCount { .. } => self.minimum_calls,
            TripKind::FailureRate { .. } | TripKind::SlowCallRate { .. } => None,
        }
    }
}

/// Two rules are equal if their effective numbers are, whether set or default.
impl PartialEq for Trip {
    fn eq(&self, other: &Trip) -> bool {
        self.kind == other.kind
            && self.in_flight == other.in_flight
            && self.stray_minimum() == other.stray_minimum()
    }
}

impl fmt::Debug for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if self.in_flight { f.write_str(" in flight") } else { Ok(()) }
    }
}

/// Adds the problems of these rules over this window.
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
    if rule.in_flight && !rule.is_slow_call_rate() {
        let field = match rule.kind {
            TripKind::ConsecutiveFailures { .. } => "trip.consecutive_failures.in_flight",
            TripKind::FailureCount { .. } => "trip.failure_count.in_flight",
            TripKind::FailureRate { .. } | TripKind::SlowCallRate { .. } => "trip.failure_rate.in_flight",
        };
        problems.add(field, true, "left out: only a slow-call rate counts calls in flight");
    }
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
