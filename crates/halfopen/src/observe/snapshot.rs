use crate::counts::{Counts, parts_per_billion, share};
use crate::reason::{Cause, Reasons};
use crate::totals::Totals;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Recovery;
use crate::observe::{ShadowSnapshot, StateChange};
use crate::reason::TripReason;
use crate::state;
use crate::word::State;

/// Why a breaker opened, with the numbers of the rule that opened it.
///
/// `Display` formats the text in the parentheses of a [`Rejected`](crate::Rejected): `failure rate 61.5% >= 50%
/// of 26 calls`.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TripCause {
    /// Every reason that held, in a fixed order.
    pub reasons: Vec<TripReason>,
    /// The number that the first reason compares with its threshold: failures, slow calls, or failures in a
    /// row. Zero if the reason has no number.
    pub part: u64,
    /// The number of calls on which the decision was made; zero if the reason has no number.
    pub calls: u64,
    /// The threshold of the first reason: from 0 to 1 for a rate, otherwise a number of calls. [`None`] if
    /// the reason has no threshold.
    pub threshold: Option<f64>,
}

/// The probes of a half-open visit, and the numbers that decide it.
///
/// A visit keeps the configuration with which it began, so these numbers may differ from
/// those of [`CircuitBreaker::config`](crate::CircuitBreaker::config).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Probes {
    /// The number of probes in flight.
    pub in_flight: u64,
    /// The maximum number of probes in flight.
    pub limit: u64,
    /// Whether the next call is admitted as a probe.
    pub has_slot: bool,
    /// The number of probes that succeeded, not counting slow ones if there is a slow-call rule.
    pub successes: u64,
    /// The number of probes that failed, counting slow successes if there is a slow-call rule.
    pub failures: u64,
    /// The number of successes that closes the breaker; with a `failure_rate` the number of probes over which the
    /// rate is computed.
    pub needed: u64,
    /// The number of failures that opens the breaker again; [`None`] with a `failure_rate`.
    pub failures_to_open: Option<u64>,
    /// The failure rate, from 0 to 1, that opens the breaker again; [`None`] without one.
    pub failure_rate: Option<f64>,
    /// The threshold of the slow-call rule, from 0 to 1; [`None`] without such a rule.
    pub slow_call_rate: Option<f64>,
    /// The time until the first probe in flight is overdue; [`None`] without a probe in flight.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
    pub due_in: Option<Duration>,
    /// The time until the ramp admits every call, zero from then on; [`None`] before the first verdict.
    ///
    /// In a ramp, calls are limited only by its share: `limit` is the number of calls on which a verdict is decided, and
    /// `successes` and `failures` are those since the last verdict.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
    pub ramp_left: Option<Duration>,
}

/// The learned numbers of an adaptive breaker, and its belief about the dependency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Evidence {
    /// The share of bad calls in normal operation, from 0 to 1.
    pub normal: f64,
    /// The share of bad calls above which a call is not worth making.
    pub break_even: f64,
    /// The time within which 95 % of the successes end; [`None`] before 20 of them.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
    pub p95: Option<Duration>,
    /// The time from which an answer is too late; [`None`] if no answer is.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
    pub slow_limit: Option<Duration>,
    /// The probability that the dependency is down.
    pub down: f64,
    /// The most likely share of bad calls at this moment.
    pub likeliest: f64,
    /// The expected worth of a call: 1 for one that is sure to be good, 0 at break-even, negative if it is better not
    /// made.
    pub worth: f64,
    /// The number of bad calls in a row that would open the breaker now; [`None`] if it is not closed.
    pub bad_calls_to_trip: Option<u32>,
    /// The time after which the next call is a probe, if none is before; [`None`] if the breaker is not open.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
    pub next_probe: Option<Duration>,
    /// How often the incident has come back.
    pub relapses: u32,
    /// The number of bad calls of the current doubt, in which older ones weigh less; while open, of the one that opened
    /// the breaker. Zero without a doubt.
    pub bad: f64,
    /// The number of `bad` calls that were slow, not failed.
    pub slow: f64,
    /// The number of all calls of the doubt, weighed alike.
    pub calls: f64,
}

/// The state of a breaker at one moment.
///
/// All fields except the totals belong to one visit to one state; the totals may be slightly newer.
/// [`explain`](Self::explain) and [`Display`](std::fmt::Display) need only the snapshot.
///
/// `Display` formats one line for people.
///
/// # JSON
///
/// In serialized form (feature `serde`) fields keep their names, durations are numbers of seconds (`1.5`),
/// times are seconds since 1970, and [`None`] is `null`. The documentation of
/// [`RegistryStatus`](crate::RegistryStatus) shows two snapshots; `probes` of a half-open breaker is an object:
///
/// ```json
/// {
///   "in_flight": 1, "limit": 1, "has_slot": false, "successes": 0, "failures": 0,
///   "needed": 1, "failures_to_open": 1, "failure_rate": null, "slow_call_rate": null, "due_in": 59.0,
///   "ramp_left": null
/// }
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The breaker's name.
    pub name: Arc<str>,
    /// The state that an admission would find: an open breaker whose wait is over is half-open.
    pub state: State,
    /// The counts of this visit; while open, the counts that opened the breaker.
    pub counts: Counts,
    /// The rest of the wait while open; [`None`] while forced open; zero in every other state.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
    pub retry_after: Option<Duration>,
    /// Calls rejected since the last change of state.
    pub rejected: u64,
    /// The step of the backoff: the number of openings before the current or next one that are not forgotten.
    pub reopenings: u32,
    /// The whole wait of the current opening; in other states that of the next one. With
    /// [`Backoff::with`](crate::Backoff::with), whose function is called only at the opening, the latter is the
    /// configured wait.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::serialize"))]
    pub open_duration: Duration,
    /// The server's hint, if it determines the current wait, at most
    /// [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max); [`None`] in every state but open.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
    pub hint: Option<Duration>,
    /// The share of the calls that is admitted, from 0 to 1: 1 if all calls are admitted, 0 if at most probes are, and
    /// a growing share in the [`ramp`](crate::HalfOpen::ramp) of a half-open breaker.
    pub share: f64,
    /// Why the breaker opened; [`None`] in every state but open and half-open.
    pub cause: Option<TripCause>,
    /// The probes of this visit; [`None`] in every state but half-open.
    pub probes: Option<Probes>,
    /// Whether the breaker has custom rules
    /// ([`ready_to_trip`](crate::CircuitBreakerBuilder::ready_to_trip)) in addition to those of its configuration.
    pub has_custom_rule: bool,
    /// Whether the breaker is disabled by its configuration
    /// ([`set_enabled`](crate::CircuitBreaker::set_enabled)) and not by an operator.
    pub disabled_by_config: bool,
    /// The time since the breaker entered this state.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::serialize"))]
    pub in_state_for: Duration,
    /// What the breaker has learned and believes; [`None`] if it is not adaptive.
    pub adaptive: Option<Evidence>,
    /// The shadows of the breaker ([`CircuitBreaker::shadow`](crate::CircuitBreaker::shadow)); absent in serialized
    /// form if there are none.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub shadows: Vec<ShadowSnapshot>,
    /// The lifetime totals.
    pub totals: Totals,
    /// The last change that opened the breaker.
    pub last_trip: Option<StateChange>,
}

impl Default for Snapshot {
    /// Returns the snapshot of a closed breaker without a name and without calls.
    fn default() -> Snapshot {
        Snapshot {
            name: Arc::default(),
            state: State::Closed,
            counts: Counts::default(),
            retry_after: None,
            rejected: 0,
            reopenings: 0,
            open_duration: Duration::ZERO,
            hint: None,
            share: 1.0,
            cause: None,
            probes: None,
            has_custom_rule: false,
            disabled_by_config: false,
            in_state_for: Duration::ZERO,
            adaptive: None,
            shadows: Vec::new(),
            totals: Totals::default(),
            last_trip: None,
        }
    }
}

impl TripCause {
    /// Returns the public form of a cause, or [`None`] if it has no reasons.
    pub(crate) fn of(cause: Cause) -> Option<TripCause> {
        let first = cause.reasons.iter().next()?;
        let threshold = match first {
            TripReason::ConsecutiveFailures | TripReason::FailureCount => Some(f64::from(cause.threshold)),
            TripReason::FailureRate | TripReason::SlowCallRate | TripReason::Evidence => {
                Some(share(cause.threshold))
            }
            TripReason::Custom
            | TripReason::ProbeFailed
            | TripReason::ProbeTimedOut
            | TripReason::Manual
            | TripReason::Throttled
            | TripReason::Fleet => None,
        };
        let (part, calls) = (u64::from(cause.part), u64::from(cause.calls));
        Some(TripCause { reasons: cause.reasons.iter().collect(), part, calls, threshold })
    }

    /// Returns the cause from which [`of`](Self::of) created this.
    pub(crate) fn numbers(&self) -> Cause {
        let threshold = match self.reasons.first() {
            Some(TripReason::ConsecutiveFailures | TripReason::FailureCount) => {
                self.threshold.map_or(0, |calls| calls as u32)
            }
            Some(TripReason::FailureRate | TripReason::SlowCallRate | TripReason::Evidence) => {
                self.threshold.map_or(0, parts_per_billion)
            }
            Some(
                TripReason::Custom
                | TripReason::ProbeFailed
                | TripReason::ProbeTimedOut
                | TripReason::Manual
                | TripReason::Throttled
                | TripReason::Fleet,
            )
            | None => 0,
        };
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Cause {
            reasons: self.reasons.iter().fold(Reasons::default(), |all, &reason| all.with(reason)),
            threshold,
            part: narrow(self.part),
            calls: narrow(self.calls),
        }
    }
}

impl fmt::Display for TripCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.numbers().fmt(f)
    }
}

impl From<state::Probes> for Probes {
    fn from(probes: state::Probes) -> Probes {
        let state::Probes { recovery, slow_ppb, tally, in_flight, due_in, has_slot, ramp_left } = probes;
        let common = Probes {
            in_flight,
            has_slot,
            successes: tally.passed,
            failures: tally.failed(),
            slow_call_rate: slow_ppb.map(share),
            due_in: (in_flight > 0).then_some(due_in),
            ramp_left: ramp_left.map(Duration::from_nanos),
            ..Probes::default()
        };
        match recovery {
            Recovery::Counts { max_calls, success_threshold, max_failures } => Probes {
                limit: u64::from(max_calls),
                needed: u64::from(success_threshold),
                failures_to_open: Some(u64::from(max_failures) + 1),
                ..common
            },
            Recovery::Rate { max_calls, threshold_ppb } => Probes {
                limit: u64::from(max_calls),
                needed: u64::from(max_calls),
                failure_rate: Some(share(threshold_ppb)),
                ..common
            },
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::reason::{Cause, Reasons};

    #[test]
    fn a_cause_keeps_its_numbers() {
        let rate = Reasons::one(TripReason::FailureRate).with(TripReason::Custom);
        let run = Reasons::one(TripReason::ConsecutiveFailures);
        for cause in [
            Cause { reasons: rate, threshold: 333_333_333, part: 16, calls: 26 },
            Cause { reasons: rate, threshold: 999_999_999, part: u32::MAX, calls: u32::MAX },
            Cause { reasons: run, threshold: u32::MAX - 1, part: 5, calls: 9 },
            Cause::plain(TripReason::Manual),
        ] {
            let public = TripCause::of(cause).unwrap();
            assert_eq!(public.numbers(), cause);
            assert_eq!(public.to_string(), cause.to_string());
        }
        assert_eq!(TripCause::of(Cause::default()), None);
    }
}
