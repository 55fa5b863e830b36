use std::fmt;
use std::time::Duration;

use super::error::Problems;
use super::ratio;
use crate::clock::nanos;

/// The recovery of a breaker: the number of probes that it admits, and the results that close it.
///
/// The verdict follows either from counts ([`success_threshold`](Self::success_threshold),
/// [`max_failures`](Self::max_failures)) or from a rate over all probes
/// ([`failure_rate`](Self::failure_rate)); setting both is an error.
///
/// # Examples
///
/// ```
/// use halfopen::{HalfOpen, HalfOpenKind};
///
/// // Two of three must succeed, one probe at a time.
/// let careful = HalfOpen::new().success_threshold(2).max_failures(1);
/// assert_eq!(
///     careful.kind(),
///     HalfOpenKind::Counts { max_calls: 1, success_threshold: 2, max_failures: 1 },
/// );
/// ```
#[derive(Clone, Copy)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "super::document::HalfOpen", into = "super::document::HalfOpen"))]
pub struct HalfOpen {
    max_calls: u32,
    // `None` if not set: a rate excludes counts that are set, but not their defaults.
    success_threshold: Option<u32>,
    max_failures: Option<u32>,
    failure_rate: Option<f64>,
    probe_timeout: Duration,
    /// Zero without a ramp.
    ramp: Duration,
}

/// The numbers that decide a half-open visit.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum HalfOpenKind {
    /// A number of successes closes the breaker, and a number of failures opens it.
    Counts {
        /// The maximum number of probes in flight.
        max_calls: u32,
        /// The number of successes that closes the breaker.
        success_threshold: u32,
        /// The number of failures that is tolerated; one more opens the breaker.
        max_failures: u32,
    },
    /// The share of failed probes closes or opens the breaker.
    Rate {
        /// The number of probes over which the share is computed.
        max_calls: u32,
        /// The share that opens the breaker, above 0 and at most 1.
        failure_rate: f64,
    },
}

/// The numbers that decide a half-open visit, in integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Recovery {
    Counts { max_calls: u32, success_threshold: u32, max_failures: u32 },
    Rate { max_calls: u32, threshold_ppb: u32 },
}

/// How a permit that was dropped without a report is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(from = "super::document::Abandoned", into = "super::document::Abandoned")
)]
#[non_exhaustive]
pub enum Abandoned {
    /// Not recorded: that a caller cancels is no evidence about the dependency.
    #[default]
    Ignore,
    /// Always a failure.
    Failure,
    /// A failure if the permit was held for this time or longer; otherwise not recorded.
    ///
    /// Intended for a timeout outside the breaker: a call that it cancels is evidence of a hang, and a caller that
    /// cancels early is not. The time must be longer than zero.
    FailureAfter(Duration),
}

impl HalfOpen {
    /// Returns the default: one probe at a time, one success closes the breaker, one failure opens it, and a probe must
    /// report within 60 s.
    pub fn new() -> HalfOpen {
        HalfOpen {
            max_calls: 1,
            success_threshold: None,
            max_failures: None,
            failure_rate: None,
            probe_timeout: Duration::from_secs(60),
            ramp: Duration::ZERO,
        }
    }

    /// Sets the maximum number of probes in flight, from 1; with [`failure_rate`](Self::failure_rate) also the
    /// number of probes over which the rate is computed.
    pub fn max_calls(self, n: u32) -> HalfOpen {
        HalfOpen { max_calls: n, ..self }
    }

    /// Sets the number of successes that closes the breaker, from 1. It may exceed `max_calls`, which takes several
    /// rounds.
    pub fn success_threshold(self, n: u32) -> HalfOpen {
        HalfOpen { success_threshold: Some(n), ..self }
    }

    /// Sets the number of failures that a visit tolerates, from 0. One more opens the breaker.
    pub fn max_failures(self, n: u32) -> HalfOpen {
        HalfOpen { max_failures: Some(n), ..self }
    }

    /// Sets the share of the `max_calls` probes from which failures open the breaker; below it the breaker closes.
    ///
    /// `threshold` is above 0, and 1 means all probes. The verdict comes as soon as the remaining probes cannot change
    /// it. The threshold is rounded and compared as in [`Trip::failure_rate`](crate::Trip::failure_rate).
    pub fn failure_rate(self, threshold: f64) -> HalfOpen {
        HalfOpen { failure_rate: Some(threshold), ..self }
    }

    /// Sets the timeout of a probe. A probe that has not reported after `limit` opens the breaker, even if the visit
    /// tolerates failures. It must be longer than zero.
    pub fn probe_timeout(self, limit: Duration) -> HalfOpen {
        HalfOpen { probe_timeout: limit, ..self }
    }

    /// Sets the length of a ramp, in which the breaker admits a growing share of the calls after its probes have passed,
    /// before it closes. The default is zero: the breaker closes immediately.
    ///
    /// The share grows from one call in ten to all calls over `length`. The admitted calls are spread evenly among the
    /// others, which are rejected ([`RejectReason::HalfOpenRamp`](crate::RejectReason::HalfOpenRamp)). They are
    /// evaluated as the probes are, one verdict after the other: a failed verdict opens the breaker again, and the first
    /// one that passes while every call is admitted closes it. If a verdict needs one probe, the ramp therefore tolerates
    /// no failure; for a service that always fails a few calls, set [`max_failures`](Self::max_failures) or a
    /// [`failure_rate`](Self::failure_rate). Calls of a ramp are not limited by [`max_calls`](Self::max_calls), and
    /// each must report within the [`probe_timeout`](Self::probe_timeout).
    ///
    /// Intended for a service that recovers with cold caches or with few of its instances, and that the full load
    /// would bring down again.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreakerConfig, HalfOpen};
    /// use std::time::Duration;
    ///
    /// // Five probes, of which fewer than half may fail, and then ten seconds of growing load.
    /// let gentle = HalfOpen::new().max_calls(5).failure_rate(0.5).ramp(Duration::from_secs(10));
    /// let config = CircuitBreakerConfig::builder().half_open(gentle).build()?;
    /// assert_eq!(config.half_open().ramp_length(), Some(Duration::from_secs(10)));
    /// # Ok::<(), halfopen::ConfigError>(())
    /// ```
    pub fn ramp(self, length: Duration) -> HalfOpen {
        HalfOpen { ramp: length, ..self }
    }

    /// Returns the numbers that decide a visit.
    pub fn kind(&self) -> HalfOpenKind {
        let max_calls = self.max_calls;
        match self.failure_rate {
            Some(failure_rate) => HalfOpenKind::Rate { max_calls, failure_rate },
            None => HalfOpenKind::Counts {
                max_calls,
                success_threshold: self.success_threshold.unwrap_or(1),
                max_failures: self.max_failures.unwrap_or(0),
            },
        }
    }

    /// Returns the timeout set by [`probe_timeout`](Self::probe_timeout).
    pub fn probe_limit(&self) -> Duration {
        self.probe_timeout
    }

    /// Returns the length set by [`ramp`](Self::ramp), or [`None`] without a ramp.
    pub fn ramp_length(&self) -> Option<Duration> {
        (!self.ramp.is_zero()).then_some(self.ramp)
    }

    /// Returns whether no number is set. A number that is set to its default is not the same: it excludes a rate.
    pub(super) fn is_unset(&self) -> bool {
        let HalfOpen { max_calls, success_threshold, max_failures, failure_rate, probe_timeout, ramp } =
            *self;
        let new = HalfOpen::new();
        (max_calls, probe_timeout, ramp) == (new.max_calls, new.probe_timeout, new.ramp)
            && success_threshold.is_none()
            && max_failures.is_none()
            && failure_rate.is_none()
    }

    /// Returns the same with a rate that is rounded to nine decimals.
    pub(super) fn rounded(self) -> HalfOpen {
        HalfOpen { failure_rate: self.failure_rate.map(ratio::rounded), ..self }
    }

    pub(super) fn recovery(&self) -> Recovery {
        match self.kind() {
            HalfOpenKind::Counts { max_calls, success_threshold, max_failures } => {
                Recovery::Counts { max_calls, success_threshold, max_failures }
            }
            HalfOpenKind::Rate { max_calls, failure_rate } => {
                Recovery::Rate { max_calls, threshold_ppb: ratio::parts_per_billion(failure_rate) }
            }
        }
    }

    pub(super) fn probe_timeout_nanos(&self) -> u64 {
        nanos(self.probe_timeout)
    }

    pub(super) fn ramp_nanos(&self) -> Option<u64> {
        self.ramp_length().map(nanos)
    }

    /// Returns the counts that were set in addition to a rate.
    fn beside_rate(&self) -> Option<&'static str> {
        self.failure_rate?;
        match (self.success_threshold, self.max_failures) {
            (None, None) => None,
            (Some(_), None) => Some("`success_threshold`"),
            (None, Some(_)) => Some("`max_failures`"),
            (Some(_), Some(_)) => Some("`success_threshold` and `max_failures`"),
        }
    }

    pub(super) fn judge(&self, problems: &mut Problems) {
        problems.at_least_one("half_open.max_calls", self.max_calls);
        if let Some(successes) = self.success_threshold {
            problems.at_least_one("half_open.success_threshold", successes);
        }
        if let Some(rate) = self.failure_rate {
            problems.share("half_open.failure_rate", rate);
        }
        if let Some(counts) = self.beside_rate() {
            let value = format_args!("set beside {counts}");
            problems.add("half_open.failure_rate", value, "set alone: a rate decides, or counts do");
        }
        problems.above_zero("half_open.probe_timeout", self.probe_timeout);
    }
}

impl Default for HalfOpen {
    fn default() -> HalfOpen {
        HalfOpen::new()
    }
}

/// Two are equal if their effective numbers are, whether set or default.
impl PartialEq for HalfOpen {
    fn eq(&self, other: &HalfOpen) -> bool {
        self.kind() == other.kind()
            && self.probe_timeout == other.probe_timeout
            && self.ramp == other.ramp
            && self.beside_rate() == other.beside_rate()
    }
}

impl fmt::Debug for HalfOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HalfOpen")
            .field("kind", &self.kind())
            .field("probe_timeout", &self.probe_timeout)
            .field("ramp", &self.ramp)
            .finish()
    }
}

impl Abandoned {
    pub(super) fn judge(&self, problems: &mut Problems) {
        if let Abandoned::FailureAfter(age) = *self {
            if age.is_zero() {
                let range = "longer than 0s; for every abandoned call use `Abandoned::Failure`";
                problems.add("abandoned.failure_after", super::duration::print(age), range);
            }
        }
    }
}
