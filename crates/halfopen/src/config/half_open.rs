use std::fmt;
use std::time::Duration;

use super::error::Problems;
use super::ratio;
use crate::clock::nanos;

/// How a breaker finds out whether to close again: how many probes it lets through, and what they
/// must show.
///
/// Either counts decide ([`success_threshold`](Self::success_threshold),
/// [`max_failures`](Self::max_failures)) or a rate over all probes
/// ([`failure_rate`](Self::failure_rate)); both at once is an error.
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
    // What was written, for a rate excludes what was, and not what is the default.
    success_threshold: Option<u32>,
    max_failures: Option<u32>,
    failure_rate: Option<f64>,
    probe_timeout: Duration,
    /// Zero without a ramp.
    ramp: Duration,
}

/// What decides a half-open visit, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum HalfOpenKind {
    /// Successes close, failures open.
    Counts {
        /// Probes in flight at once, at most.
        max_calls: u32,
        /// Successes that close.
        success_threshold: u32,
        /// Failures that are borne; one more opens.
        max_failures: u32,
    },
    /// The share of the probes that failed.
    Rate {
        /// Probes the share is taken of.
        max_calls: u32,
        /// The share that opens, above 0 and at most 1.
        failure_rate: f64,
    },
}

/// What decides a half-open visit, in integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Recovery {
    Counts { max_calls: u32, success_threshold: u32, max_failures: u32 },
    Rate { max_calls: u32, threshold_ppb: u32 },
}

/// What a permit that was dropped without a word counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(from = "super::document::Abandoned", into = "super::document::Abandoned")
)]
#[non_exhaustive]
pub enum Abandoned {
    /// Nothing: somebody lost interest, which says nothing about the dependency.
    #[default]
    Ignore,
    /// A failure, always.
    Failure,
    /// A failure if it was held this long or longer, else nothing.
    ///
    /// For a timeout outside the breaker: what it cuts off is evidence of a hang, and a caller that
    /// went away early is not. The time is longer than zero.
    FailureAfter(Duration),
}

impl HalfOpen {
    /// One probe at a time, one success closes, one failure opens, and a probe has 60 s to report.
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

    /// Probes in flight at once, at most, from 1; with [`failure_rate`](Self::failure_rate) also the
    /// number of probes that the rate is taken of.
    pub fn max_calls(self, n: u32) -> HalfOpen {
        HalfOpen { max_calls: n, ..self }
    }

    /// Successes that close the breaker, from 1; may exceed `max_calls`, which takes several rounds.
    pub fn success_threshold(self, n: u32) -> HalfOpen {
        HalfOpen { success_threshold: Some(n), ..self }
    }

    /// Failures that a visit bears, from 0; one more opens the breaker.
    pub fn max_failures(self, n: u32) -> HalfOpen {
        HalfOpen { max_failures: Some(n), ..self }
    }

    /// Opens when `threshold` of the `max_calls` probes failed, or more, and else closes; above 0, and
    /// 1 means all.
    ///
    /// The verdict comes as soon as the probes that are left cannot change it. The threshold is held
    /// as [`Trip::failure_rate`](crate::Trip::failure_rate) says.
    pub fn failure_rate(self, threshold: f64) -> HalfOpen {
        HalfOpen { failure_rate: Some(threshold), ..self }
    }

    /// How long a probe may take: one that has not reported after `limit` opens the breaker, whatever
    /// else the visit bears. Longer than zero.
    pub fn probe_timeout(self, limit: Duration) -> HalfOpen {
        HalfOpen { probe_timeout: limit, ..self }
    }

    /// Admits a growing share of the calls after the probes have passed, and closes only after that; zero, the default,
    /// closes immediately.
    ///
    /// The share grows from one call in ten to all of them over `length`, and the admitted calls lie evenly among the
    /// others, which are rejected ([`RejectReason::HalfOpenRamp`](crate::RejectReason::HalfOpenRamp)). They are judged
    /// as the probes are, verdict after verdict: one that fails opens the breaker again, and the first that passes while
    /// every call is admitted closes it. A verdict of one probe thus bears no failure in the whole ramp; for a service
    /// that always fails a few calls, set [`max_failures`](Self::max_failures) or a
    /// [`failure_rate`](Self::failure_rate). Calls of a ramp are not limited by [`max_calls`](Self::max_calls), and
    /// each has the [`probe_timeout`](Self::probe_timeout) to report.
    ///
    /// For a service that comes back with cold caches, or with few of its instances, and that the whole load would
    /// bring down again.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreakerConfig, HalfOpen};
    /// use std::time::Duration;
    ///
    /// // Five probes, of which less than half may fail, and then ten seconds of growing load.
    /// let gentle = HalfOpen::new().max_calls(5).failure_rate(0.5).ramp(Duration::from_secs(10));
    /// let config = CircuitBreakerConfig::builder().half_open(gentle).build()?;
    /// assert_eq!(config.half_open().ramp_length(), Some(Duration::from_secs(10)));
    /// # Ok::<(), halfopen::ConfigError>(())
    /// ```
    pub fn ramp(self, length: Duration) -> HalfOpen {
        HalfOpen { ramp: length, ..self }
    }

    /// What decides a visit, with its numbers.
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

    /// The limit set by [`probe_timeout`](Self::probe_timeout).
    pub fn probe_limit(&self) -> Duration {
        self.probe_timeout
    }

    /// The length set by [`ramp`](Self::ramp); [`None`] without a ramp.
    pub fn ramp_length(&self) -> Option<Duration> {
        (!self.ramp.is_zero()).then_some(self.ramp)
    }

    /// The same, with a rate of nine decimals.
    pub(super) fn held(self) -> HalfOpen {
        HalfOpen { failure_rate: self.failure_rate.map(ratio::held), ..self }
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

    /// The counts that were written beside a rate.
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

/// Two are the same if they decide the same, whether a number was written or is the default.
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
